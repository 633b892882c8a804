//! A puppet's end of a link to the appliance: what it opened, what it may send, and what it is answered.
//!
//! Invariant: a body is sent only with credit; what a target may not say is an error.

use std::collections::VecDeque;

use blockhaul_core::format::Lease;
use blockhaul_core::haul::wire::{Message, PROTOCOL, WhyRejected};
use drivers_sim::SiteId;
use hal::{Digest, LinkId, Uuid};

use super::actor::Told;
use super::stage::{BLOCK_BYTES, NAME, SECOND_NS, Stage};

/// An answer comes in this time, or none does.
const ANSWERED_WITHIN_NS: u64 = 3 * SECOND_NS;

/// What a target does about a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Where the track stands.
    Tip {
        /// Next number.
        next: u64,
        /// Hash of the block before.
        hash: Digest,
        /// The lease to show.
        lease: Lease,
    },
    /// Everything below is durable.
    Ack {
        /// Next number.
        next: u64,
        /// It was there before.
        duplicate: bool,
    },
    /// The track is stopped.
    Rejected(WhyRejected),
    /// The link is down.
    Closed,
    /// Nothing, for longer than an answer takes.
    Nothing,
}

/// A track of a link.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Which camera, by place.
    pub camera: usize,
    /// The lease it was told; none while it is stopped.
    pub lease: Option<Lease>,
}

/// A link to the appliance.
#[derive(Clone, Debug)]
pub struct Wire {
    puppet: SiteId,
    link: LinkId,
    credit: u64,
    /// Tracks by their number.
    pub tracks: Vec<Opened>,
    /// Answers that nobody has looked at.
    heard: VecDeque<(u32, Answer)>,
}

impl Wire {
    /// Calls, and is welcome with a token.
    pub fn hello(stage: &mut Stage, puppet: SiteId, source: [u8; 16], token: [u8; 32]) -> Result<Wire, String> {
        let link = stage.dial(puppet)?;
        let hello = hello(source, token);
        stage.send(puppet, link, &hello, &[]);
        let welcomed = |told: &Told| matches!(told, Told::Frame(of, ..) | Told::Down(of) if *of == link);
        stage.pass_until(ANSWERED_WITHIN_NS, |stage| stage.told(puppet).iter().any(welcomed))?;
        let here = Uuid(stage.archive()?);
        let mut told = stage.take_told(puppet).into_iter();
        match told.find(welcomed) {
            Some(Told::Frame(_, Some(Message::Welcome { archive, credit, .. }), _)) if archive == here => {
                let mut wire = Wire {
                    puppet,
                    link,
                    credit: u64::from(credit),
                    tracks: Vec::new(),
                    heard: VecDeque::new(),
                };
                for told in told {
                    wire.hear(told)?;
                }
                Ok(wire)
            }
            other => Err(format!("a source with a right grant is told {other:?}")),
        }
    }

    /// Sends a message and gives the answer that concerns a track. The link stays alive.
    pub fn ask(&mut self, stage: &mut Stage, message: &Message, body: &[u8], track: u32) -> Result<Answer, String> {
        self.say(stage, message, body)?;
        self.answer(stage, track)
    }

    /// Sends a message, once there is credit for its body; on a link that is down it does nothing.
    pub fn say(&mut self, stage: &mut Stage, message: &Message, body: &[u8]) -> Result<(), String> {
        let limit_ns = stage.now_ns() + ANSWERED_WITHIN_NS;
        self.read(stage)?;
        while !body.is_empty() && self.credit == 0 && !self.is_closed() {
            if !self.listen(stage, limit_ns)? {
                return Err("a source gets no credit".into());
            }
        }
        if !self.is_closed() {
            self.credit -= u64::from(!body.is_empty());
            stage.send(self.puppet, self.link, &Message::Heartbeat, &[]);
            stage.send(self.puppet, self.link, message, body);
        }
        Ok(())
    }

    /// The next answer, which must concern that track.
    pub fn answer(&mut self, stage: &mut Stage, track: u32) -> Result<Answer, String> {
        let limit_ns = stage.now_ns() + ANSWERED_WITHIN_NS;
        self.read(stage)?;
        while self.heard.is_empty() {
            if !self.listen(stage, limit_ns)? {
                return Ok(Answer::Nothing);
            }
        }
        match self.heard.pop_front() {
            Some((of, answer)) if of == track || answer == Answer::Closed => Ok(answer),
            other => Err(format!("{other:?} comes while track {track} is spoken of")),
        }
    }

    /// Ends the link, if it is still up.
    pub fn hang_up(self, stage: &mut Stage) -> Result<(), String> {
        stage.hang_up(self.puppet, self.link)
    }

    /// It has been told that the link is down.
    fn is_closed(&self) -> bool {
        self.heard.iter().any(|(_, answer)| *answer == Answer::Closed)
    }

    /// Waits until something comes. False if nothing does.
    fn listen(&mut self, stage: &mut Stage, limit_ns: u64) -> Result<bool, String> {
        let (puppet, left_ns) = (self.puppet, limit_ns.saturating_sub(stage.now_ns()));
        let came = stage.pass_until(left_ns, |stage| !stage.told(puppet).is_empty())?;
        self.read(stage)?;
        Ok(came)
    }

    fn read(&mut self, stage: &mut Stage) -> Result<(), String> {
        for told in stage.take_told(self.puppet) {
            self.hear(told)?;
        }
        Ok(())
    }

    fn hear(&mut self, told: Told) -> Result<(), String> {
        let message = match told {
            Told::Down(link) if link == self.link => {
                self.heard.push_back((u32::MAX, Answer::Closed));
                return Ok(());
            }
            Told::Frame(link, message, _) if link == self.link => message,
            Told::Up(_) | Told::Down(_) | Told::Frame(..) => return Ok(()),
        };
        self.heard.push_back(match message {
            Some(Message::Tip {
                track,
                next,
                hash,
                lease,
            }) => (track, Answer::Tip { next, hash, lease }),
            Some(Message::Ack { track, next, duplicate }) => (track, Answer::Ack { next, duplicate }),
            Some(Message::Rejected { track, why, .. }) => (track, Answer::Rejected(why)),
            Some(Message::Credit { blocks }) => {
                self.credit += u64::from(blocks);
                return Ok(());
            }
            Some(Message::Heartbeat) => return Ok(()),
            other => return Err(format!("a target says {other:?} to a source that is welcome")),
        });
        Ok(())
    }
}

/// The first message of a source.
pub fn hello(source: [u8; 16], token: [u8; 32]) -> Message {
    Message::Hello {
        protocol: PROTOCOL,
        token,
        source: Uuid(source),
        target: NAME.parse().expect("a name"),
        block_bytes: BLOCK_BYTES,
        utc_ns: 1,
        run: Uuid([4; 16]),
    }
}
