//! The source's side: one job hauls the blocks of an archive here to an archive there.
//!
//! A job dials, shows its token, opens its tracks, learns their tips, finds where to begin in its own log (`archive/seek.rs`), and
//! then walks the log (`archive/walk.rs`), sending what the target does not have. `session.rs` is the part that lives as long as a
//! link; here is what outlives it.
//!
//! Invariants: the target's tip is the only position; a job never gives up and never holds up its archive, its recorder or
//! another job; a run is on exactly while the job wants a link.

mod after;
mod greeting;
pub mod guard;
mod holding;
mod running;
mod state;
mod stats;
mod watch;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use hal::{Fingerprint, Instant, LinkError, LinkId, Moment, Op, Route};

use guard::Guard;

use super::done::Done;
use super::pace::Pace;
use super::run::{Order, Run};
use super::session::{Full, Session};
use super::sieve::Sieve;
use super::wire::{Message, PROTOCOL, WhyRefused};
use crate::archive::Archive;
use crate::archive::seek::Seek;
use crate::archive::walk::Walk;
use crate::context::{Context, Ready};
use crate::control::types::{Bounds, JobMode, JobPlan, JobState, JobStatus, LinkState, Mode, RunRecord, RunResult};
use crate::format::TrackKey;
use crate::journal::Code;
use crate::limits::{CLOCK_LOOK, HEARTBEAT, LINK_DEAD_AFTER, RETRY_MAX, RETRY_MIN, STALLED_AFTER};
use crate::purpose::Purpose;
use crate::settings::JobSetting;

pub use running::result_word;
pub use stats::Stats;

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
    /// The replication service is off: a run waits, and nothing is dialled.
    pub held: bool,
    pub(super) link: Link,
    /// Reading of an earlier link that has not come to rest.
    retired: Retired,
    stats: Stats,
    trouble: Option<Trouble>,
    acked: BTreeMap<TrackKey, u64>,
    /// What it still needs of its archive.
    pub guard: Guard,
    /// What is over there and has not got its tags.
    done: Done,
    run: Run,
    run_begun_at: Instant,
    /// When a cron expression is due next.
    next_utc_ns: Option<i64>,
    pace: Pace,
    attempts: u32,
    /// Place of the route that is in use or was tried last.
    dialled: usize,
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

/// What outlives a link, as its session is handed it.
pub(super) struct Lasting<'a> {
    pub setting: &'a JobSetting,
    pub run: &'a mut Run,
    pub done: &'a mut Done,
    pub pace: &'a mut Pace,
    /// The interface that the link is bound to.
    pub nic: Option<&'a str>,
    pub stats: &'a mut Stats,
    pub trouble: &'a mut Option<Trouble>,
    pub acked: &'a mut BTreeMap<TrackKey, u64>,
}

impl Lasting<'_> {
    /// Whether the rates of the job and of its interface let a block leave now; if not, when to ask again.
    pub fn may_send(&mut self, context: &mut Context) -> Result<(), Instant> {
        self.pace.allows(&self.setting.plan.rates, context.now)?;
        context.shared.nics.allows(self.nic, context.now)
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
        Job {
            index,
            setting,
            archive,
            routes,
            key,
            learned: false,
            deleted: false,
            held: false,
            link: Link::None,
            retired: Retired::default(),
            stats: Stats::default(),
            trouble: None,
            acked: BTreeMap::new(),
            guard: Guard::default(),
            done: Done::default(),
            run: Run::default(),
            run_begun_at: now,
            next_utc_ns: None,
            pace: Pace::default(),
            attempts: 0,
            dialled: 0,
            moved_at: now,
            stalled: false,
            was_caught_up: false,
            decision_said: None,
            caught_up_at: None,
            position: None,
            overrun_said: 0,
        }
    }

    /// Tries again now.
    pub fn kick(&mut self, context: &mut Context) {
        self.attempts = 0;
        if let Link::Waiting(_) = self.link {
            self.link = Link::None;
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

    /// Does whatever may be done now. `link` makes a new number for a link.
    pub fn poll(&mut self, archive: &mut Archive, link: &mut dyn FnMut() -> LinkId, context: &mut Context) {
        self.tag_done(archive, context);
        if self.held {
            self.look_for_overrun(archive, context);
            return;
        }
        self.begin_if_due(context);
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

    fn dial(&mut self, link: &mut dyn FnMut() -> LinkId, context: &mut Context) {
        if self.routes.is_empty() {
            self.trouble = Some(Trouble {
                state: JobState::Failed,
                why: format!("peer {} has no route", self.setting.peer),
                action: "Add one: blockhaul peer remove, then peer add with --route HOST:PORT.".to_string(),
            });
            return;
        }
        self.dialled = self.attempts as usize % self.routes.len();
        let (link, route) = (link(), self.route());
        context.submit(Op::Dial {
            link,
            route,
            expect: self.key,
        });
        self.link = Link::Dialling(link);
    }

    fn route(&self) -> Route {
        self.routes[self.dialled].clone()
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
        let mut lasting = Lasting {
            setting: &self.setting,
            run: &mut self.run,
            done: &mut self.done,
            pace: &mut self.pace,
            nic: self.routes.get(self.dialled).and_then(|route| route.nic.as_deref()),
            stats: &mut self.stats,
            trouble: &mut self.trouble,
            acked: &mut self.acked,
        };
        let moved = session.on_message(message, archive, &mut lasting, context);
        for told in core::mem::take(&mut session.told) {
            self.guard.note(told);
        }
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
            WhyRefused::Off => (JobState::Waiting, "Switch it on there: blockhaul service on."),
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
        let frozen = self.setting.plan.frozen;
        if !frozen {
            let mut lasting = Lasting {
                setting: &self.setting,
                run: &mut self.run,
                done: &mut self.done,
                pace: &mut self.pace,
                nic: self.routes.get(self.dialled).and_then(|route| route.nic.as_deref()),
                stats: &mut self.stats,
                trouble: &mut self.trouble,
                acked: &mut self.acked,
            };
            session.poll(archive, &mut lasting, context);
        }
        if context.now.at.since(session.said_at) >= HEARTBEAT {
            session.send(&Message::Heartbeat, None, context);
        }
        let due = [
            Some(session.said_at + HEARTBEAT),
            Some(session.heard_at + LINK_DEAD_AFTER),
            session.retry_at,
            session.ask_at,
        ];
        let knows_tips = session.knows_tips();
        let (caught_up, held, bounded) = (
            session.caught_up && !frozen,
            session.held_until_utc_ns.is_some(),
            session.bounded,
        );
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
        if knows_tips && self.run.total_blocks.is_none() {
            self.run.total_blocks = Some(self.backlog(archive, context.now).0);
        }
        if self.run.has_moved(&self.stats) {
            self.tell_run(context);
        }
        if held || frozen {
            // It stands still on purpose.
            self.moved_at = context.now.at;
        }
        if caught_up {
            self.moved_at = context.now.at;
            self.caught_up_at = Some(context.now.at);
            context.wake(Ready::Waiting);
        }
        if bounded || ((caught_up || (held && !frozen)) && self.setting.mode != JobMode::Always) {
            // Whoever waits for the end of the run finds them tagged.
            self.done_now(archive, context);
        }
        if bounded {
            self.end_run(RunResult::Partial, context);
        } else if (caught_up || (held && !frozen)) && self.setting.mode != JobMode::Always {
            let left_out = self.trouble.is_some();
            let result = if left_out { RunResult::Partial } else { RunResult::Completed };
            self.end_run(result, context);
        }
    }

    /// A block that was asked for has been read, for this link or one before.
    pub fn on_read(&mut self, sequence: u64, result: Result<(), hal::IoError>, archive: &Archive, context: &mut Context) {
        if let Some(walk) = self.retired.walk.take() {
            self.retired.walk = rested(walk, sequence, result, archive, context);
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
        if let Some(walk) = self.retired.compared.take() {
            self.retired.compared = rested(walk, sequence, result, archive, context);
        } else if let Link::Live(session) = &mut self.link {
            session.on_read_to_compare(sequence, result, archive, context);
        }
        context.wake(Ready::Job(self.index));
    }

    /// A checkpoint part that was asked for has been read, for this link or one before.
    pub fn on_sought(&mut self, result: Result<(), hal::IoError>, archive: &Archive, context: &mut Context) {
        if let Some(seek) = self.retired.seek.take() {
            seek.finish(context);
        } else if let Link::Live(session) = &mut self.link {
            session.on_sought(result, archive, context);
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

/// Reading that is not wanted any more has gone on by one read: none of it is left once it has come to rest.
fn rested(
    mut walk: Walk,
    sequence: u64,
    result: Result<(), hal::IoError>,
    archive: &Archive,
    context: &mut Context,
) -> Option<Walk> {
    walk.on_read(sequence, result, archive, context);
    if !walk.is_quiet() {
        return Some(walk);
    }
    walk.finish(context);
    None
}
