//! What must be on a volume and what may be, from what was written and what was said of it.
//!
//! It follows the record of one volume: blocks written, claims made, openings. Invariants: what was claimed durable must be there
//! with the bytes of its last write; behind it may be what was written since the end of the log was last announced, nothing else.

use std::collections::BTreeMap;

use super::watched::Claim;
use crate::reader::{Block, Content, Track};

type Hash = [u8; 32];

/// What is known of one volume.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// All log sequences below were said to be durable.
    pub durable: u64,
    must: BTreeMap<u64, Hash>,
    may: BTreeMap<u64, Vec<Hash>>,
    announced: bool,
    promises: BTreeMap<Track, u64>,
}

impl Truth {
    /// A write was submitted.
    pub fn written(&mut self, bytes: &[u8]) {
        if bytes[..8] == *b"bhblock\0" {
            let sequence = u64::from_le_bytes(bytes[32..40].try_into().unwrap_or_default());
            let hash = *blake3::hash(&bytes[..4096]).as_bytes();
            let hashes = self.may.entry(sequence).or_default();
            if hashes.last() != Some(&hash) {
                hashes.push(hash);
            }
        }
    }

    /// An appliance was started: the next claim announces the end of the log.
    pub fn started(&mut self) {
        self.announced = false;
    }

    /// Something was said. The error is a claim that cannot be true.
    pub fn claimed(&mut self, claim: &Claim) -> Result<(), String> {
        let durable = match claim {
            Claim::Promised(track, next) => {
                let promised = self.promises.entry(track.clone()).or_default();
                *promised = (*promised).max(*next);
                return Ok(());
            }
            Claim::Durable(durable) => *durable,
        };
        if durable < self.durable {
            return Err(format!("{} blocks were durable, and now {durable} are", self.durable));
        }
        for sequence in self.durable..durable {
            let last = self.may.get(&sequence).and_then(|hashes| hashes.last());
            let last = last.ok_or_else(|| format!("block {sequence} is said to be durable and was never written"))?;
            self.must.insert(sequence, *last);
        }
        self.durable = durable;
        if !self.announced {
            // What lies behind the end is an orphan from now on.
            self.announced = true;
            self.may.retain(|sequence, _| *sequence < durable);
        }
        Ok(())
    }

    /// This was found to be the log: whatever else was written is not part of it from now on.
    pub fn found(&mut self, blocks: &[Block]) {
        self.may = blocks
            .iter()
            .map(|block| (block.log_sequence, vec![block.header_hash]))
            .collect();
    }

    /// Whether a log fits. `oldest` is the first that an archive with that end must still give.
    pub fn check(&self, blocks: &[Block], oldest: u64, head: u64) -> Result<(), String> {
        if head < self.durable {
            return Err(format!(
                "its log ends at {head}, and all below {} was said to be durable",
                self.durable
            ));
        }
        if blocks.len() as u64 != head - oldest {
            return Err(format!("{} blocks where {oldest} to {head} should be", blocks.len()));
        }
        for block in blocks {
            let sequence = block.log_sequence;
            let fits = match self.must.get(&sequence) {
                Some(hash) => *hash == block.header_hash,
                None => self
                    .may
                    .get(&sequence)
                    .is_some_and(|hashes| hashes.contains(&block.header_hash)),
            };
            if !fits && sequence < self.durable {
                return Err(format!("block {sequence} is not the one that was said to be durable"));
            }
            if !fits {
                return Err(format!(
                    "block {sequence} was not written since the end of the log was announced"
                ));
            }
        }
        self.check_promises(blocks, oldest)
    }

    fn check_promises(&self, blocks: &[Block], oldest: u64) -> Result<(), String> {
        for (track, next) in &self.promises {
            let mut there = 0;
            for block in blocks {
                match &block.content {
                    Content::Piece(piece) if piece.track == *track => there = piece.sequence + 1,
                    Content::Records { gaps, .. } => {
                        let ends = gaps.iter().filter(|(of, _, _)| of == track).map(|(_, _, to)| *to);
                        there = ends.fold(there, u64::max);
                    }
                    Content::Piece(_) | Content::Checkpoint { .. } => {}
                }
            }
            if there < *next && (oldest == 0 || there > 0) {
                return Err(format!(
                    "{} was acknowledged to its source below {next}, and ends at {there}",
                    track.camera
                ));
            }
        }
        Ok(())
    }
}

/// Where a track ends, from a log: the next sequence, and the hash of the block before it where that is known.
pub type Ends = BTreeMap<Track, (u64, Option<Hash>)>;

/// Sees that every track of a log is in order, linked, and nothing is there twice. Gives the end of each. With `breaks`, a gap may
/// name what is there.
pub fn tracks(blocks: &[Block], breaks: bool) -> Result<Ends, String> {
    let mut ends = Ends::new();
    for block in blocks {
        match &block.content {
            Content::Piece(piece) => {
                let camera = &piece.track.camera;
                match ends.get(&piece.track) {
                    Some((next, _)) if *next != piece.sequence => {
                        return Err(format!("block {} of {camera} stands where {next} belongs", piece.sequence));
                    }
                    Some((_, Some(hash))) if *hash != piece.previous => {
                        return Err(format!(
                            "block {} of {camera} does not follow the one before it",
                            piece.sequence
                        ));
                    }
                    Some(_) | None => {}
                }
                ends.insert(piece.track.clone(), (piece.sequence + 1, Some(piece.hash)));
            }
            Content::Records { gaps, .. } => {
                for (track, from, to) in gaps {
                    if let Some((next, _)) = ends.get(track)
                        && next != from
                        && !(breaks && from < next)
                    {
                        return Err(format!("a gap of {} from {from} stands where {next} belongs", track.camera));
                    }
                    ends.insert(track.clone(), (*to, None));
                }
            }
            Content::Checkpoint { .. } => {}
        }
    }
    Ok(ends)
}
