//! The way into one link: records are opened where they were read, and their bytes go into frames; bodies into lent memory.
//!
//! All links of a machine read into the same buffer, one after the other, since there is one thread: it stays in the cache of the
//! processor, and an idle link costs the beginning of a record at most.
//!
//! Invariant: a body that came without credit, or is longer than what was lent, ends the link before a byte of it is kept.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Poll, ready};

use hal::{Event, LinkError, Message};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::tcp::ReadHalf;

use super::{Link, broken, broken_tls};
use crate::frame::{HEADER_BYTES, Header};
use crate::limits::RECEIVE_BYTES;
use crate::memory::Lent;
use crate::tls::record::{Opened, Opener, WIRE_BYTES_MAX};
use crate::world::World;

/// What has come and is not whole.
pub(super) struct Inflow {
    opener: Opener,
    /// Records that are not opened: at first what came behind the handshake, then the beginning of one at most.
    unopened: Vec<u8>,
    frame: Frame,
}

/// A frame that is coming.
struct Frame {
    head: [u8; HEADER_BYTES],
    head_bytes: usize,
    /// Set once the head is whole.
    rest: Option<Rest>,
}

struct Rest {
    message: Message,
    message_bytes: usize,
    body: Option<Lent>,
    body_bytes: u32,
    filled_bytes: usize,
}

impl Inflow {
    pub(super) fn new(opener: Opener, unopened: Vec<u8>) -> Inflow {
        Inflow {
            opener,
            unopened,
            frame: Frame {
                head: [0; HEADER_BYTES],
                head_bytes: 0,
                rest: None,
            },
        }
    }

    /// Waits for bytes, and tells the core the frames that are whole with them.
    pub(super) async fn receive(&mut self, world: &World, link: &Link, reader: &mut ReadHalf<'_>) -> Result<(), LinkError> {
        poll_fn(|context| {
            let mut buffer = world.receive_buffer.borrow_mut();
            buffer.resize(RECEIVE_BYTES + WIRE_BYTES_MAX, 0);
            let kept = self.unopened.len();
            let mut read = ReadBuf::new(&mut buffer[kept..]);
            if let Err(error) = ready!(Pin::new(&mut *reader).poll_read(context, &mut read)) {
                return Poll::Ready(Err(broken(&error)));
            }
            let bytes = read.filled().len();
            if bytes == 0 {
                return Poll::Ready(Err(LinkError::Lost));
            }
            buffer[..kept].copy_from_slice(&self.unopened);
            Poll::Ready(self.open(world, link, &mut buffer[..kept + bytes]))
        })
        .await
    }

    /// Opens all whole records, and keeps the rest.
    fn open(&mut self, world: &World, link: &Link, mut wire: &mut [u8]) -> Result<(), LinkError> {
        while let Some(length) = Opener::length(wire)
            .map_err(broken_tls)?
            .filter(|length| *length <= wire.len())
        {
            let (record, behind) = wire.split_at_mut(length);
            match self.opener.open(record).map_err(broken_tls)? {
                Opened::Data(data) => self.frame.take(world, link, data)?,
                Opened::Aside => {}
                Opened::Goodbye => return Err(LinkError::Closed),
            }
            wire = behind;
        }
        self.unopened.clear();
        self.unopened.extend_from_slice(wire);
        Ok(())
    }
}

impl Frame {
    /// Takes bytes of the other side in.
    fn take(&mut self, world: &World, link: &Link, mut data: &[u8]) -> Result<(), LinkError> {
        while !data.is_empty() {
            let Some(rest) = &mut self.rest else {
                let bytes = fill(&mut self.head[self.head_bytes..], data);
                self.head_bytes += bytes;
                data = &data[bytes..];
                if self.head_bytes == HEADER_BYTES {
                    self.rest = Some(Rest::begin(&self.head, link)?);
                    self.head_bytes = 0;
                }
                continue;
            };
            let bytes = fill(&mut rest.message[rest.message_bytes..], data);
            rest.message_bytes += bytes;
            data = &data[bytes..];
            if let Some(body) = &mut rest.body {
                let bytes = fill(&mut body[rest.filled_bytes..rest.body_bytes as usize], data);
                rest.filled_bytes += bytes;
                data = &data[bytes..];
            }
            if rest.message_bytes == rest.message.len() && rest.filled_bytes == rest.body_bytes as usize {
                self.tell(world, link);
            }
        }
        Ok(())
    }

    fn tell(&mut self, world: &World, link: &Link) {
        if let Some(rest) = self.rest.take() {
            let body = rest.body.map(|lent| lent.span().part(0, rest.body_bytes));
            world.push(Event::Frame {
                link: link.id,
                message: rest.message,
                body,
            });
        }
    }
}

impl Rest {
    fn begin(head: &[u8; HEADER_BYTES], link: &Link) -> Result<Rest, LinkError> {
        let header = Header::of_frame(head).map_err(|_| LinkError::Malformed)?;
        let body = match header.body_bytes {
            0 => None,
            _ => Some(link.credit.borrow_mut().pop_front().ok_or(LinkError::Malformed)?),
        };
        if body.as_ref().is_some_and(|lent| lent.span().length_bytes < header.body_bytes) {
            return Err(LinkError::Malformed);
        }
        let mut message = Message::new();
        message
            .resize(usize::from(header.message_bytes), 0)
            .map_err(|_| LinkError::Malformed)?;
        Ok(Rest {
            message,
            message_bytes: 0,
            body,
            body_bytes: header.body_bytes,
            filled_bytes: 0,
        })
    }
}

/// Copies as much as fits; says how much that was.
fn fill(into: &mut [u8], data: &[u8]) -> usize {
    let bytes = into.len().min(data.len());
    into[..bytes].copy_from_slice(&data[..bytes]);
    bytes
}
