//! What two appliances say to each other. The table is `docs/protocol.md`.
//!
//! A frame is a message (postcard) and, for [`Message::Block`], a body: a block from its origin part to the end of its used payload
//! (bytes 256 .. 4096 + payload of the block as it lies on the volume). Framing and bounds of bytes are the driver's.
//!
//! Nothing here decides anything.

use alloc::vec::Vec;
use hal::{Digest, MESSAGE_BYTES_MAX, Uuid};
use serde::{Deserialize, Serialize};

use crate::control::types::{GapReason, RunResult};
use crate::format::Lease;
use crate::{Kind, Name};

/// Version of the protocol: the first thing either side looks at.
pub const PROTOCOL: u8 = 1;

/// Numbers of a track that one [`Message::Compare`] may stand for.
pub const COMPARE_SPAN: u64 = 512;

/// Stretches of time that one [`Message::Covered`] names.
pub const COVER_STRETCHES: usize = 16;

/// Bytes of a token.
pub const TOKEN_BYTES: usize = 32;

/// One message. `S` is the source, which dials; `T` is the target.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Message {
    /// S→T, first: who wants to append to what, with which right.
    Hello {
        /// [`PROTOCOL`] of the source.
        protocol: u8,
        /// Of the grant.
        token: [u8; TOKEN_BYTES],
        /// Archive that is hauled from.
        source: Uuid,
        /// Target's name of the archive to append to.
        target: Name,
        /// Block size at the source.
        block_bytes: u32,
        /// Clock of the source.
        utc_ns: i64,
        /// The run that this link is for.
        run: Uuid,
    },
    /// T→S, answer to `Hello`.
    Welcome {
        /// [`PROTOCOL`] of the target.
        protocol: u8,
        /// Identity of the archive appended to.
        archive: Uuid,
        /// Blocks that may be sent now.
        credit: u32,
        /// Slots that data blocks may still take.
        free_slots: u64,
        /// Clock of the target.
        utc_ns: i64,
    },
    /// T→S, answer to `Hello`: not so. The link is closed.
    Refused {
        /// Why.
        why: WhyRefused,
    },
    /// S→T: a track that the source has.
    Open {
        /// Number that stands for the track on this link: 0, 1, 2 …
        track: u32,
        /// Origin of the track.
        origin: Uuid,
        /// Camera.
        camera: Name,
        /// Kind.
        kind: Kind,
        /// Track sequence below which the source has what there is.
        has: u64,
        /// Only blocks of times come that nothing else covers: it may come beside another source of the camera.
        beside: bool,
    },
    /// T→S, answer to `Open`: where the track stands here, durably, and the lease to use.
    Tip {
        /// Track.
        track: u32,
        /// Next expected track sequence.
        next: u64,
        /// Hash of the last block's origin part; zero if there is none or it is not known.
        hash: Digest,
        /// Who appends must show this.
        lease: Lease,
    },
    /// S→T, with a body: a block of a track.
    Block {
        /// Track.
        track: u32,
        /// As given with `Tip`.
        lease: Lease,
        /// Hash of its origin part.
        hash: Digest,
        /// The target's tip has passed its number, and it may lack it.
        fill: bool,
    },
    /// S→T: these track sequences will not come.
    Gap {
        /// Track.
        track: u32,
        /// As given with `Tip`.
        lease: Lease,
        /// First missing: the target's next.
        from: u64,
        /// First behind that is not missing.
        to: u64,
        /// Why.
        reason: GapReason,
        /// Hash of the origin part of block `to - 1`, if the source knows it; else zero.
        hash_after: Digest,
    },
    /// T→S: everything below is durable here.
    Ack {
        /// Track.
        track: u32,
        /// Next expected track sequence.
        next: u64,
        /// The block was here already.
        duplicate: bool,
    },
    /// T→S: so many more blocks may be sent.
    Credit {
        /// Blocks.
        blocks: u32,
    },
    /// T→S: a track, block or gap was not taken. Later ones of the same track are not taken either until it is opened again.
    Rejected {
        /// Track.
        track: u32,
        /// Why.
        why: WhyRejected,
        /// Who has the camera, if that is why.
        holder: Option<Holder>,
    },
    /// S→T, last: the run that this link is for has ended.
    Ended {
        /// How.
        result: RunResult,
    },
    /// Either way, when nothing else was said for a while.
    Heartbeat,
    /// S→T: which of these numbers of a track, below its tip, are whole there?
    Compare {
        /// Track.
        track: u32,
        /// The first.
        from: u64,
        /// Those that the source has.
        has: Numbers,
    },
    /// T→S, answer to `Compare`, from what is on the medium.
    Compared {
        /// Track.
        track: u32,
        /// As asked.
        from: u64,
        /// Of those asked for, the ones that are there and whole.
        there: Numbers,
        /// Of those asked for, the ones that are not and that are to be sent.
        wanted: Numbers,
        /// BLAKE3 over the first eight bytes of the origin hashes of those that are there, in order.
        hash: Digest,
    },
    /// T→S, answer to a `Block` that is a fill: nothing is to be done about it any more.
    Filled {
        /// Track.
        track: u32,
        /// Its number.
        number: u64,
        /// It is durable there as a fill, because of this link. If not, it was not lacking.
        taken: bool,
    },
    /// S→T: the source has this mark.
    Mark {
        /// Identity, the same everywhere.
        mark: Uuid,
        /// Its name.
        name: Name,
        /// Archive in which it was made.
        made_in: Uuid,
        /// When it was made.
        utc_ns: i64,
        /// Points that follow if they are asked for.
        points: u32,
    },
    /// T→S, answer to `Mark`, and again once it is durable.
    Marked {
        /// Mark.
        mark: Uuid,
        /// What becomes of it.
        answer: MarkAnswer,
    },
    /// S→T: where the mark stands in a track. They come one behind the other.
    Point {
        /// Mark.
        mark: Uuid,
        /// Origin of the track.
        origin: Uuid,
        /// Camera.
        camera: Name,
        /// Kind.
        kind: Kind,
        /// Track sequence of the first block behind the mark.
        next: u64,
        /// Origin hash of the block before that one; zero if there is none or it is not known.
        hash: Digest,
    },
    /// S→T: which times between these two do other origins of the track's camera and kind cover there?
    Cover {
        /// Track.
        track: u32,
        /// The one time, nanoseconds since 1970 UTC.
        from_utc_ns: i64,
        /// The other, behind it.
        to_utc_ns: i64,
    },
    /// T→S, answer to `Cover`, of what is durable.
    Covered {
        /// Track.
        track: u32,
        /// As asked.
        from_utc_ns: i64,
        /// As asked, or earlier: of later times nothing is said.
        to_utc_ns: i64,
        /// How far the newest block of the others reaches that was looked at; none if there is none.
        newest_utc_ns: Option<i64>,
        /// The block before the track's next one is there, and not stated as missing.
        follows: bool,
        /// Begin and end of what is covered, in order, at most [`COVER_STRETCHES`].
        stretches: Vec<(i64, i64)>,
    },
}

/// Numbers near each other: bit 0 of byte 0 stands for the first, bit 1 for the next, bit 0 of byte 1 for the ninth.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Numbers(Vec<u8>);

impl Numbers {
    /// Adds one, counted from the first that they can stand for; below [`COMPARE_SPAN`].
    pub fn add(&mut self, at: u64) {
        assert!(at < COMPARE_SPAN);
        let byte = (at / 8) as usize;
        if self.0.len() <= byte {
            self.0.resize(byte + 1, 0);
        }
        self.0[byte] |= 1 << (at % 8);
    }

    /// Whether it is among them.
    pub fn has(&self, at: u64) -> bool {
        let byte = self.0.get((at / 8) as usize);
        byte.is_some_and(|byte| byte & (1 << (at % 8)) != 0)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.0.len() as u64 * 8).filter(|at| self.has(*at))
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|byte| u64::from(byte.count_ones())).sum()
    }

    /// Whether they are within what one message may stand for.
    pub fn fits(&self) -> bool {
        self.0.len() as u64 <= COMPARE_SPAN / 8
    }
}

/// What becomes of a mark at the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MarkAnswer {
    /// Its points are wanted.
    Send,
    /// It is durable here.
    Kept,
    /// There is no room for it, another mark has its name, or the grant names none of its cameras.
    NotKept,
}

/// Why a link was not wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum WhyRefused {
    /// Another protocol version.
    Protocol,
    /// Token, key and archive do not belong together. Deliberately not told apart.
    Token,
    /// The archive is not open, or takes no blocks now.
    NotReady,
    /// Another block size than the source's.
    BlockSize,
    /// Source and target are the same archive.
    SameArchive,
    /// Too many links.
    TooMany,
    /// The replication service is off there.
    Off,
}

/// Who brings a camera into an archive, by its name there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Holder {
    /// Another peer.
    Peer(Name),
    /// A recorder of the target.
    Recorder(Name),
}

/// Why a track, block or gap was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum WhyRejected {
    /// The grant does not name this camera.
    Scope,
    /// The track was first recorded in the target itself.
    OwnOrigin,
    /// Somebody else appends this track, and this is the next track sequence here.
    Held(u64),
    /// No more tracks fit.
    TooMany,
    /// Not the lease that is in force.
    Fenced,
    /// Not the next track sequence; this one is.
    Expected(u64),
    /// The payload does not fit its digest.
    Digest,
    /// It does not follow the last block here: another history.
    Diverged,
    /// No free slot.
    Full,
    /// The archive takes nothing now.
    Closed,
    /// It makes no sense.
    Malformed,
    /// Another source brings this camera.
    Taken,
}

impl Message {
    /// As the message of a frame.
    pub fn encode(&self) -> hal::Message {
        let mut buffer = [0u8; MESSAGE_BYTES_MAX];
        let bytes = postcard::to_slice(self, &mut buffer).expect("the longest message fits: see the test");
        hal::Message::from_slice(bytes).expect("the same bound")
    }

    /// From the message of a frame, which may hold anything. All of it must be used.
    pub fn decode(bytes: &[u8]) -> Option<Message> {
        match postcard::take_from_bytes(bytes) {
            Ok((message, [])) => Some(message),
            Ok(_) | Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_messages_fit() {
        let name: Name = "x".repeat(63).parse().unwrap();
        let lease = Lease {
            counter: u64::MAX,
            nonce: u64::MAX,
        };
        let messages = [
            Message::Hello {
                protocol: PROTOCOL,
                token: [0xff; TOKEN_BYTES],
                source: Uuid([0xff; 16]),
                target: name.clone(),
                block_bytes: u32::MAX,
                utc_ns: i64::MIN,
                run: Uuid([0xff; 16]),
            },
            Message::Open {
                track: u32::MAX,
                origin: Uuid([0xff; 16]),
                camera: name,
                kind: Kind::Metadata,
                has: u64::MAX,
                beside: true,
            },
            Message::Covered {
                track: u32::MAX,
                from_utc_ns: i64::MIN,
                to_utc_ns: i64::MIN,
                newest_utc_ns: Some(i64::MIN),
                follows: true,
                stretches: alloc::vec![(i64::MIN, i64::MIN); COVER_STRETCHES],
            },
            Message::Rejected {
                track: u32::MAX,
                why: WhyRejected::Expected(u64::MAX),
                holder: Some(Holder::Recorder("x".repeat(63).parse().unwrap())),
            },
            Message::Gap {
                track: u32::MAX,
                lease,
                from: u64::MAX,
                to: u64::MAX,
                reason: GapReason::Expired,
                hash_after: Digest([0xff; 32]),
            },
            Message::Tip {
                track: u32::MAX,
                next: u64::MAX,
                hash: Digest([0xff; 32]),
                lease,
            },
            Message::Point {
                mark: Uuid([0xff; 16]),
                origin: Uuid([0xff; 16]),
                camera: "x".repeat(63).parse().unwrap(),
                kind: Kind::Metadata,
                next: u64::MAX,
                hash: Digest([0xff; 32]),
            },
            Message::Mark {
                mark: Uuid([0xff; 16]),
                name: "x".repeat(63).parse().unwrap(),
                made_in: Uuid([0xff; 16]),
                utc_ns: i64::MIN,
                points: u32::MAX,
            },
        ];
        let mut all = Numbers::default();
        (0..COMPARE_SPAN).for_each(|at| all.add(at));
        let compared = Message::Compared {
            track: u32::MAX,
            from: u64::MAX,
            there: all.clone(),
            wanted: all.clone(),
            hash: Digest([0xff; 32]),
        };
        let compare = Message::Compare {
            track: u32::MAX,
            from: u64::MAX,
            has: all,
        };
        for message in messages.into_iter().chain([compare, compared]) {
            let bytes = message.encode();
            assert_eq!(Message::decode(&bytes), Some(message));
            assert_eq!(Message::decode(&bytes[..bytes.len() - 1]), None);
        }
    }

    #[test]
    fn numbers_are_bits() {
        let mut numbers = Numbers::default();
        for at in [9, 0, 511] {
            numbers.add(at);
        }
        assert!(numbers.fits() && numbers.has(9) && !numbers.has(10) && !numbers.has(5_000));
        assert_eq!(numbers.iter().collect::<Vec<_>>(), [0, 9, 511]);
        assert_eq!(numbers.count(), 3);
        assert!(!Numbers(alloc::vec![0; 65]).fits());
    }

    #[test]
    fn anything_may_come() {
        let mut state = 7u64;
        for _ in 0..100_000 {
            let mut bytes = [0u8; 64];
            for byte in &mut bytes {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                *byte = (state >> 56) as u8;
            }
            let _ = Message::decode(&bytes[..(state >> 40) as usize % 64]);
        }
    }
}
