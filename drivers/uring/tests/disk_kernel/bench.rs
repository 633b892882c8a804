//! A thread's disks with everything around them: memory, tags, and waiting as the machine waits.

use std::collections::VecDeque;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::rc::Rc;

use drivers_uring::disk::Disks;
use drivers_uring::memory::{Arena, ArenaMemory};
use hal::{Access, Event, IoError, Memory, Op, Span, Tag, VolumeFacts, VolumeId};

pub const MIB: u32 = 1 << 20;
/// Nothing here takes longer on a healthy machine.
const WAIT_MS: i32 = 20_000;

pub struct Bench {
    pub disks: Disks,
    pub arena: Rc<Arena>,
    pub memory: ArenaMemory,
    pub events: VecDeque<Event>,
    names: u64,
}

impl Bench {
    pub fn new(memory_bytes: u32) -> Bench {
        let arena = Arena::new(memory_bytes).unwrap_or_else(|error| panic!("{error}"));
        let disks = Disks::new(Rc::clone(&arena)).unwrap_or_else(|error| panic!("{error}"));
        // SAFETY: the only view, and every slice of it ends before the statement that made it, so none is alive when a
        // span is lent.
        let memory = unsafe { ArenaMemory::new(Rc::clone(&arena)) };
        Bench {
            disks,
            arena,
            memory,
            events: VecDeque::new(),
            names: 0,
        }
    }

    pub fn tag(&mut self) -> Tag {
        self.names += 1;
        Tag(self.names)
    }

    /// The next event, waiting for it.
    pub fn next(&mut self) -> Event {
        loop {
            self.disks.reap(&mut self.events);
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            self.disks.flush_submissions();
            let mut polled = libc::pollfd {
                fd: self.disks.event_fd().as_raw_fd(),
                events: libc::POLLIN,
                revents: 0,
            };
            // SAFETY: one valid `pollfd`.
            let ready = unsafe { libc::poll(&raw mut polled, 1, WAIT_MS) };
            assert_eq!(ready, 1, "no event came, with {} ops in flight", self.disks.in_flight());
        }
    }

    /// Submits an op that has one [`Event::Done`], with nothing else in flight, and waits for it.
    pub fn run(&mut self, op: impl FnOnce(Tag) -> Op) -> Result<(), IoError> {
        let tag = self.tag();
        self.disks.submit(op(tag));
        match self.next() {
            Event::Done { tag: done, result } if done == tag => result,
            event => panic!("another event: {event:?}"),
        }
    }

    pub fn open(&mut self, path: impl AsRef<Path>, access: Access) -> Result<(VolumeId, VolumeFacts), IoError> {
        let tag = self.tag();
        let volume = VolumeId(tag.0 as u32);
        let path = path.as_ref().to_str().unwrap().to_owned();
        self.disks.submit(Op::Open {
            tag,
            volume,
            path,
            access,
        });
        match self.next() {
            Event::Opened { tag: opened, result } if opened == tag => result.map(|facts| (volume, facts)),
            event => panic!("another event: {event:?}"),
        }
    }

    pub fn read(&mut self, volume: VolumeId, at_bytes: u64, into: Span) -> Result<(), IoError> {
        self.run(|tag| Op::Read {
            tag,
            volume,
            at_bytes,
            into,
        })
    }

    pub fn write(&mut self, volume: VolumeId, at_bytes: u64, from: Span) -> Result<(), IoError> {
        self.run(|tag| Op::Write {
            tag,
            volume,
            at_bytes,
            from,
        })
    }

    pub fn flush(&mut self, volume: VolumeId) -> Result<(), IoError> {
        self.run(|tag| Op::Flush { tag, volume })
    }

    pub fn discard(&mut self, volume: VolumeId, at_bytes: u64, length_bytes: u64) -> Result<(), IoError> {
        self.run(|tag| Op::Discard {
            tag,
            volume,
            at_bytes,
            length_bytes,
        })
    }

    pub fn close(&mut self, volume: VolumeId) -> Result<(), IoError> {
        self.run(|tag| Op::Close { tag, volume })
    }

    pub fn create(&mut self, path: impl AsRef<Path>, size_bytes: u64) -> Result<(), IoError> {
        let path = path.as_ref().to_str().unwrap().to_owned();
        self.run(|tag| Op::CreateFile { tag, path, size_bytes })
    }

    pub fn remove(&mut self, path: impl AsRef<Path>) -> Result<(), IoError> {
        let path = path.as_ref().to_str().unwrap().to_owned();
        self.run(|tag| Op::RemoveFile { tag, path })
    }

    /// Fills a span with bytes that depend on the seed and the place.
    pub fn fill(&mut self, span: Span, seed: u64) {
        let mut random = Random(seed | 1);
        for chunk in self.memory.bytes_mut(span).chunks_mut(8) {
            chunk.copy_from_slice(&random.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

pub fn span(offset_bytes: u32, length_bytes: u32) -> Span {
    Span {
        offset_bytes,
        length_bytes,
    }
}

/// xorshift64: the same numbers for the same seed.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
