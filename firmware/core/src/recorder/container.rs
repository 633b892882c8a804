//! What a recorded stream is, seen from its bytes: its container, what a decoder needs before it can start anywhere
//! (init data), and where key frames begin.
//!
//! Not a demultiplexer and not a judge: whatever comes is recorded as it is, this only looks on. A stream of a kind that is
//! not known is [`Container::Raw`] and has no init data.
//!
//! Invariants: nothing is allocated after [`Scanner::new`]; no input makes it panic; the result does not depend on the
//! pieces in which the bytes came.

mod fragments;
mod splice;
mod transport;

use fragments::Fragments;
pub use splice::{Leads, leads, splice};
pub use transport::{PACKET_BYTES, null_packet};
use transport::{SYNC_BYTE, Transport};

/// Longest init data kept per block, in bytes (it lies in the header sector).
pub const INIT_BYTES_MAX: usize = 3072;

/// Init data: whole and in the order in which a decoder wants it, or empty.
type Init = heapless::Vec<u8, INIT_BYTES_MAX>;

/// Kinds of stream that are told apart. The numbers are those of the block header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Container {
    /// Bytes that nothing is known of.
    #[default]
    Raw = 0,
    /// MPEG transport stream in packets of 188 bytes.
    MpegTs = 1,
    /// Fragmented MP4: `ftyp`, `moov`, then pairs of `moof` and `mdat`.
    Fmp4 = 2,
}

impl Container {
    /// The number in the block header.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// From the number in a block header; none for a number that this version does not know.
    pub fn from_number(number: u8) -> Option<Container> {
        match number {
            0 => Some(Container::Raw),
            1 => Some(Container::MpegTs),
            2 => Some(Container::Fmp4),
            _ => None,
        }
    }
}

/// Bytes that are enough to decide: three transport packets begin in them.
const HEAD_BYTES: usize = 2 * PACKET_BYTES + 1;

/// Bytes of a box's size and type, which tell an MP4 file from the rest.
const BOX_HEADER_BYTES: usize = 8;

/// What is known so far.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::large_enum_variant,
    reason = "one per recorder, and nothing may be allocated when it is recognised"
)]
enum Form {
    /// Too few bytes to decide; they are all here.
    Undecided(heapless::Vec<u8, HEAD_BYTES>),
    /// Not known, and nothing more is looked at.
    Raw,
    /// MPEG-TS.
    Transport(Transport),
    /// Fragmented MP4, as far as it looks.
    Fragments(Fragments),
}

/// Looks on as a stream is recorded. One per recorder and feeder: a new feeder begins a new stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scanner {
    form: Form,
    key_frame: bool,
}

impl Default for Scanner {
    fn default() -> Self {
        Scanner::new()
    }
}

impl Scanner {
    /// A scanner before the first byte.
    pub fn new() -> Scanner {
        Scanner {
            form: Form::Undecided(heapless::Vec::new()),
            key_frame: false,
        }
    }

    /// The next bytes of the stream, in pieces of any size.
    pub fn scan(&mut self, bytes: &[u8]) {
        match &mut self.form {
            Form::Raw => {}
            Form::Transport(transport) => transport.scan(bytes, &mut self.key_frame),
            Form::Fragments(fragments) => fragments.scan(bytes, &mut self.key_frame),
            Form::Undecided(head) => {
                let taken = bytes.len().min(HEAD_BYTES - head.len());
                let (first, rest) = bytes.split_at(taken);
                // It fits: `taken` was cut to the room there is.
                let _ = head.extend_from_slice(first);
                if let Some(form) = recognise(head) {
                    let head = core::mem::take(head);
                    self.form = form;
                    self.scan(&head);
                    self.scan(rest);
                }
            }
        }
    }

    /// What the stream is; [`Container::Raw`] until it is known.
    pub fn container(&self) -> Container {
        match &self.form {
            Form::Undecided(_) | Form::Raw => Container::Raw,
            Form::Transport(_) => Container::MpegTs,
            Form::Fragments(fragments) if fragments.is_plain() => Container::Raw,
            Form::Fragments(_) => Container::Fmp4,
        }
    }

    /// What a decoder needs in front of any later block; empty if it needs nothing, or it has not come yet.
    pub fn init(&self) -> &[u8] {
        match &self.form {
            Form::Undecided(_) | Form::Raw => &[],
            Form::Transport(transport) => transport.init(),
            Form::Fragments(fragments) => fragments.init(),
        }
    }

    /// `bytes` rounded down to whole units that are lost or kept together: 188 for MPEG-TS, 1 otherwise.
    pub fn whole(&self, bytes: usize) -> usize {
        match self.container() {
            Container::MpegTs => bytes - bytes % PACKET_BYTES,
            Container::Raw | Container::Fmp4 => bytes,
        }
    }

    /// Whether a place where a decoder can start has come by since the last call.
    pub fn take_key_frame(&mut self) -> bool {
        core::mem::take(&mut self.key_frame)
    }
}

/// Decides from the first bytes; none if more are needed.
fn recognise(head: &[u8]) -> Option<Form> {
    match head.first() {
        None => None,
        Some(&SYNC_BYTE) => {
            let wrong = |at: usize| head.get(at).is_some_and(|&byte| byte != SYNC_BYTE);
            if wrong(PACKET_BYTES) || wrong(2 * PACKET_BYTES) {
                Some(Form::Raw)
            } else {
                (head.len() == HEAD_BYTES).then(|| Form::Transport(Transport::new()))
            }
        }
        Some(_) => match head.get(4..BOX_HEADER_BYTES) {
            None => None,
            Some(b"ftyp") => Some(Form::Fragments(Fragments::new())),
            Some(_) => Some(Form::Raw),
        },
    }
}

#[cfg(test)]
mod tests;
