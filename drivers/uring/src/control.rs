//! The control socket: JSON messages that end with NUL, from and to programs on this host. Not what they say: that is the core's.
//!
//! Each client has a task of its own, and what waits for one that does not read is bounded, so none can hold up another.
//! A client that closes its sending side is gone, unless its connection was adopted as a feed.
//!
//! Invariant: `ClientGone` is the last event of a client, after every chunk was answered and its feed was closed.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use hal::{ClientId, Event, IoError, Role, Tag};
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::calls::Calls;
use crate::errno;
use crate::feed::{self, Door, Feed};
use crate::limits::{
    ADMIN_CALL_BYTES_MAX, CALL_BYTES_MAX, CLIENT_STALL_DEADLINE, CLIENTS_MAX, HANG_UP_DEADLINE, REPLIES_MAX, REPLY_BYTES_MAX,
};
use crate::local_socket::LocalSocket;
use crate::memory::Lent;
use crate::role::Doorkeeper;
use crate::world::World;

/// After an accept that failed for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Said to a client before it is dismissed for a call that is too long.
const TOO_LONG: &[u8] =
    br#"{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"message longer than 65536 bytes, 4194304 of an administrator"}}"#;
/// Said to one client too many.
const TOO_MANY: &[u8] = b"{\"error\":\"io.blockhaul.Busy\",\"parameters\":{\"code\":\"Busy\",\"sentence\":\"64 programs are connected to the control socket already\",\"next\":\"end one of them\"}}\0";

/// A client as the machine knows it.
pub(crate) struct Client {
    id: ClientId,
    outbox: RefCell<VecDeque<Outgoing>>,
    replies: Cell<usize>,
    reply_bytes: Cell<usize>,
    /// The chunk that is being written.
    delivering: Cell<Option<Tag>>,
    /// It is to go now: it does not read its replies.
    overrun: Cell<bool>,
    /// What the core says to an upgraded call.
    verdict: RefCell<Option<Verdict>>,
    /// Set once the feed that took over was closed: then it goes after its reply.
    fed: Cell<bool>,
    writer: Notify,
    reader: Notify,
}

enum Outgoing {
    Reply(Vec<u8>),
    Chunk { tag: Tag, chunk: Lent },
    Dismiss,
}

enum Verdict {
    Resume,
    Adopt(Rc<Feed>),
}

/// Why no more calls are read.
enum NoCalls {
    Gone,
    TooLong,
    Fed,
}

impl Client {
    fn new(id: ClientId) -> Client {
        Client {
            id,
            outbox: RefCell::default(),
            replies: Cell::new(0),
            reply_bytes: Cell::new(0),
            delivering: Cell::new(None),
            overrun: Cell::new(false),
            verdict: RefCell::default(),
            fed: Cell::new(false),
            writer: Notify::new(),
            reader: Notify::new(),
        }
    }

    /// Queues an answer; one that finds the queue full is the client's last.
    pub(crate) fn reply(&self, message: Vec<u8>) {
        let bytes = self.reply_bytes.get() + message.len();
        if self.replies.get() >= REPLIES_MAX || (self.replies.get() > 0 && bytes > REPLY_BYTES_MAX) {
            self.overrun.set(true);
            self.writer.notify_one();
            return;
        }
        self.replies.set(self.replies.get() + 1);
        self.reply_bytes.set(bytes);
        self.queue(Outgoing::Reply(message));
        self.decide(Verdict::Resume);
    }

    /// Queues a chunk.
    pub(crate) fn deliver(&self, tag: Tag, chunk: Lent) {
        self.queue(Outgoing::Chunk { tag, chunk });
    }

    /// Ends it after what is queued.
    pub(crate) fn dismiss(&self) {
        self.queue(Outgoing::Dismiss);
    }

    /// Its connection becomes a feed.
    pub(crate) fn adopt(&self, feed: Rc<Feed>) {
        self.decide(Verdict::Adopt(feed));
    }

    fn queue(&self, outgoing: Outgoing) {
        self.outbox.borrow_mut().push_back(outgoing);
        self.writer.notify_one();
    }

    fn decide(&self, verdict: Verdict) {
        let mut decided = self.verdict.borrow_mut();
        // An adoption that was not taken up yet stands.
        if !matches!(*decided, Some(Verdict::Adopt(_))) {
            *decided = Some(verdict);
            self.reader.notify_one();
        }
    }

    /// An answer to an earlier call says nothing about the next.
    fn forget_answer(&self) {
        let mut decided = self.verdict.borrow_mut();
        if matches!(*decided, Some(Verdict::Resume)) {
            *decided = None;
        }
    }

    async fn verdict(&self) -> Verdict {
        loop {
            if let Some(verdict) = self.verdict.take() {
                return verdict;
            }
            self.reader.notified().await;
        }
    }

    /// Answers what is open and says that the client is gone.
    fn gone(&self, world: &World) {
        world.clients.borrow_mut().remove(&self.id);
        let client = self.id;
        let delivered = |tag| Event::Delivered {
            tag,
            client,
            result: Err(IoError::Gone),
        };
        if let Some(tag) = self.delivering.take() {
            world.push(delivered(tag));
        }
        for outgoing in self.outbox.take() {
            if let Outgoing::Chunk { tag, chunk } = outgoing {
                drop(chunk);
                world.push(delivered(tag));
            }
        }
        if let Some(Verdict::Adopt(feed)) = self.verdict.take() {
            feed::refuse(world, feed.id(), IoError::Gone);
        }
        world.push(Event::ClientGone { client });
    }
}

/// Accepts clients until the machine stops.
pub(crate) async fn listen(world: Rc<World>, socket: LocalSocket, doorkeeper: Rc<Doorkeeper>) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = world.stopped() => return,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok(stream) if world.clients.borrow().len() >= CLIENTS_MAX => {
                // The socket is new and its buffer empty; if it does not fit all the same, closing says enough.
                let _ = stream.try_write(TOO_MANY);
            }
            Ok(stream) => {
                let client = Rc::new(Client::new(world.next_client()));
                world.clients.borrow_mut().insert(client.id, Rc::clone(&client));
                tokio_uring::spawn(run(Rc::clone(&world), client, stream, Rc::clone(&doorkeeper)));
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn run(world: Rc<World>, client: Rc<Client>, stream: UnixStream, doorkeeper: Rc<Doorkeeper>) {
    if let Ok((role, uid)) = doorkeeper.role_of(&stream).await {
        let (mut read_half, mut write_half) = stream.into_split();
        converse(&world, &client, role, uid, &mut read_half, &mut write_half).await;
    }
    client.gone(&world);
}

async fn converse(
    world: &World,
    client: &Client,
    role: Role,
    uid: u32,
    read_half: &mut OwnedReadHalf,
    write_half: &mut OwnedWriteHalf,
) {
    let adopted = Cell::new(false);
    let mut reading = pin!(read_calls(world, client, role, uid, read_half, &adopted));
    let mut writing = pin!(write_answers(world, client, write_half));
    let ended = tokio::select! {
        biased;
        () = &mut writing => None,
        ended = &mut reading => Some(ended),
    };
    match ended {
        // The feed is still the core's until it closes it; it finds the end of the stream there.
        None if adopted.get() => {
            reading.await;
        }
        None | Some(NoCalls::Gone) => (),
        Some(NoCalls::TooLong) => {
            client.reply(TOO_LONG.to_vec());
            client.dismiss();
            let _ = timeout(HANG_UP_DEADLINE, writing).await;
        }
        Some(NoCalls::Fed) => {
            client.fed.set(true);
            client.writer.notify_one();
            writing.await;
        }
    }
}

/// Reads calls until the client goes, is too rude, or was adopted as a feed that has been closed.
async fn read_calls(
    world: &World,
    client: &Client,
    role: Role,
    uid: u32,
    read_half: &mut OwnedReadHalf,
    adopted: &Cell<bool>,
) -> NoCalls {
    let longest = if role == Role::Admin {
        ADMIN_CALL_BYTES_MAX
    } else {
        CALL_BYTES_MAX
    };
    let mut calls = Calls::new(longest);
    loop {
        let mut verdict = None;
        let Ok(call) = calls.take() else {
            return NoCalls::TooLong;
        };
        if let Some(message) = call {
            let upgrade = wants_upgrade(&message);
            client.forget_answer();
            world.push(Event::Call {
                client: client.id,
                role,
                uid,
                message,
            });
            if upgrade {
                // What follows may not be calls any more: only the core knows.
                verdict = Some(client.verdict().await);
            } else {
                // Many calls in one read must not keep the other clients waiting.
                tokio::task::yield_now().await;
            }
        } else {
            tokio::select! {
                biased;
                decided = client.verdict() => verdict = Some(decided),
                read = read_half.read_buf(calls.room()) => if !matches!(read, Ok(1..)) { return NoCalls::Gone },
            }
        }
        if let Some(Verdict::Adopt(feed)) = verdict {
            adopted.set(true);
            world.push(Event::FeedOpened {
                feed: feed.id(),
                result: Ok(()),
            });
            feed::serve(
                world,
                &feed,
                Door::Client {
                    half: read_half,
                    rest: calls.into_rest(),
                    ended: false,
                },
            )
            .await;
            return NoCalls::Fed;
        }
    }
}

/// Whether the caller hands the connection over. Junk does not; the core will say that it is junk.
fn wants_upgrade(message: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Call {
        #[serde(default)]
        upgrade: bool,
    }
    serde_json::from_slice::<Call>(message).is_ok_and(|call| call.upgrade)
}

/// Writes answers until the core dismisses the client, or the client does not take them.
async fn write_answers(world: &World, client: &Client, write_half: &mut OwnedWriteHalf) {
    let mut in_chunks = false;
    let mut answered = false;
    loop {
        if client.overrun.get() {
            return;
        }
        let next = client.outbox.borrow_mut().pop_front();
        match next {
            Some(Outgoing::Reply(mut message)) => {
                client.replies.set(client.replies.get() - 1);
                client.reply_bytes.set(client.reply_bytes.get() - message.len());
                message.push(0);
                if in_chunks {
                    message.splice(0..0, 0u32.to_le_bytes());
                    in_chunks = false;
                }
                if write(client, write_half, &message).await.is_err() {
                    return;
                }
                answered = true;
            }
            Some(Outgoing::Chunk { tag, chunk }) => {
                client.delivering.set(Some(tag));
                let length = chunk.span().length_bytes.to_le_bytes();
                in_chunks = true;
                for part in [&length[..], &chunk] {
                    if write(client, write_half, part).await.is_err() {
                        return;
                    }
                }
                drop(chunk);
                client.delivering.set(None);
                world.push(Event::Delivered {
                    tag,
                    client: client.id,
                    result: Ok(()),
                });
            }
            Some(Outgoing::Dismiss) => {
                let _ = write_half.shutdown().await;
                return;
            }
            None if client.fed.get() && answered => return,
            None => client.writer.notified().await,
        }
    }
}

/// Writes all of it, as long as it moves and the client has not overrun its queue.
async fn write(client: &Client, write_half: &mut OwnedWriteHalf, bytes: &[u8]) -> Result<(), IoError> {
    let mut left = bytes;
    while !left.is_empty() {
        let moved = tokio::select! {
            biased;
            moved = moves(write_half.write(left)) => moved?,
            () = overrun(client) => return Err(IoError::Exhausted),
        };
        left = &left[moved..];
    }
    Ok(())
}

async fn overrun(client: &Client) {
    while !client.overrun.get() {
        client.writer.notified().await;
    }
}

async fn moves(step: impl Future<Output = io::Result<usize>>) -> Result<usize, IoError> {
    match timeout(CLIENT_STALL_DEADLINE, step).await {
        Ok(Ok(0)) => Err(IoError::Gone),
        Ok(result) => result.map_err(|error| errno::of_local(&error)),
        Err(_) => Err(IoError::TimedOut),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upgrades_are_seen_in_any_order_and_only_where_they_are() {
        assert!(wants_upgrade(br#"{"method":"io.blockhaul.Recorder.Record","upgrade":true}"#));
        assert!(wants_upgrade(
            br#"{"upgrade":true,"parameters":{"name":"gate"},"method":"x"}"#
        ));
        assert!(!wants_upgrade(br#"{"method":"x","parameters":{"upgrade":true}}"#));
        assert!(!wants_upgrade(b"junk"));
        assert!(!wants_upgrade(b""));
    }

    #[test]
    fn what_is_said_to_those_who_go_is_json() {
        for said in [TOO_LONG, TOO_MANY.strip_suffix(b"\0").unwrap()] {
            let value: serde_json::Value = serde_json::from_slice(said).unwrap();
            assert!(value["error"].is_string());
        }
    }
}
