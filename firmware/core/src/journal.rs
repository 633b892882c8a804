//! Events for people: numbered, kept, streamed. One per episode, not one per occurrence.
//!
//! Not the machine's events (`hal::Event`).

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use hal::{Moment, Op, Ops};
use serde::Deserialize;
use serde::de::IntoDeserializer;

use crate::control::types::{EventRecord, RunRecord, Severity};
use crate::format::COUNT_MAX;
use crate::limits::EVENTS_MAX;

/// Every kind of event. The code is what programs match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The appliance is up.
    Started,
    /// The appliance stops in good order.
    Stopped,
    /// An archive was made.
    ArchiveCreated,
    /// An archive takes blocks.
    ArchiveReady,
    /// An archive cannot be opened, or no longer be used.
    ArchiveOffline,
    /// An archive gives blocks and takes none.
    ArchiveReadOnly,
    /// An append archive has no room.
    ArchiveFull,
    /// Another archive than the expected one is on the volume.
    UuidMismatch,
    /// The volume has another size than when it was made.
    GeometryMismatch,
    /// Superblock copies were damaged and have been repaired.
    SuperblockRepaired,
    /// Fewer than two superblock copies are left.
    SuperblockQuorumLost,
    /// The newest block is newer than the superblock.
    SuperblockRegressed,
    /// Blocks at the end that were never acknowledged were thrown away.
    TailDiscarded,
    /// A slot that should be free is not: the volume is not written any more.
    WouldOverwrite,
    /// A block could not be read.
    BlockUnreadable,
    /// A block failed its check.
    BlockCorrupt,
    /// An archive was read from end to end, and damage was found.
    VerifyFailed,
    /// The newest blocks of an archive that was not closed in order were read, and all are whole.
    LookedOver,
    /// A write or flush failed, and the group was written again.
    GroupRewritten,
    /// A recorder's bytes were dropped because the disk was too slow.
    RecordingDropped,
    /// A recorder's bytes are taken again.
    RecordingResumed,
    /// A run has begun.
    RunStarted,
    /// A run has ended.
    RunCompleted,
    /// Blocks were freed.
    Freed,
    /// A job guards its archive no more, or again.
    GuardReleased,
    /// Everything durable here is durable there.
    CaughtUp,
    /// Nothing has moved for long.
    Stalled,
    /// It moves again.
    Resumed,
    /// The target has no room.
    TargetFull,
    /// A track has another history at the target.
    Diverged,
    /// The target is not the archive that it was, or this one is not.
    NeedsDecision,
    /// Track sequences are missing for good.
    Gap,
    /// A full run has compared everything.
    Reconciled,
    /// Blocks that were missing or damaged came later.
    BackFilled,
    /// The ring will reach unhauled blocks soon.
    Overrun,
    /// A peer was turned away.
    PeerRefused,
    /// A peer offered what its grant does not allow.
    ScopeViolation,
    /// A block came that does not fit its digest.
    DigestMismatch,
    /// Somebody changed the configuration.
    Configured,
    /// A device was added.
    DeviceAdded,
    /// A device was removed.
    DeviceRemoved,
    /// A device owes an answer for too long.
    DeviceSilent,
    /// It has answered.
    DeviceAnswers,
    /// A known card is there.
    CardFound,
    /// A card that nobody knows is there.
    CardUnknown,
    /// A card was pulled.
    CardRemoved,
    /// All files of a card that are closed are here.
    CardTaken,
    /// A file of a card changed while it was read.
    CardFileChanged,
    /// A file of a card cannot be read.
    CardFileUnreadable,
    /// The file system of a card is damaged.
    CardDamaged,
    /// What lies beside files of a card and says their time cannot be read.
    CardSidecarMissing,
    /// Another card is where one should be.
    CardSwapped,
    /// The same card is there twice.
    CardCloned,
    /// A card was checked.
    CardChecked,
    /// A card does not keep what was written to it.
    WriteNotKept,
    /// A NIC came up.
    NicUp,
    /// A NIC went down.
    NicDown,
    /// A macro has begun.
    MacroBegun,
    /// A macro has come to its end.
    MacroEnded,
    /// A step of a macro did not work.
    MacroFailed,
    /// A macro that may be chasing itself was not begun.
    MacroStopped,
    /// A macro was under way when the appliance stopped.
    MacroCut,
    /// Blocks that are at a target could not be tagged.
    Untagged,
}

impl Code {
    /// The code that programs see by this name.
    pub fn named(name: &str) -> Option<Code> {
        let named: serde::de::value::StrDeserializer<'_, serde::de::value::Error> = name.into_deserializer();
        Code::deserialize(named).ok().filter(|code| code.facts().0 == name)
    }

    /// The code as programs see it, and how bad it is.
    pub fn facts(self) -> (&'static str, Severity) {
        use Severity::{Critical, Info, Warning};
        match self {
            Code::Started => ("started", Info),
            Code::Stopped => ("stopped", Info),
            Code::ArchiveCreated => ("archive-created", Info),
            Code::ArchiveReady => ("archive-ready", Info),
            Code::ArchiveOffline => ("archive-offline", Critical),
            Code::ArchiveReadOnly => ("archive-read-only", Critical),
            Code::ArchiveFull => ("archive-full", Warning),
            Code::UuidMismatch => ("uuid-mismatch", Critical),
            Code::GeometryMismatch => ("geometry-mismatch", Critical),
            Code::SuperblockRepaired => ("superblock-repaired", Warning),
            Code::SuperblockQuorumLost => ("superblock-quorum-lost", Critical),
            Code::SuperblockRegressed => ("superblock-regressed", Critical),
            Code::TailDiscarded => ("tail-discarded", Info),
            Code::WouldOverwrite => ("would-overwrite", Critical),
            Code::BlockUnreadable => ("block-unreadable", Critical),
            Code::BlockCorrupt => ("block-corrupt", Critical),
            Code::VerifyFailed => ("verify-failed", Critical),
            Code::LookedOver => ("looked-over", Info),
            Code::GroupRewritten => ("group-rewritten", Warning),
            Code::RecordingDropped => ("recording-dropped", Critical),
            Code::RecordingResumed => ("recording-resumed", Info),
            Code::RunStarted => ("run-started", Info),
            Code::RunCompleted => ("run-completed", Info),
            Code::Freed => ("freed", Info),
            Code::GuardReleased => ("guard-released", Warning),
            Code::CaughtUp => ("caught-up", Info),
            Code::Stalled => ("stalled", Warning),
            Code::Resumed => ("resumed", Info),
            Code::TargetFull => ("target-full", Warning),
            Code::Diverged => ("diverged", Critical),
            Code::NeedsDecision => ("needs-decision", Critical),
            Code::Gap => ("gap", Critical),
            Code::Reconciled => ("reconciled", Info),
            Code::BackFilled => ("back-filled", Info),
            Code::Overrun => ("overrun", Warning),
            Code::PeerRefused => ("peer-refused", Warning),
            Code::ScopeViolation => ("scope-violation", Warning),
            Code::DigestMismatch => ("digest-mismatch", Warning),
            Code::Configured => ("configured", Info),
            Code::DeviceAdded => ("device-added", Info),
            Code::DeviceRemoved => ("device-removed", Info),
            Code::DeviceSilent => ("device-silent", Critical),
            Code::DeviceAnswers => ("device-answers", Info),
            Code::CardFound => ("card-found", Info),
            Code::CardUnknown => ("card-unknown", Info),
            Code::CardRemoved => ("card-removed", Info),
            Code::CardTaken => ("card-taken", Info),
            Code::CardFileChanged => ("card-file-changed", Warning),
            Code::CardFileUnreadable => ("card-file-unreadable", Warning),
            Code::CardDamaged => ("card-damaged", Warning),
            Code::CardSidecarMissing => ("card-sidecar-missing", Warning),
            Code::CardSwapped => ("card-swapped", Warning),
            Code::CardCloned => ("card-cloned", Warning),
            Code::CardChecked => ("card-checked", Info),
            Code::WriteNotKept => ("write-not-kept", Critical),
            Code::NicUp => ("nic-up", Info),
            Code::NicDown => ("nic-down", Warning),
            Code::MacroBegun => ("macro-begun", Info),
            Code::MacroEnded => ("macro-ended", Info),
            Code::MacroFailed => ("macro-failed", Warning),
            Code::MacroStopped => ("macro-stopped", Warning),
            Code::MacroCut => ("macro-cut", Warning),
            Code::Untagged => ("untagged", Warning),
        }
    }
}

/// The newest events, and the next number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    records: VecDeque<EventRecord>,
    next: u64,
}

/// What was said decides nothing: two appliances that differ in it alone will do the same.
impl core::hash::Hash for Journal {
    fn hash<H: core::hash::Hasher>(&self, _: &mut H) {}
}

impl Journal {
    /// Continues where the kept lines end. Lines that cannot be read, or have a number that cannot be, are passed over.
    pub fn new(kept: &[Vec<u8>]) -> Journal {
        let lines = kept.iter().filter_map(|line| serde_json::from_slice(line).ok());
        let mut records: VecDeque<EventRecord> = lines.filter(|record: &EventRecord| record.number <= COUNT_MAX).collect();
        while records.len() > EVENTS_MAX {
            records.pop_front();
        }
        let next = records.iter().map(|record| record.number).max().unwrap_or(0) + 1;
        Journal { records, next }
    }

    /// Something happened that a person may want to know.
    pub fn say(&mut self, now: Moment, ops: &mut Ops, code: Code, subject: &str, sentence: String) {
        self.say_of(None, now, ops, code, subject, sentence);
    }

    /// The same of a run, whose record is kept with the event.
    pub fn say_of(&mut self, run: Option<RunRecord>, now: Moment, ops: &mut Ops, code: Code, subject: &str, sentence: String) {
        let (name, severity) = code.facts();
        let record = EventRecord {
            number: self.next,
            utc_ns: now.utc_ns,
            code: name.to_string(),
            severity,
            subject: subject.to_string(),
            sentence,
            run: run.map(Box::new),
        };
        self.next += 1;
        let line = serde_json::to_vec(&record).unwrap_or_else(|_| format!("{{\"number\":{}}}", record.number).into());
        ops.push(Op::KeepEvent { line });
        if self.records.len() == EVENTS_MAX {
            self.records.pop_front();
        }
        self.records.push_back(record);
    }

    /// All events that are remembered.
    pub fn records(&self) -> impl Iterator<Item = &EventRecord> {
        self.records.iter()
    }

    /// Kept events from that number on.
    pub fn since(&self, number: u64) -> impl Iterator<Item = &EventRecord> {
        self.records.iter().filter(move |record| record.number >= number)
    }

    /// Number of the next event.
    pub fn next(&self) -> u64 {
        self.next
    }
}
