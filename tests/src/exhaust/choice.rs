//! What may happen next: which op in flight completes, which frame arrives, a timer, a fault, a power cut.
//!
//! What a choice does is in `happen.rs`. Bounds, each of which keeps the number of orders finite:
//! - An op, a frame or a feeder with bytes takes a bounded time ([`Rules::slow_ns`]): timers that are due later fire only when
//!   nothing is under way.
//! - Where a scenario says so ([`Rules::eager`]), what changes no disk and no link happens at once.
//! - Headers that are read in a batch (`Order`) complete in the order of their places, or from both ends.
//! - Choices that are not taken: failed opens and saves; a link that loses a part of a frame; half of the frames on their way
//!   arriving after a cut (they may arrive before it).

use super::bench::{Bench, Leavings};
use super::disk::Write;
use super::site::{Flight, Work};
use super::world::World;

/// Shorter than every time of the core: time passes only when nothing is under way.
pub const PROMPT_NS: u64 = 10_000_000;
/// Longer than a group waits for company, shorter than every other time of the core.
pub const SLOW_NS: u64 = 50_000_000;

/// In which order the headers of a batch may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By place.
    Rising,
    /// The lowest or the highest of those left, at every step.
    BothEnds,
}

/// One thing that may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// An op in flight at a site succeeds.
    Done(usize, usize),
    /// It fails; of a write, nothing or everything has reached the disk.
    Fail(usize, usize, bool),
    /// A feeder brings bytes to the nth door of a site.
    Fed(usize, usize),
    /// A read of a feeder returns because its time has come.
    Due(usize, usize),
    /// A call reaches the other side.
    Knock(usize),
    /// The caller hears that it was let in.
    Connect(usize),
    /// A send of an end returns.
    Sent(usize, usize),
    /// The next frame arrives at an end.
    Arrive(usize, usize),
    /// An end hears that it is down.
    Down(usize, usize),
    /// The link is lost.
    Cut(usize),
    /// Time passes until the next timer.
    Timer,
    /// The power of a site is cut, and comes back: which of the disks that this may leave, and whether a save in flight is kept.
    PowerCut(usize, usize, bool),
    /// A person restarts an appliance that takes nothing any more.
    Restart(usize),
}

/// What a scenario allows.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Of batches of headers.
    pub order: Order,
    /// Ops of disks may fail.
    pub disks_fail: bool,
    /// Reads of a batch too: superblock copies, headers. They are many, and of one that fails nothing but a second try comes.
    pub batches_fail: bool,
    /// Links may be lost.
    pub links_fail: bool,
    /// What only opens the way for something else happens at once ([`World::eager`]).
    pub eager: bool,
    /// How long anything takes at most.
    pub slow_ns: u64,
}

/// Reads of which many are in flight and of which only the last matters.
fn is_batch(flight: &Flight) -> bool {
    let batches = ["Scan(", "Interlock(", "SuperRead("];
    matches!(flight.work, Work::Read { .. }) && batches.iter().any(|batch| flight.purpose.contains(batch))
}

impl World {
    /// Everything that may happen now, the quiet and the usual first.
    pub fn choices(&self, rules: Rules, bench: &mut Bench) -> Vec<Choice> {
        let eager = if rules.eager { self.eager(rules) } else { Vec::new() };
        if !eager.is_empty() {
            return eager;
        }
        let mut choices = Vec::new();
        for (at, site) in self.sites.iter().enumerate() {
            let batch: Vec<usize> = (0..site.flights.len())
                .filter(|index| is_batch(&site.flights[*index]))
                .collect();
            let taken = match rules.order {
                Order::Rising => [batch.iter().min_by_key(|index| site.flights[**index].at()), None],
                Order::BothEnds => [
                    batch.iter().min_by_key(|index| site.flights[**index].at()),
                    batch.iter().max_by_key(|index| site.flights[**index].at()),
                ],
            };
            let taken = |index: usize| taken.iter().flatten().any(|it| **it == index);
            let flights = site.flights.iter().enumerate();
            let open = flights.filter(|(index, flight)| !is_batch(flight) || taken(*index));
            let open: Vec<(usize, bool)> = open.map(|(index, flight)| (index, flight.is_disk())).collect();
            choices.extend(open.iter().map(|(index, _)| Choice::Done(at, *index)));
            for (index, door) in site.doors.values().enumerate() {
                if let Some(fill) = door.fill {
                    if fill.into.is_some() && site.has_bytes(door) {
                        choices.push(Choice::Fed(at, index));
                    }
                    if fill.until.boot_ns <= self.now_ns {
                        choices.push(Choice::Due(at, index));
                    }
                }
            }
            if self.faults_left > 0 && rules.disks_fail {
                let fails = |index: usize| rules.batches_fail || !is_batch(&site.flights[index]);
                for (index, _) in open.iter().filter(|(index, is_disk)| *is_disk && fails(*index)) {
                    choices.push(Choice::Fail(at, *index, false));
                    if matches!(site.flights[*index].work, Work::Write(_)) {
                        choices.push(Choice::Fail(at, *index, true));
                    }
                }
            }
        }
        for (index, link) in self.links.iter().enumerate() {
            let [dialler, acceptor] = &link.ends;
            if !dialler.up && !dialler.over && dialler.breaks.is_none() {
                if acceptor.over && !acceptor.up {
                    choices.push(Choice::Knock(index));
                } else if acceptor.up && dialler.closing.is_none() {
                    choices.push(Choice::Connect(index));
                }
            }
            for (place, end) in link.ends.iter().enumerate() {
                if !end.sending.is_empty() && !end.over {
                    choices.push(Choice::Sent(index, place));
                }
                if end.can_take() {
                    choices.push(Choice::Arrive(index, place));
                }
                if end.can_end() {
                    choices.push(Choice::Down(index, place));
                }
            }
            if self.faults_left > 0 && rules.links_fail && link.is_whole() {
                choices.push(Choice::Cut(index));
            }
        }
        if self.timer_may_fire(rules.slow_ns) {
            choices.push(Choice::Timer);
        }
        if self.crashes_left > 0 {
            for at in 0..self.sites.len() {
                let count = self.leavings(at, bench).0.len();
                let saves = self.sites[at]
                    .flights
                    .iter()
                    .any(|flight| matches!(flight.work, Work::Save(_)));
                for saved in [false, true].into_iter().filter(|saved| saves || !saved) {
                    choices.extend((0..count).map(|which| Choice::PowerCut(at, which, saved)));
                }
            }
        }
        choices
    }

    /// What changes no disk and no link, and opens the way for what does: a header of a batch, the rest of a piece, the return of
    /// a send. That it comes late is not lost: what it opens the way for may come late. Power cuts are tried before and after.
    fn eager(&self, rules: Rules) -> Vec<Choice> {
        for (at, site) in self.sites.iter().enumerate() {
            let batch = (0..site.flights.len()).filter(|index| is_batch(&site.flights[*index]));
            if let Some(index) = batch.min_by_key(|index| site.flights[*index].at()) {
                let mut choices = vec![Choice::Done(at, index)];
                if self.faults_left > 0 && rules.disks_fail && rules.batches_fail {
                    choices.push(Choice::Fail(at, index, false));
                }
                return choices;
            }
            let begun = |path| site.scripts.get(path).is_some_and(|script| script.given > 0);
            let door = site
                .doors
                .values()
                .position(|door| begun(&door.path) && door.fill.is_some_and(|fill| fill.into.is_some()));
            if let Some(index) = door {
                return vec![Choice::Fed(at, index)];
            }
        }
        let ends = self.links.iter().enumerate().flat_map(|(index, link)| {
            let ends = link.ends.iter().enumerate();
            ends.map(move |(place, end)| (index, place, end))
        });
        let mut sent = ends.filter(|(_, _, end)| !end.sending.is_empty() && !end.over);
        sent.next()
            .map(|(index, place, _)| vec![Choice::Sent(index, place)])
            .unwrap_or_default()
    }

    /// Nothing is under way: only time, a fault or a power cut can go on from here.
    pub fn is_quiet(&self) -> bool {
        self.oldest_under_way().is_none()
    }

    fn timer_may_fire(&self, slow_ns: u64) -> bool {
        let Some(due_ns) = self.next_timer() else { return false };
        self.oldest_under_way()
            .is_none_or(|since_ns| due_ns <= since_ns.saturating_add(slow_ns))
    }

    /// When the next timer is due; doors count.
    pub fn next_timer(&self) -> Option<u64> {
        let brains = self.sites.iter().filter_map(|site| site.brain.as_ref()?.deadline());
        let doors = self.sites.iter().flat_map(|site| site.doors.values());
        let fills = doors
            .filter_map(|door| door.fill)
            .filter(|fill| fill.until.boot_ns > self.now_ns);
        let fills = fills.map(|fill| fill.until).filter(|until| until.boot_ns != u64::MAX);
        brains.chain(fills).map(|at| at.boot_ns).min()
    }

    /// Since when the oldest thing is under way.
    fn oldest_under_way(&self) -> Option<u64> {
        let mut oldest: Option<u64> = None;
        let mut note = |since_ns: u64| oldest = Some(oldest.map_or(since_ns, |before| before.min(since_ns)));
        for site in &self.sites {
            site.flights.iter().for_each(|flight| note(flight.since_ns));
            for door in site.doors.values() {
                if let Some(fill) = door.fill {
                    if fill.into.is_some() && site.has_bytes(door) {
                        note(fill.since_ns);
                    } else if fill.until.boot_ns <= self.now_ns {
                        note(fill.until.boot_ns);
                    }
                }
            }
        }
        for link in &self.links {
            if !link.ends[0].up && !link.ends[0].over {
                note(link.since_ns);
            }
            for end in link.ends.iter().filter(|end| !end.over) {
                end.sending.iter().for_each(|sending| note(sending.since_ns));
                end.breaks.iter().for_each(|(since_ns, _)| note(*since_ns));
                end.closing.iter().for_each(|since_ns| note(*since_ns));
                if end.can_take() {
                    end.coming.iter().take(1).for_each(|(since_ns, _)| note(*since_ns));
                }
            }
        }
        oldest
    }

    /// Every disk that a power cut may leave at a site now.
    pub fn leavings(&self, at: usize, bench: &mut Bench) -> Leavings {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let site = &self.sites[at];
        let mut writes: Vec<Write> = Vec::new();
        for flight in &site.flights {
            if let Work::Write(write) = &flight.work {
                writes.push(write.clone());
            }
        }
        writes.sort_unstable();
        let mut state = DefaultHasher::new();
        site.disk.key(&mut state);
        writes.hash(&mut state);
        let key = state.finish();
        if let Some(known) = bench.leavings.get(&key) {
            return known.clone();
        }
        let leavings = std::rc::Rc::new(site.disk.power_cut(&writes, &mut bench.store));
        if !leavings.1 {
            bench.not_torn += 1;
        }
        bench.leavings.insert(key, leavings.clone());
        leavings
    }
}
