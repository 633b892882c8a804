//! One appliance with its memory, disk, settings and feeders, and what it has in flight.
//!
//! What happens next is not decided here (`choice.rs`). Invariant: what is in flight stands in an order that does not depend
//! on how the state was reached.

use std::collections::BTreeMap;
use std::rc::Rc;

use blockhaul_core::Appliance;
use hal::{Event, FeedId, Fingerprint, FlushClass, Instant, Span, Tag, VolumeFacts, VolumeForm};

use super::disk::{Disk, Write};
use super::pages::{BYTES, POISON, Pages};

/// Path of the volume of every site.
pub const VOLUME: &str = "/dev/volume";
/// Path of the recorder's door.
pub const DOOR: &str = "/run/camera";
/// Bytes of a piece that a feeder brings: its block is sealed early, so that it is small.
const PIECE_BYTES: u64 = 100;

/// What an op in flight does.
#[derive(Clone, Debug)]
pub enum Work {
    /// Into memory, from that page of the disk on.
    Read {
        /// First page.
        at: usize,
        /// Where to.
        into: Span,
    },
    /// As it stood in memory when it was submitted; memory that is lent does not change.
    Write(Write),
    /// Completed writes with lower numbers.
    Flush {
        /// First number that is not covered.
        below: u64,
    },
    /// Opening the volume.
    Open,
    /// Whatever does nothing here and succeeds: a discard, a close.
    Nothing,
    /// The settings document.
    Save(Rc<[u8]>),
    /// Making a recorder's door.
    Door(FeedId),
}

/// An op in flight.
#[derive(Clone, Debug)]
pub struct Flight {
    /// In the core's words: what it is for.
    pub purpose: Rc<str>,
    /// What it does.
    pub work: Work,
    /// Returned with its event.
    pub tag: Tag,
    /// When it was submitted.
    pub since_ns: u64,
}

impl Flight {
    /// First page that it concerns.
    pub fn at(&self) -> usize {
        match &self.work {
            Work::Read { at, .. } => *at,
            Work::Write(write) => write.at,
            Work::Flush { .. } | Work::Open | Work::Nothing | Work::Save(_) | Work::Door(_) => 0,
        }
    }

    /// It can fail as a disk does.
    pub fn is_disk(&self) -> bool {
        matches!(self.work, Work::Read { .. } | Work::Write(_) | Work::Flush { .. })
    }
}

/// A read of a feeder that has not returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fill {
    /// Where to; none if the bytes are thrown away.
    pub into: Option<Span>,
    /// When it returns what there is.
    pub until: Instant,
    /// When it was submitted.
    pub since_ns: u64,
}

/// What a feeder brings to a door: pieces, each by a feeder of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Script {
    /// Pieces that have been brought or lost.
    pub brought: u32,
    /// Pieces in all.
    pub pieces: u32,
    /// Bytes of the piece being brought.
    pub given: u64,
}

/// A door of a recorder.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Door {
    /// Where it is.
    pub path: Rc<str>,
    /// What waits for bytes.
    pub fill: Option<Fill>,
}

/// One appliance and its machine.
#[derive(Clone, Debug)]
pub struct Site {
    /// Its name, and that of its archive.
    pub name: &'static str,
    /// Its key.
    pub key: Fingerprint,
    /// What runs there.
    pub brain: Option<Rc<Appliance>>,
    /// Block memory.
    pub memory: Pages,
    /// The volume.
    pub disk: Disk,
    /// The document of the last save.
    pub settings: Option<Rc<[u8]>>,
    /// Starts so far.
    pub starts: u64,
    /// Ops in flight, ordered by purpose and place.
    pub flights: Vec<Flight>,
    /// Doors that are open.
    pub doors: BTreeMap<FeedId, Door>,
    /// What is brought to them, by path.
    pub scripts: BTreeMap<Rc<str>, Script>,
    /// Links accepted so far.
    pub accepted: u64,
    /// Keys that may come in.
    pub trusted: Vec<Fingerprint>,
    /// Answers to control calls.
    pub replies: Vec<Vec<u8>>,
}

impl Site {
    /// A site where nothing runs.
    pub fn new(name: &'static str, memory_bytes: usize, disk_bytes: usize) -> Site {
        Site {
            name,
            key: Fingerprint(*blake3::hash(name.as_bytes()).as_bytes()),
            brain: None,
            memory: Pages::of(POISON, memory_bytes / BYTES),
            disk: Disk::new(disk_bytes),
            settings: None,
            starts: 0,
            flights: Vec::new(),
            doors: BTreeMap::new(),
            scripts: BTreeMap::new(),
            accepted: 0,
            trusted: Vec::new(),
            replies: Vec::new(),
        }
    }

    /// Adds an op in flight in its place.
    pub fn fly(&mut self, flight: Flight) {
        let key = |flight: &Flight| (flight.purpose.clone(), flight.at());
        let place = self.flights.partition_point(|other| key(other) <= key(&flight));
        self.flights.insert(place, flight);
    }

    /// Everything of the process is gone; feeders go on with the next piece.
    pub fn forget(&mut self) {
        self.brain = None;
        self.flights.clear();
        self.doors.clear();
        self.trusted.clear();
        self.memory = Pages::of(POISON, self.memory.len());
        for script in self.scripts.values_mut().filter(|script| script.given > 0) {
            script.brought += 1;
            script.given = 0;
        }
    }

    /// What the machine tells of the volume.
    pub fn volume_facts(&self) -> VolumeFacts {
        VolumeFacts {
            form: VolumeForm::Disk,
            size_bytes: (self.disk.current().len() * BYTES) as u64,
            logical_sector_bytes: 512,
            physical_sector_bytes: 4096,
            alignment_bytes: 512,
            flush: FlushClass::WriteBack,
            fua: false,
            discard_bytes: 0,
            removable: false,
            erase_bytes: 0,
            starts_at_bytes: 0,
            serial: self.name.to_uppercase(),
            same_as: 1,
        }
    }

    /// Whether a feeder has something for a door.
    pub fn has_bytes(&self, door: &Door) -> bool {
        self.scripts
            .get(&door.path)
            .is_some_and(|script| script.brought < script.pieces)
    }

    /// Every piece was brought.
    pub fn is_fed(&self) -> bool {
        self.scripts.values().all(|script| script.brought == script.pieces)
    }

    /// The next bytes for a door, as far as they fit, and whether the feeder ends behind them.
    pub fn next_bytes(&mut self, door: &Door, room: u64) -> (Vec<u8>, bool) {
        let Some(script) = self.scripts.get_mut(&door.path) else {
            return (Vec::new(), false);
        };
        let bytes = room.min(PIECE_BYTES - script.given);
        let piece = piece(&door.path, script.brought);
        let from = script.given as usize;
        script.given += bytes;
        let end = script.given == PIECE_BYTES;
        if end {
            script.brought += 1;
            script.given = 0;
        }
        (piece[from..from + bytes as usize].to_vec(), end)
    }

    /// Forgets a fill that returns.
    pub fn filled(&mut self, feed: FeedId, bytes: u64, end: bool) -> Event {
        if let Some(door) = self.doors.get_mut(&feed) {
            door.fill = None;
        }
        Event::Filled { feed, bytes, end }
    }
}

/// The bytes of a piece, which say which it is.
pub fn piece(path: &str, number: u32) -> Vec<u8> {
    let mut bytes = format!("piece {number} for {path}. ").into_bytes();
    bytes.resize(PIECE_BYTES as usize, b'.');
    bytes
}

/// Whether a block holds one piece as it was brought.
pub fn is_piece(payload: &[u8]) -> bool {
    let text = payload.strip_prefix(b"piece ");
    let digits = text.map_or(0, |text| text.iter().take_while(|byte| byte.is_ascii_digit()).count());
    let number = text.and_then(|text| std::str::from_utf8(&text[..digits]).ok()?.parse().ok());
    number.is_some_and(|number| piece(DOOR, number) == payload)
}
