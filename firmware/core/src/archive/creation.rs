//! Making an archive: look at the volume, decide, and only then write four superblock copies.
//!
//! Invariant (O-01): not a byte is written before every check has passed. Opening the new archive is `opening.rs`, as after any
//! restart.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use hal::{Access, IoError, Op, Span, Uuid, VolumeFacts, VolumeForm, VolumeId};

use super::contents::{Contents, END_BYTES, look};
use super::geometry::{Geometry, Groups, geometry};
use crate::context::Context;
use crate::control::types::{ArchiveCreate, Mode, Refusal, RefusalCode};
use crate::format::header::Epoch;
use crate::format::superblock::{COPIES, NO_CHECKPOINT, Superblock, copy_offsets};
use crate::format::{NO_HASH, SECTOR_BYTES};
use crate::limits;
use crate::purpose::Purpose;

/// What an op of a creation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Task {
    /// Making the file.
    CreateFile,
    /// Opening the volume.
    Open,
    /// Reading the first or the last [`END_BYTES`].
    ReadEnd,
    /// Writing a superblock copy.
    Write,
    /// The flush behind them.
    Flush,
    /// Letting go of the volume.
    Close,
    /// Taking back a file that was made for nothing.
    RemoveFile,
}

/// An archive in the making.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Creation {
    /// Place that the archive will have.
    pub index: usize,
    /// What was asked for.
    pub call: ArchiveCreate,
    /// Its new identity.
    pub uuid: Uuid,
    volume: VolumeId,
    made_file: bool,
    facts: Option<VolumeFacts>,
    ends: Option<(Span, Span)>,
    sectors: Option<Span>,
    left: u32,
    pair: usize,
    superblock: Option<Superblock>,
    failed: Option<IoError>,
    outcome: Option<Result<Made, Refusal>>,
}

/// How a creation ended well.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Made {
    /// The archive is on the volume.
    Archive(Superblock),
    /// It would be; nothing was written.
    DryRun(Superblock),
}

/// A refusal in one line.
pub fn refusal(code: RefusalCode, sentence: impl Into<String>, next: impl Into<String>) -> Refusal {
    Refusal {
        code,
        sentence: sentence.into(),
        next: next.into(),
    }
}

impl Creation {
    /// Checks what can be checked without a volume, and begins.
    pub fn start(index: usize, call: ArchiveCreate, volume: VolumeId, context: &mut Context) -> Result<Creation, Refusal> {
        let block_bytes = u32::try_from(call.block_bytes)
            .ok()
            .filter(|bytes| bytes.is_power_of_two() && (limits::BLOCK_BYTES_MIN..=limits::BLOCK_BYTES_MAX).contains(bytes));
        let Some(block_bytes) = block_bytes else {
            return Err(refusal(
                RefusalCode::Usage,
                format!("A block of {} bytes cannot be.", call.block_bytes),
                "Choose a power of two from 64KiB to 16MiB; 1MiB suits most.",
            ));
        };
        if !call.volume.starts_with('/') || call.volume.len() > limits::VOLUME_PATH_BYTES_MAX {
            return Err(refusal(
                RefusalCode::Usage,
                "The volume is not an absolute path.",
                "Give the whole path, from / on.",
            ));
        }
        if u64::from(context.shared.pool.size_bytes()) < 16 * u64::from(block_bytes) {
            return Err(refusal(
                RefusalCode::Refused,
                format!(
                    "The block memory of {} MiB is too small for blocks of {} KiB.",
                    context.shared.pool.size_bytes() >> 20,
                    block_bytes >> 10
                ),
                format!(
                    "Choose smaller blocks, or restart the daemon with --memory {}MiB or more.",
                    block_bytes >> 16
                ),
            ));
        }
        if let Some(size_bytes) = call.size_bytes
            && let Err(least) = geometry(size_bytes, block_bytes, Groups::default())
        {
            return Err(too_small(&call.volume, size_bytes, least));
        }
        let creation = Creation {
            index,
            uuid: context.shared.entropy.uuid(),
            volume,
            made_file: false,
            facts: None,
            ends: None,
            sectors: None,
            left: 0,
            pair: 0,
            superblock: None,
            failed: None,
            outcome: None,
            call,
        };
        creation.open(context);
        Ok(creation)
    }

    fn open(&self, context: &mut Context) {
        let tag = context.tag(Purpose::Creation(self.index, Task::Open));
        context.submit(Op::Open {
            tag,
            volume: self.volume,
            path: self.call.volume.clone(),
            access: Access::Exclusive,
        });
    }

    /// The machine has opened the volume, or not.
    pub fn on_opened(&mut self, result: Result<VolumeFacts, IoError>, context: &mut Context) -> Option<Result<Made, Refusal>> {
        let path = &self.call.volume;
        match (result, self.call.size_bytes) {
            (Ok(facts), wanted) => {
                let right_size = wanted.is_none_or(|size| size == facts.size_bytes);
                self.facts = Some(facts);
                if !right_size {
                    let size = self.facts.as_ref().map_or(0, |facts| facts.size_bytes);
                    let sentence = format!("{path} is there already and has {size} bytes.");
                    return self.end(
                        Err(refusal(RefusalCode::Usage, sentence, "Leave --size out to use it as it is.")),
                        context,
                    );
                }
                self.read_ends(context)
            }
            (Err(IoError::NotFound), Some(size_bytes)) if !self.made_file => {
                if self.call.dry_run {
                    let superblock = self.plan(size_bytes, 4096, Groups::default(), context.now.utc_ns);
                    return Some(superblock.map(Made::DryRun));
                }
                let tag = context.tag(Purpose::Creation(self.index, Task::CreateFile));
                context.submit(Op::CreateFile {
                    tag,
                    path: path.clone(),
                    size_bytes,
                });
                None
            }
            (Err(error), _) => Some(Err(cannot_open(path, error))),
        }
    }

    fn read_ends(&mut self, context: &mut Context) -> Option<Result<Made, Refusal>> {
        let facts = self.facts.clone()?;
        let path = self.call.volume.clone();
        if facts.logical_sector_bytes == 0
            || !SECTOR_BYTES.is_multiple_of(facts.logical_sector_bytes)
            || facts.alignment_bytes > SECTOR_BYTES
        {
            let sentence = format!(
                "{path} has sectors of {} bytes, which do not divide 4096.",
                facts.logical_sector_bytes
            );
            return self.end(
                Err(refusal(
                    RefusalCode::Refused,
                    sentence,
                    "Use a device with sectors of 512 or 4096 bytes.",
                )),
                context,
            );
        }
        match self.plan(
            facts.size_bytes,
            facts.logical_sector_bytes,
            Groups::of(&facts),
            context.now.utc_ns,
        ) {
            Ok(superblock) => self.superblock = Some(superblock),
            Err(refusal) => return self.end(Err(refusal), context),
        }
        let (Some(head), Some(tail)) = (context.take(END_BYTES), context.take(END_BYTES)) else {
            let sentence = "The block memory is used up at the moment.";
            return self.end(
                Err(refusal(
                    RefusalCode::Busy,
                    sentence,
                    "Try again, or restart the daemon with more --memory.",
                )),
                context,
            );
        };
        self.ends = Some((head, tail));
        self.left = 2;
        let last = facts.size_bytes / u64::from(SECTOR_BYTES) * u64::from(SECTOR_BYTES) - u64::from(END_BYTES);
        for (at_bytes, into) in [(0, head), (last, tail)] {
            let tag = context.tag(Purpose::Creation(self.index, Task::ReadEnd));
            context.submit(Op::Read {
                tag,
                volume: self.volume,
                at_bytes,
                into,
            });
        }
        None
    }

    /// What the first superblock would say.
    fn plan(&self, volume_bytes: u64, logical_sector_bytes: u32, groups: Groups, now_utc_ns: i64) -> Result<Superblock, Refusal> {
        let block_bytes = self.call.block_bytes as u32;
        let Geometry {
            slots_at_bytes,
            slots,
            segment_blocks,
        } = geometry(volume_bytes, block_bytes, groups).map_err(|least| too_small(&self.call.volume, volume_bytes, least))?;
        Ok(Superblock {
            archive: self.uuid,
            label: self.call.name.clone(),
            mode: self.call.mode,
            generation: 1,
            parent: NO_HASH,
            block_bytes,
            logical_sector_bytes,
            volume_bytes,
            slots_at_bytes,
            slots,
            segment_blocks,
            made_utc_ns: now_utc_ns,
            epoch: Epoch::default(),
            epoch_start: 0,
            durable_sequence: 0,
            checkpoint_sequence: NO_CHECKPOINT,
            freed_sequence: 0,
            released_sequence: 0,
            guard_set: 0,
            closed: false,
            history: Vec::new(),
        })
    }

    /// An op of this creation has finished.
    pub fn on_done(&mut self, task: Task, result: Result<(), IoError>, context: &mut Context) -> Option<Result<Made, Refusal>> {
        let path = self.call.volume.clone();
        match task {
            Task::Open => None,
            Task::CreateFile => match result {
                Ok(()) => {
                    self.made_file = true;
                    self.open(context);
                    None
                }
                Err(IoError::Full) => {
                    let sentence = format!(
                        "There is no room for a file of {} bytes at {path}.",
                        self.call.size_bytes.unwrap_or(0)
                    );
                    Some(Err(refusal(
                        RefusalCode::Failed,
                        sentence,
                        "Choose a smaller --size or another file system.",
                    )))
                }
                Err(error) => Some(Err(cannot_open(&path, error))),
            },
            Task::ReadEnd => {
                self.failed = self.failed.or(result.err());
                self.left -= 1;
                if self.left == 0 { self.on_ends(context) } else { None }
            }
            Task::Write => {
                self.failed = self.failed.or(result.err());
                self.left -= 1;
                if self.left > 0 {
                    return None;
                }
                if let Some(error) = self.failed {
                    return self.end(Err(cannot_write(&path, error)), context);
                }
                let tag = context.tag(Purpose::Creation(self.index, Task::Flush));
                context.submit(Op::Flush {
                    tag,
                    volume: self.volume,
                });
                None
            }
            Task::Flush => {
                if let Err(error) = result {
                    return self.end(Err(cannot_write(&path, error)), context);
                }
                self.pair += 1;
                if self.pair < COPIES / 2 {
                    self.write_pair(context);
                    return None;
                }
                let made = self.superblock.clone()?;
                self.end(Ok(Made::Archive(made)), context)
            }
            Task::Close => {
                if self.made_file && matches!(self.outcome, Some(Err(_))) {
                    let tag = context.tag(Purpose::Creation(self.index, Task::RemoveFile));
                    context.submit(Op::RemoveFile { tag, path });
                    return None;
                }
                self.outcome.take()
            }
            Task::RemoveFile => self.outcome.take(),
        }
    }

    /// Both ends are read: may this volume be written?
    fn on_ends(&mut self, context: &mut Context) -> Option<Result<Made, Refusal>> {
        let (facts, (head, tail)) = (self.facts.clone()?, self.ends?);
        let path = self.call.volume.clone();
        if let Some(error) = self.failed {
            let sentence = format!("The ends of {path} cannot be read ({error}).");
            return self.end(
                Err(refusal(RefusalCode::Failed, sentence, "Check the device before you use it.")),
                context,
            );
        }
        let contents = look(context.memory.bytes(head), context.memory.bytes(tail), facts.size_bytes);
        if contents != Contents::Blank {
            let identity = match contents.identity() {
                uuid if !uuid.is_empty() => uuid,
                _ if !facts.serial.is_empty() => facts.serial.clone(),
                _ => path.clone(),
            };
            let typed = self.call.destroy.as_deref().unwrap_or_default().trim();
            let serial = facts.form != VolumeForm::File && !facts.serial.is_empty() && typed == facts.serial;
            if typed.is_empty() || (typed != identity && !serial) {
                let sentence = format!("{path} holds {}. Not a byte was written.", contents.words());
                let next = format!("To destroy what it holds, type its identity: --destroy {identity}");
                return self.end(Err(refusal(RefusalCode::Refused, sentence, next)), context);
            }
        }
        if self.call.dry_run {
            let plan = self.superblock.clone()?;
            return self.end(Ok(Made::DryRun(plan)), context);
        }
        self.sectors = context.take(2 * SECTOR_BYTES);
        if self.sectors.is_none() {
            let sentence = "The block memory is used up at the moment.";
            return self.end(
                Err(refusal(
                    RefusalCode::Busy,
                    sentence,
                    "Try again, or restart the daemon with more --memory.",
                )),
                context,
            );
        }
        self.write_pair(context);
        None
    }

    fn write_pair(&mut self, context: &mut Context) {
        let (Some(sectors), Some(superblock)) = (self.sectors, &self.superblock) else {
            return;
        };
        let offsets = copy_offsets(superblock.volume_bytes);
        for half in 0..2 {
            let copy = self.pair * 2 + half;
            let from = sectors.part(half as u32 * SECTOR_BYTES, SECTOR_BYTES);
            superblock.encode(copy, context.memory.bytes_mut(from));
            let tag = context.tag(Purpose::Creation(self.index, Task::Write));
            context.submit(Op::Write {
                tag,
                volume: self.volume,
                at_bytes: offsets[copy],
                from,
            });
        }
        self.left = 2;
    }

    /// Gives memory and volume back; the outcome is told when the volume is closed.
    fn end(&mut self, outcome: Result<Made, Refusal>, context: &mut Context) -> Option<Result<Made, Refusal>> {
        if let Some((head, tail)) = self.ends.take() {
            context.give(head);
            context.give(tail);
        }
        if let Some(sectors) = self.sectors.take() {
            context.give(sectors);
        }
        self.outcome = Some(outcome);
        let tag = context.tag(Purpose::Creation(self.index, Task::Close));
        context.submit(Op::Close {
            tag,
            volume: self.volume,
        });
        None
    }

    /// What was decided, for a person.
    pub fn words(superblock: &Superblock) -> String {
        let mode = match superblock.mode {
            Mode::Append => "append",
            Mode::Ring => "ring",
        };
        format!("{} slots of {} KiB, {mode}", superblock.slots, superblock.block_bytes >> 10).to_string()
    }
}

fn too_small(path: &str, size: u64, least: u64) -> Refusal {
    refusal(
        RefusalCode::Usage,
        format!("{path} with {size} bytes is too small for {} blocks.", limits::SLOTS_MIN),
        format!("Take a volume of {} MiB or more, or smaller blocks.", least.div_ceil(1 << 20)),
    )
}

fn cannot_open(path: &str, error: IoError) -> Refusal {
    match error {
        IoError::NotFound => refusal(
            RefusalCode::NotFound,
            format!("There is nothing at {path}."),
            "Name a disk, a partition or a file that is there; or give --size to make a file in a folder that is there.",
        ),
        IoError::Busy => refusal(
            RefusalCode::Busy,
            format!("{path} is mounted, or held by another program or archive."),
            "See who holds it with `blockhaul device list`; unmount or stop it first.",
        ),
        IoError::Refused | IoError::ReadOnly => refusal(
            RefusalCode::Refused,
            format!("{path} may not be written ({error})."),
            "Check its permissions, its write protection and the user that the daemon runs as.",
        ),
        IoError::Unsupported => refusal(
            RefusalCode::Refused,
            format!("{path} is no disk, partition or file that can be used with direct I/O."),
            "Name a block device or a regular file on a file system with direct I/O (not tmpfs on old kernels).",
        ),
        _ => refusal(
            RefusalCode::Failed,
            format!("{path} cannot be opened ({error})."),
            "Check the device.",
        ),
    }
}

fn cannot_write(path: &str, error: IoError) -> Refusal {
    refusal(
        RefusalCode::Failed,
        format!("The superblocks cannot be written to {path} ({error})."),
        "Check the device; it holds no archive now.",
    )
}
