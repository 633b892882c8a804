//! Taking in an archive that is on a volume already: which one is it?
//!
//! Reads the superblock copies and lets go of the volume again. Opening the archive is `opening.rs`, as after any restart.
//! Invariant: nothing is written, however the volume is opened.

use alloc::format;
use hal::{Access, IoError, Op, Span, VolumeFacts, VolumeId};

use super::creation::refusal;
use crate::context::Context;
use crate::control::types::{ArchiveOpen, Refusal, RefusalCode};
use crate::format::superblock::{COPIES, Quorum, Superblock, copy_offsets, newest};
use crate::format::{FormatError, SECTOR_BYTES};
use crate::limits;
use crate::purpose::Purpose;

/// What an op of it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Task {
    /// Opening the volume.
    Open,
    /// Reading a superblock copy.
    Read(usize),
    /// Letting go of the volume.
    Close,
}

/// A look at a volume, to take in the archive that is on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Taking {
    /// What was asked for.
    pub call: ArchiveOpen,
    volume: VolumeId,
    sectors: Option<Span>,
    copies: [Option<Result<Superblock, FormatError>>; COPIES],
    outcome: Option<Result<Superblock, Refusal>>,
}

impl Taking {
    /// Begins.
    pub fn start(call: ArchiveOpen, volume: VolumeId, context: &mut Context) -> Result<Taking, Refusal> {
        if !call.volume.starts_with('/') || call.volume.len() > limits::VOLUME_PATH_BYTES_MAX {
            let sentence = "The volume is not an absolute path.";
            return Err(refusal(RefusalCode::Usage, sentence, "Give the whole path, from / on."));
        }
        let Some(sectors) = context.take(COPIES as u32 * SECTOR_BYTES) else {
            let next = "Try again, or restart the daemon with more --memory.";
            return Err(refusal(RefusalCode::Busy, "The block memory is used up at the moment.", next));
        };
        // As it will be opened, so that what would refuse it then is said now.
        let access = if call.read_only {
            Access::ExclusiveToRead
        } else {
            Access::Exclusive
        };
        let tag = context.tag(Purpose::Taking(volume, Task::Open));
        context.submit(Op::Open {
            tag,
            volume,
            path: call.volume.clone(),
            access,
        });
        Ok(Taking {
            call,
            volume,
            sectors: Some(sectors),
            copies: [const { None }; COPIES],
            outcome: None,
        })
    }

    /// The machine has opened the volume, or not.
    pub fn on_opened(
        &mut self,
        result: Result<VolumeFacts, IoError>,
        context: &mut Context,
    ) -> Option<Result<Superblock, Refusal>> {
        let path = &self.call.volume;
        let least_bytes = limits::SLOTS_MIN * u64::from(limits::BLOCK_BYTES_MIN);
        let facts = match result {
            Ok(facts) if facts.size_bytes >= least_bytes => facts,
            Ok(_) => return self.end(Err(nothing_there(path)), context),
            Err(error) => {
                self.give_back(context);
                return Some(Err(cannot_open(&self.call.volume, error)));
            }
        };
        let sectors = self.sectors?;
        for (copy, at_bytes) in copy_offsets(facts.size_bytes).into_iter().enumerate() {
            let tag = context.tag(Purpose::Taking(self.volume, Task::Read(copy)));
            context.submit(Op::Read {
                tag,
                volume: self.volume,
                at_bytes,
                into: sectors.part(copy as u32 * SECTOR_BYTES, SECTOR_BYTES),
            });
        }
        None
    }

    /// An op has finished.
    pub fn on_done(
        &mut self,
        task: Task,
        result: Result<(), IoError>,
        context: &mut Context,
    ) -> Option<Result<Superblock, Refusal>> {
        match task {
            Task::Open => None,
            Task::Read(copy) => {
                let sector = self.sectors?.part(copy as u32 * SECTOR_BYTES, SECTOR_BYTES);
                self.copies[copy] = Some(match result {
                    Ok(()) => Superblock::decode(copy, context.memory.bytes(sector)),
                    Err(_) => Err(FormatError::Checksum),
                });
                self.decide(context)
            }
            Task::Close => self.outcome.take(),
        }
    }

    /// Once all copies are read.
    fn decide(&mut self, context: &mut Context) -> Option<Result<Superblock, Refusal>> {
        let [Some(a), Some(b), Some(c), Some(d)] = self.copies.clone() else {
            return None;
        };
        let path = &self.call.volume;
        let outcome = match newest(&[a, b, c, d]) {
            Quorum::Good { superblock, .. } | Quorum::Single(superblock) => Ok(superblock),
            Quorum::Blank => Err(nothing_there(path)),
            Quorum::Fork => Err(refusal(
                RefusalCode::Refused,
                format!("Two different superblocks on {path} claim the same generation."),
                "Keep the volume as it is and ask for help: it has been written by two hosts, or copied in part.",
            )),
            Quorum::Lost(error) => Err(refusal(
                RefusalCode::Failed,
                format!("No superblock on {path} can be read ({error})."),
                "Keep the volume as it is; nothing was written to it. Its blocks can still be read by `docs/formats.md`.",
            )),
        };
        self.end(outcome, context)
    }

    fn give_back(&mut self, context: &mut Context) {
        if let Some(sectors) = self.sectors.take() {
            context.give(sectors);
        }
    }

    /// Gives memory and volume back; the outcome is told when the volume is closed.
    fn end(&mut self, outcome: Result<Superblock, Refusal>, context: &mut Context) -> Option<Result<Superblock, Refusal>> {
        self.give_back(context);
        self.outcome = Some(outcome);
        let tag = context.tag(Purpose::Taking(self.volume, Task::Close));
        context.submit(Op::Close {
            tag,
            volume: self.volume,
        });
        None
    }
}

fn nothing_there(path: &str) -> Refusal {
    refusal(
        RefusalCode::NotFound,
        format!("There is no archive on {path}. Nothing was written to it."),
        "Name the volume that it was made on (`blockhaul device list`), or make one: blockhaul archive create",
    )
}

fn cannot_open(path: &str, error: IoError) -> Refusal {
    match error {
        IoError::NotFound | IoError::Gone => refusal(
            RefusalCode::NotFound,
            format!("There is nothing at {path}."),
            "Name a disk, a partition or a file that is there.",
        ),
        IoError::Busy => refusal(
            RefusalCode::Busy,
            format!("{path} is mounted, or held by another program or archive."),
            "See who holds it with `blockhaul device list`; unmount or stop it first.",
        ),
        IoError::Unsupported => refusal(
            RefusalCode::Usage,
            format!("{path} is no disk, partition or file that can be used with direct I/O."),
            "Name the block device or the file that the archive is on.",
        ),
        IoError::ReadOnly => refusal(
            RefusalCode::Refused,
            format!("{path} is write-protected."),
            "Lift the protection, or take it in with --read-only.",
        ),
        _ => refusal(
            RefusalCode::Failed,
            format!("{path} cannot be opened ({error})."),
            "Check the device, its permissions and the user that the daemon runs as.",
        ),
    }
}
