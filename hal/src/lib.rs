//! The seam of blockhaul: what the core may ask of a machine, and what a machine may tell the core.
//!
//! It is completion-shaped. The core submits an [`Op`]; every op that can finish says so with exactly one [`Event`]
//! that carries the op's [`Tag`] (or the link, feed or client it belongs to). Drivers move bytes: they know no job, tip
//! or lease. The core decides: it knows no file, socket, clock or random number.
//!
//! It is not a place for policy or for formats.
//!
//! Invariants:
//! - An op that takes a [`Span`] lends that memory to the machine until the op's event has been taken from
//!   [`Machine::next`]. The core reads and writes only spans that are not lent.
//! - No event is lost, and no op is dropped while in flight: a link that goes down first returns every send, then says
//!   [`Event::LinkDown`], which also returns every receive span.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod card;
mod disk;
mod error;
mod event;
mod id;
mod machine;
mod memory;
mod net;
mod op;
mod time;

pub use card::{CARD_DAMAGE_MAX, CARD_FILES_MAX, CARD_PATH_BYTES_MAX, CardFacts, CardFile, CardForm, CardListing, CardLook};
pub use disk::{Access, DeviceFacts, FlushClass, VolumeFacts, VolumeForm};
pub use error::{IoError, LinkError};
pub use event::{Event, ProgramEnd, Role};
pub use id::{CardId, ClientId, Digest, FeedId, Fingerprint, LinkId, ParseIdError, Tag, Uuid, VolumeId};
pub use machine::{Machine, Ops};
pub use memory::{Memory, PAGE_BYTES, Span};
pub use net::{MESSAGE_BYTES_MAX, Message, NicFacts, Route};
pub use op::Op;
pub use time::{ClockQuality, Instant, Moment};
