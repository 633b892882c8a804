//! A door through which a recorder's bytes come in: a socket of its own, or the rest of a control client's connection. Bytes go
//! straight into lent memory; what they mean is not known here.
//!
//! Invariants: one feeder at a time, the others wait in the backlog. Nothing is read that was not asked for, so a feeder that
//! is not drained is held up by the kernel. Every fill and drain is answered, by [`Event::Filled`], before the feed is closed.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use hal::{Event, FeedId, Instant, IoError};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::Notify;

use crate::clock;
use crate::local_socket::LocalSocket;
use crate::memory::Lent;
use crate::world::World;

/// What is thrown away in one read.
const DRAIN_BYTES: usize = 64 * 1024;
/// After an accept that failed for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A feed as the machine knows it.
pub(crate) struct Feed {
    id: FeedId,
    request: RefCell<Option<Request>>,
    closing: Cell<bool>,
    wake: Notify,
}

enum Request {
    Fill { into: Lent, until: Instant },
    Drain { until: Instant },
}

impl Feed {
    /// A feed that is being opened.
    pub(crate) fn new(id: FeedId) -> Feed {
        Feed {
            id,
            request: RefCell::default(),
            closing: Cell::new(false),
            wake: Notify::new(),
        }
    }

    /// Its name.
    pub(crate) fn id(&self) -> FeedId {
        self.id
    }

    /// Asks for bytes.
    pub(crate) fn fill(&self, into: Lent, until: Instant) {
        self.ask(Request::Fill { into, until });
    }

    /// Asks for bytes to be thrown away.
    pub(crate) fn drain(&self, until: Instant) {
        self.ask(Request::Drain { until });
    }

    fn ask(&self, request: Request) {
        let before = self.request.replace(Some(request));
        assert!(before.is_none(), "one fill or drain at a time");
        self.wake.notify_one();
    }

    /// Closes it once what is in flight is answered.
    pub(crate) fn close(&self) {
        self.closing.set(true);
        self.wake.notify_one();
    }

    async fn closed(&self) {
        while !self.closing.get() {
            self.wake.notified().await;
        }
    }

    /// The next request; none once the feed is to be closed and nothing is asked.
    async fn next(&self) -> Option<Request> {
        loop {
            if let Some(request) = self.request.take() {
                return Some(request);
            }
            if self.closing.get() {
                return None;
            }
            self.wake.notified().await;
        }
    }
}

/// Where the bytes come from.
pub(crate) enum Door<'a> {
    /// A socket, and the feeder that is connected.
    Socket {
        /// Where feeders come in.
        socket: LocalSocket,
        /// Who is in.
        feeder: Option<UnixStream>,
    },
    /// A control client's connection.
    Client {
        /// The connection.
        half: &'a mut OwnedReadHalf,
        /// Bytes of the feed that were read together with the call.
        rest: Vec<u8>,
        /// The client has closed its sending side.
        ended: bool,
    },
}

impl Door<'_> {
    /// Some bytes of the feeder, waiting for one if there is none; 0 at its end. May be dropped while it waits.
    async fn read(&mut self, into: &mut [u8]) -> usize {
        match self {
            Door::Socket { socket, feeder } => {
                let stream = match feeder {
                    Some(stream) => stream,
                    None => feeder.insert(accept(socket).await),
                };
                // A feeder that was reset has ended like one that closed.
                let bytes = stream.read(into).await.unwrap_or(0);
                if bytes == 0 {
                    *feeder = None;
                }
                bytes
            }
            Door::Client { rest, .. } if !rest.is_empty() => {
                let bytes = rest.len().min(into.len());
                into[..bytes].copy_from_slice(&rest[..bytes]);
                rest.drain(..bytes);
                bytes
            }
            Door::Client { ended: true, .. } => 0,
            Door::Client { half, ended, .. } => {
                let bytes = half.read(into).await.unwrap_or(0);
                *ended = bytes == 0;
                bytes
            }
        }
    }
}

async fn accept(socket: &LocalSocket) -> UnixStream {
    loop {
        match socket.accept().await {
            Ok(stream) => return stream,
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Opens a socket as a feed and serves it until it is closed.
pub(crate) async fn open(world: Rc<World>, feed: Rc<Feed>, path: String) {
    let socket = match LocalSocket::bind(Path::new(&path), None).await {
        Ok(socket) => socket,
        Err(error) => return refuse(&world, feed.id, error.meaning()),
    };
    world.push(Event::FeedOpened {
        feed: feed.id,
        result: Ok(()),
    });
    serve(&world, &feed, Door::Socket { socket, feeder: None }).await;
}

/// Answers fills and drains until the feed is closed.
pub(crate) async fn serve(world: &World, feed: &Feed, mut door: Door<'_>) {
    while let Some(request) = feed.next().await {
        let (bytes, end) = match request {
            Request::Fill { mut into, until } => fill(feed, &mut door, &mut into, until).await,
            Request::Drain { until } => drain(feed, &mut door, until).await,
        };
        world.push(Event::Filled {
            feed: feed.id,
            bytes,
            end,
        });
    }
    world.feeds.borrow_mut().remove(&feed.id);
}

async fn fill(feed: &Feed, door: &mut Door<'_>, into: &mut [u8], until: Instant) -> (u64, bool) {
    let mut deadline = std::pin::pin!(tokio::time::sleep(clock::until(until)));
    let mut filled = 0;
    while filled < into.len() {
        // Bytes that are there come before a deadline that is over: a fill with a past deadline takes what there is.
        let bytes = tokio::select! {
            biased;
            bytes = door.read(&mut into[filled..]) => bytes,
            () = feed.closed() => break,
            () = &mut deadline => break,
        };
        if bytes == 0 {
            return (filled as u64, true);
        }
        filled += bytes;
    }
    (filled as u64, false)
}

async fn drain(feed: &Feed, door: &mut Door<'_>, until: Instant) -> (u64, bool) {
    let mut deadline = std::pin::pin!(tokio::time::sleep(clock::until(until)));
    let mut scratch = vec![0; DRAIN_BYTES];
    let mut drained = 0;
    loop {
        // A feeder that never pauses must not stop the deadline.
        let bytes = tokio::select! {
            biased;
            () = feed.closed() => return (drained, false),
            () = &mut deadline => return (drained, false),
            bytes = door.read(&mut scratch) => bytes,
        };
        if bytes == 0 {
            return (drained, true);
        }
        drained += bytes as u64;
    }
}

/// Says why a feed did not open.
pub(crate) fn refuse(world: &World, feed: FeedId, why: IoError) {
    world.feeds.borrow_mut().remove(&feed);
    world.push(Event::FeedOpened { feed, result: Err(why) });
}
