//! What a job knows as long as one link lasts: tracks with their tips, the walk through the log, credit, what is under way.
//!
//! Invariants: a block is sent only while there is credit, in track order, beginning at the tip that the target told; what is
//! missing is stated as a gap before a later block of the track is sent; reading stops while a tip is awaited, so that no block of
//! a new track is passed over.

mod answers;
mod holes;
mod marks;
mod missing;
mod opens;
mod reconcile;
mod wanted;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;
use hal::{Digest, Instant, IoError, LinkId, Op, Span, Uuid};

use holes::Hole;
pub use missing::is_on_purpose;
pub use reconcile::Full;
use reconcile::Reconcile;
use wanted::{Passed, Wanted};

use super::job::guard::Told;
use super::job::{Lasting, Trouble};
use super::sieve::{Judged, Seen, Sieve};
use super::wire::{Message, WhyRejected};
use crate::Kind;
use crate::archive::catalog::hash_prefix;
use crate::archive::seek::Seek;
use crate::archive::walk::{Depth, Reader, Step, Walk};
use crate::archive::{Archive, Catalog, TrackId};
use crate::context::{Context, Ready};
use crate::control::types::{GapReason, JobState};
use crate::format::checkpoint::Entry;
use crate::format::header::{Header, ORIGIN_AT};
use crate::format::{Lease, NO_HASH, Origin, SECTOR_BYTES, Tip, TrackKey};
use crate::journal::Code;
use crate::limits::{CLOCK_LOOK, LEASE_TIME, OPENS_MAX, haul_blocks};
use crate::purpose::Purpose;
use crate::seeded::{Bug, has};
use crate::settings::JobSetting;

/// A target that is full or closed is asked again after this long.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// Blocks that are left out in a row before it is stated at the end of the log.
const PASSED_UNSTATED: u64 = 256;
/// Blocks that do not fit their digest at the target before the path is called bad (N-06).
const DIGESTS_MAX: u32 = 3;

/// One link of a job.
#[derive(Clone, Debug, Hash)]
pub struct Session {
    /// Which.
    pub link: LinkId,
    /// Last message from the target.
    pub heard_at: Instant,
    /// Last message to it.
    pub said_at: Instant,
    /// Everything durable here is durable there.
    pub caught_up: bool,
    /// Everything that may leave now is there; the next block may leave when the wall clock shows this.
    pub held_until_utc_ns: Option<i64>,
    /// The run has come to one of its bounds.
    pub bounded: bool,
    /// When something else than an event lets a block leave.
    pub ask_at: Option<Instant>,
    /// When stopped tracks are opened again.
    pub retry_at: Option<Instant>,
    /// What the target has told of its tracks and the job has not heard.
    pub told: Vec<Told>,
    /// Frames with a body that have not left.
    pub sending: usize,
    job: usize,
    reader: Reader,
    target: Uuid,
    tracks: Vec<Track>,
    numbers: BTreeMap<TrackId, u32>,
    /// Tracks of the archive that have been looked at.
    looked_at: usize,
    tips_awaited: usize,
    /// Tracks that are to be opened again.
    again: usize,
    walk: Option<Walk>,
    seek: Option<Seek>,
    /// The tips are not those the walk began with.
    seek_again: bool,
    credit: u32,
    unacked: VecDeque<Unacked>,
    /// Tracks that may end in something missing.
    suspects: BTreeSet<u32>,
    /// Blocks that did not fit their digest at the target.
    bad_digests: u32,
    /// The target was full, people were told, and it has taken no block since.
    full_told: bool,
    /// What a full run knows of this link, from the time when everything newer was sent first.
    reconciling: Option<Reconcile>,
    /// Marks that the target has said its last word to.
    marks_told: BTreeSet<Uuid>,
    /// The mark that it has not.
    mark_on: Option<Uuid>,
    /// The run fills holes: its tracks come beside others.
    beside: bool,
}

#[derive(Clone, Debug, Hash)]
struct Track {
    id: TrackId,
    key: TrackKey,
    state: State,
    lease: Lease,
    /// Next track sequence to be sent.
    next: u64,
    /// Behind it, what is left out on purpose: stretches in order.
    passed: Vec<Passed>,
    /// Times that others cover at the target.
    covered: holes::Known,
    /// Blocks of it were damaged here since the link came up.
    damaged: bool,
    /// All missing track sequences below were told to people since the link came up, whatever the target said to them.
    gaps_told: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    /// Its tip is awaited.
    Opening,
    /// Being hauled.
    Open,
    /// To be opened again later.
    Again,
    /// Another peer brings it, which is as well: to be opened again later.
    Elsewhere,
    /// Not on this link.
    Stopped,
}

/// What became of a block that was read.
enum Offered {
    /// It was sent, or left out.
    Done,
    /// It is put back until the wall clock shows this.
    Held(i64),
    /// It is put back until the target has answered.
    Asked,
}

#[derive(Clone, Copy, Debug, Hash)]
struct Unacked {
    track: u32,
    next: u64,
    bytes: u64,
    log_sequence: u64,
    is_block: bool,
    /// The target's tip had passed it: it is acknowledged alone.
    fill: bool,
}

impl Session {
    /// The target has welcomed us.
    pub fn new(link: LinkId, job: usize, target: Uuid, credit: u32, _archive: &Archive, context: &Context) -> Session {
        Session {
            link,
            heard_at: context.now.at,
            said_at: context.now.at,
            caught_up: false,
            held_until_utc_ns: None,
            bounded: false,
            ask_at: None,
            retry_at: None,
            told: Vec::new(),
            sending: 0,
            job,
            reader: Reader::Job(job),
            target,
            tracks: Vec::new(),
            numbers: BTreeMap::new(),
            looked_at: 0,
            tips_awaited: 0,
            again: 0,
            walk: None,
            seek: None,
            seek_again: false,
            credit,
            unacked: VecDeque::new(),
            suspects: BTreeSet::new(),
            bad_digests: 0,
            full_told: false,
            reconciling: None,
            marks_told: BTreeSet::new(),
            mark_on: None,
            beside: false,
        }
    }

    /// What is still being read when the link is gone; last, what is being compared.
    pub fn end(self) -> (Option<Walk>, Option<Seek>, Option<Walk>) {
        (self.walk, self.seek, self.reconciling.and_then(Reconcile::end))
    }

    /// Sends a frame.
    pub fn send(&mut self, message: &Message, body: Option<Span>, context: &mut Context) {
        self.said_at = context.now.at;
        let lent = body.map(|span| (span.offset_bytes, span.length_bytes));
        let tag = context.tag(Purpose::Send(self.link, lent));
        context.submit(Op::Send {
            tag,
            link: self.link,
            message: message.encode(),
            body,
        });
    }

    /// Log sequence up to which everything is durable at the target, as far as this link knows.
    pub fn position(&self, archive: &Archive) -> u64 {
        let walked = self.walk.as_ref().map_or(archive.oldest(), Walk::position);
        self.unacked.front().map_or(walked, |first| first.log_sequence.min(walked))
    }

    /// A track may end in something missing.
    pub fn suspect(&mut self, track: TrackId) {
        if let Some(number) = self.numbers.get(&track) {
            self.suspects.insert(*number);
        }
    }

    /// Tags have changed that the filter asks for: what was left out and not stated is looked at again.
    pub fn reconsider(&mut self) {
        self.tracks.iter_mut().for_each(Track::reconsider);
        self.seek_again = true;
        self.caught_up = false;
    }

    /// Whether the target has told all tips that were asked for.
    pub fn knows_tips(&self) -> bool {
        self.tips_awaited == 0 && self.walk.is_some()
    }

    /// Blocks of a track, behind what the target has, that are left out and not stated.
    pub fn passed(&self, track: TrackId) -> u64 {
        let track = self.numbers.get(&track).and_then(|number| self.tracks.get(*number as usize));
        track.map_or(0, |track| track.passed.iter().map(|passed| passed.to - passed.from).sum())
    }

    /// Does whatever may be done now.
    pub(super) fn poll(&mut self, archive: &mut Archive, lasting: &mut Lasting<'_>, context: &mut Context) {
        self.open_new_tracks(archive, lasting, context);
        self.open_again(lasting.trouble, archive, context);
        self.caught_up = false;
        self.ask_at = None;
        self.held_until_utc_ns = None;
        if self.tips_awaited > 0 || !archive.gives() {
            return;
        }
        lasting.run.sieve.look(&archive.catalog, lasting.run.bounds.mark.as_ref());
        if !lasting.run.dry_run {
            self.tell_next_mark(archive, lasting.setting, context);
        }
        if (self.walk.is_none() || self.seek_again) && !self.begin(archive, lasting.run.bounds.below, context) {
            return;
        }
        let mut held = None;
        let under_way = haul_blocks(archive.superblock.block_bytes) as usize;
        while self.sending < under_way && self.credit > 0 && lasting.run.blocks_left() > 0 {
            if let Err(again) = lasting.may_send(context) {
                self.ask_at = Some(again);
                break;
            }
            match self.next_step(archive, &lasting.run.sieve, &mut held, context) {
                Some(Step::Block { sequence, span, header }) => {
                    match self.on_block(sequence, span, header, archive, lasting, context) {
                        Offered::Done => {}
                        Offered::Held(until) => {
                            held = Some(until);
                            break;
                        }
                        Offered::Asked => break,
                    }
                }
                Some(Step::Damaged { sequence, .. }) => self.on_damaged(sequence, archive),
                Some(Step::Held | Step::Wait) | None => break,
                Some(Step::End) => {
                    if !lasting.run.is_cut(archive.log.durable) {
                        self.state_missing_ends(lasting.run.sieve.asks_tags(), archive, lasting.stats, context);
                    } else {
                        // What is missing behind the bound is another run's business.
                        self.suspects.clear();
                    }
                    break;
                }
            }
        }
        // Nothing more to send may also be true while nothing may be sent.
        let rests = self.unacked.is_empty() && self.mark_on.is_none();
        let at_end = rests && held.is_none() && self.is_at_end(archive, &lasting.run.sieve, context);
        let cut = lasting.run.is_cut(archive.log.durable);
        if ((at_end && !cut) || (rests && held.is_some()) || lasting.run.dry_run) && self.reconciling.is_none() {
            self.reconciling = Some(Reconcile::new(self.job));
        }
        self.reconcile(archive, lasting, context);
        let rests = rests && self.unacked.is_empty() && lasting.run.full.is_none_or(|full| full.done);
        if let Some(until_utc_ns) = held {
            let left_ns = until_utc_ns.saturating_sub(context.now.utc_ns).max(0).unsigned_abs();
            let until = context.now.at + Duration::from_nanos(left_ns).min(CLOCK_LOOK);
            self.ask_at = Some(self.ask_at.map_or(until, |at| at.min(until)));
            self.held_until_utc_ns = held.filter(|_| rests);
        }
        self.caught_up = rests && at_end && !cut;
        let looked = !lasting.run.dry_run || lasting.run.full.is_none_or(|full| full.done);
        let at_bound = (at_end && cut) || (held.is_none() && lasting.run.blocks_left() == 0 && looked);
        self.bounded = !self.caught_up && self.unacked.is_empty() && self.mark_on.is_none() && at_bound;
    }

    fn is_at_end(&mut self, archive: &mut Archive, sieve: &Sieve, context: &mut Context) -> bool {
        let mut wanted = Wanted {
            tracks: &mut self.tracks,
            numbers: &self.numbers,
            sieve,
            now_utc_ns: context.now.utc_ns,
            held: &mut None,
        };
        let at_end = self
            .walk
            .as_mut()
            .is_some_and(|walk| walk.is_at_end(archive, &mut |_, id, entry| wanted.wish(id, entry), context));
        at_end && self.again == 0 && self.suspects.is_empty()
    }

    /// Finds where to begin in the log. True once the walk is there.
    fn begin(&mut self, archive: &Archive, below: Option<u64>, context: &mut Context) -> bool {
        if let Some(walk) = &self.walk {
            if !walk.is_quiet() {
                return false;
            }
            if let Some(walk) = self.walk.take() {
                walk.finish(context);
            }
        }
        if self.seek_again && self.seek.as_ref().is_some_and(Seek::is_quiet) {
            // It looked for other tips than those that hold now.
            if let Some(seek) = self.seek.take() {
                seek.finish(context);
            }
        }
        let found = match (&self.seek, self.begin_in_memory(archive)) {
            (Some(seek), _) => seek.found(archive),
            (None, Some(sequence)) => Some(sequence),
            (None, None) => {
                self.seek_again = false;
                self.seek = Seek::start(self.reader, archive, context);
                match &self.seek {
                    Some(seek) => seek.found(archive),
                    None => {
                        context.ask_when_freed(self.reader.ready());
                        None
                    }
                }
            }
        };
        let Some(sequence) = found else { return false };
        if let Some(seek) = self.seek.take() {
            seek.finish(context);
        }
        // A block that did not fit its digest there is read with proof: it may be damaged here.
        let depth = if self.bad_digests > 0 { Depth::Proof } else { Depth::Checksum };
        let ahead = haul_blocks(archive.superblock.block_bytes) as usize;
        self.walk = Some(Walk::new(self.reader, depth, sequence, below, false, ahead));
        self.seek_again = false;
        let behind = |track: &Track| track.state == State::Open && track.next < archive.catalog.track(track.id).durable_next;
        self.suspects = (0..self.tracks.len())
            .filter(|at| behind(&self.tracks[*at]))
            .map(|at| at as u32)
            .collect();
        true
    }

    /// Where to begin, if the index in memory has the next block of every track that is behind.
    fn begin_in_memory(&self, archive: &Archive) -> Option<u64> {
        let catalog = &archive.catalog;
        let behind = |track: &&Track| track.state == State::Open && track.next < catalog.track(track.id).durable_next;
        let mut left = self.tracks.iter().filter(behind).count();
        if left == 0 {
            return Some(archive.log.durable);
        }
        let mut first = None;
        for (sequence, entry) in catalog.recent_all().skip_while(|(sequence, _)| *sequence < archive.oldest()) {
            if let Some(track) = self.track_of(catalog, entry)
                && behind(&track)
                && !entry.fill
                && entry.track_sequence == track.next
            {
                first.get_or_insert(sequence);
                left -= 1;
                if left == 0 {
                    return first;
                }
            }
        }
        // Everything that is left is in memory: what is missing there is missing.
        (catalog.recent_from() <= archive.oldest()).then(|| archive.oldest())
    }

    fn track_of(&self, catalog: &Catalog, entry: &Entry) -> Option<&Track> {
        let number = self.numbers.get(&catalog.track_of(entry)?)?;
        self.tracks.get(*number as usize)
    }

    fn next_step(&mut self, archive: &mut Archive, sieve: &Sieve, held: &mut Option<i64>, context: &mut Context) -> Option<Step> {
        let mut wanted = Wanted {
            tracks: &mut self.tracks,
            numbers: &self.numbers,
            sieve,
            now_utc_ns: context.now.utc_ns,
            held,
        };
        let walk = self.walk.as_mut()?;
        Some(walk.poll(archive, &mut |_, id, entry| wanted.wish(id, entry), context))
    }

    /// Sends a block, or leaves it out. One of which that cannot be said yet is put back.
    fn on_block(
        &mut self,
        sequence: u64,
        span: Span,
        header: Header,
        archive: &Archive,
        lasting: &mut Lasting<'_>,
        context: &mut Context,
    ) -> Offered {
        let id = header.origin.as_ref().and_then(|origin| archive.catalog.find(&origin.key));
        let number = id.and_then(|id| self.numbers.get(&id)).copied();
        let (Some(id), Some(number), Some(origin)) = (id, number, &header.origin) else {
            context.give(span);
            return Offered::Done;
        };
        let track = &self.tracks[number as usize];
        let fill = origin.track_sequence < track.next;
        if track.state != State::Open || (fill && !header.placement.fill) {
            context.give(span);
            return Offered::Done;
        }
        let sieve = &lasting.run.sieve;
        let thinned = sieve.thins() && track.key.kind == Kind::Video && !origin.key_frame;
        let seen = Seen {
            track: id,
            number: origin.track_sequence,
            begin_utc_ns: origin.begin_utc_ns,
        };
        let hole = |session: &mut Session, context: &mut Context| match sieve.holes() {
            Some(holes) if !thinned => session.judge_hole(number, origin, holes, context),
            Some(_) | None => Hole::Open,
        };
        let waits = match sieve.judge(seen, context.now.utc_ns) {
            Judged::TooYoung { until_utc_ns } => Err(Offered::Held(until_utc_ns)),
            Judged::OutOfPeriod => Ok(Some(GapReason::NotRetrieved)),
            Judged::Filtered => Ok(Some(GapReason::Filtered)),
            Judged::Taken => match hole(self, context) {
                Hole::Open => Ok(thinned.then_some(GapReason::Filtered)),
                Hole::Covered => Ok(Some(GapReason::Filtered)),
                Hole::Asked => Err(Offered::Asked),
                Hole::TooYoung(until_utc_ns) => Err(Offered::Held(until_utc_ns)),
            },
        };
        let left_out = match waits {
            Ok(left_out) => left_out,
            Err(offered) => {
                if let Some(walk) = &mut self.walk {
                    walk.put_back(sequence, span, header);
                }
                return offered;
            }
        };
        let track = &mut self.tracks[number as usize];
        if let Some(reason) = left_out {
            if !fill {
                track.pass(origin.track_sequence, reason);
                let many = u64::from(archive.superblock.segment_blocks / 2).clamp(1, PASSED_UNSTATED);
                if track.passed.last().is_some_and(|passed| passed.to - passed.from >= many) {
                    // Also of a track of which nothing is taken for long, so that it is done with here.
                    self.suspects.insert(number);
                }
            }
            context.give(span);
            return Offered::Done;
        }
        if origin.track_sequence > track.next {
            self.state_gap(
                number,
                origin.track_sequence,
                origin.previous_origin,
                sequence,
                archive,
                lasting.stats,
                context,
            );
        }
        if !fill {
            self.tracks[number as usize].go_on(origin.track_sequence + 1);
        }
        self.unacked.push_back(Unacked {
            track: number,
            next: origin.track_sequence + 1,
            bytes: u64::from(origin.payload_bytes),
            log_sequence: sequence,
            is_block: true,
            fill,
        });
        let (payload, hash) = (origin.payload_bytes, header.origin_hash);
        self.send_block(number, (span, payload), (hash, fill), lasting, context);
        Offered::Done
    }

    /// Sends a block of which the used payload has that many bytes.
    fn send_block(
        &mut self,
        number: u32,
        (span, payload_bytes): (Span, u32),
        (hash, fill): (Digest, bool),
        lasting: &mut Lasting<'_>,
        context: &mut Context,
    ) {
        self.credit -= 1;
        self.sending += 1;
        lasting.run.sent_blocks += 1;
        lasting.pace.spend(u64::from(payload_bytes + SECTOR_BYTES));
        context
            .shared
            .nics
            .spend(lasting.nic, u64::from(payload_bytes + SECTOR_BYTES));
        // The body is a part of the block; all of the block is lent with it and comes back with it.
        let body = span.part(ORIGIN_AT as u32, SECTOR_BYTES - ORIGIN_AT as u32 + payload_bytes);
        self.said_at = context.now.at;
        let tag = context.tag(Purpose::Send(self.link, Some((span.offset_bytes, span.length_bytes))));
        let message = Message::Block {
            track: number,
            lease: self.tracks[number as usize].lease,
            hash,
            fill,
        }
        .encode();
        context.submit(Op::Send {
            tag,
            link: self.link,
            message,
            body: Some(body),
        });
    }

    /// A block has been read.
    pub fn on_read(&mut self, sequence: u64, result: Result<(), IoError>, archive: &Archive, context: &mut Context) {
        if let Some(walk) = &mut self.walk {
            walk.on_read(sequence, result, archive, context);
        }
    }

    /// A block that is compared has been read.
    pub fn on_read_to_compare(&mut self, sequence: u64, result: Result<(), IoError>, archive: &Archive, context: &mut Context) {
        if let Some(reconcile) = &mut self.reconciling {
            reconcile.on_read(sequence, result, archive, context);
        }
    }

    /// A checkpoint part has been read.
    pub fn on_sought(&mut self, result: Result<(), IoError>, archive: &Archive, context: &mut Context) {
        let (tracks, numbers) = (&self.tracks, &self.numbers);
        let mut holds = |tips: &[Tip]| {
            tips.iter().all(|tip| {
                let number = archive.catalog.find(&tip.key).and_then(|id| numbers.get(&id));
                let track = number.and_then(|number| tracks.get(*number as usize));
                track.is_none_or(|track| track.state != State::Open || tip.next <= track.next)
            })
        };
        if let Some(seek) = &mut self.seek {
            seek.on_read(result, archive, &mut holds, context);
        }
    }
}
