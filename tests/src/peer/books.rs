//! What a log holds of each track, from the bytes of a disk: order, links, gaps, and under which lease each block came.
//!
//! Read with the independent reader; nothing here asks the product. Invariant: an error is a broken promise of the log itself,
//! whatever was sent.

use std::collections::BTreeMap;
use std::ops::Range;

use drivers_sim::Image;

use crate::reader::{Content, Granted, Lease, Piece, Track, geometry, log};

/// No hash: the first block of a track, or one that is not known.
pub const NO_HASH: [u8; 32] = [0; 32];

/// What is there of one track.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shelf {
    /// Number that comes next.
    pub next: u64,
    /// Hash of the block before it, where that is there.
    pub tip: Option<[u8; 32]>,
    /// Hash and payload of each block.
    pub blocks: BTreeMap<u64, ([u8; 32], Vec<u8>)>,
    /// What is stated as missing.
    pub gaps: Vec<Range<u64>>,
    /// The newest lease and its holder.
    pub lease: Option<(Lease, [u8; 32])>,
}

/// All tracks of a log that ends at `head`.
pub fn read(image: &Image, head: u64) -> Result<BTreeMap<Track, Shelf>, String> {
    let here = geometry(image)?.archive;
    let mut shelves: BTreeMap<Track, Shelf> = BTreeMap::new();
    for block in log(image, 0, head)? {
        match block.content {
            Content::Piece(piece) => {
                let shelf = shelves.entry(piece.track.clone()).or_default();
                shelf.put(&piece, piece.track.origin == here)?;
            }
            Content::Records { gaps, leases } => {
                for Granted { track, lease, holder } in leases {
                    let shelf = shelves.entry(track.clone()).or_default();
                    let before = shelf.lease.map_or(0, |((counter, _), _)| counter);
                    if lease.0 <= before {
                        let camera = track.camera;
                        return Err(format!("lease {} of {camera} was given after lease {before}", lease.0));
                    }
                    shelf.lease = Some((lease, holder));
                }
                for (track, from, to) in gaps {
                    shelves.entry(track.clone()).or_default().miss(&track, from..to)?;
                }
            }
            Content::Checkpoint { .. } => {}
        }
    }
    Ok(shelves)
}

impl Shelf {
    fn put(&mut self, piece: &Piece, recorded_here: bool) -> Result<(), String> {
        let (number, camera) = (piece.sequence, &piece.track.camera);
        if number != self.next {
            return Err(format!("block {number} of {camera} stands where {} belongs", self.next));
        }
        // Behind a loss the origin may not know the block before either.
        let linked = piece.previous == NO_HASH || self.tip.is_none_or(|tip| tip == piece.previous);
        if !linked || (number == 0 && piece.previous != NO_HASH) {
            return Err(format!("block {number} of {camera} does not follow the one before it"));
        }
        let newest = self.lease.map_or((0, 0), |(lease, _)| lease);
        if !recorded_here && piece.lease != newest {
            return Err(format!(
                "block {number} of {camera} came under lease {}, and the newest in the log before it is {}",
                piece.lease.0, newest.0
            ));
        }
        self.blocks.insert(number, (piece.hash, piece.payload.clone()));
        self.next = number + 1;
        self.tip = Some(piece.hash);
        Ok(())
    }

    fn miss(&mut self, track: &Track, gap: Range<u64>) -> Result<(), String> {
        if gap.start != self.next || gap.is_empty() {
            return Err(format!(
                "a gap of {} from {} to {} stands where {} belongs",
                track.camera, gap.start, gap.end, self.next
            ));
        }
        self.next = gap.end;
        self.tip = None;
        self.gaps.push(gap);
        Ok(())
    }
}
