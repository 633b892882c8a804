//! [`hal::Machine`] on a Linux kernel: takes ops, starts lanes, and waits for whatever comes first. What the lanes do is in their
//! own files.
//!
//! One thread does all of it. A *lane* is a local task that is a straight line with one thing in flight; it runs only while
//! [`hal::Machine::next`] waits. Disks have a ring of their own, which is waited for through an eventfd.
//!
//! Invariants: memory is lent when an op is submitted, in the core's order, and returned before the op's event is pushed.
//! Something that is down is answered before its last event, even if the core did not know that it is down.

use std::future::Future;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::PoisonError;
use std::time::Duration;

use hal::{Event, Instant, IoError, LinkError, Memory, Moment, Op, Tag};
use rustix::fs::Mode;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::Signal;
use tokio::task::JoinHandle;

use crate::card::{Answer, Cards};
use crate::clock::Clocks;
use crate::control;
use crate::dial;
use crate::disk::Disks;
use crate::doors::Doors;
use crate::feed::{self, Feed};
use crate::identity;
use crate::limits::STOP_DEADLINE;
use crate::link::Link;
use crate::listener::{self, Strangers};
use crate::memory::{Arena, ArenaMemory};
use crate::readiness::readable;
use crate::role::Doorkeeper;
use crate::scribe::{self, Scribe};
use crate::setup::{Found, Setup, StartError};
use crate::state::StateFolder;
use crate::tls::{self, Tls};
use crate::world::World;
use crate::{clock, hotplug, nic, programs};

/// How often the end looks whether everything has finished.
const FINISH_LOOK: Duration = Duration::from_millis(10);

/// The real machine.
///
/// Fields are dropped in this order: lanes hold lent memory and are dropped with the runtime, before the disks and the memory.
pub struct UringMachine {
    runtime: tokio_uring::Runtime,
    disks: Disks,
    disks_news: AsyncFd<OwnedFd>,
    knock: AsyncFd<OwnedFd>,
    arena: Rc<Arena>,
    memory: ArenaMemory,
    world: Rc<World>,
    tls: Rc<Tls>,
    scribe: Rc<Scribe>,
    cards: Cards,
    found: Found,
    programs: PathBuf,
    clocks: Clocks,
    /// Lanes that end by themselves once the machine stops; then their sockets are gone.
    doors: Vec<JoinHandle<()>>,
    /// Locked as long as the machine lives.
    _state: StateFolder,
}

impl UringMachine {
    /// Opens everything. Ops may be submitted at once; what happened before the first [`hal::Machine::next`] is not lost.
    pub fn start(setup: Setup) -> Result<UringMachine, StartError> {
        // For the whole process and for good: nothing we make is for others, not even for a moment.
        rustix::process::umask(Mode::RWXG | Mode::RWXO);
        let state = StateFolder::open(&setup.state)?;
        let identity = identity::load(state.path())?;
        let fingerprint = identity.fingerprint;
        let io = |error| crate::state::StateError::Io {
            folder: setup.state.display().to_string(),
            error,
        };
        let settings = state.settings().map_err(io)?;
        let kept_events = state.kept_events().map_err(io)?;

        let arena = Arena::new(setup.memory_bytes).map_err(StartError::Memory)?;
        let disks = Disks::new(Rc::clone(&arena)).map_err(StartError::Disks)?;
        let runtime = tokio_uring::Runtime::new(&tokio_uring::builder()).map_err(StartError::Runtime)?;
        let world = Rc::new(World::default());
        let scribe = Rc::new(Scribe::default());
        let tls = Rc::new(Tls::new(identity).map_err(StartError::Tls)?);
        let doors = runtime.block_on(Doors::open(&setup, &disks))?;
        let found = Found {
            fingerprint,
            listening: doors
                .listeners
                .iter()
                .filter_map(|listener| listener.local_addr().ok())
                .collect(),
            settings,
            kept_events,
            memory: arena.report(),
        };
        // SAFETY: the one view of this arena. Slices of it borrow the machine (`memory`), and the arena lends only in `submit`
        // and below, which borrow the machine exclusively: lanes take what was lent, they lend nothing.
        let memory = unsafe { ArenaMemory::new(Rc::clone(&arena)) };
        let mut machine = UringMachine {
            disks,
            disks_news: doors.disks_news,
            knock: doors.knock,
            arena,
            memory,
            world: Rc::clone(&world),
            tls: Rc::clone(&tls),
            scribe: Rc::clone(&scribe),
            cards: Cards::default(),
            found,
            programs: setup.programs,
            clocks: Clocks::default(),
            doors: Vec::new(),
            _state: state,
            runtime,
        };
        machine.spawn(scribe::run(Rc::clone(&world), scribe, setup.state));
        let doorkeeper = Rc::new(Doorkeeper::new(setup.operators_gid));
        let door = machine.spawn(control::listen(Rc::clone(&world), doors.socket, doorkeeper));
        machine.doors.push(door);
        let strangers = Rc::new(Strangers::default());
        for listener in doors.listeners {
            let door = listener::run(Rc::clone(&world), Rc::clone(&tls), listener, Rc::clone(&strangers));
            let door = machine.spawn(door);
            machine.doors.push(door);
        }
        machine.spawn(nic::watch(Rc::clone(&world), doors.nic_news));
        machine.spawn(hotplug::watch(Rc::clone(&world), doors.device_news));
        for asked in doors.signals {
            machine.spawn(stop_when_asked(Rc::clone(&world), asked));
        }
        Ok(machine)
    }

    /// What was found at the start.
    pub fn found(&self) -> &Found {
        &self.found
    }

    /// Waits for what [`Op::Stop`] left in flight: state, goodbyes to peers and clients. Bounded.
    pub fn finish(&mut self) {
        self.stop();
        self.disks.flush_submissions();
        let (world, scribe) = (Rc::clone(&self.world), Rc::clone(&self.scribe));
        let doors = std::mem::take(&mut self.doors);
        let finished = async move {
            for door in doors {
                // A lane that failed has closed its door too.
                let _ = door.await;
            }
            while !(scribe.is_idle() && world.links.borrow().is_empty() && world.clients.borrow().is_empty()) {
                tokio::time::sleep(FINISH_LOOK).await;
            }
        };
        let in_time = self
            .runtime
            .block_on(async { tokio::time::timeout(STOP_DEADLINE, finished).await });
        if in_time.is_err() {
            tracing::warn!("stopped before everything in flight had finished; nothing acknowledged depends on it");
        }
    }

    /// Starts a lane. It goes on by itself whether its handle is kept or not.
    #[expect(clippy::async_yields_async, reason = "the lane's handle is wanted, not its end")]
    fn spawn(&self, lane: impl Future<Output = ()> + 'static) -> JoinHandle<()> {
        self.runtime.block_on(async { tokio_uring::spawn(lane) })
    }

    /// A lane that waits for what a card answers, and tells it.
    fn answer<T: 'static>(&self, answer: Answer<T>, event: impl FnOnce(Result<T, IoError>) -> Event + 'static) {
        let world = Rc::clone(&self.world);
        self.spawn(async move {
            // A card whose thread is gone answers nothing.
            let result = answer.await.unwrap_or(Err(IoError::Gone));
            world.push(event(result));
        });
    }

    fn link(&self, link: hal::LinkId) -> Option<Rc<Link>> {
        self.world.links.borrow().get(&link).cloned()
    }

    fn feed(&self, feed: hal::FeedId) -> Option<Rc<Feed>> {
        self.world.feeds.borrow().get(&feed).cloned()
    }

    fn client(&self, client: hal::ClientId) -> Option<Rc<control::Client>> {
        self.world.clients.borrow().get(&client).cloned()
    }

    fn trust(&self, keys: Vec<hal::Fingerprint>) {
        *self.tls.trusted.lock().unwrap_or_else(PoisonError::into_inner) = keys.into_iter().collect();
        for link in self.world.links.borrow().values() {
            if link
                .accepted_key()
                .is_some_and(|key| !tls::is_trusted(&self.tls.trusted, key))
            {
                link.cut(LinkError::KeyRefused);
            }
        }
    }

    fn send(&self, tag: Tag, id: hal::LinkId, message: hal::Message, body: Option<hal::Span>) {
        assert!(!message.is_empty(), "a frame has a message");
        match self.link(id) {
            Some(link) => link.send(tag, message, body.map(|span| self.arena.lend(span))),
            None => self.world.push_before(
                Event::Sent {
                    tag,
                    link: id,
                    result: Err(LinkError::Lost),
                },
                |event| matches!(event, Event::LinkDown { link, .. } if *link == id),
            ),
        }
    }

    fn deliver(&self, tag: Tag, id: hal::ClientId, chunk: hal::Span) {
        match self.client(id) {
            Some(client) => client.deliver(tag, self.arena.lend(chunk)),
            None => self.world.push_before(
                Event::Delivered {
                    tag,
                    client: id,
                    result: Err(IoError::Gone),
                },
                |event| matches!(event, Event::ClientGone { client } if *client == id),
            ),
        }
    }

    fn adopt(&self, id: hal::FeedId, client: hal::ClientId) {
        let feed = Rc::new(Feed::new(id));
        match self.client(client) {
            Some(client) => {
                self.world.feeds.borrow_mut().insert(id, Rc::clone(&feed));
                client.adopt(feed);
            }
            None => feed::refuse(&self.world, id, IoError::Gone),
        }
    }

    fn open_feed(&self, id: hal::FeedId, path: String) {
        let feed = Rc::new(Feed::new(id));
        self.world.feeds.borrow_mut().insert(id, Rc::clone(&feed));
        self.spawn(feed::open(Rc::clone(&self.world), feed, path));
    }

    fn stop(&self) {
        self.world.stopping.set(true);
        self.world.stop.notify_waiters();
        for link in self.world.links.borrow().values() {
            link.hang_up();
        }
        for feed in self.world.feeds.borrow().values() {
            feed.close();
        }
        for client in self.world.clients.borrow().values() {
            client.dismiss();
        }
    }

    /// Takes what the disks have finished.
    fn reap(&mut self) {
        let disks = &mut self.disks;
        let listed = self.world.with_queue(|queue| {
            let known = queue.len();
            disks.reap(queue);
            let is_listing = |event: &Event| matches!(event, Event::Devices { .. });
            queue
                .iter()
                .skip(known)
                .position(is_listing)
                .and_then(|index| queue.remove(known + index))
        });
        // The disks know no NICs.
        if let Some(Event::Devices { tag, disks, .. }) = listed {
            let world = Rc::clone(&self.world);
            self.spawn(async move {
                let listing = tokio::task::spawn_blocking(nic::list_nics).await;
                let nics = listing.ok().and_then(Result::ok).unwrap_or_default();
                world.push(Event::Devices { tag, disks, nics });
            });
        }
    }

    /// Lets the lanes go on and waits until there is something for the core, or the deadline has come.
    fn wait(&mut self, deadline: Option<Instant>) {
        let (world, knock, disks_news) = (&self.world, &self.knock, &self.disks_news);
        let files_are_used = !self.scribe.is_idle();
        self.runtime.block_on(async {
            if files_are_used {
                // The ring of the runtime is handed to the kernel only when its thread parks. While disks or sockets keep it busy it
                // might never park, so it knocks at its own door: it parks, and wakes at once.
                let _ = rustix::io::write(knock.get_ref(), &1u64.to_ne_bytes());
                readable(knock).await;
            } else {
                // Every lane that can go on goes on, and the sockets are looked at, once.
                tokio::task::yield_now().await;
            }
            if !world.is_empty() {
                return;
            }
            let due = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep(clock::until(deadline)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = readable(disks_news) => (),
                () = world.news.notified() => (),
                () = due => (),
            }
        });
    }
}

impl hal::Machine for UringMachine {
    fn now(&self) -> Moment {
        self.clocks.now()
    }

    fn submit(&mut self, op: Op) {
        match op {
            Op::ListDevices { .. }
            | Op::CreateFile { .. }
            | Op::RemoveFile { .. }
            | Op::Open { .. }
            | Op::Read { .. }
            | Op::Write { .. }
            | Op::Flush { .. }
            | Op::Discard { .. }
            | Op::Close { .. } => self.disks.submit(op),

            Op::OpenCard { tag, card, path } => {
                let answer = self.cards.open(card, path);
                self.answer(answer, move |result| Event::CardOpened { tag, result });
            }
            Op::ListCard { tag, card } => {
                let answer = self.cards.list(card);
                self.answer(answer, move |result| Event::CardListed { tag, result });
            }
            Op::LookCard { tag, card, path } => {
                let answer = self.cards.look(card, path);
                self.answer(answer, move |result| Event::CardLooked { tag, result });
            }
            Op::ReadCard {
                tag,
                card,
                at_bytes,
                into,
            } => {
                let mut lent = self.arena.lend(into);
                let answer = self.cards.read(card, at_bytes, into.length_bytes as usize);
                self.answer(answer, move |result: Result<Vec<u8>, IoError>| {
                    let result = result.map(|bytes| lent.copy_from_slice(&bytes));
                    drop(lent);
                    Event::Done { tag, result }
                });
            }
            Op::CloseCard { tag, card } => {
                self.cards.close(card);
                self.world.push(Event::Done { tag, result: Ok(()) });
            }

            Op::TrustKeys { keys } => self.trust(keys),
            Op::Dial { link: id, route, expect } => {
                let link = Rc::new(Link::dialled(id));
                self.world.links.borrow_mut().insert(id, Rc::clone(&link));
                self.spawn(dial::run(Rc::clone(&self.world), Rc::clone(&self.tls), link, route, expect));
            }
            Op::Receive { link, into } => {
                // Memory for a link that is down needs no return: it was never lent.
                if let Some(link) = self.link(link) {
                    link.receive(self.arena.lend(into));
                }
            }
            Op::Send {
                tag,
                link,
                message,
                body,
            } => self.send(tag, link, message, body),
            Op::HangUp { link } => {
                if let Some(link) = self.link(link) {
                    link.hang_up();
                }
            }

            Op::OpenFeed { feed, path } => self.open_feed(feed, path),
            Op::AdoptFeed { feed, client } => self.adopt(feed, client),
            Op::Fill { feed, into, until } => {
                let open = self.feed(feed).expect("a fill is of an open feed");
                open.fill(self.arena.lend(into), until);
            }
            Op::Drain { feed, until } => self.feed(feed).expect("a drain is of an open feed").drain(until),
            Op::CloseFeed { feed } => {
                if let Some(feed) = self.feed(feed) {
                    feed.close();
                }
            }

            Op::Reply { client, message } => {
                if let Some(client) = self.client(client) {
                    client.reply(message);
                }
            }
            Op::Deliver { tag, client, chunk } => self.deliver(tag, client, chunk),
            Op::Dismiss { client } => {
                if let Some(client) = self.client(client) {
                    client.dismiss();
                }
            }

            Op::ListPrograms { tag } => {
                let (world, folder) = (Rc::clone(&self.world), self.programs.clone());
                self.spawn(async move {
                    let listing = tokio::task::spawn_blocking(move || programs::list(&folder)).await;
                    let names = listing.unwrap_or_default();
                    world.push(Event::Programs { tag, names });
                });
            }
            Op::StartProgram { tag, name, input, limit } => {
                let (world, folder) = (Rc::clone(&self.world), self.programs.clone());
                self.spawn(async move {
                    let running = tokio::task::spawn_blocking(move || programs::run(&folder, &name, &input, limit)).await;
                    let result = running.unwrap_or(Err(IoError::Exhausted));
                    world.push(Event::ProgramEnded { tag, result });
                });
            }
            Op::SaveSettings { tag, document } => self.scribe.save(tag, document),
            Op::KeepEvent { line } => self.scribe.keep(line),
            Op::Stop => self.stop(),
        }
    }

    fn next(&mut self, deadline: Option<Instant>) -> Event {
        loop {
            if let Some(event) = self.world.pop() {
                return event;
            }
            self.disks.flush_submissions();
            self.wait(deadline);
            self.reap();
            let due = deadline.is_some_and(|deadline| clock::instant() >= deadline);
            if due && self.world.is_empty() {
                return Event::Tick;
            }
        }
    }

    fn memory(&mut self) -> &mut dyn Memory {
        &mut self.memory
    }
}

async fn stop_when_asked(world: Rc<World>, mut asked: Signal) {
    while asked.recv().await.is_some() {
        world.push(Event::StopAsked);
    }
}
