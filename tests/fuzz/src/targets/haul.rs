//! Frames from other appliances, to a real one: it is the target of two links of one peer and one of another, and its job is the
//! source of a fourth.
//!
//! An input is frames in the form of [`script`]. Whatever comes, nothing is acknowledged that was not sent and right, and nothing
//! is sent without credit.

mod script;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use blockhaul_core::format::Lease;
use blockhaul_core::format::header::{ORIGIN_AT, ORIGIN_END};
use blockhaul_core::haul::wire::Message;
use hal::{ClientId, Digest, Fingerprint, LinkError, LinkId, Role};
use script::{Frame, ORIGIN_BYTES, Whose, put};

use crate::desk::{Desk, NORTH, SOUTH, TOKEN, begin};
use crate::{Target, heap};

/// The target.
pub const TARGET: Target = Target {
    name: "haul",
    what: "frames of peers, to a real appliance",
    longest: 2048,
    check: |input| {
        // Made before anything is counted.
        begin();
        heap::of_appliance(|| drop(play(input)));
    },
    seeds: script::seeds,
    words: &[],
};

/// What passes when time does.
const WHILE: Duration = Duration::from_secs(3);
/// Frames of one input: more would only make it slow.
const FRAMES_MAX: usize = 32;

/// All frames of an input, and a while after them.
fn play(input: &[u8]) -> Peers {
    let (mut desk, token) = begin();
    desk.reachable = true;
    desk.call(
        ClientId(0),
        Role::Admin,
        br#"{"method":"io.blockhaul.Job.Kick","parameters":{"name":"up"}}"#,
    );
    let mut peers = Peers {
        desk,
        token,
        links: BTreeMap::new(),
        used: 0,
        tracks: BTreeMap::new(),
        credit: 0,
        heard: Vec::new(),
    };
    for frame in script::frames(input).take(FRAMES_MAX) {
        peers.send(&frame);
    }
    peers.desk.pass(WHILE);
    peers.listen();
    peers
}

/// What a peer knows of a track that it has opened.
struct Track {
    next: u64,
    hash: Digest,
    lease: Lease,
    /// Nothing from here on was sent and right.
    below: u64,
    /// Fills that were sent and right.
    fills: BTreeSet<u64>,
}

/// The other ends of all links.
struct Peers {
    desk: Desk,
    token: [u8; 32],
    links: BTreeMap<Whose, LinkId>,
    used: u64,
    tracks: BTreeMap<(LinkId, u32), Track>,
    /// Blocks that the job may still send on all its links together.
    credit: u64,
    heard: Vec<Message>,
}

impl Peers {
    fn send(&mut self, frame: &Frame) {
        if frame.anew
            && let Some(link) = self.links.remove(&frame.whose)
        {
            self.desk.lose(link, LinkError::Lost);
        }
        let Some(link) = self.link(frame.whose) else { return };
        let mut body = frame.body.clone();
        let mut bytes = frame.message.to_vec();
        if let Some(message) = Message::decode(&bytes) {
            let message = if frame.mended {
                self.mend(link, message, &mut body)
            } else {
                message
            };
            self.note(link, &message, &body);
            if frame.mended {
                bytes = message.encode().to_vec();
            }
        }
        self.desk.frame(link, &bytes, &body);
        self.listen();
        if frame.waits {
            self.desk.pass(WHILE);
            self.listen();
        }
    }

    /// The link of a peer; it comes if it is not up.
    fn link(&mut self, whose: Whose) -> Option<LinkId> {
        let peer: Fingerprint = match whose {
            Whose::North | Whose::NorthAgain => NORTH,
            Whose::South => SOUTH,
            Whose::Job => {
                let link = self.desk.dialled.last().copied()?;
                return self.desk.is_up(link).then_some(link);
            }
        };
        let old = self.links.get(&whose).copied().filter(|link| self.desk.is_up(*link));
        if old.is_some() {
            return old;
        }
        let link = LinkId(2 * self.used + 1);
        self.used += 1;
        self.links.insert(whose, link);
        self.desk.come(link, peer);
        self.desk.is_up(link).then_some(link)
    }

    /// Puts in what an input cannot know: token, lease, digest, place in the chain.
    fn mend(&self, link: LinkId, mut message: Message, body: &mut [u8]) -> Message {
        match &mut message {
            Message::Hello { token, .. } if *token == TOKEN => *token = self.token,
            Message::Gap { track, lease, from, .. } => {
                if let Some(known) = self.tracks.get(&(link, *track)) {
                    *lease = known.lease;
                    *from = known.next;
                }
            }
            Message::Block {
                track,
                lease,
                hash,
                fill,
            } => {
                if let Some(known) = self.tracks.get(&(link, *track)) {
                    *lease = known.lease;
                    if !*fill && body.len() > ORIGIN_BYTES {
                        put(body, 360, &known.next.to_le_bytes());
                        put(body, 424, &known.hash.0);
                    }
                }
                if let Some((sector, payload)) = body.split_at_mut_checked(ORIGIN_BYTES) {
                    put(sector, 356, &(payload.len() as u32).to_le_bytes());
                    put(sector, 392, blake3::hash(payload).as_bytes());
                    *hash = Digest(*blake3::hash(&sector[..ORIGIN_END - ORIGIN_AT]).as_bytes());
                }
            }
            _ => {}
        }
        message
    }

    /// What may be acknowledged after this has been sent.
    fn note(&mut self, link: LinkId, message: &Message, body: &[u8]) {
        match message {
            Message::Welcome { credit, .. } => self.credit += u64::from(*credit),
            Message::Credit { blocks } => self.credit += u64::from(*blocks),
            Message::Gap { track, to, .. } => {
                if let Some(known) = self.tracks.get_mut(&(link, *track)) {
                    known.below = known.below.max(*to);
                    known.next = *to;
                    known.hash = match message {
                        Message::Gap { hash_after, .. } => *hash_after,
                        _ => known.hash,
                    };
                }
            }
            Message::Block { track, fill, .. } => {
                let Some((sector, payload)) = body.split_at_checked(ORIGIN_BYTES) else {
                    return;
                };
                let digest = &sector[392 - ORIGIN_AT..][..32];
                if let Some(known) = self.tracks.get_mut(&(link, *track))
                    && blake3::hash(payload) == blake3::Hash::from_slice(digest).unwrap_or(blake3::hash(b""))
                {
                    if *fill {
                        let number: [u8; 8] = sector[360 - ORIGIN_AT..][..8].try_into().unwrap_or_default();
                        known.fills.insert(u64::from_le_bytes(number));
                        return;
                    }
                    known.below += 1;
                    known.next += 1;
                    known.hash = Digest(*blake3::hash(&sector[..ORIGIN_END - ORIGIN_AT]).as_bytes());
                }
            }
            _ => {}
        }
    }

    /// What the appliance has said since.
    fn listen(&mut self) {
        for (link, message) in std::mem::take(&mut self.desk.said) {
            self.heard.push(message.clone());
            match message {
                Message::Tip {
                    track,
                    next,
                    hash,
                    lease,
                } => {
                    let below = next;
                    self.tracks.insert(
                        (link, track),
                        Track {
                            next,
                            hash,
                            lease,
                            below,
                            fills: BTreeSet::new(),
                        },
                    );
                }
                Message::Filled { track, number, taken } => {
                    let known = self.tracks.get(&(link, track)).expect("a filled track was opened");
                    assert!(!taken || known.fills.contains(&number), "{number} was not sent as a fill");
                }
                Message::Ack { track, next, .. } => {
                    let known = self.tracks.get(&(link, track)).expect("an acknowledged track was opened");
                    assert!(
                        next <= known.below,
                        "acknowledged below {next}, and only below {} was sent",
                        known.below
                    );
                }
                Message::Block { .. } => {
                    let left = self.credit.checked_sub(1);
                    self.credit = left.expect("a block was sent without credit");
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use blockhaul_core::haul::wire::WhyRefused;

    use super::*;

    fn heard(seed: &str) -> Vec<Message> {
        let seeds = (TARGET.seeds)();
        let input = seeds.iter().find(|(name, _)| name == seed).map(|(_, input)| input);
        play(input.expect("a seed of that name")).heard
    }

    #[test]
    fn the_conversations_to_begin_with_come_to_blocks_and_acknowledgements() {
        let acked = |seed| {
            let heard = heard(seed);
            let acks = heard.into_iter().filter_map(|message| match message {
                Message::Ack { next, .. } => Some(next),
                _ => None,
            });
            acks.max()
        };
        assert_eq!(acked("blocks"), Some(3));
        assert_eq!(acked("block-twice"), Some(1));
        assert_eq!(acked("gap-and-block"), Some(6));
        assert_eq!(acked("comes-again"), Some(2));
        assert_eq!(acked("two-peers"), None);
        let filled = heard("fill-a-gap")
            .into_iter()
            .any(|message| matches!(message, Message::Filled { taken: true, .. }));
        assert!(filled, "what a gap states is taken");
        let refused = heard("other-version").into_iter().any(|message| {
            let why = WhyRefused::Protocol;
            message == Message::Refused { why }
        });
        assert!(refused, "another version is refused");
        let compared = heard("compare").into_iter().filter_map(|message| match message {
            Message::Compared { there, wanted, .. } => Some((there.count(), wanted.count())),
            _ => None,
        });
        assert_eq!(compared.collect::<Vec<_>>(), [(1, 1)]);
        let covered = heard("cover").into_iter().filter_map(|message| match message {
            Message::Covered { stretches, .. } => Some(stretches),
            _ => None,
        });
        assert_eq!(covered.collect::<Vec<_>>(), [vec![]], "nobody else has the camera");
        let sent = |seed| {
            heard(seed)
                .iter()
                .filter(|message| matches!(message, Message::Block { .. }))
                .count()
        };
        assert!(sent("job-caught-up") > 2, "the job sends its blocks");
    }
}
