//! What a machine may tell the core.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use crate::{
    CardFacts, CardListing, CardLook, ClientId, DeviceFacts, FeedId, Fingerprint, IoError, LinkError, LinkId, Message, NicFacts,
    Span, Tag, VolumeFacts,
};

/// What a control client may do, from its user and group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Look.
    Read,
    /// Run, stop and wait for what exists.
    Operate,
    /// Create, change and delete.
    Admin,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProgramEnd {
    /// By itself, with this code.
    Exited(i32),
    /// By this signal.
    Killed(i32),
    /// Its time was over, and it was ended.
    OverTime,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The deadline given to [`crate::Machine::next`] has come.
    Tick,
    /// An op has finished.
    Done {
        /// The op's.
        tag: Tag,
        /// How. Reads and writes are whole or an error.
        result: Result<(), IoError>,
    },
    /// [`crate::Op::Open`] has finished.
    Opened {
        /// The op's.
        tag: Tag,
        /// What was found.
        result: Result<VolumeFacts, IoError>,
    },
    /// [`crate::Op::ListDevices`] has finished.
    Devices {
        /// The op's.
        tag: Tag,
        /// Disks, cards and partitions.
        disks: Vec<DeviceFacts>,
        /// Network interfaces.
        nics: Vec<NicFacts>,
    },
    /// [`crate::Op::OpenCard`] has finished.
    CardOpened {
        /// The op's.
        tag: Tag,
        /// What was found. [`IoError::Unsupported`]: no file system that is known.
        result: Result<CardFacts, IoError>,
    },
    /// [`crate::Op::ListCard`] has finished.
    CardListed {
        /// The op's.
        tag: Tag,
        /// What was found.
        result: Result<CardListing, IoError>,
    },
    /// [`crate::Op::LookCard`] has finished.
    CardLooked {
        /// The op's.
        tag: Tag,
        /// What was found. [`IoError::NotFound`]: there is no such file any more.
        result: Result<CardLook, IoError>,
    },
    /// [`crate::Op::ListPrograms`] has finished.
    Programs {
        /// The op's.
        tag: Tag,
        /// Names of programs that may be started, in order.
        names: Vec<String>,
    },
    /// [`crate::Op::StartProgram`] has finished.
    ProgramEnded {
        /// The op's.
        tag: Tag,
        /// How the program ended, or why it could not be run.
        result: Result<ProgramEnd, IoError>,
    },
    /// A disk or card was added or removed.
    DeviceChanged {
        /// Path of its node.
        path: String,
        /// Added, or else removed.
        added: bool,
    },
    /// A NIC came up, went down, appeared or changed.
    NicChanged {
        /// As it is now; `up` is false for one that went away.
        nic: NicFacts,
    },

    /// A link is up in both directions, with both keys verified.
    LinkUp {
        /// Even: dialled by us. Odd: accepted.
        link: LinkId,
        /// Whose key it is.
        peer: Fingerprint,
        /// The other end's address, for people.
        address: String,
    },
    /// A link is down, or never came up. Every span lent to it is returned. The last event of the link.
    LinkDown {
        /// Which.
        link: LinkId,
        /// Why.
        why: LinkError,
    },
    /// Somebody was turned away by a listener before a link was up.
    Turned {
        /// The other end's address, for people.
        address: String,
        /// Its key, if it showed one.
        key: Option<Fingerprint>,
        /// Why.
        why: LinkError,
    },
    /// A frame has arrived, complete.
    Frame {
        /// On which link.
        link: LinkId,
        /// Its message.
        message: Message,
        /// Its body: the lent span, cut to the length that arrived. A span of length 0 was lent for nothing.
        body: Option<Span>,
    },
    /// [`crate::Op::Send`] has finished.
    Sent {
        /// The op's.
        tag: Tag,
        /// On which link.
        link: LinkId,
        /// Whether the bytes were handed to the kernel. It says nothing about the other end.
        result: Result<(), LinkError>,
    },

    /// A feed is open, or could not be opened.
    FeedOpened {
        /// Which.
        feed: FeedId,
        /// How.
        result: Result<(), IoError>,
    },
    /// [`crate::Op::Fill`] or [`crate::Op::Drain`] has finished.
    Filled {
        /// Which.
        feed: FeedId,
        /// Bytes read since the op was submitted.
        bytes: u64,
        /// The feeder ended after these bytes.
        end: bool,
    },

    /// A control client has sent a call.
    Call {
        /// Who.
        client: ClientId,
        /// What it may do.
        role: Role,
        /// Its user, for the record.
        uid: u32,
        /// JSON, without the closing NUL.
        message: Vec<u8>,
    },
    /// [`crate::Op::Deliver`] has finished.
    Delivered {
        /// The op's.
        tag: Tag,
        /// Who.
        client: ClientId,
        /// Whether the bytes were handed to the kernel.
        result: Result<(), IoError>,
    },
    /// A control client is gone. The last event of the client; every chunk lent to it is returned.
    ClientGone {
        /// Who.
        client: ClientId,
    },
    /// Somebody wants the appliance to stop in good order.
    StopAsked,
}
