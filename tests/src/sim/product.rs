//! The appliance as shipped, where a simulated machine wants something that runs; besides, it notes what the appliance promises.

use std::collections::BTreeMap;

use blockhaul_core::haul::wire::Message;
use blockhaul_core::{Appliance, Board};
use drivers_sim::Brain;
use hal::{Event, Instant, LinkId, Memory, Moment, Op, Ops};

use super::volume::Track;

/// "Everything of this track below `next` is durable here", said to a source.
#[derive(Clone, Debug)]
pub struct Promise {
    /// Track.
    pub track: Track,
    /// First that is not promised.
    pub next: u64,
}

/// One appliance.
#[derive(Clone, Debug)]
pub struct Product {
    appliance: Appliance,
    tracks: BTreeMap<(LinkId, u32), Track>,
    /// Promises since they were taken last.
    pub promises: Vec<Promise>,
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
        Product {
            appliance,
            tracks: BTreeMap::new(),
            promises: Vec::new(),
        }
    }

    fn note_opened(&mut self, event: &Event) {
        if let Event::Frame { link, message, .. } = event
            && let Some(Message::Open {
                track,
                origin,
                camera,
                kind,
            }) = Message::decode(message)
        {
            let named = Track {
                origin: origin.0,
                camera: camera.as_str().into(),
                kind: kind as u8,
            };
            self.tracks.insert((*link, track), named);
        }
    }

    fn note_promised(&mut self, op: &Op) {
        if let Op::Send { link, message, .. } = op
            && let Some(Message::Ack { track, next, .. }) = Message::decode(message)
        {
            let track = self.tracks.get(&(*link, track)).expect("an acknowledged track was opened");
            self.promises.push(Promise {
                track: track.clone(),
                next,
            });
        }
    }
}

impl Brain for Product {
    fn step(&mut self, now: Moment, event: Event, memory: &mut dyn Memory, ops: &mut Ops) {
        self.note_opened(&event);
        self.appliance.step(now, event, memory, ops);
        for op in ops.iter() {
            self.note_promised(op);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.appliance.deadline()
    }

    fn stopped(&self) -> bool {
        self.appliance.stopped()
    }
}
