//! Every way in which a message of a source may be wrong, and what a target must do about it: the table of `docs/protocol.md`.
//!
//! Invariant: a message is wrong in one way and right in all others.

use blockhaul_core::format::Lease;
use blockhaul_core::haul::wire::{Message, WhyRejected};

use super::block::Made;
use super::books::NO_HASH;
use super::source::{History, gap, message_of, second_hello, track};
use super::wire::Answer;

/// A way to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// A block that is there, once more.
    Again,
    /// Another content for a number that is there.
    Other,
    /// A number that was stated as missing.
    InGap,
    /// Beyond the next number.
    Ahead,
    /// The next number, and it follows another block.
    Unchained,
    /// A lease that was in force before.
    OldLease,
    /// A lease that was never given.
    MadeUpLease,
    /// The payload is not what its digest says.
    Payload,
    /// The origin part is not what the message says.
    Header,
    /// A block of another track.
    OtherTrack,
    /// A block without payload.
    Empty,
    /// More bytes than the header says.
    Longer,
    /// A gap over blocks that are there.
    GapBelow,
    /// A gap that begins in what is there and ends beyond.
    GapOverlapping,
    /// A gap that leaves numbers out.
    GapAhead,
    /// A gap of nothing.
    GapOfNothing,
    /// A gap under an old lease.
    GapOldLease,
    /// A number for which no track was opened.
    UnknownTrack,
    /// A second greeting.
    SecondHello,
}

/// All of them.
pub const WRONGS: [Wrong; 19] = [
    Wrong::Again,
    Wrong::Other,
    Wrong::InGap,
    Wrong::Ahead,
    Wrong::Unchained,
    Wrong::OldLease,
    Wrong::MadeUpLease,
    Wrong::Payload,
    Wrong::Header,
    Wrong::OtherTrack,
    Wrong::Empty,
    Wrong::Longer,
    Wrong::GapBelow,
    Wrong::GapOverlapping,
    Wrong::GapAhead,
    Wrong::GapOfNothing,
    Wrong::GapOldLease,
    Wrong::UnknownTrack,
    Wrong::SecondHello,
];

/// A message, its body, and the answers that are right.
pub type Question = (Message, Vec<u8>, Vec<Answer>);

impl Wrong {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Wrong::Again => "block that is there, sent again",
            Wrong::Other => "other content for a number that is there",
            Wrong::InGap => "block that was stated as missing",
            Wrong::Ahead => "block ahead of the tip",
            Wrong::Unchained => "block that follows another one",
            Wrong::OldLease => "block under an old lease",
            Wrong::MadeUpLease => "block under a lease that was never given",
            Wrong::Payload => "block with an altered payload",
            Wrong::Header => "block with an altered header",
            Wrong::OtherTrack => "block of another track",
            Wrong::Empty => "block without payload",
            Wrong::Longer => "block longer than it says",
            Wrong::GapBelow => "gap where blocks are",
            Wrong::GapOverlapping => "gap that begins where blocks are",
            Wrong::GapAhead => "gap ahead of the tip",
            Wrong::GapOfNothing => "gap of nothing",
            Wrong::GapOldLease => "gap under an old lease",
            Wrong::UnknownTrack => "block of a track that was not opened",
            Wrong::SecondHello => "second greeting",
        }
    }

    /// A message that is wrong in this way for a track that is open; none if there is none now.
    pub fn message(self, history: &mut History, camera: usize, number: u32, lease: Lease) -> Option<Question> {
        let shelf = history.shelf(camera);
        let next = shelf.next;
        let expected = || Answer::Rejected(WhyRejected::Expected(next));
        let taken: Vec<u64> = shelf.blocks.keys().copied().collect();
        let block = |block: Made, right: Vec<Answer>| Some((message_of(number, lease, &block), block.body, right));
        let other = |history: &mut History, at: u64, previous| {
            let payload = history.payload();
            Made::new(&track(camera), at, previous, &payload)
        };
        match self {
            Wrong::Again => {
                let at = pick(history, &taken)?;
                let duplicate = true;
                // One that is too old for the index in memory is told where to go on.
                block(
                    history.made[&(camera, at)].clone(),
                    vec![Answer::Ack { next, duplicate }, expected()],
                )
            }
            Wrong::Other => {
                let at = pick(history, &taken)?;
                let previous = history.made[&(camera, at)].previous;
                let made = other(history, at, previous);
                block(made, vec![Answer::Rejected(WhyRejected::Diverged), expected()])
            }
            Wrong::InGap => {
                let gaps: Vec<u64> = shelf.gaps.iter().cloned().flatten().collect();
                let at = pick(history, &gaps)?;
                block(other(history, at, NO_HASH), vec![expected()])
            }
            Wrong::Ahead => {
                let at = next + 1 + history.stage.draw(5);
                let previous = history.tips[camera];
                block(other(history, at, previous), vec![expected()])
            }
            Wrong::Unchained => {
                let known = next == 0 || history.tips[camera] != NO_HASH;
                let made = other(history, next, [0x5a; 32]);
                known
                    .then(|| block(made, vec![Answer::Rejected(WhyRejected::Diverged)]))
                    .flatten()
            }
            Wrong::OldLease | Wrong::GapOldLease => {
                let told: Vec<(u64, u64)> = history.leases[camera].iter().copied().collect();
                let old: Vec<_> = told
                    .into_iter()
                    .filter(|told| *told != (lease.counter, lease.nonce))
                    .collect();
                let (counter, nonce) = pick(history, &old)?;
                let lease = Lease { counter, nonce };
                let right = vec![Answer::Rejected(WhyRejected::Fenced)];
                if self == Wrong::GapOldLease {
                    return Some((gap(number, lease, next..next + 1, NO_HASH), Vec::new(), right));
                }
                let made = history.next_block(camera);
                Some((message_of(number, lease, &made), made.body, right))
            }
            Wrong::MadeUpLease => {
                let made = history.next_block(camera);
                let lease = match history.stage.draw(3) {
                    0 => Lease {
                        counter: lease.counter + 1,
                        ..lease
                    },
                    1 => Lease {
                        nonce: lease.nonce ^ 1,
                        ..lease
                    },
                    _ => Lease { counter: 0, nonce: 0 },
                };
                let right = vec![Answer::Rejected(WhyRejected::Fenced)];
                Some((message_of(number, lease, &made), made.body, right))
            }
            Wrong::Payload | Wrong::Header => {
                let mut made = history.next_block(camera);
                made.alter(self == Wrong::Payload);
                block(made, vec![Answer::Rejected(WhyRejected::Digest)])
            }
            Wrong::OtherTrack => {
                let payload = history.payload();
                let made = Made::new(&track(1 - camera), next, history.tips[camera], &payload);
                block(made, vec![Answer::Closed])
            }
            Wrong::Empty => block(
                Made::new(&track(camera), next, history.tips[camera], b""),
                vec![Answer::Closed],
            ),
            Wrong::Longer => {
                let mut made = history.next_block(camera);
                made.body.push(0);
                block(made, vec![Answer::Closed])
            }
            Wrong::GapBelow | Wrong::GapOverlapping | Wrong::GapAhead | Wrong::GapOfNothing => {
                let beyond = 1 + history.stage.draw(4);
                let missing = match self {
                    Wrong::GapBelow if next > 0 => {
                        let from = history.stage.draw(next);
                        from..from + 1 + history.stage.draw(next - from)
                    }
                    Wrong::GapOverlapping if next > 0 => history.stage.draw(next)..next + beyond,
                    Wrong::GapAhead => next + beyond..next + beyond + 1 + history.stage.draw(4),
                    Wrong::GapOfNothing => next..next,
                    _ => return None,
                };
                let right = if missing.is_empty() { Answer::Closed } else { expected() };
                Some((gap(number, lease, missing, NO_HASH), Vec::new(), vec![right]))
            }
            Wrong::UnknownTrack => {
                let made = history.next_block(camera);
                Some((message_of(number + 40, lease, &made), made.body, vec![Answer::Closed]))
            }
            Wrong::SecondHello => Some((second_hello(), Vec::new(), vec![Answer::Closed])),
        }
    }
}

fn pick<T: Copy>(history: &mut History, things: &[T]) -> Option<T> {
    if things.is_empty() {
        return None;
    }
    things.get(history.stage.draw(things.len() as u64) as usize).copied()
}
