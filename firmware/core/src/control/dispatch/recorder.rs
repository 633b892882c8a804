//! `io.blockhaul.Recorder`: doors for streams, and streams over the control socket.

use alloc::format;
use core::time::Duration;
use hal::{ClientId, Role};

use super::{Done, no_such, no_such_method, parse};
use crate::Name;
use crate::appliance::Parts;
use crate::archive::creation::refusal;
use crate::context::Context;
use crate::control::changes::Change;
use crate::control::reply;
use crate::control::types::{Call, Named, RecordCall, RecorderCreate, Recorders, Refusal, RefusalCode};
use crate::limits::{FLUSH_AFTER_MAX, FLUSH_AFTER_MIN};
use crate::recorder::{Door, client_name};

/// Methods, and the least role for each.
pub(super) const METHODS: &[(&str, Role)] = &[
    ("Create", Role::Admin),
    ("List", Role::Read),
    ("Remove", Role::Admin),
    ("Record", Role::Operate),
];

/// Whether a recorder's door can be as a setting has it.
pub(in crate::control) fn check_door(setting: &RecorderCreate) -> Result<(), Refusal> {
    flush_after(setting.flush_after_ms)?;
    if !setting.listen.starts_with('/') || setting.listen.len() > 107 {
        let sentence = "The path of the socket is not absolute, or longer than the 107 bytes that a socket's path may have.";
        let next = "Choose a short absolute path, for example under /run.";
        return Err(refusal(RefusalCode::Usage, sentence, next));
    }
    Ok(())
}

fn flush_after(ms: u64) -> Result<Duration, Refusal> {
    let time = Duration::from_millis(ms);
    if (FLUSH_AFTER_MIN..=FLUSH_AFTER_MAX).contains(&time) {
        return Ok(time);
    }
    let sentence = format!("flush-after of {ms} ms is out of range.");
    Err(refusal(RefusalCode::Usage, sentence, "Choose 1 s to 300 s; 10 s suits most."))
}

impl Parts {
    pub(super) fn call_recorder(&mut self, client: ClientId, method: &str, call: &Call, context: &mut Context) -> Done {
        let name = || parse::<Named>(call).map(|named| named.name);
        match method {
            "Create" => {
                let setting: RecorderCreate = parse(call)?;
                if let Some(place) = self.archive_place(&setting.archive) {
                    self.check_not_hauled(place, &setting.camera)?;
                }
                self.change(Some(client), Change::AddRecorder(setting), context);
            }
            "List" => {
                let recorders = self
                    .recorders
                    .values()
                    .map(|recorder| recorder.status(&self.archive_name(recorder.archive)));
                let recorders = Recorders {
                    recorders: recorders.collect(),
                };
                reply(client, &recorders, false, context);
            }
            "Remove" => self.change(Some(client), Change::RemoveRecorder(name()?), context),
            "Record" => self.record_stream(client, parse(call)?, context)?,
            _ => return Err(no_such_method()),
        }
        Ok(())
    }

    fn record_stream(&mut self, client: ClientId, call: RecordCall, context: &mut Context) -> Done {
        let time = flush_after(call.flush_after_ms)?;
        let archive = self
            .archive_named(&call.archive)
            .ok_or_else(|| no_such("archive", &call.archive))?;
        if !archive.takes() || archive.is_full() {
            return Err(archive.takes_nothing().into());
        }
        let index = archive.index;
        self.check_not_hauled(index, &call.camera)?;
        let same_track = |archive: usize, camera: &Name, kind| archive == index && *camera == call.camera && kind == call.kind;
        if let Some(other) = self
            .recorders
            .values()
            .find(|other| same_track(other.archive, &other.camera, other.kind))
        {
            let sentence = format!(
                "Camera {} is being recorded into {} by recorder {}.",
                call.camera, call.archive, other.name
            );
            return Err(refusal(
                RefusalCode::Busy,
                sentence,
                "Choose another camera or kind, or remove that recorder.",
            )
            .into());
        }
        let name = client_name(client).unwrap_or_else(|| call.camera.clone());
        self.new_recorder(name, index, (call.camera, call.kind), Door::Client(client), time, context);
        Ok(())
    }
}
