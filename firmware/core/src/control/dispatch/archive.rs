//! `io.blockhaul.Archive`: creating, showing, checking, exporting.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use hal::{ClientId, Role};

use super::{Done, no_such, no_such_method, one_at_a_time, parse};
use crate::Name;
use crate::appliance::Parts;
use crate::archive::Archive;
use crate::archive::creation::{Creation, refusal};
use crate::context::Context;
use crate::control::export::Export;
use crate::control::types::{ArchiveCreate, Archives, Call, ExportCall, Gap, GapReason, Gaps, GapsCall, Named, RefusalCode};
use crate::control::verify::Verify;
use crate::control::waiting::archive_info;
use crate::control::{Reading, reply};
use crate::limits::ARCHIVES_MAX;

/// Methods, and the least role for each.
pub(super) const METHODS: &[(&str, Role)] = &[
    ("Create", Role::Admin),
    ("List", Role::Read),
    ("Info", Role::Read),
    ("Verify", Role::Read),
    ("Export", Role::Operate),
    ("Gaps", Role::Read),
];

impl Parts {
    pub(super) fn call_archive(&mut self, client: ClientId, method: &str, call: &Call, context: &mut Context) -> Done {
        let name = || parse::<Named>(call).map(|named| named.name);
        match method {
            "Create" => self.create_archive(client, parse(call)?, context)?,
            "List" => {
                let archives = self.archives.iter().flatten().map(Archive::status).collect();
                reply(client, &Archives { archives }, false, context);
            }
            "Info" => {
                let name = name()?;
                let archive = self.archive_named(&name).ok_or_else(|| no_such("archive", &name))?;
                reply(client, &archive_info(archive), false, context);
            }
            "Verify" => self.verify(client, &name()?, call.more, context)?,
            "Export" => self.export(client, parse(call)?, context)?,
            "Gaps" => self.gaps(client, &parse(call)?, context)?,
            _ => return Err(no_such_method()),
        }
        Ok(())
    }

    fn create_archive(&mut self, client: ClientId, call: ArchiveCreate, context: &mut Context) -> Done {
        let being_made = self.creations.values().any(|(creation, _)| creation.call.name == call.name);
        if being_made || self.settings.archives.iter().any(|archive| archive.name == call.name) {
            let sentence = format!("There is an archive {} already.", call.name);
            return Err(refusal(RefusalCode::Refused, sentence, "Choose another name.").into());
        }
        if let Some(other) = self.settings.archives.iter().find(|archive| archive.volume == call.volume) {
            let sentence = format!("{} is the volume of archive {}.", call.volume, other.name);
            return Err(refusal(RefusalCode::Busy, sentence, "Choose another volume.").into());
        }
        if self.settings.archives.len() + self.creations.len() >= ARCHIVES_MAX {
            let sentence = format!("An appliance has {ARCHIVES_MAX} archives at most.");
            return Err(refusal(RefusalCode::Refused, sentence, "Use another appliance.").into());
        }
        let index = self.archives.len();
        let volume = self.new_volume();
        let creation = Creation::start(index, call, volume, context)?;
        self.archives.push(None);
        self.creations.insert(index, (creation, client));
        Ok(())
    }

    fn verify(&mut self, client: ClientId, name: &Name, more: bool, context: &mut Context) -> Done {
        if self.control.readings.contains_key(&client) {
            return Err(one_at_a_time());
        }
        let archive = self.archive_named(name).ok_or_else(|| no_such("archive", name))?;
        if !archive.gives() {
            let (_, why, action) = archive.state();
            return Err(refusal(RefusalCode::Busy, format!("Archive {name} cannot be read: {why}."), action).into());
        }
        let verify = Box::new(Verify::start(client, archive, context.now.at));
        Parts::read_for(&mut self.control, client, Reading::Verify { verify, more }, context);
        Ok(())
    }

    fn export(&mut self, client: ClientId, call: ExportCall, context: &mut Context) -> Done {
        if self.control.readings.contains_key(&client) {
            return Err(one_at_a_time());
        }
        let archive = self
            .archive_named(&call.archive)
            .ok_or_else(|| no_such("archive", &call.archive))?;
        if !archive.gives() {
            let (_, why, action) = archive.state();
            return Err(refusal(
                RefusalCode::Busy,
                format!("Archive {} cannot be read: {why}.", call.archive),
                action,
            )
            .into());
        }
        let keys = archive.catalog.tracks().iter().map(|track| &track.tip.key);
        let mut fitting = keys.filter(|key| {
            key.camera == call.camera && key.kind == call.kind && call.origin.is_none_or(|origin| key.origin == origin)
        });
        let Some(key) = fitting.next() else {
            let sentence = format!("Archive {} has no {} of camera {}.", call.archive, call.kind, call.camera);
            let next = format!("See its tracks: blockhaul archive info {}", call.archive);
            return Err(refusal(RefusalCode::NotFound, sentence, next).into());
        };
        if let Some(other) = fitting.next() {
            let sentence = format!(
                "Camera {} was recorded by several archives: {} and {}.",
                call.camera, key.origin, other.origin
            );
            return Err(refusal(RefusalCode::Usage, sentence, "Name one with --origin.").into());
        }
        let Some(track) = archive.catalog.find(key) else {
            return Ok(());
        };
        let Some(export) = Export::start(client, call, track, archive, context) else {
            let sentence = "The block memory is used up at the moment.";
            return Err(refusal(RefusalCode::Busy, sentence, "Try again.").into());
        };
        Parts::read_for(&mut self.control, client, Reading::Export(Box::new(export)), context);
        Ok(())
    }

    fn gaps(&mut self, client: ClientId, call: &GapsCall, context: &mut Context) -> Done {
        let archive = self
            .archive_named(&call.archive)
            .ok_or_else(|| no_such("archive", &call.archive))?;
        if !archive
            .catalog
            .tracks()
            .iter()
            .any(|track| track.tip.key.camera == call.camera)
        {
            let sentence = format!("Archive {} has no camera {}.", call.archive, call.camera);
            let next = format!("See its tracks: blockhaul archive info {}", call.archive);
            return Err(refusal(RefusalCode::NotFound, sentence, next).into());
        }
        // What was freed is said once, whatever else was missing of it.
        let of_camera = archive.catalog.gaps().filter_map(|(id, gap)| {
            let track = archive.catalog.track(id);
            (track.tip.key.camera == call.camera && gap.to > track.first).then(|| Gap {
                origin: track.tip.key.origin,
                kind: track.tip.key.kind,
                from: gap.from.max(track.first),
                to: gap.to,
                reason: gap.reason,
            })
        });
        let tracks = archive.catalog.tracks().iter();
        let freed = tracks
            .filter(|track| track.tip.key.camera == call.camera && track.first > 0)
            .map(|track| Gap {
                origin: track.tip.key.origin,
                kind: track.tip.key.kind,
                from: 0,
                to: track.first,
                reason: GapReason::Expired,
            });
        let mut gaps: Vec<Gap> = of_camera.chain(freed).collect();
        gaps.sort_by_key(|gap| (gap.origin, gap.kind, gap.from));
        reply(client, &Gaps { gaps }, false, context);
        Ok(())
    }
}
