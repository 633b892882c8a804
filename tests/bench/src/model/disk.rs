//! A device as the model uses it: the driver's ring with registered huge pages, in order, and nothing else of the driver. Without
//! a device everything is done at once.

use std::collections::VecDeque;
use std::path::Path;
use std::rc::Rc;

use blockhaul_tests::Result;
use drivers_uring::disk::Disks;
use drivers_uring::memory::{Arena, Lent};
use hal::{Access, Event, Op, Span, Tag, VolumeId};
use rustix::event::{PollFd, PollFlags, poll};

const VOLUME: VolumeId = VolumeId(1);

/// A device, and what is in flight on it.
pub struct Disk {
    arena: Rc<Arena>,
    disks: Option<Disks>,
    in_flight: usize,
    /// Tags that finished before their turn.
    finished: VecDeque<Tag>,
    next: u64,
    oldest: u64,
}

impl Disk {
    /// Opens a device with that much memory.
    pub fn open(device: Option<&Path>, memory_bytes: u32) -> Result<Disk> {
        let arena = Arena::new(memory_bytes).map_err(|error| error.to_string())?;
        let mut disk = Disk {
            arena,
            disks: None,
            in_flight: 0,
            finished: VecDeque::new(),
            next: 0,
            oldest: 0,
        };
        if let Some(device) = device {
            let mut disks = Disks::new(Rc::clone(&disk.arena)).map_err(|error| error.to_string())?;
            disks.submit(Op::Open {
                tag: Tag(u64::MAX),
                volume: VOLUME,
                path: device.display().to_string(),
                access: Access::Exclusive,
            });
            disk.disks = Some(disks);
            match disk.next_event()? {
                Event::Opened { result: Ok(_), .. } => {}
                event => return Err(format!("{} cannot be opened: {event:?}", device.display())),
            }
        }
        Ok(disk)
    }

    /// Memory that is not in flight.
    pub fn lend(&self, span: Span) -> Lent {
        self.arena.lend(span)
    }

    /// What is not taken yet.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Starts to read.
    pub fn read(&mut self, at_bytes: u64, into: Span) {
        self.start(|tag| Op::Read {
            tag,
            volume: VOLUME,
            at_bytes,
            into,
        });
    }

    /// Starts to write.
    pub fn write(&mut self, at_bytes: u64, from: Span) {
        self.start(|tag| Op::Write {
            tag,
            volume: VOLUME,
            at_bytes,
            from,
        });
    }

    /// Makes everything that was settled durable.
    pub fn flush(&mut self) -> Result<()> {
        self.start(|tag| Op::Flush { tag, volume: VOLUME });
        self.settle()
    }

    fn start(&mut self, op: impl FnOnce(Tag) -> Op) {
        let tag = Tag(self.next);
        self.next += 1;
        self.in_flight += 1;
        match &mut self.disks {
            Some(disks) => {
                disks.submit(op(tag));
                disks.flush_submissions();
            }
            None => self.finished.push_back(tag),
        }
    }

    /// Waits for everything.
    pub fn settle(&mut self) -> Result<()> {
        while self.in_flight > 0 {
            self.take_oldest()?;
        }
        Ok(())
    }

    /// Waits for the oldest that was not taken.
    pub fn take_oldest(&mut self) -> Result<()> {
        let oldest = Tag(self.oldest);
        loop {
            if let Some(at) = self.finished.iter().position(|tag| *tag == oldest) {
                self.finished.remove(at);
                self.oldest += 1;
                self.in_flight -= 1;
                return Ok(());
            }
            match self.next_event()? {
                Event::Done { tag, result: Ok(()) } => self.finished.push_back(tag),
                event => return Err(format!("the device fails: {event:?}")),
            }
        }
    }

    fn next_event(&mut self) -> Result<Event> {
        let disks = self.disks.as_mut().ok_or("nothing is in flight")?;
        let mut events = VecDeque::new();
        loop {
            disks.reap(&mut events);
            if let Some(event) = events.pop_front() {
                for event in events {
                    match event {
                        Event::Done { tag, result: Ok(()) } => self.finished.push_back(tag),
                        event => return Err(format!("the device fails: {event:?}")),
                    }
                }
                return Ok(event);
            }
            let event = disks.event_fd();
            poll(&mut [PollFd::new(&event, PollFlags::IN)], None).map_err(|error| error.to_string())?;
        }
    }
}
