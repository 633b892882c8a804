//! Frames as bytes of an input.
//!
//! Each is a byte of flags, the length of the message (one byte), the message, and with flag 0 a body: length of its beginning
//! (two bytes), that, length of the payload (one byte), that. The body that goes over the link is the beginning, zeros up to where
//! the payload belongs, and the payload.
//!
//! Flags: 0 body, 1 token, lease and digests are put right, 2 and 3 whose link, 4 the link is lost first, 5 time passes afterwards.

use blockhaul_core::Kind;
use blockhaul_core::control::types::GapReason;
use blockhaul_core::format::header::{Epoch, ORIGIN_AT, encode_origin};
use blockhaul_core::format::{Lease, NO_HASH, Origin, SECTOR_BYTES, TrackKey};
use blockhaul_core::haul::wire::{Message, Numbers, PROTOCOL, WhyRejected};
use blockhaul_core::recorder::container::Container;
use hal::{ClockQuality, Digest, Uuid};

use crate::Seed;
use crate::desk::{BLOCK_BYTES, TOKEN};

const BODY: u8 = 1;
const MENDED: u8 = 2;
const ANEW: u8 = 0x10;
const WAITS: u8 = 0x20;

/// Bytes of a body in front of the payload.
pub const ORIGIN_BYTES: usize = SECTOR_BYTES as usize - ORIGIN_AT;

/// The other end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// Of the peer with the grant.
    North,
    /// Of the same, a second time.
    NorthAgain,
    /// Of a peer without one.
    South,
    /// Of the peer that the job calls.
    Job,
}

/// One frame and what happens around it.
pub struct Frame<'a> {
    pub whose: Whose,
    pub anew: bool,
    pub mended: bool,
    pub waits: bool,
    pub message: &'a [u8],
    pub body: Vec<u8>,
}

/// Writes bytes to an offset of the header sector, of which the body holds what is behind [`ORIGIN_AT`].
pub fn put(body: &mut [u8], at: usize, bytes: &[u8]) {
    body[at - ORIGIN_AT..][..bytes.len()].copy_from_slice(bytes);
}

/// The frames of an input, up to the first that is not whole.
pub fn frames(mut input: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    std::iter::from_fn(move || {
        let (&[how, length], rest) = input.split_first_chunk()?;
        let (message, mut rest) = rest.split_at_checked(usize::from(length))?;
        let mut body = Vec::new();
        if how & BODY != 0 {
            let (length, after) = rest.split_first_chunk()?;
            let (begin, after) = after.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
            let (&length, after) = after.split_first()?;
            let (payload, after) = after.split_at_checked(usize::from(length))?;
            body.extend_from_slice(begin);
            body.resize(body.len().max(ORIGIN_BYTES), 0);
            body.extend_from_slice(payload);
            rest = after;
        }
        input = rest;
        let whose = match how >> 2 & 3 {
            0 => Whose::North,
            1 => Whose::NorthAgain,
            2 => Whose::South,
            _ => Whose::Job,
        };
        Some(Frame {
            whose,
            anew: how & ANEW != 0,
            mended: how & MENDED != 0,
            waits: how & WAITS != 0,
            message,
            body,
        })
    })
}

fn frame(how: u8, message: &Message) -> Vec<u8> {
    let message = message.encode();
    [&[how, message.len() as u8][..], &message].concat()
}

fn of(whose: Whose) -> u8 {
    (whose as u8) << 2
}

const LEASE: Lease = Lease { counter: 1, nonce: 1 };
const ORIGIN: Uuid = Uuid([0x77; 16]);

fn hello() -> Message {
    of_version(PROTOCOL)
}

fn of_version(protocol: u8) -> Message {
    Message::Hello {
        protocol,
        token: TOKEN,
        source: ORIGIN,
        target: "yard".parse().expect("a name"),
        block_bytes: BLOCK_BYTES,
        utc_ns: 1,
        run: Uuid([4; 16]),
    }
}

fn open(track: u32, kind: Kind) -> Message {
    Message::Open {
        track,
        origin: ORIGIN,
        camera: "far".parse().expect("a name"),
        kind,
        has: 0,
        beside: false,
    }
}

/// A block of the track that `open(0, Kind::Video)` opens, as it would be put right for the input too.
fn block(how: u8, payload: &[u8]) -> Vec<u8> {
    block_or_fill(how, payload, false)
}

/// The first block of that track, after its tip has passed it.
fn fill(how: u8, payload: &[u8]) -> Vec<u8> {
    block_or_fill(how, payload, true)
}

fn block_or_fill(how: u8, payload: &[u8], fill: bool) -> Vec<u8> {
    let origin = Origin {
        key: TrackKey {
            origin: ORIGIN,
            camera: "far".parse().expect("a name"),
            kind: Kind::Video,
        },
        epoch: Epoch { counter: 1, nonce: 5 },
        track_sequence: 0,
        container: Container::Raw,
        clock: ClockQuality::Free,
        key_frame: true,
        sealed_early: true,
        discontinuity: false,
        payload_bytes: payload.len() as u32,
        begin_utc_ns: 10,
        end_utc_ns: 20,
        begin_boot_ns: 30,
        payload_digest: Digest(*blake3::hash(payload).as_bytes()),
        previous_origin: NO_HASH,
        file: None,
    };
    let mut sector = [0; SECTOR_BYTES as usize];
    encode_origin(&mut sector, &origin, b"");
    let length = sector.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1) - ORIGIN_AT;
    let begin = &sector[ORIGIN_AT..][..length];
    let message = Message::Block {
        track: 0,
        lease: LEASE,
        hash: NO_HASH,
        fill,
    };
    let head = frame(how | BODY, &message);
    [
        &head[..],
        &(length as u16).to_le_bytes(),
        begin,
        &[payload.len() as u8],
        payload,
    ]
    .concat()
}

fn gap(to: u64) -> Message {
    Message::Gap {
        track: 0,
        lease: LEASE,
        from: 0,
        to,
        reason: GapReason::Damaged,
        hash_after: NO_HASH,
    }
}

fn mark(points: u32) -> Message {
    Message::Mark {
        mark: Uuid([0x77; 16]),
        name: "before".parse().expect("a name"),
        made_in: Uuid([0x78; 16]),
        utc_ns: 1,
        points,
    }
}

fn point(kind: Kind) -> Message {
    let Message::Open { origin, camera, .. } = open(0, kind) else {
        unreachable!("it is an Open");
    };
    Message::Point {
        mark: Uuid([0x77; 16]),
        origin,
        camera,
        kind,
        next: 1,
        hash: NO_HASH,
    }
}

fn welcome() -> Message {
    Message::Welcome {
        protocol: PROTOCOL,
        archive: Uuid([0x99; 16]),
        credit: 4,
        free_slots: 20,
        utc_ns: 1,
    }
}

fn tip(next: u64) -> Message {
    Message::Tip {
        track: 0,
        next,
        hash: NO_HASH,
        lease: LEASE,
    }
}

/// Whether the first two blocks are there.
fn compare() -> Message {
    let mut has = Numbers::default();
    has.add(0);
    has.add(1);
    Message::Compare { track: 0, from: 0, has }
}

/// Which times others cover.
fn cover(from_utc_ns: i64, to_utc_ns: i64) -> Message {
    Message::Cover {
        track: 0,
        from_utc_ns,
        to_utc_ns,
    }
}

/// Conversations to begin with.
pub fn seeds() -> Vec<Seed> {
    let north = of(Whose::North) | MENDED;
    let again = of(Whose::NorthAgain) | MENDED;
    let south = of(Whose::South) | MENDED;
    let job = of(Whose::Job);
    let ack = |next, duplicate| Message::Ack {
        track: 0,
        next,
        duplicate,
    };
    let opened = || [frame(north, &hello()), frame(north | WAITS, &open(0, Kind::Video))].concat();
    let rejected = |why| Message::Rejected {
        track: 0,
        why,
        holder: None,
    };
    let joined = |parts: &[Vec<u8>]| parts.concat();
    let seeds = vec![
        ("hello", frame(north, &hello())),
        ("other-version", frame(north | WAITS, &of_version(PROTOCOL + 1))),
        ("wrong-token", frame(of(Whose::South), &hello())),
        ("opened", opened()),
        (
            "blocks",
            joined(&[
                opened(),
                block(north, b"one"),
                block(north | WAITS, b"two"),
                block(north, b"three"),
            ]),
        ),
        (
            "block-twice",
            joined(&[opened(), block(north | WAITS, b"one"), block(of(Whose::North), b"one")]),
        ),
        (
            "gap-and-block",
            joined(&[opened(), frame(north | WAITS, &gap(5)), block(north, b"one")]),
        ),
        (
            "fill-a-gap",
            joined(&[opened(), frame(north | WAITS, &gap(5)), fill(north | WAITS, b"one")]),
        ),
        (
            "compare",
            joined(&[
                opened(),
                block(north | WAITS, b"one"),
                frame(north | WAITS, &gap(2)),
                frame(north | WAITS, &compare()),
            ]),
        ),
        (
            "cover",
            joined(&[
                opened(),
                block(north | WAITS, b"one"),
                frame(north | WAITS, &cover(1, 9)),
                frame(north, &cover(9, 1)),
            ]),
        ),
        (
            "comes-again",
            joined(&[
                opened(),
                block(north, b"one"),
                frame(north | ANEW, &hello()),
                frame(north, &open(0, Kind::Video)),
                block(north, b"two"),
            ]),
        ),
        (
            "two-links",
            joined(&[opened(), frame(again, &hello()), frame(again | WAITS, &open(0, Kind::Audio))]),
        ),
        (
            "two-peers",
            joined(&[opened(), frame(south, &hello()), frame(south, &open(0, Kind::Video))]),
        ),
        (
            "job-caught-up",
            joined(&[
                frame(job, &welcome()),
                frame(job | WAITS, &tip(0)),
                frame(job, &ack(1, false)),
                frame(job, &Message::Credit { blocks: 3 }),
                frame(job | WAITS, &ack(3, false)),
                frame(job, &ack(3, true)),
                frame(job, &Message::Heartbeat),
            ]),
        ),
        (
            "mark",
            joined(&[
                opened(),
                block(north | WAITS, b"one"),
                frame(north | WAITS, &mark(2)),
                frame(north, &point(Kind::Video)),
                frame(north | WAITS, &point(Kind::Audio)),
                frame(north, &mark(2)),
            ]),
        ),
        (
            "mark-without-points",
            joined(&[opened(), frame(north | WAITS, &mark(0)), frame(north, &point(Kind::Video))]),
        ),
        (
            "job-rejected",
            joined(&[
                frame(job, &welcome()),
                frame(job | WAITS, &tip(1)),
                frame(job | WAITS, &rejected(WhyRejected::Expected(2))),
                frame(job | WAITS, &rejected(WhyRejected::Diverged)),
                frame(job, &rejected(WhyRejected::Full)),
            ]),
        ),
    ];
    seeds.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect()
}
