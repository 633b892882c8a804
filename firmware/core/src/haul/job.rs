//! The source's side: one job hauls the blocks of an archive here to an archive there.
//!
//! A job dials, shows its token, opens its tracks, learns their tips, finds where to begin in its own log (`archive/seek.rs`), and
//! then walks the log (`archive/walk.rs`), sending what the target does not have. `session.rs` is the part that lives as long as a
//! link; here is what outlives it.
//!
//! Invariants: the target's tip is the only position; a job never gives up and never holds up its archive, its recorder or
//! another job; a run is on exactly while the job wants a link.

mod state;

mod greeting;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::{String, ToString};
use hal::{Fingerprint, Instant, LinkError, LinkId, Op, Route};

use super::session::{Full, Session};
use super::wire::{Message, PROTOCOL, WhyRefused};
use crate::archive::Archive;
use crate::archive::seek::Seek;
use crate::archive::walk::Walk;
use crate::context::{Context, Ready};
use crate::control::types::{JobMode, JobState, JobStatus, LinkState, Mode};
use crate::format::TrackKey;
use crate::journal::Code;
use crate::limits::{HEARTBEAT, LINK_DEAD_AFTER, RETRY_MAX, RETRY_MIN, STALLED_AFTER};
use crate::purpose::Purpose;
use crate::settings::JobSetting;

/// Seconds over which the rate is measured.
const RATE_SECONDS: u64 = 10;
/// A job that was behind for that long says so when it has caught up.
const BEHIND_FOR_LONG: core::time::Duration = core::time::Duration::from_secs(30);

/// One job.
#[derive(Clone, Debug, Hash)]
pub struct Job {
    /// Place in the appliance's table.
    pub index: usize,
    /// As configured.
    pub setting: JobSetting,
    /// Place of the archive it hauls from.
    pub archive: usize,
    /// Where the peer is, and its key.
    pub routes: alloc::vec::Vec<Route>,
    /// The only key it talks to.
    pub key: Fingerprint,
    /// The target's archive, newly learned: to be kept in the settings.
    pub learned: bool,
    /// Deleted: only what is in flight still concerns it.
    pub deleted: bool,
    pub(super) link: Link,
    /// Reading of an earlier link that has not come to rest.
    retired: Retired,
    pub(super) stats: Stats,
    pub(super) trouble: Option<Trouble>,
    pub(super) acked: BTreeMap<TrackKey, u64>,
    run: Run,
    attempts: u32,
    moved_at: Instant,
    stalled: bool,
    was_caught_up: bool,
    /// What was said to need a decision.
    decision_said: Option<String>,
    /// When it was caught up last on this link.
    caught_up_at: Option<Instant>,
    /// Log sequence up to which everything was durable at the target when last known.
    position: Option<u64>,
    /// Tenths of the ring between that and the head that have been announced.
    overrun_said: u64,
}

/// The link as the job sees it.
#[derive(Clone, Debug, Hash)]
pub(super) enum Link {
    /// None wanted.
    None,
    /// Tried again at that time.
    Waiting(Instant),
    /// Being made.
    Dialling(LinkId),
    /// Up; `Hello` was sent.
    Greeting { link: LinkId, heard_at: Instant },
    /// In use.
    Live(alloc::boxed::Box<Session>),
    /// Being closed by us.
    Closing(LinkId),
}

#[derive(Clone, Debug, Default, Hash)]
struct Retired {
    walk: Option<Walk>,
    seek: Option<Seek>,
    /// What was being compared.
    compared: Option<Walk>,
}

/// Why a job does not do what it should, in words.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Trouble {
    pub state: JobState,
    pub why: String,
    pub action: String,
}

/// What a job has done since the daemon started.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Stats {
    pub blocks: u64,
    pub bytes: u64,
    pub duplicates: u64,
    pub gaps: u64,
    pub connections: u64,
    /// Blocks that the target lacked below its tips, and has now.
    pub back_filled: u64,
    /// The present or last full run.
    pub full: Option<Full>,
    /// Bytes acknowledged in the newest seconds, as (second since boot, bytes).
    recent: VecDeque<(u64, u64)>,
}

#[derive(Clone, Copy, Debug, Default, Hash)]
struct Run {
    number: u64,
    on: bool,
    completed: bool,
}

impl Stats {
    /// A block of that many payload bytes is durable at the target.
    pub fn acknowledged(&mut self, bytes: u64, now: Instant) {
        self.blocks += 1;
        self.bytes += bytes;
        let second = now.boot_ns / 1_000_000_000;
        match self.recent.back_mut() {
            Some((last, sum)) if *last == second => *sum += bytes,
            Some(_) | None => self.recent.push_back((second, bytes)),
        }
        while self.recent.front().is_some_and(|(at, _)| at + RATE_SECONDS < second) {
            self.recent.pop_front();
        }
    }

    fn rate_bytes(&self, now: Instant) -> u64 {
        let second = now.boot_ns / 1_000_000_000;
        let newest = self.recent.iter().filter(|(at, _)| at + RATE_SECONDS >= second);
        newest.map(|(_, bytes)| bytes).sum::<u64>() / RATE_SECONDS
    }
}

impl Job {
    /// A job as configured. Nothing is dialled before the first [`Job::poll`].
    pub fn new(
        index: usize,
        setting: JobSetting,
        archive: usize,
        routes: alloc::vec::Vec<Route>,
        key: Fingerprint,
        now: Instant,
    ) -> Job {
        let on = setting.enabled && setting.mode == JobMode::Always;
        let stats = Stats {
            full: setting.full.then(Full::default),
            ..Stats::default()
        };
        Job {
            index,
            setting,
            archive,
            routes,
            key,
            learned: false,
            deleted: false,
            link: Link::None,
            retired: Retired::default(),
            stats,
            trouble: None,
            acked: BTreeMap::new(),
            run: Run {
                number: u64::from(on),
                on,
                completed: false,
            },
            attempts: 0,
            moved_at: now,
            stalled: false,
            was_caught_up: false,
            decision_said: None,
            caught_up_at: None,
            position: None,
            overrun_said: 0,
        }
    }

    /// Begins a run, or joins the one that is on. Returns its number and whether it was joined. A full one compares everything that
    /// both ends should have; one that is on becomes full with it.
    pub fn run(&mut self, full: bool, context: &mut Context) -> (u64, bool) {
        let joined = self.run.on;
        let wants_full = full || self.setting.full;
        let is_comparing = joined && self.stats.full.is_some_and(|full| !full.done);
        if !joined || (full && !is_comparing) {
            self.stats.full = wants_full.then(Full::default);
            if let Link::Live(session) = &mut self.link {
                session.caught_up &= !wants_full;
            }
        }
        if !joined {
            self.run = Run {
                number: self.run.number + 1,
                on: true,
                completed: false,
            };
            self.trouble = None;
            self.moved_at = context.now.at;
            if let Link::Waiting(_) = self.link {
                self.link = Link::None;
            }
            let sentence = format!("Run {} of job {} has begun.", self.run.number, self.setting.name);
            context.say(Code::RunStarted, &self.setting.name.clone(), sentence);
        }
        context.wake(Ready::Job(self.index));
        (self.run.number, joined)
    }

    /// Tries again now.
    pub fn kick(&mut self, context: &mut Context) {
        self.attempts = 0;
        if let Link::Waiting(_) = self.link {
            self.link = Link::None;
        }
        context.wake(Ready::Job(self.index));
    }

    /// Switches on or off. Off closes the link.
    pub fn enable(&mut self, enabled: bool, context: &mut Context) {
        self.setting.enabled = enabled;
        self.trouble = None;
        if enabled {
            if self.setting.mode == JobMode::Always && !self.run.on {
                self.run = Run {
                    number: self.run.number + 1,
                    on: true,
                    completed: false,
                };
                self.stats.full = self.setting.full.then(Full::default);
            }
        } else {
            self.run.on = false;
            self.hang_up(context);
        }
        context.wake(Ready::Job(self.index));
    }

    /// Closes the link, if there is one.
    pub fn hang_up(&mut self, context: &mut Context) {
        match &self.link {
            Link::None | Link::Closing(_) => {}
            Link::Waiting(_) => self.link = Link::None,
            Link::Dialling(link) | Link::Greeting { link, .. } => {
                context.submit(Op::HangUp { link: *link });
                self.link = Link::Closing(*link);
            }
            Link::Live(session) => {
                let link = session.link;
                context.submit(Op::HangUp { link });
                self.retire(context);
                self.link = Link::Closing(link);
            }
        }
    }

    /// Takes the reading of a link that ends aside until it has come to rest.
    fn retire(&mut self, context: &mut Context) {
        if let Link::Live(session) = core::mem::replace(&mut self.link, Link::None) {
            let (walk, seek, compared) = session.end();
            if let Some(walk) = compared {
                if walk.is_quiet() {
                    walk.finish(context)
                } else {
                    self.retired.compared = Some(walk)
                }
            }
            if let Some(walk) = walk {
                if walk.is_quiet() {
                    walk.finish(context)
                } else {
                    self.retired.walk = Some(walk)
                }
            }
            if let Some(seek) = seek {
                if seek.is_quiet() {
                    seek.finish(context)
                } else {
                    self.retired.seek = Some(seek)
                }
            }
        }
    }

    /// The link this job uses or makes.
    pub fn link_id(&self) -> Option<LinkId> {
        match &self.link {
            Link::None | Link::Waiting(_) => None,
            Link::Dialling(link) | Link::Closing(link) | Link::Greeting { link, .. } => Some(*link),
            Link::Live(session) => Some(session.link),
        }
    }

    /// Whether a run is on.
    pub fn is_running(&self) -> bool {
        self.run.on
    }

    /// Number of the run that is on or was the last, and whether it got everything over.
    pub fn last_run(&self) -> (u64, bool) {
        (self.run.number, self.run.completed)
    }

    /// Whether everything durable here was durable there when last looked.
    pub fn is_caught_up(&self) -> bool {
        matches!(&self.link, Link::Live(session) if session.caught_up) || (!self.run.on && self.run.completed)
    }

    /// Does whatever may be done now. `link` makes a new number for a link.
    pub fn poll(&mut self, archive: &mut Archive, link: &mut dyn FnMut() -> LinkId, context: &mut Context) {
        if !self.setting.enabled || !self.run.on {
            self.look_for_overrun(archive, context);
            return;
        }
        let quiet = self.retired.walk.is_none() && self.retired.seek.is_none() && self.retired.compared.is_none();
        match &mut self.link {
            Link::None if archive.gives() && quiet => self.dial(link, context),
            Link::Waiting(until) if *until <= context.now.at => {
                self.link = Link::None;
                if archive.gives() && quiet {
                    self.dial(link, context);
                }
            }
            Link::Waiting(until) => context.ask_at(Ready::Job(self.index), Some(*until)),
            Link::None | Link::Dialling(_) | Link::Closing(_) => {}
            Link::Greeting { heard_at, .. } => {
                if context.now.at.since(*heard_at) >= LINK_DEAD_AFTER {
                    self.hang_up(context);
                } else {
                    let due = *heard_at + LINK_DEAD_AFTER;
                    context.ask_at(Ready::Job(self.index), Some(due));
                }
            }
            Link::Live(_) => self.poll_live(archive, context),
        }
        self.look_for_stall(context);
        self.look_for_overrun(archive, context);
    }

    /// Says at 80 and 90 % that the ring comes near to what was not hauled (F9).
    fn look_for_overrun(&mut self, archive: &Archive, context: &mut Context) {
        if let Link::Live(session) = &self.link {
            self.position = Some(session.position(archive));
        }
        if archive.superblock.mode == Mode::Append || !archive.gives() {
            return;
        }
        // After a start nobody knows how far the target is; from then on it is counted.
        let position = *self.position.get_or_insert(archive.log.durable);
        let room = archive.superblock.slots;
        let tenths = archive.log.next.saturating_sub(position) * 10 / room;
        if tenths >= 8 && tenths > self.overrun_said && tenths < 10 {
            let left = archive
                .overrun(position, context.now)
                .map_or("soon".to_string(), |left| format!("in {} s", left.as_secs()));
            let sentence = format!(
                "Job {} is behind by {} % of the ring of archive {}: unhauled blocks are overwritten {left}.",
                self.setting.name,
                tenths * 10,
                archive.name
            );
            context.say(Code::Overrun, &self.setting.name.clone(), sentence);
        }
        self.overrun_said = tenths;
    }

    fn dial(&mut self, link: &mut dyn FnMut() -> LinkId, context: &mut Context) {
        if self.routes.is_empty() {
            self.trouble = Some(Trouble {
                state: JobState::Failed,
                why: format!("peer {} has no route", self.setting.peer),
                action: "Add one: blockhaul peer remove, then peer add with --route HOST:PORT.".to_string(),
            });
            return;
        }
        let (link, route) = (link(), self.route());
        context.submit(Op::Dial {
            link,
            route,
            expect: self.key,
        });
        self.link = Link::Dialling(link);
    }

    fn route(&self) -> Route {
        self.routes[self.attempts as usize % self.routes.len()].clone()
    }

    /// A message from the target.
    pub fn on_message(&mut self, message: Message, archive: &mut Archive, context: &mut Context) {
        if let Link::Greeting { link, .. } = self.link {
            match message {
                Message::Welcome {
                    archive: target, credit, ..
                } => self.on_welcome(link, target, credit, archive, context),
                Message::Refused { why } => self.on_refused(why, context),
                _ => self.hang_up(context),
            }
            return;
        }
        let Link::Live(session) = &mut self.link else { return };
        session.heard_at = context.now.at;
        let moved = session.on_message(
            message,
            archive,
            &self.setting,
            &mut self.stats,
            &mut self.trouble,
            &mut self.acked,
            context,
        );
        match moved {
            Ok(true) => {
                self.moved_at = context.now.at;
                self.attempts = 0;
                if core::mem::take(&mut self.stalled) {
                    let sentence = format!("Job {} moves again.", self.setting.name);
                    context.say(Code::Resumed, &self.setting.name.clone(), sentence);
                }
            }
            Ok(false) => {}
            Err(()) => self.hang_up(context),
        }
        context.wake(Ready::Job(self.index));
    }

    fn on_welcome(&mut self, link: LinkId, target: hal::Uuid, credit: u32, archive: &Archive, context: &mut Context) {
        match self.setting.target {
            Some(known) if known != target => {
                let why = format!(
                    "{}/{} is archive {target} now and was {known}",
                    self.setting.peer, self.setting.archive
                );
                // Once, not at every try.
                if self.decision_said.as_ref() != Some(&why) {
                    self.decision_said = Some(why.clone());
                    let sentence = format!("Job {}: {why}.", self.setting.name);
                    context.say(Code::NeedsDecision, &self.setting.name.clone(), sentence);
                }
                self.trouble = Some(Trouble {
                    state: JobState::NeedsDecision,
                    why,
                    action: "If that is right, delete this job and create it anew; nothing is discarded.".to_string(),
                });
                self.attempts = self.attempts.max(6);
                self.hang_up(context);
                return;
            }
            Some(_) => {}
            None => {
                self.setting.target = Some(target);
                self.learned = true;
            }
        }
        self.trouble = None;
        self.link = Link::Live(alloc::boxed::Box::new(Session::new(
            link, self.index, target, credit, archive, context,
        )));
        context.wake(Ready::Job(self.index));
        context.wake(Ready::Waiting);
    }

    fn on_refused(&mut self, why: WhyRefused, context: &mut Context) {
        let (state, action) = match why {
            WhyRefused::Protocol => (JobState::Failed, "Bring both appliances to the same version."),
            WhyRefused::Token => (
                JobState::Failed,
                "Make a grant on the target for this peer and archive, and create the job with its token.",
            ),
            WhyRefused::NotReady => (
                JobState::Waiting,
                "Look at the archive on the target; it is tried again by itself.",
            ),
            WhyRefused::BlockSize => (JobState::Failed, "Make the target archive with the same --block-size."),
            WhyRefused::SameArchive => (JobState::Failed, "Haul to another archive."),
            WhyRefused::TooMany => (JobState::Waiting, "Nothing: it is tried again."),
        };
        let why = format!("{} refused: {}", self.setting.peer, super::incoming::why_words(why));
        self.trouble = Some(Trouble {
            state,
            why,
            action: action.to_string(),
        });
        if state == JobState::Failed {
            self.attempts = self.attempts.max(6);
        }
        self.hang_up(context);
    }

    fn poll_live(&mut self, archive: &mut Archive, context: &mut Context) {
        let Link::Live(session) = &mut self.link else { return };
        if context.now.at.since(session.heard_at) >= LINK_DEAD_AFTER {
            self.hang_up(context);
            return;
        }
        session.poll(archive, &self.setting, &mut self.stats, &mut self.trouble, context);
        if context.now.at.since(session.said_at) >= HEARTBEAT {
            session.send(&Message::Heartbeat, None, context);
        }
        let due = [
            Some(session.said_at + HEARTBEAT),
            Some(session.heard_at + LINK_DEAD_AFTER),
            session.retry_at,
        ];
        let caught_up = session.caught_up;
        context.ask_at(Ready::Job(self.index), due.into_iter().flatten().min());
        // Told when it was behind for a while, not for every block.
        let behind = context.now.at.since(self.caught_up_at.unwrap_or_default());
        let tells = caught_up && self.trouble.is_none();
        if tells && !self.was_caught_up && (self.caught_up_at.is_none() || behind >= BEHIND_FOR_LONG) {
            context.say(
                Code::CaughtUp,
                &self.setting.name.clone(),
                format!("Job {} has caught up.", self.setting.name),
            );
        }
        self.was_caught_up = tells;
        if caught_up {
            self.moved_at = context.now.at;
            self.caught_up_at = Some(context.now.at);
            if self.setting.mode == JobMode::OnDemand {
                self.run.on = false;
                self.run.completed = self.trouble.is_none();
                let sentence = format!("Run {} of job {} has ended.", self.run.number, self.setting.name);
                context.say(Code::RunCompleted, &self.setting.name.clone(), sentence);
                self.hang_up(context);
            }
            context.wake(Ready::Waiting);
        }
    }

    fn look_for_stall(&mut self, context: &mut Context) {
        if !self.stalled && !self.was_caught_up && context.now.at.since(self.moved_at) >= STALLED_AFTER {
            self.stalled = true;
            let why = self
                .trouble
                .as_ref()
                .map_or("nothing has moved".to_string(), |trouble| trouble.why.clone());
            let sentence = format!(
                "Job {} has not moved for {} s: {why}.",
                self.setting.name,
                STALLED_AFTER.as_secs()
            );
            context.say(Code::Stalled, &self.setting.name.clone(), sentence);
        }
    }

    /// A block that was asked for has been read, for this link or one before.
    pub fn on_read(&mut self, sequence: u64, result: Result<(), hal::IoError>, archive: &Archive, context: &mut Context) {
        if let Some(mut walk) = self.retired.walk.take() {
            walk.on_read(sequence, result, archive, context);
            if walk.is_quiet() {
                walk.finish(context)
            } else {
                self.retired.walk = Some(walk)
            }
        } else if let Link::Live(session) = &mut self.link {
            session.on_read(sequence, result, archive, context);
        }
        context.wake(Ready::Job(self.index));
    }

    /// A block or index that is compared has been read, for this link or one before.
    pub fn on_read_to_compare(
        &mut self,
        sequence: u64,
        result: Result<(), hal::IoError>,
        archive: &Archive,
        context: &mut Context,
    ) {
        if let Some(mut walk) = self.retired.compared.take() {
            walk.on_read(sequence, result, archive, context);
            if walk.is_quiet() {
                walk.finish(context)
            } else {
                self.retired.compared = Some(walk)
            }
        } else if let Link::Live(session) = &mut self.link {
            session.on_read_to_compare(sequence, result, archive, context);
        }
        context.wake(Ready::Job(self.index));
    }

    /// A checkpoint part that was asked for has been read, for this link or one before.
    pub fn on_sought(&mut self, sequence: u64, result: Result<(), hal::IoError>, archive: &Archive, context: &mut Context) {
        if let Some(seek) = self.retired.seek.take() {
            seek.finish(context);
        } else if let Link::Live(session) = &mut self.link {
            session.on_sought(sequence, result, archive, context);
        }
        context.wake(Ready::Job(self.index));
    }

    /// A frame has left, or not. Its memory has come back already.
    pub fn on_sent(&mut self, with_body: bool, context: &mut Context) {
        if let Link::Live(session) = &mut self.link
            && with_body
        {
            session.sending -= 1;
        }
        context.wake(Ready::Job(self.index));
    }

    /// A gap record of the archive is durable: the track may end in it.
    pub fn suspect(&mut self, key: &TrackKey, archive: &Archive) {
        if let Link::Live(session) = &mut self.link
            && let Some(track) = archive.catalog.find(key)
        {
            session.suspect(track);
        }
    }
}
