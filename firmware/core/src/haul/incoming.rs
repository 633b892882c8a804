//! The target's side of a link: who may append what, and the tip that every block must follow.
//!
//! Rules (`reliability.md`, 3.6): another lease is fenced; the next track sequence is checked, written, and acknowledged when it is
//! durable; a lower one with the same hash is acknowledged again, with another hash it is another history; a higher one is told
//! what is expected. Nothing here depends on a clock but the liveness of the link.
//!
//! Invariants: nothing is acknowledged that is not durable here; nothing is accepted that does not fit its digest, its grant and
//! the tip; at most the credit given is under way.

mod blocks;
mod covered;
mod holding;
mod lacking;
mod marks;
mod opens;
mod run;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use hal::{Fingerprint, Instant, IoError, LinkId, Op, Span};

use super::compare::{Answer, Answered, Compares};
use super::cover::Cover;
use super::wire::{Holder, Message, PROTOCOL, WhyRefused, WhyRejected};
use crate::Name;
use crate::archive::{Accepted, Archive, NotAccepted, Owner, SettledWhat, TrackId};
use crate::context::{Context, Ready};
use crate::control::types::{GapReason, IncomingStatus, RunRecord};
use crate::format::header::{ORIGIN_AT, decode_origin, origin_hash};
use crate::format::record::GapRange;
use crate::format::{COUNT_MAX, Lease, NO_HASH, Record, SECTOR_BYTES, TrackKey};
use crate::journal::Code;
use crate::limits::{HEARTBEAT, HELLO_WITHIN, LINK_DEAD_AFTER, TRACKS_MAX, UNSENT_MAX, haul_blocks};
use crate::purpose::Purpose;
use crate::seeded::{Bug, has};
use crate::settings::tenants::Reach;

/// A right in force on a link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Grant {
    /// Its id.
    pub id: String,
    /// Place of the archive.
    pub archive: usize,
    /// Archive that is hauled from.
    pub source: hal::Uuid,
    /// Cameras that it reaches.
    pub reach: Reach,
}

/// A link that came in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Incoming {
    /// Which.
    pub link: LinkId,
    /// Whose.
    pub peer: Name,
    /// Its key.
    pub key: Fingerprint,
    /// The right it has shown; none before `Hello`.
    pub grant: Option<Grant>,
    /// Other end's address.
    pub address: String,
    tracks: Vec<Track>,
    /// Cameras of those that are open, with the tracks.
    open_cameras: BTreeSet<(Name, u32)>,
    /// Which of them an archive's track is.
    numbers: BTreeMap<TrackId, u32>,
    /// Tracks that have something new to be acknowledged.
    acks_due: BTreeSet<u32>,
    /// Tracks whose tip is told once everything accepted has settled.
    settling: BTreeSet<u32>,
    /// Whole blocks lent for bodies, in order.
    lent: VecDeque<Span>,
    /// What the source has asked to be compared.
    compares: Compares,
    /// Numbers of tracks that were found to be missing or damaged here, and what the index says of their content.
    lacking: BTreeMap<(u32, u64), Option<u64>>,
    /// Numbers of tracks that came while they were under way already.
    under_way: BTreeSet<(u32, u64)>,
    credit_due: u32,
    heard_at: Instant,
    said_at: Instant,
    hung_up: bool,
    up_at: Instant,
    /// Messages that have not left.
    unsent: usize,
    blocks: u64,
    bytes: u64,
    /// The mark whose points are coming.
    collected: Option<marks::Collected>,
    duplicates: u64,
    gaps: u64,
    /// As it stood before this link.
    run: Option<RunRecord>,
    run_told: bool,
    /// Blocks that were filled in later.
    filled: u64,
    /// How many of them people were told of, and when the last one was durable.
    filled_told: u64,
    filled_at: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Track {
    id: TrackId,
    key: TrackKey,
    state: State,
    /// It comes beside another source of its camera.
    beside: bool,
    /// When it was opened, or brought something last.
    brought_at: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    /// Waiting for what was accepted before to settle.
    Settling,
    /// Waiting for the lease to be durable.
    Leasing,
    /// Takes blocks.
    Open,
    /// Takes nothing until it is opened again.
    Stopped,
}

impl Incoming {
    /// A link of a known key is up.
    pub fn new(link: LinkId, peer: Name, key: Fingerprint, address: String, context: &mut Context) -> Incoming {
        let incoming = Incoming {
            link,
            peer,
            key,
            grant: None,
            address,
            tracks: Vec::new(),
            open_cameras: BTreeSet::new(),
            numbers: BTreeMap::new(),
            acks_due: BTreeSet::new(),
            settling: BTreeSet::new(),
            lent: VecDeque::new(),
            compares: Compares::new(link),
            lacking: BTreeMap::new(),
            under_way: BTreeSet::new(),
            credit_due: 0,
            heard_at: context.now.at,
            said_at: context.now.at,
            hung_up: false,
            up_at: context.now.at,
            unsent: 0,
            blocks: 0,
            bytes: 0,
            collected: None,
            duplicates: 0,
            gaps: 0,
            run: None,
            run_told: false,
            filled: 0,
            filled_told: 0,
            filled_at: context.now.at,
        };
        context.ask_at(Ready::Incoming(link), Some(context.now.at + HEARTBEAT));
        incoming
    }

    /// A message has left, or never will.
    pub fn on_sent(&mut self) {
        self.unsent = self.unsent.saturating_sub(1);
    }

    fn send(&mut self, message: &Message, context: &mut Context) {
        if self.unsent >= UNSENT_MAX {
            // It asks and does not read the answers.
            return self.hang_up(context);
        }
        self.unsent += 1;
        self.said_at = context.now.at;
        let tag = context.tag(Purpose::Send(self.link, None));
        context.submit(Op::Send {
            tag,
            link: self.link,
            message: message.encode(),
            body: None,
        });
    }

    /// Closes the link; nothing more is taken from it.
    pub fn hang_up(&mut self, context: &mut Context) {
        if !self.hung_up {
            self.hung_up = true;
            context.submit(Op::HangUp { link: self.link });
        }
    }

    /// Tells the other end that it is not wanted, and closes.
    pub fn refuse(&mut self, why: WhyRefused, context: &mut Context) {
        self.send(&Message::Refused { why }, context);
        let sentence = format!("Peer {} at {} was refused: {}.", self.peer, self.address, why_words(why));
        context.say(Code::PeerRefused, &self.peer.clone(), sentence);
        self.hang_up(context);
    }

    /// Whether it is of no use any more.
    pub fn has_hung_up(&self) -> bool {
        self.hung_up
    }

    /// The grant is in order: the link may open tracks.
    pub fn welcome(&mut self, grant: Grant, archive: &Archive, context: &mut Context) {
        self.grant = Some(grant);
        self.lend(archive, context);
        let message = Message::Welcome {
            protocol: PROTOCOL,
            archive: archive.uuid,
            credit: core::mem::take(&mut self.credit_due),
            free_slots: archive.free_slots(),
            utc_ns: context.now.utc_ns,
        };
        self.send(&message, context);
    }

    /// Whether something is to be told once an archive has moved.
    pub fn waits_for(&self, archive: usize) -> bool {
        self.grant.as_ref().is_some_and(|grant| grant.archive == archive)
            && !(self.settling.is_empty() && self.acks_due.is_empty() && self.under_way.is_empty())
    }

    /// Whether a frame may still be taken.
    pub fn listens(&self) -> bool {
        !self.hung_up
    }

    /// Something came: the link lives.
    pub fn heard(&mut self, context: &Context) {
        self.heard_at = context.now.at;
    }

    /// Heartbeat, memory for more blocks, tips that can be told now, acknowledgements.
    pub fn poll(&mut self, archive: Option<&mut Archive>, context: &mut Context) {
        if self.hung_up {
            return;
        }
        let silent = context.now.at.since(self.heard_at) >= LINK_DEAD_AFTER;
        if silent || (self.grant.is_none() && context.now.at.since(self.up_at) >= HELLO_WITHIN) {
            self.hang_up(context);
            return;
        }
        if let Some(archive) = archive {
            for track in core::mem::take(&mut self.settling) {
                self.open_settled(track, archive, context);
            }
            self.acknowledge(archive, context);
            self.acknowledge_under_way(archive, context);
            self.compare(archive, context);
            if context.now.at.since(self.filled_at) >= HEARTBEAT {
                self.tell_filled(&archive.name, context);
            }
            self.lend(archive, context);
            if self.credit_due > 0 {
                let blocks = core::mem::take(&mut self.credit_due);
                self.send(&Message::Credit { blocks }, context);
            }
        }
        if context.now.at.since(self.said_at) >= HEARTBEAT {
            self.send(&Message::Heartbeat, context);
        }
        let due = (self.said_at + HEARTBEAT).min(self.heard_at + LINK_DEAD_AFTER);
        context.ask_at(Ready::Incoming(self.link), Some(due));
    }

    /// Lends block memory for coming bodies, up to the credit.
    fn lend(&mut self, archive: &Archive, context: &mut Context) {
        let block_bytes = archive.superblock.block_bytes;
        while (self.lent.len() as u32) < haul_blocks(block_bytes) {
            // So that no link stands still because others have more.
            let span = if self.lent.is_empty() {
                context.take_spare(block_bytes)
            } else {
                context.take_ahead(block_bytes)
            };
            let Some(span) = span else {
                context.ask_when_freed(Ready::Incoming(self.link));
                return;
            };
            self.lend_span(span, context);
        }
    }

    fn lend_span(&mut self, span: Span, context: &mut Context) {
        self.lent.push_back(span);
        self.credit_due += 1;
        let body = span.part(ORIGIN_AT as u32, span.length_bytes - ORIGIN_AT as u32);
        context.submit(Op::Receive {
            link: self.link,
            into: body,
        });
    }

    fn reject(&mut self, track: u32, why: WhyRejected, context: &mut Context) {
        self.reject_for(track, why, None, context);
    }

    fn reject_for(&mut self, track: u32, why: WhyRejected, holder: Option<Holder>, context: &mut Context) {
        if let Some(stopped) = self.tracks.get_mut(track as usize) {
            stopped.state = State::Stopped;
            self.open_cameras.remove(&(stopped.key.camera.clone(), track));
        }
        self.send(&Message::Rejected { track, why, holder }, context);
    }

    /// The other end broke the rules of the protocol: it is closed, with an event.
    pub fn malformed(&mut self, context: &mut Context) {
        let sentence = format!(
            "Peer {} at {} sent a message that makes no sense here; the link was closed.",
            self.peer, self.address
        );
        context.say(Code::PeerRefused, &self.peer.clone(), sentence);
        self.hang_up(context);
    }

    /// Something this link appended is durable, or never will be.
    pub fn on_settled(&mut self, what: &SettledWhat, durable: bool, archive: &Archive, context: &mut Context) {
        let (id, leased, bytes) = match what {
            SettledWhat::Block {
                track,
                track_sequence,
                fill: true,
                ..
            } if durable => {
                self.on_filled(*track, *track_sequence, context);
                return;
            }
            SettledWhat::Block {
                track, payload_bytes, ..
            } => (Some(*track), false, Some(*payload_bytes)),
            SettledWhat::Record(Record::Lease { key, .. }) => (archive.catalog.find(key), true, None),
            SettledWhat::Record(Record::Gap { key, .. }) => (archive.catalog.find(key), false, None),
            SettledWhat::Record(record) => return self.on_noted(record, durable, context),
        };
        let number = id.and_then(|id| self.numbers.get(&id)).copied();
        let Some(number) = number else { return };
        if !durable {
            self.reject(number, WhyRejected::Closed, context);
        } else if leased {
            let track = &mut self.tracks[number as usize];
            if track.state == State::Leasing {
                track.state = State::Open;
                self.tell_tip(number, archive, context);
            }
        } else {
            self.acks_due.insert(number);
            match bytes {
                Some(bytes) => {
                    self.blocks += 1;
                    self.bytes += u64::from(bytes);
                }
                None => self.gaps += 1,
            }
            self.tell_run(context);
        }
        context.wake(Ready::Incoming(self.link));
    }

    /// One acknowledgement a track, however many blocks became durable together.
    fn acknowledge(&mut self, archive: &Archive, context: &mut Context) {
        for number in core::mem::take(&mut self.acks_due) {
            let next = archive.catalog.track(self.tracks[number as usize].id).durable_next;
            self.send(
                &Message::Ack {
                    track: number,
                    next,
                    duplicate: false,
                },
                context,
            );
        }
    }

    /// The link is down: all memory lent to it is back, but for what is still being read for it.
    pub fn finish(mut self, archive: Option<&Name>, context: &mut Context) -> Option<Compares> {
        if let Some(archive) = archive {
            self.tell_filled(archive, context);
        }
        for span in core::mem::take(&mut self.lent) {
            context.give(span);
        }
        self.leave_run(context);
        context.ask_at(Ready::Incoming(self.link), None);
        self.compares.abandon();
        if self.compares.is_quiet() {
            self.compares.finish(context);
            return None;
        }
        Some(self.compares)
    }

    /// A block that is compared has been read.
    pub fn on_read(&mut self, sequence: u64, result: Result<(), IoError>, archive: &Archive, context: &mut Context) {
        self.compares.on_read(sequence, result, archive, context);
        context.wake(Ready::Incoming(self.link));
    }

    /// A checkpoint part on the way to what is compared has been read.
    pub fn on_sought(&mut self, result: Result<(), IoError>, archive: &Archive, context: &mut Context) {
        self.compares.on_sought(result, archive, context);
        context.wake(Ready::Incoming(self.link));
    }

    /// For `status`.
    pub fn status(&self, archive: Option<&Name>) -> IncomingStatus {
        IncomingStatus {
            peer: self.peer.clone(),
            archive: archive.map(|name| name.to_string()).unwrap_or_default(),
            address: self.address.clone(),
            blocks: self.blocks,
            bytes: self.bytes,
            back_filled: self.filled,
        }
    }
}

/// What is to be done with a block that came.
enum Verdict {
    /// The archive has it.
    Taken,
    /// It is here and durable.
    Again { next: u64 },
    /// It came as a fill, and nothing lacks it here.
    NotLacking { number: u64 },
    /// Nothing is said.
    Ignored,
    /// The track stops.
    Rejected(WhyRejected),
    /// The link stops.
    Nonsense,
}

/// Hash prefix of a block of a track, as far as the index in memory reaches.
fn known_hash(archive: &Archive, track: TrackId, track_sequence: u64) -> Option<u64> {
    let found = archive
        .catalog
        .recent_all()
        .rev()
        .find(|(_, entry)| entry.track_sequence == track_sequence && archive.catalog.track_of(entry) == Some(track));
    found.map(|(_, entry)| entry.hash_prefix)
}

fn why_not(error: NotAccepted) -> WhyRejected {
    match error {
        NotAccepted::Full => WhyRejected::Full,
        NotAccepted::Closed => WhyRejected::Closed,
        NotAccepted::TooMany => WhyRejected::TooMany,
    }
}

/// A reason for a gap, in a sentence.
pub fn gap_words(reason: GapReason) -> &'static str {
    match reason {
        GapReason::Overwritten => "the source's ring had written over them before they were hauled",
        GapReason::Damaged => "the source could not read them",
        GapReason::Filtered => "a filter left them out",
        GapReason::Expired => "they had expired",
        GapReason::NotRetrieved => "only a later time was asked for",
        GapReason::Later => "they lie behind later ones at the source and come when it gets there",
    }
}

/// Why a link was not wanted, in a sentence.
pub fn why_words(why: WhyRefused) -> &'static str {
    match why {
        WhyRefused::Protocol => "it speaks another version of the protocol",
        WhyRefused::Token => "its token is not valid for that archive",
        WhyRefused::NotReady => "the archive takes no blocks now",
        WhyRefused::BlockSize => "the block sizes differ",
        WhyRefused::SameArchive => "source and target are the same archive",
        WhyRefused::TooMany => "there are too many links",
        WhyRefused::Off => "its replication service is off",
    }
}
