//! A check of a card: is all of it there, is it kept, how long does it take. Decides; the driver reads and writes.
//!
//! By reading alone, or by writing too: then what lies at each place is read before any is written, all are written before any is
//! read back, and what was there is put back and read again.
//!
//! Invariants: without leave to write the volume is open read-only; a place is written only after what it held has been read; once one
//! was written, the check ends only when all of them were put back, or the device is gone.

mod found;
mod places;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use hal::{Access, ClientId, Instant, IoError, Op, Span, Uuid, VolumeFacts, VolumeId};

use crate::archive::creation::refusal;
use crate::context::Context;
use crate::control::types::{CardChecked, CheckPhase, CheckVerdict, Refusal, RefusalCode};
use crate::control::{refuse, reply};
use crate::journal::Code;
use crate::purpose::Purpose;
use found::{Found, Seen};
use places::{PAGE_BYTES, SIZE_MIN, WINDOW_BYTES};

/// Checks at once.
pub const CHECKS_MAX: usize = 8;
/// The first report: by then the time can be estimated.
const FIRST_REPORT: u64 = 8;
/// Time between two reports.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// What cannot be read so often in a row is not read on, but for its end.
const FAILED_IN_A_ROW: u64 = 16;
/// Places that are put back at once: this is not timed, and should be over soon.
const PUT_BACK_AHEAD: usize = 8;
/// What is not there again after this many more tries stays away.
const ROUNDS_MAX: u32 = 3;

/// What an op of a check is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Task {
    /// Opening the volume.
    Open,
    /// Reading or writing a place, by its number.
    Place(u32),
    /// Making durable what was written.
    Flush,
    /// Letting go of the volume.
    Close,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    Opening,
    At(CheckPhase),
    /// What comes behind the flush.
    Flushing(CheckPhase),
    Closing,
}

/// A check under way.
#[derive(Clone, Debug, Hash)]
pub struct Check {
    number: u64,
    /// Who waits for it; none if he left.
    client: Option<ClientId>,
    more: bool,
    /// What is checked.
    pub path: String,
    /// It writes.
    pub writes: bool,
    volume: VolumeId,
    state: State,
    places: Vec<u64>,
    /// Next place of this phase.
    next: usize,
    flying: usize,
    submitted: Instant,
    window: Option<Span>,
    saved: Option<Span>,
    nonce: Uuid,
    /// Places that were written: all below this one.
    touched: usize,
    in_a_row: u64,
    /// How often what was there has been put back and read.
    rounds: u32,
    stopping: bool,
    gone: bool,
    began: Instant,
    reported: Option<Instant>,
    done: u64,
    total: u64,
    found: Found,
}

impl Check {
    /// Begins.
    pub fn start(
        number: u64,
        (client, more): (ClientId, bool),
        path: String,
        writes: bool,
        volume: VolumeId,
        context: &mut Context,
    ) -> Check {
        let tag = context.tag(Purpose::Check(number, Task::Open));
        let access = if writes { Access::Exclusive } else { Access::ReadOnly };
        context.submit(Op::Open {
            tag,
            volume,
            path: path.clone(),
            access,
        });
        Check {
            number,
            client: Some(client),
            more,
            path,
            writes,
            volume,
            state: State::Opening,
            places: Vec::new(),
            next: 0,
            flying: 0,
            submitted: context.now.at,
            window: None,
            saved: None,
            nonce: context.shared.entropy.uuid(),
            touched: 0,
            in_a_row: 0,
            rounds: 0,
            stopping: false,
            gone: false,
            began: context.now.at,
            reported: None,
            done: 0,
            total: 0,
            found: Found::default(),
        }
    }

    /// Nobody waits for it any more: it ends as soon as everything is as it was.
    pub fn stop_for(&mut self, client: ClientId) {
        if self.client == Some(client) {
            self.client = None;
            self.stopping = true;
        }
    }

    /// Ends as soon as everything is as it was.
    pub fn stop(&mut self) {
        self.stopping = true;
    }

    fn submit(&self, task: Task, op: impl FnOnce(hal::Tag, VolumeId) -> Op, context: &mut Context) {
        let tag = context.tag(Purpose::Check(self.number, task));
        context.submit(op(tag, self.volume));
    }

    fn refuse(&mut self, refusal: &Refusal, context: &mut Context) {
        if let Some(client) = self.client.take() {
            refuse(client, refusal, context);
        }
    }

    /// The volume is open, or not. `in_use` is who has it here, if somebody does. True if the check is over.
    pub fn on_opened(&mut self, result: Result<VolumeFacts, IoError>, in_use: Option<String>, context: &mut Context) -> bool {
        let facts = match result {
            Ok(facts) => facts,
            Err(error) => {
                let refusal = cannot_open(&self.path, error, self.writes);
                self.refuse(&refusal, context);
                return true;
            }
        };
        let refused = in_use.or_else(|| self.prepare(&facts, context));
        if let Some(sentence) = refused {
            let next = "A check by writing needs the card for itself, sectors of 4096 bytes at most, 1 MiB at least, and some block memory.";
            self.refuse(&refusal(RefusalCode::Busy, sentence, next), context);
            self.close(context);
            return false;
        }
        self.began = context.now.at;
        self.begin(CheckPhase::Reading, context);
        false
    }

    /// Takes memory and chooses places. Why it cannot, if so.
    fn prepare(&mut self, facts: &VolumeFacts, context: &mut Context) -> Option<String> {
        let path = &self.path;
        if facts.size_bytes < SIZE_MIN || facts.alignment_bytes > PAGE_BYTES {
            return Some(format!(
                "{path} with {} bytes is nothing that can be checked.",
                facts.size_bytes
            ));
        }
        self.window = context.take_spare(WINDOW_BYTES);
        let written = places::to_write(facts.size_bytes).len();
        if self.writes {
            self.saved = context.take_spare((written as u32 * PAGE_BYTES).next_power_of_two());
        }
        if self.window.is_none() || (self.writes && self.saved.is_none()) {
            return Some(format!(
                "The block memory is used up: {path} cannot be checked at the moment."
            ));
        }
        self.total = places::to_read(facts.size_bytes).len() as u64;
        if self.writes {
            self.total += 5 * written as u64;
        }
        self.found = Found::new(facts, if self.writes { written } else { 0 });
        None
    }

    fn begin(&mut self, phase: CheckPhase, context: &mut Context) {
        self.state = State::At(phase);
        self.next = 0;
        match phase {
            CheckPhase::Reading => self.places = places::to_read(self.found.size_bytes),
            CheckPhase::Saving => self.places = places::to_write(self.found.size_bytes),
            _ => {}
        }
        self.go_on(context);
    }

    /// Whether a place has its turn in a phase.
    fn wants(&self, phase: CheckPhase, place: usize) -> bool {
        match phase {
            CheckPhase::Reading | CheckPhase::Saving => true,
            CheckPhase::Writing => self.found.seen[place] != Seen::Unsaved,
            CheckPhase::ReadingBack => place < self.touched && self.found.seen[place] != Seen::Unsaved,
            CheckPhase::PuttingBack | CheckPhase::Proving => {
                place < self.touched && self.found.seen[place] != Seen::Unsaved && !self.found.as_it_was[place]
            }
            CheckPhase::Ended => false,
        }
    }

    /// Whether a phase is cut short when somebody stops the check.
    fn may_stop(phase: CheckPhase) -> bool {
        !matches!(phase, CheckPhase::PuttingBack | CheckPhase::Proving)
    }

    /// Submits what comes next, or the next phase.
    fn go_on(&mut self, context: &mut Context) {
        let State::At(phase) = self.state else { return };
        let ahead = if phase == CheckPhase::PuttingBack { PUT_BACK_AHEAD } else { 1 };
        if self.gone || (self.stopping && Self::may_stop(phase)) {
            self.next = self.places.len();
        }
        while self.flying < ahead && self.next < self.places.len() {
            let place = self.next;
            self.next += 1;
            if self.wants(phase, place) {
                self.visit(phase, place, context);
            } else {
                self.done += 1;
            }
        }
        if self.flying == 0 {
            self.end_phase(phase, context);
        }
    }

    fn visit(&mut self, phase: CheckPhase, place: usize, context: &mut Context) {
        let (Some(window), at_bytes) = (self.window, self.places[place]) else {
            return;
        };
        self.flying += 1;
        self.submitted = context.now.at;
        let task = Task::Place(place as u32);
        let page = window.part(0, PAGE_BYTES);
        match phase {
            CheckPhase::Writing => {
                self.touched = place + 1;
                places::pattern(self.nonce, at_bytes, context.memory.bytes_mut(page));
                self.write(task, at_bytes, page, context);
            }
            CheckPhase::PuttingBack => self.write(task, at_bytes, self.saved_page(place), context),
            _ => {
                let into = match phase {
                    CheckPhase::Reading => window,
                    CheckPhase::Saving => self.saved_page(place),
                    _ => page,
                };
                let read = |tag, volume| Op::Read {
                    tag,
                    volume,
                    at_bytes,
                    into,
                };
                self.submit(task, read, context);
            }
        }
    }

    fn write(&self, task: Task, at_bytes: u64, from: Span, context: &mut Context) {
        let write = |tag, volume| Op::Write {
            tag,
            volume,
            at_bytes,
            from,
        };
        self.submit(task, write, context);
    }

    fn saved_page(&self, place: usize) -> Span {
        let saved = self.saved.or(self.window).unwrap_or(Span {
            offset_bytes: 0,
            length_bytes: 0,
        });
        saved.part(place as u32 * PAGE_BYTES, PAGE_BYTES)
    }

    /// An op has finished. True if the check is over.
    pub fn on_done(&mut self, task: Task, result: Result<(), IoError>, context: &mut Context) -> bool {
        self.gone |= result == Err(IoError::Gone);
        match (task, self.state) {
            (Task::Place(place), State::At(phase)) => {
                self.flying -= 1;
                self.done += 1;
                self.on_place(phase, place as usize, result, context);
                self.report(context);
                self.go_on(context);
            }
            (Task::Flush, State::Flushing(next)) => {
                self.found.on_flushed(result, next == CheckPhase::ReadingBack);
                // Whoever stopped it does not wait for what would be found.
                let skip = self.stopping && next == CheckPhase::ReadingBack;
                self.begin(if skip { CheckPhase::PuttingBack } else { next }, context);
            }
            (Task::Close, _) => return true,
            (Task::Open | Task::Place(_) | Task::Flush, _) => {}
        }
        false
    }

    fn on_place(&mut self, phase: CheckPhase, place: usize, result: Result<(), IoError>, context: &mut Context) {
        let at_bytes = self.places[place];
        let took = context.now.at.since(self.submitted);
        let Some(window) = self.window else { return };
        let page = window.part(0, PAGE_BYTES);
        match phase {
            CheckPhase::Reading => {
                self.found.on_read(at_bytes, took, result, context.memory.bytes(window));
                self.in_a_row = if result.is_ok() { 0 } else { self.in_a_row + 1 };
                let end = self.places.len().saturating_sub(4);
                if self.in_a_row == FAILED_IN_A_ROW && self.next < end {
                    self.total -= (end - self.next) as u64;
                    self.next = end;
                }
            }
            CheckPhase::Saving => self.found.on_saved(place, at_bytes, result),
            CheckPhase::Writing => {
                self.found.on_written(place, at_bytes, took, result);
                self.in_a_row = if result.is_ok() { 0 } else { self.in_a_row + 1 };
                if self.in_a_row == FAILED_IN_A_ROW {
                    self.next = self.places.len();
                }
            }
            CheckPhase::ReadingBack => {
                let saved = context.memory.bytes(self.saved_page(place));
                let bytes = context.memory.bytes(page);
                let seen = if result.is_err() {
                    Seen::Unreadable
                } else if bytes == saved {
                    Seen::Old
                } else {
                    match places::place_of(self.nonce, bytes) {
                        Some(of) if of == at_bytes => Seen::Kept,
                        Some(of) => Seen::Of(of),
                        None => Seen::Other,
                    }
                };
                self.found.on_read_back(place, at_bytes, seen);
            }
            CheckPhase::PuttingBack => {}
            CheckPhase::Proving => {
                let same = context.memory.bytes(self.saved_page(place)) == context.memory.bytes(page);
                self.found.as_it_was[place] = result.is_ok() && same;
            }
            CheckPhase::Ended => {}
        }
    }

    fn end_phase(&mut self, phase: CheckPhase, context: &mut Context) {
        let row = core::mem::take(&mut self.in_a_row);
        if self.gone {
            return self.close(context);
        }
        match phase {
            CheckPhase::Reading if self.writes && !self.stopping && row < FAILED_IN_A_ROW => {
                self.begin(CheckPhase::Saving, context);
            }
            CheckPhase::Saving if !self.stopping => self.begin(CheckPhase::Writing, context),
            CheckPhase::Writing => self.flush_before(CheckPhase::ReadingBack, context),
            CheckPhase::ReadingBack => self.begin(CheckPhase::PuttingBack, context),
            CheckPhase::PuttingBack => self.flush_before(CheckPhase::Proving, context),
            CheckPhase::Proving if self.rounds < ROUNDS_MAX && self.is_left() => {
                self.rounds += 1;
                self.begin(CheckPhase::PuttingBack, context);
            }
            CheckPhase::Reading | CheckPhase::Saving | CheckPhase::Proving | CheckPhase::Ended => self.close(context),
        }
    }

    /// Something that was there is not there again.
    fn is_left(&self) -> bool {
        (0..self.places.len()).any(|place| self.wants(CheckPhase::Proving, place))
    }

    fn flush_before(&mut self, next: CheckPhase, context: &mut Context) {
        self.state = State::Flushing(next);
        self.submit(Task::Flush, |tag, volume| Op::Flush { tag, volume }, context);
    }

    /// Gives memory and volume back, and tells what was found.
    fn close(&mut self, context: &mut Context) {
        let begun = matches!(self.state, State::At(_) | State::Flushing(_));
        self.state = State::Closing;
        for span in [self.window.take(), self.saved.take()].into_iter().flatten() {
            context.give(span);
        }
        self.submit(Task::Close, |tag, volume| Op::Close { tag, volume }, context);
        if begun {
            self.found.name_left(&self.places, self.touched);
            let checked = self.checked(context.now.at, true);
            context.say(
                Code::CardChecked,
                &self.path.clone(),
                format!("{}: {}", self.path, checked.sentence),
            );
            if let Some(client) = self.client.take() {
                reply(client, &checked, false, context);
            }
        }
    }

    fn report(&mut self, context: &mut Context) {
        let now = context.now.at;
        let due = match self.reported {
            None => self.done >= FIRST_REPORT || now.since(self.began) >= REPORT_EVERY,
            Some(last) => now.since(last) >= REPORT_EVERY,
        };
        if due
            && self.more
            && let Some(client) = self.client
        {
            self.reported = Some(now);
            let checked = self.checked(now, false);
            reply(client, &checked, true, context);
        }
    }

    fn checked(&self, now: Instant, ended: bool) -> CardChecked {
        let taken = now.since(self.began);
        let left = taken * u32::try_from(self.total.saturating_sub(self.done)).unwrap_or(u32::MAX);
        let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let phase = match self.state {
            State::At(phase) | State::Flushing(phase) if !ended => phase,
            State::Opening if !ended => CheckPhase::Reading,
            _ => CheckPhase::Ended,
        };
        let mut checked = self.found.told();
        checked.phase = phase;
        checked.done = self.done;
        checked.total = self.total;
        checked.taken_ms = ms(taken);
        checked.left_ms = ms(left) / self.done.max(1);
        if ended {
            let cut = if self.gone {
                Some(CheckVerdict::Gone)
            } else {
                self.stopping.then_some(CheckVerdict::Stopped)
            };
            self.found.judge(cut, &mut checked);
        } else {
            checked.places.clear();
        }
        checked
    }
}

fn cannot_open(path: &str, error: IoError, writes: bool) -> Refusal {
    let (code, sentence, next) = match error {
        IoError::NotFound => (
            RefusalCode::NotFound,
            format!("There is nothing at {path}."),
            "See what there is: blockhaul device list",
        ),
        IoError::Busy => (
            RefusalCode::Busy,
            format!("{path} is in use: mounted, or held by another program or archive."),
            "See who holds it with `blockhaul device list`; unmount or stop it first. Without --write it can be checked in use.",
        ),
        IoError::ReadOnly if writes => (
            RefusalCode::Refused,
            format!("{path} can be read and not written: a switch on the card, or the card has worn out."),
            "If no switch is set, take what is on it and throw it away.",
        ),
        IoError::Gone => (
            RefusalCode::Failed,
            format!("There is no card in {path}."),
            "Put it in again.",
        ),
        IoError::Unsupported => (
            RefusalCode::Refused,
            format!("{path} is no device, partition or image that can be read with direct I/O."),
            "A folder cannot be checked: name the device that is mounted there.",
        ),
        error => (
            RefusalCode::Failed,
            format!("{path} cannot be opened ({error})."),
            "Check the reader and the permissions of the daemon.",
        ),
    };
    refusal(code, sentence, next)
}
