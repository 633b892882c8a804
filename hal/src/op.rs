//! What the core may ask of a machine.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::{Access, CardId, ClientId, FeedId, Fingerprint, Instant, LinkId, Message, Route, Span, Tag, VolumeId};

/// One request to the machine. The event that answers it is named at each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// List disks, cards and NICs. [`crate::Event::Devices`].
    ListDevices {
        /// Returned with the event.
        tag: Tag,
    },
    /// Make a regular file of that size with its blocks allocated and its folder entry durable; refuses one that exists.
    /// [`crate::Event::Done`].
    CreateFile {
        /// Returned with the event.
        tag: Tag,
        /// Absolute path.
        path: String,
        /// Size in bytes.
        size_bytes: u64,
    },
    /// Remove a file made by [`Op::CreateFile`] in the same run that was never formatted. [`crate::Event::Done`].
    RemoveFile {
        /// Returned with the event.
        tag: Tag,
        /// Absolute path.
        path: String,
    },
    /// Open a disk, partition or file. [`crate::Event::Opened`].
    Open {
        /// Returned with the event.
        tag: Tag,
        /// What it will be called. Not in use.
        volume: VolumeId,
        /// Absolute path.
        path: String,
        /// Exclusive or read-only.
        access: Access,
    },
    /// Read into all of `into`. Offset and span are multiples of the volume's alignment. [`crate::Event::Done`].
    Read {
        /// Returned with the event.
        tag: Tag,
        /// An open volume.
        volume: VolumeId,
        /// Byte offset on the volume.
        at_bytes: u64,
        /// Lent until the event.
        into: Span,
    },
    /// Write all of `from`. [`crate::Event::Done`], which says nothing about durability.
    Write {
        /// Returned with the event.
        tag: Tag,
        /// A volume open for exclusive use.
        volume: VolumeId,
        /// Byte offset on the volume.
        at_bytes: u64,
        /// Lent until the event.
        from: Span,
    },
    /// Make durable whatever was written and has completed before this was submitted. [`crate::Event::Done`].
    Flush {
        /// Returned with the event.
        tag: Tag,
        /// A volume open for exclusive use.
        volume: VolumeId,
    },
    /// Tell the device that a range holds nothing of value. [`crate::Event::Done`]; an error is harmless.
    Discard {
        /// Returned with the event.
        tag: Tag,
        /// A volume open for exclusive use.
        volume: VolumeId,
        /// Byte offset on the volume.
        at_bytes: u64,
        /// Length in bytes.
        length_bytes: u64,
    },
    /// Let go of a volume once everything in flight on it has finished. [`crate::Event::Done`].
    Close {
        /// Returned with the event.
        tag: Tag,
        /// An open volume.
        volume: VolumeId,
    },

    /// Open the file system of a card, or a folder, for reading: it is looked at, and nothing is written. [`crate::Event::CardOpened`].
    OpenCard {
        /// Returned with the event.
        tag: Tag,
        /// What it will be called. Not in use.
        card: CardId,
        /// Absolute path of a device, partition, image or folder.
        path: String,
    },
    /// List every file of a card. [`crate::Event::CardListed`].
    ListCard {
        /// Returned with the event.
        tag: Tag,
        /// An open card.
        card: CardId,
    },
    /// Look at one file: its entry and its place, read anew. [`crate::Event::CardLooked`].
    LookCard {
        /// Returned with the event.
        tag: Tag,
        /// An open card.
        card: CardId,
        /// Path on the card.
        path: String,
    },
    /// Read into all of `into` from the file that was looked at last, at the place it had then. [`crate::Event::Done`].
    ReadCard {
        /// Returned with the event.
        tag: Tag,
        /// An open card.
        card: CardId,
        /// Byte offset in the file.
        at_bytes: u64,
        /// Lent until the event. It does not reach behind the end of the file.
        into: Span,
    },
    /// Let go of a card once everything in flight on it has finished. [`crate::Event::Done`].
    CloseCard {
        /// Returned with the event.
        tag: Tag,
        /// An open card.
        card: CardId,
    },

    /// Which keys may come in through listeners, from now on. Replaces the set before; links of keys that are no longer in it
    /// go down with [`crate::LinkError::KeyRefused`]. No event.
    TrustKeys {
        /// All keys that may come in.
        keys: Vec<Fingerprint>,
    },
    /// Call a peer: TCP, then TLS 1.3 with both certificates. [`crate::Event::LinkUp`] or [`crate::Event::LinkDown`].
    Dial {
        /// An even number that was not used before.
        link: LinkId,
        /// Where.
        route: Route,
        /// The only key that is accepted.
        expect: Fingerprint,
    },
    /// Lend memory for the body of one coming frame; bodies fill the lent spans in the order they were lent. Returned with
    /// [`crate::Event::Frame`] or [`crate::Event::LinkDown`].
    Receive {
        /// A link that is up.
        link: LinkId,
        /// Longest body that fits.
        into: Span,
    },
    /// Send one frame. [`crate::Event::Sent`], in order, once the bytes have been handed to the kernel or the link is lost.
    Send {
        /// Returned with the event.
        tag: Tag,
        /// A link that is up.
        link: LinkId,
        /// The message.
        message: Message,
        /// The body, lent until the event.
        body: Option<Span>,
    },
    /// Close a link in good order after what was sent before. [`crate::Event::LinkDown`].
    HangUp {
        /// A link that is up or being dialled.
        link: LinkId,
    },

    /// Open a Unix stream socket at a path for one feeder at a time; a feeder that closes may be followed by another.
    /// [`crate::Event::FeedOpened`].
    OpenFeed {
        /// What it will be called.
        feed: FeedId,
        /// Absolute path of the socket.
        path: String,
    },
    /// Take the rest of a control client's connection as a feed. It ends when the client closes its sending side; then the
    /// client is answered with [`Op::Reply`]. [`crate::Event::FeedOpened`].
    AdoptFeed {
        /// What it will be called.
        feed: FeedId,
        /// A connected client whose call has not been answered.
        client: ClientId,
    },
    /// Read bytes of a feeder until `into` is full, `until` has come, or the feeder ends. [`crate::Event::Filled`].
    Fill {
        /// An open feed with nothing in flight.
        feed: FeedId,
        /// Lent until the event.
        into: Span,
        /// Return what there is at this time at the latest, even if it is nothing.
        until: Instant,
    },
    /// Read bytes of a feeder and throw them away until `until`. [`crate::Event::Filled`] with their number.
    Drain {
        /// An open feed with nothing in flight.
        feed: FeedId,
        /// Stop at this time.
        until: Instant,
    },
    /// Close a feed and its socket; a fill in flight returns first. No event.
    CloseFeed {
        /// An open feed.
        feed: FeedId,
    },

    /// Answer a control client with one JSON message. After [`Op::Deliver`] the stream of chunks is ended first. No event.
    Reply {
        /// A connected client.
        client: ClientId,
        /// JSON, without the closing NUL.
        message: Vec<u8>,
    },
    /// Send a chunk of bytes to a control client. [`crate::Event::Delivered`].
    Deliver {
        /// Returned with the event.
        tag: Tag,
        /// A connected client.
        client: ClientId,
        /// Lent until the event.
        chunk: Span,
    },
    /// Close a control client's connection once everything before has been sent. [`crate::Event::ClientGone`].
    Dismiss {
        /// A connected client.
        client: ClientId,
    },

    /// Replace the settings document in the state folder, durably and all or nothing. [`crate::Event::Done`].
    SaveSettings {
        /// Returned with the event.
        tag: Tag,
        /// The whole document.
        document: Vec<u8>,
    },
    /// Append one line to the kept events in the state folder. No event: losing the newest at a crash is allowed.
    KeepEvent {
        /// JSON without line ends.
        line: Vec<u8>,
    },
    /// List the programs that may be started. [`crate::Event::Programs`].
    ListPrograms {
        /// Returned with the event.
        tag: Tag,
    },
    /// Start a program of the folder of programs, with nothing but a clean environment and this on its standard input.
    /// [`crate::Event::ProgramEnded`].
    StartProgram {
        /// Returned with the event.
        tag: Tag,
        /// Its name in the folder: no path.
        name: String,
        /// What it can read.
        input: Vec<u8>,
        /// It is ended after this long.
        limit: Duration,
    },
    /// Nothing will be submitted after this. The machine stops listening and finishes what is in flight. No event.
    Stop,
}
