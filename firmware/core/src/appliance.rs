//! One appliance: hands each event to the part it concerns, then lets every part decide that may have something to do.
//!
//! Not here: what a part decides (`archive/`, `recorder/`, `haul/`), what a control client may ask (`control/`).
//!
//! Invariants: every op in flight has a purpose and every completion finds its owner; a part is asked only if something concerns
//! it, so that an event costs the same however many parts there are.

mod again;
mod cards;
mod checks;
mod decisions;
mod holders;
mod keeping;
mod links;
mod named;
mod places;
mod scrub;
mod silence;
mod stop;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use hal::{Access, ClientId, Event, FeedId, Fingerprint, Instant, IoError, LinkError, LinkId, Memory, Moment, Op, Ops, VolumeId};

use crate::archive::creation::Creation;
use crate::archive::taking::Taking;
use crate::archive::walk::Reader;
use crate::archive::{Archive, Owner, SettledWhat};
use crate::context::{Context, Ready, Shared};
use crate::control::{Changes, Control};
use crate::entropy::Entropy;
use crate::format::{Record, TrackKey};
use crate::haul::compare::Compares;
use crate::haul::history::History;
use crate::haul::incoming::{Grant, Incoming};
use crate::haul::job::Job;
use crate::haul::pace::NicPaces;
use crate::haul::wire::{Message, PROTOCOL, WhyRefused};
use crate::journal::{Code, Journal};
use crate::limits;
use crate::memory::{NoMemory, Pool};
use crate::purpose::Purpose;
use crate::ready::ReadyList;
use crate::recorder::{Door, Recorder};
use crate::retention::keeper::Keeper;
use crate::settings::{ArchiveSetting, JobSetting, Settings};
use crate::tags::Tags;
use crate::timers::Timers;

/// In how long a stop in good order must be done.
const STOP_WITHIN: core::time::Duration = core::time::Duration::from_secs(10);

/// Strangers at the door are told of that often at most.
const TURNED_EVERY: core::time::Duration = core::time::Duration::from_secs(60);

/// What an appliance is made with.
#[derive(Clone, Debug)]
pub struct Board {
    /// BLAKE3 of its public key.
    pub fingerprint: Fingerprint,
    /// Version of the program.
    pub version: &'static str,
    /// Addresses it listens on for peers.
    pub listening: Vec<String>,
    /// 256 random bits of the machine.
    pub seed: [u8; 32],
    /// The settings document; none at the first start.
    pub settings: Option<Vec<u8>>,
    /// Kept events, one JSON line each, oldest first.
    pub kept_events: Vec<Vec<u8>>,
    /// Size of the block memory.
    pub memory_bytes: u32,
}

/// Why an appliance cannot start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartError(String);

impl core::fmt::Display for StartError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for StartError {}

/// The whole core of one appliance.
#[derive(Clone, Debug, Hash)]
pub struct Appliance {
    shared: Shared,
    parts: Parts,
}

/// Everything that an appliance has. Places in the tables stay as long as the appliance runs.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Parts {
    pub fingerprint: Fingerprint,
    pub version: &'static str,
    pub listening: Vec<String>,
    pub started: Moment,
    pub settings: Settings,
    pub changes: Changes,
    pub control: Control,
    pub archives: Vec<Option<Archive>>,
    pub creations: BTreeMap<usize, (Creation, ClientId)>,
    /// Looks at volumes whose archives are to be taken in, and who waits.
    pub takings: BTreeMap<VolumeId, (Taking, ClientId)>,
    pub recorders: BTreeMap<usize, Recorder>,
    pub jobs: Vec<Option<Job>>,
    /// Jobs that read an archive, by its place.
    readers: BTreeMap<usize, BTreeSet<usize>>,
    /// Recorders that wait for room or memory.
    waiting_recorders: BTreeSet<usize>,
    /// Of each archive, by its place; and of questions, by numbers that no archive has.
    keepers: BTreeMap<usize, Keeper>,
    next_keeper: usize,
    pub incoming: BTreeMap<LinkId, Incoming>,
    /// Comparisons of links that are gone, until their last read has finished.
    pub abandoned: BTreeMap<LinkId, Compares>,
    scrubs: BTreeMap<usize, scrub::Scrub>,
    pub cards: cards::Cards,
    feeds: BTreeMap<FeedId, usize>,
    links: BTreeMap<LinkId, usize>,
    next_volume: u32,
    next_link: u64,
    next_feed: u32,
    next_recorder: usize,
    stopping: Option<stop::Stopping>,
    draining: Option<stop::Draining>,
    pub macros: crate::macros::Macros,
    stopped: bool,
    turned: u64,
    turned_said: Option<Instant>,
    silence_due: Option<Instant>,
    /// Events for people below were looked at by those who wait for one.
    events_seen: u64,
}

impl Appliance {
    /// Reads the settings and opens what they name.
    pub fn start(board: Board, now: Moment, ops: &mut Ops) -> Result<Appliance, StartError> {
        let settings = match &board.settings {
            Some(document) => Settings::parse(document).map_err(|why| {
                StartError(format!(
                    "{why}. Mend settings.toml in the state folder, or put the last good one back."
                ))
            })?,
            None => Settings::default(),
        };
        let journal = Journal::new(&board.kept_events);
        let shared = Shared {
            pool: Pool::new(board.memory_bytes),
            filling_bytes: 0,
            tags: Tags::default(),
            history: History::read_back(journal.records()),
            journal,
            nics: NicPaces::default(),
            entropy: Entropy::new(board.seed),
            ready: ReadyList::default(),
            timers: Timers::default(),
            starved: ReadyList::default(),
            suspects: BTreeSet::new(),
        };
        let parts = Parts {
            fingerprint: board.fingerprint,
            version: board.version,
            listening: board.listening,
            started: now,
            settings: Settings::default(),
            changes: Changes::default(),
            control: Control::default(),
            archives: Vec::new(),
            creations: BTreeMap::new(),
            takings: BTreeMap::new(),
            recorders: BTreeMap::new(),
            jobs: Vec::new(),
            readers: BTreeMap::new(),
            waiting_recorders: BTreeSet::new(),
            keepers: BTreeMap::new(),
            next_keeper: limits::ARCHIVE_PLACES_MAX,
            incoming: BTreeMap::new(),
            abandoned: BTreeMap::new(),
            scrubs: BTreeMap::new(),
            cards: cards::Cards::default(),
            feeds: BTreeMap::new(),
            links: BTreeMap::new(),
            next_volume: 1,
            next_link: 2,
            next_feed: 1,
            next_recorder: 0,
            stopping: None,
            draining: None,
            macros: crate::macros::Macros::default(),
            stopped: false,
            turned: 0,
            turned_said: None,
            silence_due: None,
            events_seen: shared.journal.next(),
        };
        let mut appliance = Appliance { shared, parts };
        let mut no_memory = NoMemory;
        let mut context = Context {
            now,
            memory: &mut no_memory,
            ops,
            shared: &mut appliance.shared,
        };
        appliance.parts.macros.seen = context.shared.journal.next();
        Parts::tell_cut_macros(&mut context);
        let started = format!("blockhaul {} is up.", board.version);
        context.say(Code::Started, "appliance", started);
        appliance.parts.begin(settings, &mut context);
        Ok(appliance)
    }

    /// Takes a document as the settings of a first start: made durable, then in effect. The error is a sentence.
    pub fn adopt(&mut self, document: &[u8], now: Moment, memory: &mut dyn Memory, ops: &mut Ops) -> Result<(), StartError> {
        let mut context = Context {
            now,
            memory,
            ops,
            shared: &mut self.shared,
        };
        self.parts.adopt(document, &mut context).map_err(StartError)
    }

    /// Handles one event: records what happened, decides whatever may now happen, checks what must hold.
    pub fn step(&mut self, now: Moment, event: Event, memory: &mut dyn Memory, ops: &mut Ops) {
        let mut context = Context {
            now,
            memory,
            ops,
            shared: &mut self.shared,
        };
        self.parts.record(event, &mut context);
        self.parts.decide(&mut context);
        self.check();
    }

    /// When it wants to be asked again though nothing has happened.
    pub fn deadline(&self) -> Option<Instant> {
        self.shared.timers.next()
    }

    /// It has stopped in good order: no further event is wanted.
    pub fn stopped(&self) -> bool {
        self.parts.stopped
    }

    /// What an op in flight is for, in the words of the code: for traces. Empty if it is not in flight.
    pub fn purpose(&self, tag: hal::Tag) -> String {
        let purpose = self.shared.tags.purpose(tag);
        purpose.map_or(String::new(), |purpose| format!("{purpose:?}"))
    }

    /// Whether a page of the block memory is handed out; if not, nothing in it will be read.
    pub fn uses_memory(&self, span: hal::Span) -> bool {
        self.shared.pool.is_used(span)
    }

    /// For whoever watches it from outside: each archive that takes blocks, and below which log sequence all are durable, it says.
    pub fn durable(&self) -> impl Iterator<Item = (hal::Uuid, u64)> {
        let taking = self.parts.archives.iter().flatten().filter(|archive| archive.takes());
        taking.map(|archive| (archive.uuid, archive.log.durable))
    }

    fn check(&self) {
        for archive in self.parts.archives.iter().flatten() {
            assert!(
                archive.log.durable <= archive.log.next,
                "nothing is durable that was not written"
            );
        }
        assert!(self.shared.pool.used_bytes() <= self.shared.pool.size_bytes());
    }
}

impl Parts {
    /// What happened.
    fn record(&mut self, event: Event, context: &mut Context) {
        match event {
            Event::Tick => {}
            Event::Done { tag, result } if Parts::puts_off(tag, result, context) => {}
            Event::Done { tag, result } => {
                let purpose = context.shared.tags.take(tag);
                self.on_done(purpose, result, context);
            }
            Event::Opened { tag, result } => match context.shared.tags.take(tag) {
                Purpose::Creation(index, _) => {
                    self.on_creation(index, context, |creation, context| creation.on_opened(result, context))
                }
                Purpose::Taking(volume, _) => {
                    self.on_taking(volume, context, |taking, context| taking.on_opened(result, context));
                }
                Purpose::Archive(index, _) => {
                    if let Some(archive) = &mut self.archives[index] {
                        archive.on_opened(result, context);
                        context.wake(Ready::Archive(index));
                    }
                }
                Purpose::Check(number, _) => self.on_check_opened(number, result, context),
                other => unreachable!("{other:?} opens nothing"),
            },
            Event::Devices { tag, disks, nics } => match context.shared.tags.take(tag) {
                Purpose::Devices(client) => self.answer_devices(client, disks, nics, context),
                _ => self.on_devices(&disks, context),
            },
            event @ (Event::CardOpened { .. } | Event::CardListed { .. } | Event::CardLooked { .. }) => {
                self.on_card(event, context);
            }
            Event::Programs { tag, names } => {
                if let Purpose::Programs(client) = context.shared.tags.take(tag) {
                    self.on_programs(client, &names, context);
                }
            }
            Event::ProgramEnded { tag, result } => {
                if let Purpose::Program(number) = context.shared.tags.take(tag) {
                    self.on_program(number, result, context);
                }
            }
            Event::DeviceChanged { path, added } => {
                let (code, verb) = if added {
                    (Code::DeviceAdded, "added")
                } else {
                    (Code::DeviceRemoved, "removed")
                };
                context.say(code, &path, format!("Device {path} was {verb}."));
                self.on_device(path, added, context);
            }
            Event::NicChanged { nic } => {
                let (code, verb) = if nic.up {
                    (Code::NicUp, "up")
                } else {
                    (Code::NicDown, "down")
                };
                context.say(code, &nic.name, format!("Network interface {} is {verb}.", nic.name));
                for job in self.jobs.iter_mut().flatten().filter(|_| nic.up) {
                    job.kick(context);
                }
            }
            Event::LinkUp { link, peer, address } => self.on_link_up(link, peer, address, context),
            Event::LinkDown { link, why } => self.on_link_down(link, why, context),
            Event::Turned { address, key, why } => {
                // One event for many strangers: a scan must not wash the journal out.
                self.turned += 1;
                if self.turned_said.is_some_and(|said| context.now.at.since(said) < TURNED_EVERY) {
                    return;
                }
                self.turned_said = Some(context.now.at);
                let who = key.map(|key| format!(" with key {key}")).unwrap_or_default();
                context.say(
                    Code::PeerRefused,
                    "listener",
                    format!(
                        "A caller from {address}{who} was turned away: {why} ({} so far).",
                        self.turned
                    ),
                );
            }
            Event::Frame { link, message, body } => self.on_frame(link, &message, body, context),
            Event::Sent { tag, link, .. } => {
                if let Purpose::Send(_, lent) = context.shared.tags.take(tag) {
                    if let Some((offset_bytes, length_bytes)) = lent {
                        context.give(hal::Span {
                            offset_bytes,
                            length_bytes,
                        });
                    }
                    if let Some(job) = self.links.get(&link).and_then(|index| self.jobs[*index].as_mut()) {
                        job.on_sent(lent.is_some(), context);
                    }
                    if let Some(incoming) = self.incoming.get_mut(&link) {
                        incoming.on_sent();
                    }
                }
            }
            Event::FeedOpened { feed, result } => {
                if let Some(recorder) = self.feeds.get(&feed).and_then(|index| self.recorders.get_mut(index)) {
                    recorder.on_opened(result, context);
                    context.wake(Ready::Waiting);
                }
            }
            Event::Filled { feed, bytes, end } => {
                let recorder = self.feeds.get(&feed).and_then(|index| self.recorders.get_mut(index));
                if let Some(recorder) = recorder
                    && let Some(archive) = &mut self.archives[recorder.archive]
                {
                    recorder.on_filled(bytes, end, archive, context);
                }
            }
            Event::Call {
                client,
                role,
                uid,
                message,
            } => self.on_call(client, role, uid, &message, context),
            Event::Delivered { tag, client, result } => {
                if let Purpose::Deliver(_, lent) = context.shared.tags.take(tag) {
                    self.on_delivered(client, lent, result.is_ok(), context);
                }
            }
            Event::ClientGone { client } => self.on_client_gone(client, context),
            Event::StopAsked => self.begin_stop(context),
        }
    }

    fn on_done(&mut self, purpose: Purpose, result: Result<(), IoError>, context: &mut Context) {
        match purpose {
            Purpose::Archive(index, task) => {
                if let Some(archive) = &mut self.archives[index] {
                    archive.on_done(task, result, context);
                }
            }
            Purpose::Creation(index, task) => {
                self.on_creation(index, context, |creation, context| creation.on_done(task, result, context));
            }
            Purpose::Taking(volume, task) => {
                self.on_taking(volume, context, |taking, context| taking.on_done(task, result, context));
            }
            Purpose::Walk(reader, index, sequence) => {
                let Some(archive) = &self.archives[index] else { return };
                match reader {
                    Reader::Job(job) => {
                        if let Some(job) = &mut self.jobs[job] {
                            job.on_read(sequence, result, archive, context);
                        }
                    }
                    Reader::Reconcile(job) => {
                        if let Some(job) = &mut self.jobs[job] {
                            job.on_read_to_compare(sequence, result, archive, context);
                        }
                    }
                    Reader::Client(client) => self.control.on_read(client, sequence, result, archive, context),
                    Reader::Keeper(_) => {}
                    Reader::Compare(link) => {
                        if let Some(incoming) = self.incoming.get_mut(&link) {
                            incoming.on_read(sequence, result, archive, context);
                        } else if let Some(compares) = self.abandoned.get_mut(&link) {
                            compares.on_read(sequence, result, archive, context);
                            self.rest_compares(link, context);
                        }
                    }
                    Reader::Scrub(index) => self.on_scrub_read(index, sequence, result, context),
                    Reader::Card(card) => self.cards.on_survey(card, sequence, result, archive, context),
                }
            }
            Purpose::Seek(reader, index, _) => {
                let Some(archive) = &self.archives[index] else { return };
                match reader {
                    Reader::Job(job) => {
                        if let Some(job) = &mut self.jobs[job] {
                            job.on_sought(result, archive, context);
                        }
                    }
                    Reader::Client(client) => self.control.on_sought(client, result, archive, context),
                    Reader::Keeper(id) => {
                        if let Some(keeper) = self.keepers.get_mut(&id) {
                            keeper.on_read(result, archive, context);
                        }
                    }
                    Reader::Compare(link) => {
                        if let Some(incoming) = self.incoming.get_mut(&link) {
                            incoming.on_sought(result, archive, context);
                        } else if let Some(compares) = self.abandoned.get_mut(&link) {
                            compares.on_sought(result, archive, context);
                            self.rest_compares(link, context);
                        }
                    }
                    Reader::Reconcile(_) => unreachable!("it knows where to begin"),
                    Reader::Scrub(_) | Reader::Card(_) => unreachable!("it begins where it is told"),
                }
            }
            Purpose::Settings => self.on_saved(result, context),
            Purpose::Card(index, task) => self.on_card_done(index, task, result, context),
            Purpose::Probe(..) => {}
            Purpose::Check(number, task) => self.on_check_done(number, task, result, context),
            Purpose::FindCards
            | Purpose::Send(..)
            | Purpose::Deliver(..)
            | Purpose::Devices(_)
            | Purpose::Programs(_)
            | Purpose::Program(_) => {
                unreachable!("answered by events of their own")
            }
        }
    }

    /// A job is gone from every list; what is in flight for it still finds its way home.
    pub fn retire_job(&mut self, index: usize) {
        if let Some(job) = &mut self.jobs[index] {
            job.deleted = true;
            if let Some(readers) = self.readers.get_mut(&job.archive) {
                readers.remove(&index);
            }
        }
    }
}
