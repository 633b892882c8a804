//! `io.blockhaul.Archive`: creating, showing, checking, exporting.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use hal::{ClientId, Role};

use super::{Done, Outcome, no_such, no_such_method, one_at_a_time, parse};
use crate::Name;
use crate::appliance::Parts;
use crate::archive::creation::{Creation, refusal};
use crate::archive::taking::Taking;
use crate::archive::walk::Reader;
use crate::archive::{Archive, TrackId};
use crate::context::Context;
use crate::control::changes::Change;
use crate::control::compare::Compare;
use crate::control::export::{Export, Merged};
use crate::control::reading::Ask;
use crate::control::survey::{Cover, Days, Quest, Survey};
use crate::control::types::{
    ArchiveCreate, ArchiveOpen, Archives, Call, CompareCall, ExistsCall, ExportCall, GapsCall, Named, RefusalCode, ScrubCall,
    StatisticsCall,
};
use crate::control::verify::Verify;
use crate::control::waiting::archive_info;
use crate::control::{Reading, reply};
use crate::limits::{ARCHIVES_MAX, READ_AHEAD};
use crate::settings::ScrubSetting;

/// Methods, and the least role for each.
pub(super) const METHODS: &[(&str, Role)] = &[
    ("Create", Role::Admin),
    ("Open", Role::Admin),
    ("List", Role::Read),
    ("Info", Role::Read),
    ("Verify", Role::Read),
    ("Scrub", Role::Operate),
    ("Compare", Role::Read),
    ("Remove", Role::Admin),
    ("Migrate", Role::Admin),
    ("CutOver", Role::Admin),
    ("Export", Role::Operate),
    ("Gaps", Role::Read),
    ("Exists", Role::Read),
    ("Statistics", Role::Read),
];

impl Parts {
    pub(super) fn call_archive(&mut self, client: ClientId, method: &str, call: &Call, context: &mut Context) -> Done {
        let name = || parse::<Named>(call).map(|named| named.name);
        match method {
            "Create" => self.create_archive(client, parse(call)?, context)?,
            "Open" => self.take_in_archive(client, parse(call)?, context)?,
            "List" => {
                let archives = self.configured_archives().map(Archive::status).collect();
                reply(client, &Archives { archives }, false, context);
            }
            "Info" => {
                let name = name()?;
                let archive = self.archive_named(&name).ok_or_else(|| no_such("archive", &name))?;
                reply(client, &archive_info(archive, self.scrub_setting(&name)), false, context);
            }
            "Verify" => self.verify(client, &name()?, call.more, context)?,
            "Export" => self.export(client, parse(call)?, context)?,
            "Scrub" => {
                let call: ScrubCall = parse(call)?;
                let scrub = call.rate_bytes.map(|rate_bytes| ScrubSetting {
                    rate_bytes,
                    pause_ms: call.pause_ms,
                });
                self.change(Some(client), Change::SetScrub(call.name, scrub), context);
            }
            "Remove" => {
                let name = name()?;
                if let Some(archive) = self.archive_named(&name) {
                    if archive.is_opening() {
                        return Err(Outcome::Opening(archive.index));
                    }
                    if !archive.is_at_rest() {
                        let sentence = format!("Something is being written to archive {name}.");
                        return Err(refusal(RefusalCode::Busy, sentence, "Try again in a moment.").into());
                    }
                }
                self.change(Some(client), Change::RemoveArchive(name), context);
            }
            "Compare" => self.compare(client, parse(call)?, call.more, context)?,
            "Migrate" => self.migrate(client, &parse(call)?, context)?,
            "CutOver" => self.cut_over(client, &parse(call)?, context)?,
            "Gaps" => self.gaps(client, &parse(call)?, context)?,
            "Exists" => self.exists(client, parse(call)?, context)?,
            "Statistics" => self.statistics(client, &parse(call)?, context)?,
            _ => return Err(no_such_method()),
        }
        Ok(())
    }

    fn create_archive(&mut self, client: ClientId, call: ArchiveCreate, context: &mut Context) -> Done {
        self.check_new_archive(&call.name, &call.volume)?;
        let index = self.archives.len();
        let volume = self.new_volume();
        let creation = Creation::start(index, call, volume, context)?;
        self.archives.push(None);
        self.creations.insert(index, (creation, client));
        Ok(())
    }

    fn take_in_archive(&mut self, client: ClientId, call: ArchiveOpen, context: &mut Context) -> Done {
        self.check_new_archive(&call.name, &call.volume)?;
        let volume = self.new_volume();
        let taking = Taking::start(call, volume, context)?;
        self.takings.insert(volume, (taking, client));
        Ok(())
    }

    /// Whether there may be another archive of that name on that volume.
    fn check_new_archive(&self, name: &Name, volume: &str) -> Done {
        let being_made = self.creations.values().any(|(creation, _)| creation.call.name == *name);
        if being_made || self.settings.archives.iter().any(|archive| archive.name == *name) {
            let sentence = format!("There is an archive {name} already.");
            return Err(refusal(RefusalCode::Refused, sentence, "Choose another name.").into());
        }
        if let Some(other) = self.settings.archives.iter().find(|archive| archive.volume == volume) {
            let sentence = format!("{volume} is the volume of archive {}.", other.name);
            return Err(refusal(RefusalCode::Busy, sentence, "Choose another volume.").into());
        }
        if self.settings.archives.len() + self.creations.len() + self.takings.len() >= ARCHIVES_MAX {
            let sentence = format!("An appliance has {ARCHIVES_MAX} archives at most.");
            return Err(refusal(RefusalCode::Refused, sentence, "Use another appliance.").into());
        }
        Ok(())
    }

    fn verify(&mut self, client: ClientId, name: &Name, more: bool, context: &mut Context) -> Done {
        self.one_call(client)?;
        let archive = self.giving(name)?;
        let verify = Box::new(Verify::start(Reader::Client(client), archive, 0, READ_AHEAD, context.now.at));
        Parts::read_for(&mut self.control, client, Reading::Verify { verify, more }, context);
        Ok(())
    }

    fn export(&mut self, client: ClientId, call: ExportCall, context: &mut Context) -> Done {
        self.one_call(client)?;
        let archive = self.giving(&call.archive)?;
        let fitting = archive.tracks_of(Some(&call.camera), Some(call.kind), call.origin);
        let fitting: BTreeSet<TrackId> = fitting.collect();
        let Some(track) = fitting.first().copied() else {
            let sentence = format!("Archive {} has no {} of camera {}.", call.archive, call.kind, call.camera);
            let next = format!("See its tracks: blockhaul archive info {}", call.archive);
            return Err(refusal(RefusalCode::NotFound, sentence, next).into());
        };
        let reading = if fitting.len() > 1 {
            Merged::start(client, call, &fitting, archive, context).map(|merged| Reading::Merged(Box::new(merged)))
        } else {
            Export::start(client, call, track, archive, context).map(|export| Reading::Export(Box::new(export)))
        };
        let Some(reading) = reading else {
            let sentence = "The block memory is used up at the moment.";
            return Err(refusal(RefusalCode::Busy, sentence, "Try again.").into());
        };
        Parts::read_for(&mut self.control, client, reading, context);
        Ok(())
    }

    fn gaps(&mut self, client: ClientId, call: &GapsCall, context: &mut Context) -> Done {
        let archive = self.giving(&call.archive)?;
        let (place, tracks) = (archive.index, archive.tracks_of(Some(&call.camera), None, None));
        let tracks: BTreeSet<TrackId> = tracks.collect();
        if tracks.is_empty() {
            let sentence = format!("Archive {} has no camera {}.", call.archive, call.camera);
            let next = format!("See its tracks: blockhaul archive info {}", call.archive);
            return Err(refusal(RefusalCode::NotFound, sentence, next).into());
        }
        let quest = Quest::Cover(Cover::new(None, None));
        self.survey(client, place, tracks, (None, None), quest, Ask::Gaps, context)
    }

    fn exists(&mut self, client: ClientId, call: ExistsCall, context: &mut Context) -> Done {
        if call.from_utc_ns >= call.to_utc_ns {
            let sentence = "The time of --to is not later than that of --from.";
            return Err(refusal(RefusalCode::Usage, sentence, "Give a --to that is later.").into());
        }
        let archive = self.giving(&call.archive)?;
        let (place, tracks) = (archive.index, archive.tracks_of(Some(&call.camera), Some(call.kind), None));
        let tracks: BTreeSet<TrackId> = tracks.collect();
        let times = (Some(call.from_utc_ns), Some(call.to_utc_ns));
        let quest = Quest::Cover(Cover::new(times.0, times.1));
        self.survey(client, place, tracks, times, quest, Ask::Exists, context)
    }

    fn statistics(&mut self, client: ClientId, call: &StatisticsCall, context: &mut Context) -> Done {
        let archive = self.giving(&call.archive)?;
        let (place, tracks) = (archive.index, archive.tracks_of(call.camera.as_ref(), None, None));
        let tracks: BTreeSet<TrackId> = tracks.collect();
        let times = (call.from_utc_ns, call.to_utc_ns);
        let quest = Quest::Days(Days::new(times.0, times.1));
        self.survey(client, place, tracks, times, quest, Ask::Statistics, context)
    }

    fn compare(&mut self, client: ClientId, call: CompareCall, more: bool, context: &mut Context) -> Done {
        self.one_call(client)?;
        let (first, other) = (self.giving(&call.name)?, self.giving(&call.with)?);
        if first.index == other.index {
            let sentence = "An archive is not compared with itself.";
            return Err(refusal(RefusalCode::Usage, sentence, "Name another archive with --with.").into());
        }
        let compare = Box::new(Compare::start(client, call, first, other, context.now.at));
        Parts::read_for(&mut self.control, client, Reading::Compare { compare, more }, context);
        Ok(())
    }

    /// Begins to look through headers on a client's behalf.
    #[expect(clippy::too_many_arguments, reason = "what is looked for, where, and what for")]
    pub(super) fn survey(
        &mut self,
        client: ClientId,
        place: usize,
        tracks: BTreeSet<TrackId>,
        times: (Option<i64>, Option<i64>),
        quest: Quest,
        ask: Ask,
        context: &mut Context,
    ) -> Done {
        self.one_call(client)?;
        let Some(archive) = self.archives[place].as_ref() else {
            return Ok(());
        };
        let Some(survey) = Survey::start(client, archive, tracks, times, quest, context) else {
            let sentence = "The block memory is used up at the moment.";
            return Err(refusal(RefusalCode::Busy, sentence, "Try again.").into());
        };
        let survey = Box::new(survey);
        Parts::read_for(&mut self.control, client, Reading::Survey { survey, ask }, context);
        Ok(())
    }

    /// Refuses a second long call on a connection.
    pub(super) fn one_call(&self, client: ClientId) -> Done {
        if self.control.readings.contains_key(&client) || self.control.notings.contains_key(&client) {
            return Err(one_at_a_time());
        }
        Ok(())
    }

    /// An archive that can be read; one that is being opened is waited for.
    pub(super) fn giving(&self, name: &Name) -> Result<&Archive, Outcome> {
        let archive = self.archive_named(name).ok_or_else(|| no_such("archive", name))?;
        if archive.gives() {
            return Ok(archive);
        }
        if archive.is_opening() {
            return Err(Outcome::Opening(archive.index));
        }
        let (_, why, action) = archive.state();
        Err(refusal(RefusalCode::Busy, format!("Archive {name} cannot be read: {why}."), action).into())
    }

    /// An archive that can be written; one that is being opened is waited for.
    pub(super) fn taking(&self, name: &Name) -> Result<&Archive, Outcome> {
        let archive = self.archive_named(name).ok_or_else(|| no_such("archive", name))?;
        if archive.takes() {
            return Ok(archive);
        }
        if archive.is_opening() {
            return Err(Outcome::Opening(archive.index));
        }
        Err(archive.takes_nothing().into())
    }
}
