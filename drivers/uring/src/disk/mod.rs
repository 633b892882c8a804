//! The disks of the machine: volumes are opened, read, written, flushed and closed here, direct and asynchronous.
//!
//! One ring does what moves bytes; one helper thread does what blocks. No policy: no deadline, no retry of an error, no
//! choice of what comes first.
//!
//! Invariants:
//! - Every op has exactly one event, and its memory is lent until then.
//! - A volume is let go only after everything in flight on it has finished.
//! - Memory that the kernel may still write into is never unmapped.

mod errno;
mod file;
mod flight;
mod health;
mod holders;
mod ioctl;
mod listing;
pub(crate) mod open;
mod order;
mod ring;
mod slow;
mod sysfs;
mod told;
mod transfer;
mod volume;

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::sync::Arc;

use hal::{Access, Event, IoError, Op, Span, Tag, VolumeFacts, VolumeId};

use crate::memory::Arena;
pub(crate) use errno::meaning;
use errno::meaning_of;
use flight::Flight;
use open::Opened;
use order::Claim;
use ring::{RING_ENTRIES, Ring, VOLUMES_MAX, notify};
use slow::{Job, Outcome, SlowThread};
use transfer::{Transfer, Work};
use volume::{Request, Volume};

pub use listing::list_disks;
pub use ring::DiskError;
pub use sysfs::serial_of_disk;

/// All open volumes, and everything in flight on them.
pub struct Disks {
    flight: Flight,
    slow: SlowThread,
    arena: Rc<Arena>,
    volumes: BTreeMap<VolumeId, State>,
    free_slots: Vec<u32>,
    /// Events that nobody has taken yet.
    ready: VecDeque<Event>,
    unfinished: usize,
}

/// A volume that is being opened has its slot reserved.
enum State {
    Opening { slot: u32, access: Access },
    Open(Volume),
}

impl Disks {
    /// Sets up the ring for the calling thread, registers the block memory with it, and starts the helper thread.
    pub fn new(arena: Rc<Arena>) -> Result<Disks, DiskError> {
        let ring = Ring::new(Rc::clone(&arena))?;
        let slow = SlowThread::start(ring.event())?;
        Ok(Disks {
            flight: Flight::new(ring),
            slow,
            arena,
            volumes: BTreeMap::new(),
            free_slots: (0..VOLUMES_MAX as u32).rev().collect(),
            ready: VecDeque::with_capacity(RING_ENTRIES),
            unfinished: 0,
        })
    }

    /// Starts an op on disks; panics for any other op: our own mistake. [`Event::Devices`] has no NICs.
    pub fn submit(&mut self, op: Op) {
        self.unfinished += 1;
        match op {
            Op::ListDevices { tag } => self.slow.submit(Job::List { tag }),
            Op::CreateFile { tag, path, size_bytes } => self.slow.submit(Job::Create { tag, path, size_bytes }),
            Op::RemoveFile { tag, path } => self.slow.submit(Job::Remove { tag, path }),
            Op::Open {
                tag,
                volume,
                path,
                access,
            } => self.open(tag, volume, path, access),
            Op::Read {
                tag,
                volume,
                at_bytes,
                into,
            } => self.read(tag, volume, at_bytes, into),
            Op::Write {
                tag,
                volume,
                at_bytes,
                from,
            } => self.write(tag, volume, at_bytes, from),
            Op::Flush { tag, volume } => self.flush(tag, volume),
            Op::Discard {
                tag,
                volume,
                at_bytes,
                length_bytes,
            } => self.discard(tag, volume, at_bytes, length_bytes),
            Op::Close { tag, volume } => self.close(tag, volume),
            Op::OpenCard { .. }
            | Op::ListCard { .. }
            | Op::LookCard { .. }
            | Op::ReadCard { .. }
            | Op::CloseCard { .. }
            | Op::TrustKeys { .. }
            | Op::Dial { .. }
            | Op::Receive { .. }
            | Op::Send { .. }
            | Op::HangUp { .. }
            | Op::OpenFeed { .. }
            | Op::AdoptFeed { .. }
            | Op::Fill { .. }
            | Op::Drain { .. }
            | Op::CloseFeed { .. }
            | Op::Reply { .. }
            | Op::Deliver { .. }
            | Op::Dismiss { .. }
            | Op::SaveSettings { .. }
            | Op::KeepEvent { .. }
            | Op::ListPrograms { .. }
            | Op::StartProgram { .. }
            | Op::Stop => panic!("not an op on disks: {op:?}"),
        }
    }

    /// Hands to the kernel what was submitted since the last call. To be called before waiting for [`Disks::event_fd`].
    pub fn flush_submissions(&mut self) {
        self.flight.enter();
    }

    /// Becomes readable when [`Disks::reap`] has something to do.
    pub fn event_fd(&self) -> BorrowedFd<'_> {
        self.flight.ring().event_fd()
    }

    /// Takes whatever has finished. Never blocks.
    pub fn reap(&mut self, events: &mut VecDeque<Event>) {
        self.flight.refresh();
        while let Some((transfer, result)) = self.flight.finished() {
            self.complete(transfer, result);
        }
        while let Some(outcome) = self.slow.outcome() {
            self.conclude(outcome);
        }
        self.unfinished -= self.ready.len();
        events.append(&mut self.ready);
    }

    /// Ops whose event has not been taken.
    pub fn in_flight(&self) -> usize {
        self.unfinished
    }

    fn usable(&mut self, volume: VolumeId) -> Result<&mut Volume, IoError> {
        match self.volumes.get_mut(&volume) {
            Some(State::Open(volume)) if volume.closing.is_none() => Ok(volume),
            _ => Err(IoError::Unsupported),
        }
    }

    /// An event that needs nothing from anybody else.
    fn answer(&mut self, event: Event) {
        self.ready.push_back(event);
        notify(self.flight.ring().event_fd());
    }

    fn refuse(&mut self, tag: Tag, error: IoError) {
        self.answer(Event::Done { tag, result: Err(error) });
    }

    fn open(&mut self, tag: Tag, volume: VolumeId, path: String, access: Access) {
        if self.volumes.contains_key(&volume) {
            return self.answer(Event::Opened {
                tag,
                result: Err(IoError::Exists),
            });
        }
        let Some(slot) = self.free_slots.pop() else {
            return self.answer(Event::Opened {
                tag,
                result: Err(IoError::Exhausted),
            });
        };
        self.volumes.insert(volume, State::Opening { slot, access });
        self.slow.submit(Job::Open {
            tag,
            volume,
            path,
            access,
        });
    }

    fn read(&mut self, tag: Tag, volume: VolumeId, at_bytes: u64, into: Span) {
        match self.usable(volume).and_then(|open| open.check_transfer(at_bytes, into)) {
            Ok(lane) => {
                let work = Work::Read(self.arena.lend(into));
                self.transfer(Transfer::new(tag, volume, lane, at_bytes, work));
            }
            Err(error) => self.refuse(tag, error),
        }
    }

    fn write(&mut self, tag: Tag, volume: VolumeId, at_bytes: u64, from: Span) {
        let open = self.usable(volume).and_then(Volume::writable);
        match open.and_then(|open| open.check_transfer(at_bytes, from)) {
            Ok(lane) => {
                let work = Work::Write(self.arena.lend(from));
                self.transfer(Transfer::new(tag, volume, lane, at_bytes, work));
            }
            Err(error) => self.refuse(tag, error),
        }
    }

    fn flush(&mut self, tag: Tag, volume: VolumeId) {
        match self.usable(volume).and_then(Volume::flushable).map(|open| open.lane) {
            Ok(lane) => self.transfer(Transfer::new(tag, volume, lane, 0, Work::Flush)),
            Err(error) => self.refuse(tag, error),
        }
    }

    fn discard(&mut self, tag: Tag, volume: VolumeId, at_bytes: u64, length_bytes: u64) {
        let open = self.usable(volume).and_then(Volume::writable);
        match open.and_then(|open| open.check_discard(at_bytes, length_bytes)) {
            Ok(claim) => self.enter(volume, claim.clone(), Request::Discard { tag, claim }),
            Err(error) => self.refuse(tag, error),
        }
    }

    fn close(&mut self, tag: Tag, volume: VolumeId) {
        match self.usable(volume) {
            Ok(open) => {
                open.closing = Some(tag);
                self.close_if_idle(volume);
            }
            Err(error) => self.refuse(tag, error),
        }
    }

    fn transfer(&mut self, transfer: Transfer) {
        self.enter(transfer.volume, transfer.claim(), Request::Transfer(transfer));
    }

    /// Takes an op in on an open volume, in the order of the volume.
    fn enter(&mut self, volume: VolumeId, claim: Claim, request: Request) {
        if let Some(request) = self.open_volume(volume).order.enter(claim, request) {
            self.start(volume, request);
        }
    }

    fn start(&mut self, volume: VolumeId, request: Request) {
        match request {
            Request::Transfer(transfer) => self.flight.start(transfer),
            Request::Discard { tag, claim } => {
                let file = Arc::clone(&self.open_volume(volume).file);
                self.slow.submit(Job::Discard {
                    tag,
                    volume,
                    file,
                    claim,
                });
            }
        }
    }

    /// The kernel has finished something.
    fn complete(&mut self, transfer: Transfer, result: Result<(), IoError>) {
        let (tag, volume, claim) = (transfer.tag, transfer.volume, transfer.claim());
        // Returns the memory.
        drop(transfer);
        let result = result.map_err(|error| self.open_volume(volume).explain(error));
        self.ready.push_back(Event::Done { tag, result });
        self.leave(volume, &claim);
    }

    /// The slow thread has finished something.
    fn conclude(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Listed { tag, disks } => self.ready.push_back(Event::Devices {
                tag,
                disks,
                nics: Vec::new(),
            }),
            Outcome::Done { tag, result } => self.ready.push_back(Event::Done { tag, result }),
            Outcome::Opened { tag, volume, result } => {
                let result = self.opened(volume, result);
                self.ready.push_back(Event::Opened { tag, result });
            }
            Outcome::Discarded {
                tag,
                volume,
                claim,
                result,
            } => {
                let result = result.map_err(|error| self.open_volume(volume).explain(error));
                self.ready.push_back(Event::Done { tag, result });
                self.leave(volume, &claim);
            }
        }
    }

    /// Puts a volume that was opened where it can be used.
    fn opened(&mut self, volume: VolumeId, result: Result<Opened, IoError>) -> Result<VolumeFacts, IoError> {
        let Some(State::Opening { slot, access }) = self.volumes.remove(&volume) else {
            panic!("what was opened was being opened");
        };
        let registered = result.and_then(|opened| {
            self.flight
                .ring()
                .set_file(slot, Some(opened.file.as_fd()))
                .map_err(|error| meaning_of(&error))?;
            Ok(opened)
        });
        match registered {
            Ok(opened) => {
                let facts = opened.facts.clone();
                self.volumes.insert(volume, State::Open(Volume::new(opened, slot, access)));
                Ok(facts)
            }
            Err(error) => {
                self.free_slots.push(slot);
                Err(error)
            }
        }
    }

    /// An op on a volume has finished: others may have waited for it.
    fn leave(&mut self, volume: VolumeId, claim: &Claim) {
        self.open_volume(volume).order.leave(claim);
        while let Some(request) = self.open_volume(volume).order.release() {
            self.start(volume, request);
        }
        self.close_if_idle(volume);
    }

    /// Lets go of a volume that is to be closed and has nothing unfinished.
    fn close_if_idle(&mut self, volume: VolumeId) {
        let open = self.open_volume(volume);
        let Some(tag) = open.closing.filter(|_| open.order.is_empty()) else {
            return;
        };
        let Some(State::Open(open)) = self.volumes.remove(&volume) else {
            return;
        };
        self.flight
            .ring()
            .set_file(open.lane.slot, None)
            .expect("a slot in use can be emptied");
        self.free_slots.push(open.lane.slot);
        self.slow.submit(Job::Close { tag, file: open.file });
    }

    fn open_volume(&mut self, volume: VolumeId) -> &mut Volume {
        match self.volumes.get_mut(&volume) {
            Some(State::Open(volume)) => volume,
            _ => panic!("a volume with something unfinished is open"),
        }
    }
}
