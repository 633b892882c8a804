//! Finds how far an archive may be freed, and has it freed.
//!
//! For each rule (each guard, the guaranteed minimum, the bounds that make blocks go) there is a *line*: the newest boundary between
//! segments up to which the rule allows freeing. A line moves on by looking at the checkpoint one segment further, then two, four,
//! and so on, and by halving once one does not hold; one checkpoint is read at a time, at most one round of looks a second.
//!
//! Invariant: a line is where a checkpoint was seen to hold, or where nothing older exists, or where the superblock says that these
//! guards had released everything below.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;
use hal::{ClientId, Instant, IoError, Span};

use super::search::Search;
use super::{Judge, keep_tag};
use crate::archive::Archive;
use crate::archive::boundary::Boundary;
use crate::archive::walk::Reader;
use crate::context::{Context, Ready};
use crate::control::types::{GuardCount, Retention};
use crate::format::superblock::NO_CHECKPOINT;
use crate::format::{Checkpoint, TrackKey};
use crate::haul::job::Job;
use crate::journal::Code;
use crate::seeded::{Bug, has};

/// Between two rounds of looks.
const ROUND_EVERY: Duration = Duration::from_secs(1);
/// What changes with time alone is looked at that often.
const AGE_EVERY: Duration = Duration::from_secs(10);
/// Freeing is said that often at most.
const FREED_SAID_EVERY: Duration = Duration::from_secs(60);

/// There is no rule.
const NOTHING_ASKED: &str = "Nothing asks for blocks to be freed.";

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Rule {
    /// The guaranteed minimum.
    Minimum,
    /// The bounds that make blocks go.
    Maximum,
    /// Blocks that a tag keeps.
    Tagged,
    /// Tracks that no job hauls: with them nothing was successful.
    Unwanted,
    /// What a job needs, by its place.
    Guard(usize),
}

/// Up to where a rule allows freeing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Line {
    at: u64,
    /// To be looked at in this round.
    stale: bool,
    /// The boundary behind it was seen not to hold; otherwise it ends where the checkpoints do.
    is_bounded: bool,
    /// State of the guard when it was looked at.
    version: u64,
    looked_at: Instant,
    /// When the oldest block behind it that the rule keeps began, as far as it is known.
    oldest_utc_ns: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Reading {
    boundary: Boundary,
    span: Span,
    /// What was found; none if it cannot be read.
    found: Option<Option<Checkpoint>>,
    /// To know the first numbers that are there, and not for the search.
    is_beginning: bool,
}

/// What a client asked: what would be freed if the policy were this.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// Who asked; none if he has left.
    pub client: Option<ClientId>,
    /// The policy.
    pub policy: Retention,
}

/// What can be freed now, and what is in the way of more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Verdict {
    /// Nothing below is guarded, tagged or too young.
    pub release_mark: u64,
    /// Everything below is to be freed.
    pub below: u64,
    /// What keeps the release mark where it is, in words.
    pub held_by: String,
    /// What comes next, in words.
    pub next: String,
}

/// Looks after one archive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Keeper {
    id: usize,
    /// Place of the archive.
    pub archive: usize,
    /// Only for this answer; nothing is freed.
    pub question: Option<Question>,
    /// The newest verdict.
    pub verdict: Verdict,
    /// Blocks freed since the start.
    pub freed_blocks: u64,
    lines: BTreeMap<Rule, Line>,
    search: Option<(Rule, Search)>,
    reading: Option<Reading>,
    begins_at: u64,
    /// Lines are being looked at.
    in_round: bool,
    round_at: Option<Instant>,
    unsaid: (u64, u64),
    said_at: Option<Instant>,
}

impl Keeper {
    /// One that looks after an archive.
    pub fn new(id: usize, archive: usize) -> Keeper {
        Keeper {
            id,
            archive,
            question: None,
            verdict: Verdict::default(),
            freed_blocks: 0,
            lines: BTreeMap::new(),
            search: None,
            reading: None,
            begins_at: 0,
            in_round: false,
            round_at: None,
            unsaid: (0, 0),
            said_at: None,
        }
    }

    /// One that only answers a question, and begins with what is known.
    pub fn asked(id: usize, question: Question, known: &Keeper) -> Keeper {
        let mut keeper = Keeper::new(id, known.archive);
        keeper.lines = known.lines.clone();
        keeper.forget_lines();
        keeper.begins_at = known.begins_at;
        keeper.question = Some(question);
        keeper
    }

    /// Lets go of what the policy and tags say.
    fn forget_lines(&mut self) {
        self.lines.retain(|rule, _| matches!(rule, Rule::Guard(_)));
    }

    /// The policy is another, or tags are.
    pub fn policy_changed(&mut self) {
        self.forget_lines();
        if matches!(&self.search, Some((rule, _)) if !matches!(rule, Rule::Guard(_))) {
            self.search = None;
        }
        self.round_at = None;
    }

    /// Log sequence from which on a job needs something, and when that began.
    pub fn guarded(&self, job: usize) -> Option<(u64, Option<i64>)> {
        self.lines.get(&Rule::Guard(job)).map(|line| (line.at, line.oldest_utc_ns))
    }

    /// Whether no memory is lent; then it may be forgotten.
    pub fn is_quiet(&self) -> bool {
        self.reading.is_none()
    }

    /// A part of a checkpoint has been read.
    pub fn on_read(&mut self, result: Result<(), IoError>, archive: &Archive, context: &mut Context) {
        if let Some(reading) = &mut self.reading
            && let Some(found) = reading.boundary.on_read(result, archive, context)
        {
            reading.found = Some(found.ok());
        }
        context.wake(Ready::Keeper(self.id));
    }

    /// Does whatever may be done now. True when there is a new verdict.
    pub fn poll(&mut self, archive: &mut Archive, jobs: &mut [&mut Job], policy: &Retention, context: &mut Context) -> bool {
        if !self.take_reading(archive, jobs, policy, context) || !archive.gives() {
            return false;
        }
        self.say_freed(archive, context);
        let freed = archive.superblock.freed_sequence > 0;
        if (policy.is_active() || freed) && archive.oldest() > self.begins_at && self.question.is_none() {
            self.read(archive.oldest(), true, archive, context);
            return false;
        }
        if !policy.is_active() {
            self.rest(archive, context);
            return true;
        }
        if !self.in_round && !self.begin_round(archive, jobs, policy, context) {
            return false;
        }
        loop {
            self.draw_lines(archive, jobs, policy);
            match self.search.as_ref().map(|(_, search)| search.next()) {
                Some(Some(boundary)) => {
                    self.read(boundary, false, archive, context);
                    return false;
                }
                Some(None) => self.settle(jobs, context),
                None => {
                    let stale = self.lines.iter().find(|(_, line)| line.stale).map(|(rule, _)| *rule);
                    let Some(rule) = stale else { break };
                    self.begin_search(rule, archive);
                }
            }
        }
        self.in_round = false;
        self.conclude(archive, jobs, policy);
        if self.question.is_none() {
            self.act(archive, jobs, policy, context);
            let said_again = self.said_at.filter(|_| self.unsaid.0 > 0).map(|said| said + FREED_SAID_EVERY);
            let old_again = policy.has_age().then(|| context.now.at + AGE_EVERY);
            context.ask_at(Ready::Keeper(self.id), [said_again, old_again].into_iter().flatten().min());
        }
        true
    }

    /// Nothing is to be looked after.
    fn rest(&mut self, archive: &mut Archive, context: &mut Context) {
        self.lines.clear();
        self.search = None;
        self.in_round = false;
        self.verdict = Verdict::default();
        self.verdict.next = NOTHING_ASKED.to_string();
        if self.question.is_none() {
            archive.protect(None, context);
            archive.note_holder(String::new());
            archive.note_released(0, 0, context);
        }
    }

    /// The newest boundary with a checkpoint.
    fn end(archive: &Archive) -> u64 {
        let segment = u64::from(archive.superblock.segment_blocks);
        match archive.log.checkpoint_durable {
            NO_CHECKPOINT => 0,
            sequence => sequence / segment * segment,
        }
    }

    /// One line for each rule that there is.
    fn draw_lines(&mut self, archive: &Archive, jobs: &mut [&mut Job], policy: &Retention) {
        let oldest = archive.oldest();
        let released = archive.kept_released(guard_set(jobs));
        let keeps = archive.catalog.tagged.uses(&keep_tag());
        let is_there = |rule: &Rule| match rule {
            Rule::Minimum => policy.has_minimum(),
            Rule::Maximum => policy.has_maximum(),
            Rule::Tagged => keeps,
            Rule::Unwanted => policy.remove_after_success,
            Rule::Guard(index) => jobs.iter().any(|job| job.index == *index),
        };
        self.lines.retain(|rule, _| is_there(rule));
        if self.search.as_ref().is_some_and(|(rule, _)| !is_there(rule)) {
            self.search = None;
        }
        let line = |at: u64| Line {
            at,
            stale: true,
            is_bounded: false,
            version: 0,
            looked_at: Instant::default(),
            oldest_utc_ns: None,
        };
        if policy.has_minimum() {
            self.lines.entry(Rule::Minimum).or_insert_with(|| line(oldest));
        }
        if policy.has_maximum() {
            self.lines.entry(Rule::Maximum).or_insert_with(|| line(oldest));
        }
        if keeps {
            self.lines.entry(Rule::Tagged).or_insert_with(|| line(oldest));
        }
        if policy.remove_after_success {
            let wanted = Line {
                version: wanted_set(jobs),
                ..line(oldest)
            };
            let entry = self.lines.entry(Rule::Unwanted).or_insert_with(|| wanted.clone());
            if entry.version != wanted.version {
                *entry = wanted;
                if self.search.as_ref().is_some_and(|(searched, _)| *searched == Rule::Unwanted) {
                    self.search = None;
                }
            }
        }
        for job in jobs.iter_mut() {
            let rule = Rule::Guard(job.index);
            let entry = self.lines.entry(rule).or_insert_with(|| line(oldest.max(released)));
            if self.question.is_none() && core::mem::take(&mut job.guard.went_back) {
                *entry = line(oldest);
                if self.search.as_ref().is_some_and(|(searched, _)| *searched == rule) {
                    self.search = None;
                }
            }
        }
        for line in self.lines.values_mut() {
            line.at = line.at.max(oldest);
        }
    }

    /// Marks the lines that may have moved. False if it is too early.
    fn begin_round(&mut self, archive: &Archive, jobs: &mut [&mut Job], policy: &Retention, context: &mut Context) -> bool {
        let now = context.now.at;
        if let Some(before) = self.round_at
            && now.since(before) < ROUND_EVERY
        {
            context.ask_at(Ready::Keeper(self.id), Some(before + ROUND_EVERY));
            return false;
        }
        self.round_at = Some(now);
        self.in_round = true;
        self.draw_lines(archive, jobs, policy);
        let end = Keeper::end(archive);
        for (rule, line) in &mut self.lines {
            let may_move = match rule {
                Rule::Guard(index) => {
                    let version = jobs.iter().find(|job| job.index == *index).map_or(0, |job| job.guard.version);
                    !line.is_bounded || line.version != version
                }
                Rule::Tagged | Rule::Unwanted => !line.is_bounded,
                Rule::Minimum | Rule::Maximum => {
                    !line.is_bounded || now.since(line.looked_at) >= AGE_EVERY || policy.max_bytes.is_some()
                }
            };
            line.stale = line.at < end && may_move;
        }
        true
    }

    fn begin_search(&mut self, rule: Rule, archive: &Archive) {
        let Some(line) = self.lines.get_mut(&rule) else { return };
        line.stale = false;
        let segment = u64::from(archive.superblock.segment_blocks);
        self.search = Some((rule, Search::new(line.at, Keeper::end(archive), segment)));
    }

    fn read(&mut self, boundary: u64, is_beginning: bool, archive: &Archive, context: &mut Context) {
        if !archive.gives() {
            return;
        }
        let Some(span) = context.take_spare(archive.superblock.block_bytes) else {
            context.ask_when_freed(Ready::Keeper(self.id));
            return;
        };
        let boundary = Boundary::start(Reader::Keeper(self.id), boundary, span, archive, context);
        self.reading = Some(Reading {
            boundary,
            span,
            found: None,
            is_beginning,
        });
    }

    /// Takes in what was read. False while something is being read.
    fn take_reading(&mut self, archive: &mut Archive, jobs: &[&mut Job], policy: &Retention, context: &mut Context) -> bool {
        let Some(reading) = self.reading.take() else { return true };
        let Some(found) = reading.found else {
            self.reading = Some(reading);
            return false;
        };
        context.give(reading.span);
        let boundary = reading.boundary.sequence;
        if reading.is_beginning {
            self.begins_at = boundary;
            if let Some(checkpoint) = found {
                archive.catalog.begin_at(&checkpoint.tips);
            }
            return true;
        }
        let Some((rule, search)) = &mut self.search else {
            return true;
        };
        let rule = *rule;
        let judge = Judge {
            policy,
            archive,
            now: context.now,
            keeps: keep_tag(),
        };
        let job = |index: usize| jobs.iter().find(|job| job.index == index);
        let holds = found.as_ref().is_some_and(|checkpoint| match rule {
            Rule::Minimum => judge.is_beyond_minimum(&checkpoint.tips),
            Rule::Maximum => judge.is_expired(boundary, &checkpoint.tips),
            Rule::Tagged => judge.is_untagged(&checkpoint.tips),
            Rule::Unwanted => judge.is_wanted(jobs, &checkpoint.tips),
            Rule::Guard(index) => job(index).is_some_and(|job| judge.is_hauled(job, &checkpoint.tips)),
        });
        search.note(boundary, holds);
        if !holds
            && boundary == search.low + search.segment
            && let Rule::Guard(index) = rule
            && let (Some(checkpoint), Some(job), Some(line)) = (found, job(index), self.lines.get_mut(&rule))
        {
            let needed = checkpoint.entries.iter().filter(|entry| {
                let track = archive.catalog.track_of(entry).map(|id| archive.catalog.track(id));
                track.is_some_and(|track| {
                    job.wants(&track.tip.key) && entry.track_sequence >= job.guard.told(&track.tip.key).unwrap_or(0)
                })
            });
            line.oldest_utc_ns = needed.map(|entry| entry.begin_utc_ns).min();
        }
        true
    }

    /// A line has been found.
    fn settle(&mut self, jobs: &[&mut Job], context: &Context) {
        let Some((rule, search)) = self.search.take() else { return };
        let Some(line) = self.lines.get_mut(&rule) else { return };
        line.at = search.low;
        line.is_bounded = search.is_bounded;
        line.looked_at = context.now.at;
        if let Rule::Guard(index) = rule {
            line.version = jobs.iter().find(|job| job.index == index).map_or(0, |job| job.guard.version);
        }
        if !search.is_bounded {
            line.oldest_utc_ns = None;
        }
    }

    fn conclude(&mut self, archive: &Archive, jobs: &[&mut Job], policy: &Retention) {
        let end = archive.log.durable;
        let line = |rule: Rule| self.lines.get(&rule).map(|line| line.at);
        let counted = counted(jobs, policy)
            .into_iter()
            .filter_map(|job| Some((line(Rule::Guard(job.index))?, &job.setting.name)));
        let guard = match policy.count {
            GuardCount::All | GuardCount::Only => counted.min_by_key(|(at, _)| *at),
            GuardCount::AnyOf => counted.max_by_key(|(at, _)| *at),
        };
        let mut verdict = Verdict {
            release_mark: end,
            held_by: String::new(),
            below: 0,
            next: String::new(),
        };
        let mut hold = |at: u64, words: String| {
            if at < verdict.release_mark {
                verdict.release_mark = at;
                verdict.held_by = words;
            }
        };
        if let Some((at, name)) = guard.filter(|_| !has(Bug::GuardIgnored)) {
            hold(at, format!("job {name} guards blocks from {at} on"));
        }
        if let Some(at) = line(Rule::Minimum) {
            hold(at, format!("blocks from {at} on are within the guaranteed minimum"));
        }
        if let Some(at) = line(Rule::Tagged) {
            hold(at, format!("the tag keep holds blocks from {at} on"));
        }
        let hauled = policy.remove_after_success && guard.is_some();
        let unwanted = line(Rule::Unwanted).unwrap_or(end);
        let expired = line(Rule::Maximum).unwrap_or(0);
        let wanted = if hauled { unwanted.max(expired) } else { expired };
        verdict.below = wanted.min(verdict.release_mark).min(archive.freeable_end());
        verdict.next = if !policy.remove_after_success && !policy.has_maximum() {
            match (policy.protect, verdict.held_by.is_empty()) {
                (false, _) => NOTHING_ASKED.to_string(),
                (true, true) => "The ring gives up its oldest segment when it comes round.".to_string(),
                (true, false) => format!("The ring gives up its oldest segments; {}.", verdict.held_by),
            }
        } else if policy.remove_after_success && guard.is_none() && !policy.has_maximum() {
            "No job guards this archive: nothing can have been hauled, and nothing is freed.".to_string()
        } else if hauled
            && wanted < verdict.release_mark
            && let Some(key) = unwanted_track(archive, jobs)
        {
            format!(
                "Next is the segment from {}; camera {} ({}) in it is hauled by no job, so there was no success.",
                verdict.below.max(archive.oldest()),
                key.camera,
                key.kind
            )
        } else if !verdict.held_by.is_empty() && verdict.release_mark <= wanted {
            format!(
                "Next is the segment from {}; {}.",
                verdict.below.max(archive.oldest()),
                verdict.held_by
            )
        } else {
            format!(
                "Next is the segment from {}, when it is due.",
                verdict.below.max(archive.oldest())
            )
        };
        self.verdict = verdict;
    }

    /// Has freed what is to be freed, and sees that a ring that protects stops in time.
    fn act(&mut self, archive: &mut Archive, jobs: &[&mut Job], policy: &Retention, context: &mut Context) {
        let released = jobs.iter().filter_map(|job| self.lines.get(&Rule::Guard(job.index)));
        let released = released.map(|line| line.at).min().unwrap_or(0);
        archive.note_released(released, guard_set(jobs), context);
        let limit = policy.protect.then_some(self.verdict.release_mark);
        archive.protect(limit, context);
        archive.note_holder(self.verdict.held_by.clone());
        let oldest = archive.oldest();
        let mut below = self.verdict.below;
        if has(Bug::FreesOneSegmentMore) && below > oldest {
            below += u64::from(archive.superblock.segment_blocks);
        }
        let freed = archive.free_below(below, context);
        self.freed_blocks += freed;
        if self.unsaid.0 == 0 {
            self.unsaid.1 = oldest;
        }
        self.unsaid.0 += freed;
    }

    /// Says what was freed, once it is so and not too often.
    fn say_freed(&mut self, archive: &Archive, context: &mut Context) {
        let due = self.said_at.is_none_or(|said| context.now.at.since(said) >= FREED_SAID_EVERY);
        if self.unsaid.0 == 0 || !due || archive.is_freeing() {
            return;
        }
        let (blocks, from) = core::mem::take(&mut self.unsaid);
        self.said_at = Some(context.now.at);
        let mib = (blocks * u64::from(archive.superblock.block_bytes)) >> 20;
        let sentence = format!(
            "{blocks} blocks of archive {} ({mib} MiB) were freed; it begins at block {} now and began at {from}.",
            archive.name,
            archive.oldest()
        );
        context.say(Code::Freed, &archive.name.clone(), sentence);
    }
}

/// The jobs whose acknowledgements count.
fn counted<'a>(jobs: &'a [&mut Job], policy: &Retention) -> alloc::vec::Vec<&'a Job> {
    let counts = |job: &&&mut Job| policy.count == GuardCount::All || policy.jobs.contains(&job.setting.name);
    jobs.iter().filter(counts).map(|job| &**job).collect()
}

/// A track that no job takes.
fn unwanted_track<'a>(archive: &'a Archive, jobs: &[&mut Job]) -> Option<&'a TrackKey> {
    let keys = archive.catalog.tracks().iter().map(|track| &track.tip.key);
    let mut left = keys.filter(|key| !jobs.iter().any(|job| job.takes(key)));
    left.next()
}

/// A number for what the jobs take: another for anything else.
fn wanted_set(jobs: &[&mut Job]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for job in jobs {
        hasher.update(job.setting.name.as_bytes());
        match job.setting.reach.cameras() {
            None => _ = hasher.update(b"*"),
            Some(cameras) => cameras
                .iter()
                .for_each(|camera| _ = hasher.update(b"/").update(camera.as_bytes())),
        }
        for kind in &job.setting.plan.filter.kinds {
            hasher.update(&[*kind as u8]);
        }
        hasher.update(&job.setting.target.unwrap_or_default().0);
    }
    crate::archive::catalog::hash_prefix(&hal::Digest(*hasher.finalize().as_bytes()))
}

/// A number for the set of guards: another for any other set. 0 without guards.
fn guard_set(jobs: &[&mut Job]) -> u64 {
    if jobs.is_empty() {
        return 0;
    }
    let mut names: alloc::vec::Vec<_> = jobs
        .iter()
        .map(|job| (&job.setting.name, job.setting.created_utc_ns))
        .collect();
    names.sort();
    let mut hasher = blake3::Hasher::new();
    for (name, created) in names {
        hasher.update(name.as_bytes());
        hasher.update(&created.to_le_bytes());
    }
    crate::archive::catalog::hash_prefix(&hal::Digest(*hasher.finalize().as_bytes())).max(1)
}
