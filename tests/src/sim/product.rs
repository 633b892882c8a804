//! The appliance as shipped, where a simulated machine wants something that runs; besides, it notes what the appliance writes,
//! claims, promises and says, for the judge.

use std::collections::BTreeMap;

use blockhaul_core::haul::wire::Message;
use blockhaul_core::{Appliance, Board};
use drivers_sim::Brain;
use hal::{Event, Instant, LinkId, Memory, Moment, Op, Ops};
use serde_json::Value;

use crate::reader::{Announced, Track, announced, freed};

/// Something that an appliance did and that a judge wants to know.
#[derive(Clone, Debug)]
pub enum Notice {
    /// It writes a block. The payload is that of a block of a track.
    Writes(Announced, Vec<u8>),
    /// It says that every log sequence of an archive below this one is durable.
    Claims {
        /// The archive.
        archive: [u8; 16],
        /// First that is not claimed.
        below: u64,
        /// It is the first time in this run: what recovery found.
        recovered: bool,
    },
    /// It told a source that everything of this track below `next` is durable.
    Acknowledges(Track, u64),
    /// It told a source that this number of a track is durable as a fill.
    Fills(Track, u64),
    /// It told a target that these numbers of a track, from the first to the one behind the last, will not come.
    StatesGap(Track, u64, u64),
    /// It writes a superblock that says that everything below this log sequence is freed.
    Frees {
        /// The archive.
        archive: [u8; 16],
        /// First that is not freed.
        below: u64,
    },
    /// It said something to people.
    Says {
        /// Code.
        code: String,
        /// Whom it is about.
        subject: String,
    },
}

/// One appliance.
#[derive(Clone, Debug)]
pub struct Product {
    appliance: Appliance,
    /// Tracks of a link by their number, as this end or the other opened them.
    tracks: BTreeMap<(LinkId, u32), Track>,
    claimed: BTreeMap<[u8; 16], u64>,
    freed: BTreeMap<[u8; 16], u64>,
    /// What it did since this was taken last.
    pub notices: Vec<Notice>,
}

impl Product {
    /// Starts it with what the machine gives.
    pub fn start(board: drivers_sim::Board, ops: &mut Ops) -> Product {
        let now = board.now;
        let board = Board {
            fingerprint: board.fingerprint,
            version: "sim",
            listening: board.listening,
            seed: board.seed,
            settings: board.settings,
            kept_events: board.kept_events,
            memory_bytes: board.memory_bytes,
        };
        let appliance = Appliance::start(board, now, ops).expect("it wrote its settings itself");
        let mut product = Product {
            appliance,
            tracks: BTreeMap::new(),
            claimed: BTreeMap::new(),
            freed: BTreeMap::new(),
            notices: Vec::new(),
        };
        for op in ops.iter() {
            product.note_said(op);
        }
        product
    }

    fn note_opened(&mut self, link: LinkId, message: &[u8]) {
        if let Some(Message::Open {
            track,
            origin,
            camera,
            kind,
            ..
        }) = Message::decode(message)
        {
            let named = Track {
                origin: origin.0,
                camera: camera.as_str().into(),
                kind: kind as u8,
            };
            self.tracks.insert((link, track), named);
        }
    }

    fn note_op(&mut self, op: &Op, memory: &dyn Memory) {
        match op {
            Op::Send { link, message, .. } => {
                self.note_opened(*link, message);
                let track = |number| self.tracks.get(&(*link, number)).expect("a track is opened first").clone();
                match Message::decode(message) {
                    Some(Message::Ack { track: number, next, .. }) => {
                        self.notices.push(Notice::Acknowledges(track(number), next));
                    }
                    Some(Message::Filled {
                        track: number,
                        number: sequence,
                        taken: true,
                    }) => self.notices.push(Notice::Fills(track(number), sequence)),
                    Some(Message::Gap {
                        track: number, from, to, ..
                    }) => self.notices.push(Notice::StatesGap(track(number), from, to)),
                    Some(_) | None => {}
                }
            }
            Op::Write { from, .. } => {
                let block = memory.bytes(*from);
                if let Some((archive, below)) = freed(block)
                    && self.freed.insert(archive, below) != Some(below)
                    && below > 0
                {
                    self.notices.push(Notice::Frees { archive, below });
                }
                if let Some(block_says) = announced(block) {
                    let payload = match &block_says.piece {
                        Some((track, ..)) if track.origin == block_says.archive => {
                            block[4096..block_says.bytes as usize].to_vec()
                        }
                        Some(_) | None => Vec::new(),
                    };
                    self.notices.push(Notice::Writes(block_says, payload));
                }
            }
            _ => self.note_said(op),
        }
    }

    fn note_said(&mut self, op: &Op) {
        if let Op::KeepEvent { line } = op
            && let Ok(record) = serde_json::from_slice::<Value>(line)
        {
            let text = |field: &str| record[field].as_str().unwrap_or_default().to_string();
            self.notices.push(Notice::Says {
                code: text("code"),
                subject: text("subject"),
            });
        }
    }

    fn note_claims(&mut self) {
        for (archive, below) in self.appliance.durable() {
            let before = self.claimed.insert(archive.0, below);
            if before != Some(below) {
                self.notices.push(Notice::Claims {
                    archive: archive.0,
                    below,
                    recovered: before.is_none(),
                });
            }
        }
    }
}

impl Brain for Product {
    fn step(&mut self, now: Moment, event: Event, memory: &mut dyn Memory, ops: &mut Ops) {
        if let Event::Frame { link, message, .. } = &event {
            self.note_opened(*link, message);
        }
        self.appliance.step(now, event, memory, ops);
        // A claim that this event brought is older than what is written because of it.
        self.note_claims();
        for op in ops.iter() {
            self.note_op(op, memory);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.appliance.deadline()
    }

    fn stopped(&self) -> bool {
        self.appliance.stopped()
    }
}
