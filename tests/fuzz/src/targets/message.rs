//! One message of the haul protocol (`docs/protocol.md`), as it stands in a frame.

use blockhaul_core::Kind;
use blockhaul_core::control::types::{GapReason, RunResult};
use blockhaul_core::format::Lease;
use blockhaul_core::haul::wire::{Holder, MarkAnswer, Message, Numbers, PROTOCOL, TOKEN_BYTES, WhyRefused, WhyRejected};
use hal::{Digest, MESSAGE_BYTES_MAX, Uuid};

use crate::{Seed, Target, heap};

/// The target.
pub const TARGET: Target = Target {
    name: "message",
    what: "messages between two appliances",
    longest: MESSAGE_BYTES_MAX,
    check,
    seeds,
    words: &[],
};

fn check(bytes: &[u8]) {
    let Some(message) = heap::within(0, bytes, || Message::decode(bytes)) else {
        return;
    };
    if let Message::Hello { target: name, .. } | Message::Open { camera: name, .. } = &message {
        assert!((1..=63).contains(&name.len()));
    }
    // Postcard takes numbers with more bytes than they need, so the encoding may be shorter; never longer.
    let again = message.encode();
    assert!(
        again.len() <= bytes.len(),
        "a message is longer than the bytes it was decoded from"
    );
    assert_eq!(Message::decode(&again), Some(message));
    for shorter in 0..again.len() {
        assert_eq!(
            Message::decode(&again[..shorter]),
            None,
            "a message was taken that is not whole"
        );
    }
}

/// One of each message.
pub fn samples() -> Vec<(&'static str, Message)> {
    let name = || "yard".parse().expect("a name");
    let lease = Lease {
        counter: 2,
        nonce: 0x1122_3344_5566_7788,
    };
    vec![
        (
            "hello",
            Message::Hello {
                protocol: PROTOCOL,
                token: [7; TOKEN_BYTES],
                source: Uuid([3; 16]),
                target: name(),
                block_bytes: 64 << 10,
                utc_ns: 1_763_700_000_000_000_000,
                run: Uuid([4; 16]),
            },
        ),
        (
            "ended",
            Message::Ended {
                result: RunResult::Partial,
            },
        ),
        (
            "welcome",
            Message::Welcome {
                protocol: PROTOCOL,
                archive: Uuid([4; 16]),
                credit: 4,
                free_slots: 100,
                utc_ns: 1_763_700_000_000_000_000,
            },
        ),
        ("refused", Message::Refused { why: WhyRefused::Token }),
        (
            "open",
            Message::Open {
                track: 0,
                origin: Uuid([3; 16]),
                camera: name(),
                kind: Kind::Video,
                has: 300,
                beside: true,
            },
        ),
        (
            "cover",
            Message::Cover {
                track: 0,
                from_utc_ns: 1_763_700_000_000_000_000,
                to_utc_ns: 1_763_710_000_000_000_000,
            },
        ),
        (
            "covered",
            Message::Covered {
                track: 0,
                from_utc_ns: 1_763_700_000_000_000_000,
                to_utc_ns: 1_763_710_000_000_000_000,
                newest_utc_ns: Some(1_763_709_000_000_000_000),
                follows: true,
                stretches: vec![(1_763_700_000_000_000_000, 1_763_701_000_000_000_000)],
            },
        ),
        (
            "tip",
            Message::Tip {
                track: 0,
                next: 300,
                hash: Digest([5; 32]),
                lease,
            },
        ),
        (
            "block",
            Message::Block {
                track: 0,
                lease,
                hash: Digest([6; 32]),
                fill: true,
            },
        ),
        (
            "gap",
            Message::Gap {
                track: 0,
                lease,
                from: 300,
                to: 400,
                reason: GapReason::Overwritten,
                hash_after: Digest([6; 32]),
            },
        ),
        (
            "ack",
            Message::Ack {
                track: 0,
                next: 301,
                duplicate: true,
            },
        ),
        ("credit", Message::Credit { blocks: 1 }),
        (
            "rejected",
            Message::Rejected {
                track: 0,
                why: WhyRejected::Held(300),
                holder: Some(Holder::Recorder(name())),
            },
        ),
        ("heartbeat", Message::Heartbeat),
        (
            "compare",
            Message::Compare {
                track: 0,
                from: 300,
                has: numbers(),
            },
        ),
        (
            "compared",
            Message::Compared {
                track: 0,
                from: 300,
                there: numbers(),
                wanted: Numbers::default(),
                hash: Digest([7; 32]),
            },
        ),
        (
            "filled",
            Message::Filled {
                track: 0,
                number: 301,
                taken: true,
            },
        ),
        (
            "mark",
            Message::Mark {
                mark: Uuid([7; 16]),
                name: name(),
                made_in: Uuid([8; 16]),
                utc_ns: 1_763_700_000_000_000_000,
                points: 2,
            },
        ),
        (
            "marked",
            Message::Marked {
                mark: Uuid([7; 16]),
                answer: MarkAnswer::Kept,
            },
        ),
        (
            "point",
            Message::Point {
                mark: Uuid([7; 16]),
                origin: Uuid([3; 16]),
                camera: name(),
                kind: Kind::Audio,
                next: 300,
                hash: Digest([5; 32]),
            },
        ),
    ]
}

fn numbers() -> Numbers {
    let mut numbers = Numbers::default();
    numbers.add(1);
    numbers.add(20);
    numbers
}

fn seeds() -> Vec<Seed> {
    let samples = samples().into_iter();
    samples
        .map(|(name, message)| (name.to_owned(), message.encode().to_vec()))
        .collect()
}
