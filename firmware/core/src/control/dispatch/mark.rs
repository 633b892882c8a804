//! `io.blockhaul.Mark`: named points of an archive.

use alloc::boxed::Box;
use alloc::format;
use core::time::Duration;
use hal::{ClientId, Role};

use super::{Done, Outcome, no_such, no_such_method, parse};
use crate::Name;
use crate::appliance::Parts;
use crate::archive::Archive;
use crate::archive::creation::refusal;
use crate::archive::marks::Mark;
use crate::context::Context;
use crate::control::noting::mark_info;
use crate::control::restore::Restore;
use crate::control::types::{Call, MarkCreate, MarkInfos, MarkList, MarkRemove, MarkRestore, MarkWait, RefusalCode};
use crate::control::waiting::What;
use crate::control::{Reading, reply};

/// Methods, and the least role for each.
pub(super) const METHODS: &[(&str, Role)] = &[
    ("Create", Role::Operate),
    ("List", Role::Read),
    ("Remove", Role::Operate),
    ("Wait", Role::Read),
    ("Restore", Role::Admin),
];

fn no_such_mark(name: &Name, archive: &Name) -> Outcome {
    let next = format!("See what there is: blockhaul mark list --archive {archive}");
    refusal(RefusalCode::NotFound, format!("Archive {archive} has no mark {name}."), next).into()
}

fn mark_of<'a>(archive: &'a Archive, name: &Name) -> Result<&'a Mark, Outcome> {
    archive
        .catalog
        .marks
        .named(name)
        .ok_or_else(|| no_such_mark(name, &archive.name))
}

impl Parts {
    pub(super) fn call_mark(&mut self, client: ClientId, method: &str, call: &Call, context: &mut Context) -> Done {
        match method {
            "Create" => {
                let call: MarkCreate = parse(call)?;
                self.one_call(client)?;
                let place = self.taking(&call.archive)?.index;
                self.make_mark(client, place, call.name, call.dry_run, context)?;
            }
            "List" => {
                let MarkList { archive } = parse(call)?;
                let archive = self.archive_named(&archive).ok_or_else(|| no_such("archive", &archive))?;
                let marks = archive.catalog.marks.whole().map(|mark| mark_info(mark, archive));
                let marks = MarkInfos { marks: marks.collect() };
                reply(client, &marks, false, context);
            }
            "Remove" => {
                let call: MarkRemove = parse(call)?;
                self.one_call(client)?;
                let archive = self.taking(&call.archive)?;
                let (place, mark) = (archive.index, mark_of(archive, &call.name)?.head.mark);
                self.remove_mark(client, place, mark, context)?;
            }
            "Wait" => {
                let MarkWait {
                    name,
                    archive,
                    timeout_ms,
                } = parse(call)?;
                let place = self.archive_place(&archive).ok_or_else(|| no_such("archive", &archive))?;
                let until = timeout_ms.map(|ms| context.now.at + Duration::from_millis(ms));
                self.wait(client, What::Mark { archive: place, name }, until, context);
            }
            "Restore" => self.restore(client, parse(call)?, call.more, context)?,
            _ => return Err(no_such_method()),
        }
        Ok(())
    }

    fn restore(&mut self, client: ClientId, call: MarkRestore, more: bool, context: &mut Context) -> Done {
        self.one_call(client)?;
        let from = self.giving(&call.archive)?;
        let into = self.taking(&call.into)?;
        if from.index == into.index {
            let sentence = "An archive is not restored into itself.";
            return Err(refusal(
                RefusalCode::Usage,
                sentence,
                "Create a new archive, and restore into that one.",
            )
            .into());
        }
        if from.superblock.block_bytes != into.superblock.block_bytes {
            let sentence = format!(
                "Archive {} has blocks of {} KiB, archive {} of {} KiB.",
                call.archive,
                from.superblock.block_bytes >> 10,
                call.into,
                into.superblock.block_bytes >> 10
            );
            let next = format!("Create one with --block-size {}KiB.", from.superblock.block_bytes >> 10);
            return Err(refusal(RefusalCode::Refused, sentence, next).into());
        }
        let writer = self.settings.recorders.iter().find(|recorder| recorder.archive == call.into);
        if let Some(writer) = writer {
            let sentence = format!("Recorder {} records into archive {}.", writer.name, call.into);
            return Err(refusal(
                RefusalCode::Busy,
                sentence,
                "Restore into an archive that nothing else writes to.",
            )
            .into());
        }
        let (place, mark) = (into.index, mark_of(from, &call.name)?.clone());
        let needed: u64 = mark.points.values().map(|point| point.next).sum();
        let missing = mark_info(&mark, from).missing;
        let there: u64 = into.catalog.tracks().iter().map(|track| track.tip.next).sum();
        let needed = needed.saturating_sub(missing + there);
        if needed > into.free_slots() && !call.dry_run {
            let sentence = format!(
                "Mark {} names {needed} blocks more, and archive {} has room for {}.",
                call.name,
                call.into,
                into.free_slots()
            );
            let next = "Create a larger archive, and restore into that one.";
            return Err(refusal(RefusalCode::Refused, sentence, next).into());
        }
        let Some(mut into) = self.archives[place].take() else {
            return Ok(());
        };
        let started = self
            .archive_named(&call.archive)
            .map(|from| Restore::start(client, call, &mark, from, &mut into, context.now.at));
        self.archives[place] = Some(into);
        if let Some(started) = started {
            let restore = Box::new(started?);
            Parts::read_for(&mut self.control, client, Reading::Restore { restore, more }, context);
        }
        Ok(())
    }
}
