//! The way out of one link: frames are sealed into one buffer, which leaves in few calls.
//!
//! Invariant: what was sealed is written whole and in order, also if a write was given up half-way; otherwise the other side could open
//! nothing more, not even the goodbye.

use std::future::Future;
use std::io;

use hal::{LinkError, MESSAGE_BYTES_MAX, Message};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::WriteHalf;
use tokio::time::timeout;

use super::{broken, broken_tls};
use crate::frame::{HEADER_BYTES, Header};
use crate::limits::{SEND_BATCH_BYTES, SEND_STALL_DEADLINE};
use crate::tls::record::{RECORD_BYTES, Sealer};

/// What is sealed and not written.
pub(super) struct Outflow {
    sealer: Sealer,
    /// Grows to a batch with the first block, and stays.
    wire: Vec<u8>,
    written: usize,
}

impl Outflow {
    pub(super) fn new(sealer: Sealer) -> Outflow {
        Outflow {
            sealer,
            wire: Vec::new(),
            written: 0,
        }
    }

    /// Enough waits for a call of its own.
    pub(super) fn is_full(&self) -> bool {
        self.wire.len() >= SEND_BATCH_BYTES
    }

    /// Seals a frame, and writes as often as a batch is full. The rest waits for [`Outflow::write`].
    pub(super) async fn send(&mut self, message: &Message, body: &[u8], writer: &mut WriteHalf<'_>) -> Result<(), LinkError> {
        let header = Header {
            message_bytes: u16::try_from(message.len()).expect("a message is at most 512 bytes"),
            body_bytes: u32::try_from(body.len()).expect("a span has a 32-bit length"),
        };
        let mut head: heapless::Vec<u8, { HEADER_BYTES + MESSAGE_BYTES_MAX }> = heapless::Vec::new();
        for part in [&header.to_bytes()[..], message] {
            head.extend_from_slice(part).expect("a header and the longest message fit");
        }
        // Head and the start of the body share a record.
        let (first, mut rest) = body.split_at(body.len().min(RECORD_BYTES - head.len()));
        self.sealer.seal(&[&head, first], &mut self.wire).map_err(broken_tls)?;
        while !rest.is_empty() {
            if self.is_full() {
                self.write(writer).await?;
            }
            let (piece, behind) = rest.split_at(rest.len().min(RECORD_BYTES));
            self.sealer.seal(&[piece], &mut self.wire).map_err(broken_tls)?;
            rest = behind;
        }
        Ok(())
    }

    /// Writes everything that was sealed.
    pub(super) async fn write(&mut self, writer: &mut WriteHalf<'_>) -> Result<(), LinkError> {
        while self.written < self.wire.len() {
            match moves(writer.write(&self.wire[self.written..])).await? {
                0 => return Err(LinkError::Lost),
                bytes => self.written += bytes,
            }
        }
        self.wire.clear();
        self.written = 0;
        Ok(())
    }

    /// Writes everything, then says that nothing follows.
    pub(super) async fn goodbye(&mut self, writer: &mut WriteHalf<'_>) -> Result<(), LinkError> {
        self.sealer.goodbye(&mut self.wire).map_err(broken_tls)?;
        self.write(writer).await?;
        moves(writer.shutdown()).await
    }
}

/// One move of a send, which must happen before the deadline.
async fn moves<T>(step: impl Future<Output = io::Result<T>>) -> Result<T, LinkError> {
    match timeout(SEND_STALL_DEADLINE, step).await {
        Ok(result) => result.map_err(|error| broken(&error)),
        Err(_) => Err(LinkError::TimedOut),
    }
}
