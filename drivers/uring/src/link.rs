//! One link that is up: frames out and frames in, over a stream that is already proven. Not how it came up (`dial.rs`,
//! `listener.rs`).
//!
//! Two straight lines, one out (`outflow.rs`) and one in (`inflow.rs`), that do not wait for each other: a send that is stuck stops no
//! receiving.
//!
//! Invariants: sends finish in order; when the link ends every send is answered and every lent span returned before
//! `LinkDown`, which is the last event of the link.

mod inflow;
mod outflow;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::time::Duration;

use hal::{Event, Fingerprint, LinkError, LinkId, Message, Tag};
use rustix::net::sockopt;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::limits::{HANG_UP_DEADLINE, KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, SEND_STALL_DEADLINE};
use crate::memory::Lent;
use crate::tls;
use crate::tls::handshake::Proven;
use crate::world::World;
use inflow::Inflow;
use outflow::Outflow;

/// Goodbye to a peer that closed or broke the rules: worth one try, not a wait.
const FAREWELL_DEADLINE: Duration = Duration::from_secs(1);

/// A link as the machine knows it.
pub(crate) struct Link {
    id: LinkId,
    /// The key of one that was accepted; none if it was dialled.
    accepted: Option<Fingerprint>,
    sends: RefCell<VecDeque<Outgoing>>,
    /// Sends that are being written, in order.
    sending: RefCell<VecDeque<Tag>>,
    credit: RefCell<VecDeque<Lent>>,
    end: Cell<End>,
    sender: Notify,
    ender: Notify,
}

struct Outgoing {
    tag: Tag,
    message: Message,
    body: Option<Lent>,
}

/// How far the core or the machine has ended the link.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    HangUp,
    Cut(LinkError),
}

impl Link {
    /// A link that is being dialled.
    pub(crate) fn dialled(id: LinkId) -> Link {
        Link::new(id, None)
    }

    /// A link that was accepted.
    pub(crate) fn accepted(id: LinkId, key: Fingerprint) -> Link {
        Link::new(id, Some(key))
    }

    fn new(id: LinkId, accepted: Option<Fingerprint>) -> Link {
        Link {
            id,
            accepted,
            sends: RefCell::default(),
            sending: RefCell::default(),
            credit: RefCell::default(),
            end: Cell::new(End::Open),
            sender: Notify::new(),
            ender: Notify::new(),
        }
    }

    /// Its name.
    pub(crate) fn id(&self) -> LinkId {
        self.id
    }

    /// The key that came in with it, if it came in.
    pub(crate) fn accepted_key(&self) -> Option<Fingerprint> {
        self.accepted
    }

    /// Queues a frame.
    pub(crate) fn send(&self, tag: Tag, message: Message, body: Option<Lent>) {
        self.sends.borrow_mut().push_back(Outgoing { tag, message, body });
        self.sender.notify_one();
    }

    /// Lends memory for one body.
    pub(crate) fn receive(&self, into: Lent) {
        self.credit.borrow_mut().push_back(into);
    }

    /// Ends it after what was queued.
    pub(crate) fn hang_up(&self) {
        if self.end.get() == End::Open {
            self.end.set(End::HangUp);
            self.sender.notify_one();
            self.ender.notify_one();
        }
    }

    /// Ends it now.
    pub(crate) fn cut(&self, why: LinkError) {
        self.end.set(End::Cut(why));
        self.ender.notify_one();
    }

    /// Waits until the link was ended in any way; for one that is not up yet.
    pub(crate) async fn ended(&self) -> LinkError {
        loop {
            match self.end.get() {
                End::Open => self.ender.notified().await,
                End::HangUp => return LinkError::HungUp,
                End::Cut(why) => return why,
            }
        }
    }

    async fn was_cut(&self) -> LinkError {
        loop {
            match self.end.get() {
                End::Open | End::HangUp => self.ender.notified().await,
                End::Cut(why) => return why,
            }
        }
    }

    /// Everything that was being written has been handed to the kernel.
    fn all_sent(&self, world: &World) {
        for tag in self.sending.take() {
            world.push(Event::Sent {
                tag,
                link: self.id,
                result: Ok(()),
            });
        }
    }

    /// Answers what is open and says that the link is down. No future that holds a span of the link may be alive.
    pub(crate) fn down(&self, world: &World, why: LinkError) {
        world.links.borrow_mut().remove(&self.id);
        let link = self.id;
        for tag in self.sending.take() {
            world.push(Event::Sent {
                tag,
                link,
                result: Err(why),
            });
        }
        for Outgoing { tag, body, .. } in self.sends.take() {
            drop(body);
            world.push(Event::Sent {
                tag,
                link,
                result: Err(why),
            });
        }
        self.credit.take();
        world.push(Event::LinkDown { link, why });
    }
}

/// Runs a link from up to down.
pub(crate) async fn run(world: &World, link: &Link, proven: Proven) {
    let Proven {
        mut stream,
        sealer,
        opener,
        unopened,
    } = proven;
    let mut outflow = Outflow::new(sealer);
    let mut inflow = Inflow::new(opener, unopened);
    let (mut reader, mut writer) = stream.split();
    let why = frames(world, link, (&mut inflow, &mut reader), (&mut outflow, &mut writer)).await;
    if matches!(why, LinkError::Closed | LinkError::Malformed | LinkError::KeyRefused) {
        // The result does not matter: the link is down for us either way.
        let _ = timeout(FAREWELL_DEADLINE, outflow.goodbye(&mut writer)).await;
    }
    drop((inflow, outflow, stream));
    link.down(world, why);
}

async fn frames(
    world: &World,
    link: &Link,
    (inflow, reader): (&mut Inflow, &mut ReadHalf<'_>),
    (outflow, writer): (&mut Outflow, &mut WriteHalf<'_>),
) -> LinkError {
    let mut receiving = pin!(receive_frames(world, link, inflow, reader));
    let mut sending = pin!(send_frames(world, link, outflow, writer));
    let sent = tokio::select! {
        biased;
        why = link.was_cut() => return why,
        why = &mut receiving => return why,
        sent = &mut sending => sent,
    };
    if let Err(why) = sent {
        return why;
    }
    // We said goodbye. What the other side still sends is taken, so that nothing in flight is destroyed by a reset.
    let _ = timeout(HANG_UP_DEADLINE, async {
        tokio::select! {
            _ = link.was_cut() => (),
            _ = &mut receiving => (),
        }
    })
    .await;
    LinkError::HungUp
}

/// Takes frames until there are no more.
async fn receive_frames(world: &World, link: &Link, inflow: &mut Inflow, reader: &mut ReadHalf<'_>) -> LinkError {
    loop {
        if let Err(why) = inflow.receive(world, link, reader).await {
            return why;
        }
        // One link that never pauses must not keep the other lanes waiting.
        tokio::task::yield_now().await;
    }
}

/// Sends what is queued until the core hangs up and all of it was sent; then says goodbye.
async fn send_frames(world: &World, link: &Link, outflow: &mut Outflow, writer: &mut WriteHalf<'_>) -> Result<(), LinkError> {
    loop {
        let next = link.sends.borrow_mut().pop_front();
        match next {
            Some(outgoing) => {
                link.sending.borrow_mut().push_back(outgoing.tag);
                let body = outgoing.body.as_deref().unwrap_or_default();
                outflow.send(&outgoing.message, body, writer).await?;
                // Short frames leave together. A body has left the memory, but is not said to have left before the bytes have.
                if outflow.is_full() || link.sends.borrow().is_empty() {
                    outflow.write(writer).await?;
                    drop(outgoing);
                    link.all_sent(world);
                    tokio::task::yield_now().await;
                }
            }
            None if link.end.get() == End::HangUp => return outflow.goodbye(writer).await,
            None => link.sender.notified().await,
        }
    }
}

/// What an error on a stream that was up means. Bytes that are no TLS any more are a broken connection, not a stranger; but an
/// alert that refuses our key is that.
fn broken(error: &io::Error) -> LinkError {
    match tls::meaning(error) {
        LinkError::NotTls => LinkError::Lost,
        why => why,
    }
}

/// The same for an error of TLS itself.
fn broken_tls(error: rustls::Error) -> LinkError {
    broken(&io::Error::other(error))
}

/// Options of every TCP connection.
pub(crate) fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(stream, KEEPALIVE_INTERVAL)?;
    let stall_ms = u32::try_from(SEND_STALL_DEADLINE.as_millis()).unwrap_or(u32::MAX);
    sockopt::set_tcp_user_timeout(stream, stall_ms)?;
    Ok(())
}
