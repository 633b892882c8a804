//! One link that is up: frames out and frames in, over a stream that is already proven. Not how it came up (`dial.rs`,
//! `listener.rs`).
//!
//! Two straight lines, one out and one in, that do not wait for each other: a send that is stuck stops no receiving.
//!
//! Invariants: sends finish in order; when the link ends every send is answered and every lent span returned before
//! `LinkDown`, which is the last event of the link.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::pin;
use std::time::Duration;

use hal::{Event, Fingerprint, LinkError, LinkId, Message, Tag};
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::frame::{HEADER_BYTES, Header};
use crate::limits::{HANG_UP_DEADLINE, KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, SEND_PIECE_BYTES, SEND_STALL_DEADLINE};
use crate::memory::Lent;
use crate::tls;
use crate::world::World;

/// Goodbye to a peer that closed or broke the rules: worth one try, not a wait.
const FAREWELL_DEADLINE: Duration = Duration::from_secs(1);

/// A link as the machine knows it.
pub(crate) struct Link {
    id: LinkId,
    /// The key of one that was accepted; none if it was dialled.
    accepted: Option<Fingerprint>,
    sends: RefCell<VecDeque<Outgoing>>,
    /// The send that is being written.
    sending: Cell<Option<Tag>>,
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
            sending: Cell::new(None),
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

    /// Answers what is open and says that the link is down. No future that holds a span of the link may be alive.
    pub(crate) fn down(&self, world: &World, why: LinkError) {
        world.links.borrow_mut().remove(&self.id);
        let link = self.id;
        if let Some(tag) = self.sending.take() {
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
pub(crate) async fn run(world: &World, link: &Link, stream: impl AsyncRead + AsyncWrite) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let why = frames(world, link, &mut reader, &mut writer).await;
    if matches!(why, LinkError::Closed | LinkError::Malformed | LinkError::KeyRefused) {
        // The result does not matter: the link is down for us either way.
        let _ = timeout(FAREWELL_DEADLINE, writer.shutdown()).await;
    }
    drop((reader, writer));
    link.down(world, why);
}

async fn frames(
    world: &World,
    link: &Link,
    reader: &mut (impl AsyncRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
) -> LinkError {
    let mut receiving = pin!(receive_frames(world, link, reader));
    let mut sending = pin!(send_frames(world, link, writer));
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
async fn receive_frames(world: &World, link: &Link, reader: &mut (impl AsyncRead + Unpin)) -> LinkError {
    loop {
        match receive_frame(link, reader).await {
            Ok((message, body)) => {
                let body = body.map(|(lent, body_bytes)| lent.span().part(0, body_bytes));
                world.push(Event::Frame {
                    link: link.id,
                    message,
                    body,
                });
            }
            Err(why) => return why,
        }
        // Many small frames in one read must not keep the other lanes waiting.
        tokio::task::yield_now().await;
    }
}

async fn receive_frame(link: &Link, reader: &mut (impl AsyncRead + Unpin)) -> Result<(Message, Option<(Lent, u32)>), LinkError> {
    let mut head = [0; HEADER_BYTES];
    let first = reader.read(&mut head).await.map_err(|error| broken(&error))?;
    if first == 0 {
        return Err(LinkError::Closed);
    }
    reader.read_exact(&mut head[first..]).await.map_err(|error| broken(&error))?;
    let header = Header::of_frame(&head).map_err(|_| LinkError::Malformed)?;
    let mut lent = match header.body_bytes {
        0 => None,
        _ => Some(link.credit.borrow_mut().pop_front().ok_or(LinkError::Malformed)?),
    };
    if lent.as_ref().is_some_and(|lent| lent.span().length_bytes < header.body_bytes) {
        return Err(LinkError::Malformed);
    }
    let mut message = Message::new();
    message
        .resize(usize::from(header.message_bytes), 0)
        .map_err(|_| LinkError::Malformed)?;
    reader.read_exact(&mut message).await.map_err(|error| broken(&error))?;
    if let Some(lent) = &mut lent {
        reader
            .read_exact(&mut lent[..header.body_bytes as usize])
            .await
            .map_err(|error| broken(&error))?;
    }
    Ok((message, lent.map(|lent| (lent, header.body_bytes))))
}

/// Sends what is queued until the core hangs up and all of it was sent; then says goodbye.
async fn send_frames(world: &World, link: &Link, writer: &mut (impl AsyncWrite + Unpin)) -> Result<(), LinkError> {
    loop {
        let next = link.sends.borrow_mut().pop_front();
        match next {
            Some(outgoing) => {
                let tag = outgoing.tag;
                link.sending.set(Some(tag));
                send_frame(&outgoing, writer).await?;
                drop(outgoing);
                link.sending.set(None);
                world.push(Event::Sent {
                    tag,
                    link: link.id,
                    result: Ok(()),
                });
            }
            None if link.end.get() == End::HangUp => return moves(writer.shutdown()).await,
            None => link.sender.notified().await,
        }
    }
}

/// Header, message and the start of the body leave in one piece.
async fn send_frame(outgoing: &Outgoing, writer: &mut (impl AsyncWrite + Unpin)) -> Result<(), LinkError> {
    let body: &[u8] = outgoing.body.as_deref().unwrap_or_default();
    let message_bytes = u16::try_from(outgoing.message.len()).expect("a message is at most 512 bytes");
    let body_bytes = u32::try_from(body.len()).expect("a span has a 32-bit length");
    let mut head: heapless::Vec<u8, { HEADER_BYTES + hal::MESSAGE_BYTES_MAX }> = heapless::Vec::new();
    let header = Header {
        message_bytes,
        body_bytes,
    }
    .to_bytes();
    for part in [&header[..], &outgoing.message] {
        head.extend_from_slice(part).expect("a header and the longest message fit");
    }
    let mut head = head.as_slice();
    let mut body = body;
    while !(head.is_empty() && body.is_empty()) {
        let piece = &body[..body.len().min(SEND_PIECE_BYTES)];
        let written = moves(writer.write_vectored(&[IoSlice::new(head), IoSlice::new(piece)])).await?;
        if written == 0 {
            return Err(LinkError::Lost);
        }
        let of_head = written.min(head.len());
        head = &head[of_head..];
        body = &body[written - of_head..];
    }
    moves(writer.flush()).await
}

/// One move of a send, which must happen before the deadline.
async fn moves<T>(step: impl Future<Output = io::Result<T>>) -> Result<T, LinkError> {
    match timeout(SEND_STALL_DEADLINE, step).await {
        Ok(result) => result.map_err(|error| broken(&error)),
        Err(_) => Err(LinkError::TimedOut),
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
