//! What a recording must be, judged from its bytes and from what the feeder knows.
//!
//! Nothing here asks the product anything.

use drivers_sim::{Fate, Stretch};

use super::cameras::Camera;
use super::stream::{Run, place};

/// A block of a recording, in the order in which they became durable.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Number in its track.
    pub sequence: u64,
    /// It says that stream bytes are missing before it.
    pub discontinuity: bool,
    /// Stream bytes.
    pub payload: Vec<u8>,
}

/// A track holds what its feeder wrote: once, in order, without foreign bytes; and what it does not hold was dropped, was lost on
/// the way, or had just been taken when the connection broke. `dropped`: the appliance said that it dropped bytes.
pub fn recorded(pieces: &[Piece], camera: &Camera, fates: &[Stretch], dropped: bool) -> Result<(), String> {
    let name = &camera.name;
    let starts: Vec<u64> = fates.iter().map(|stretch| stretch.from_bytes).collect();
    let excused = |missing: &Run| if dropped { Ok(()) } else { excused(missing, fates) };
    let mut end = 0;
    for piece in pieces {
        let sequence = piece.sequence;
        let runs = place(camera.stream, &piece.payload, end, &starts)
            .map_err(|at| format!("block {sequence} of {name} holds foreign bytes from byte {at} on"))?;
        for run in runs {
            if run.start < end {
                return Err(format!(
                    "block {sequence} of {name} repeats stream bytes from {} on",
                    run.start
                ));
            }
            excused(&(end..run.start)).map_err(|why| format!("before block {sequence} of {name}: {why}"))?;
            if run.start > end && !piece.discontinuity {
                return Err(format!(
                    "block {sequence} of {name} does not say that stream bytes are missing before it"
                ));
            }
            end = run.end;
        }
    }
    let all = fates.last().map_or(0, |stretch| stretch.to_bytes);
    excused(&(end..all)).map_err(|why| format!("behind the last block of {name}: {why}"))
}

/// Whether stream bytes may be missing.
fn excused(missing: &Run, fates: &[Stretch]) -> Result<(), String> {
    for (at, stretch) in fates.iter().enumerate() {
        let (from, to) = (missing.start.max(stretch.from_bytes), missing.end.min(stretch.to_bytes));
        if from >= to || stretch.fate != Fate::Taken {
            continue;
        }
        // Bytes that a drain had begun to throw away when the connection broke belong to the end: what was taken before them was
        // not sealed yet, and nobody was left to say that they were dropped.
        let end = fates[at..]
            .iter()
            .find(|later| later.broken || (later.fate == Fate::Taken && *later != stretch));
        let was_cut_off =
            to == stretch.to_bytes && end.is_some_and(|end| end.broken && (end == stretch || end.fate == Fate::Dropped));
        if !was_cut_off {
            return Err(format!("stream bytes {from} to {to} were taken and are not there"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::stream::chunk;
    use drivers_sim::{FeederId, SiteId};

    fn pieces(payloads: &[&[u8]], discontinuity: bool) -> Vec<Piece> {
        let numbered = (0..).zip(payloads);
        numbered
            .map(|(sequence, payload)| Piece {
                sequence,
                discontinuity,
                payload: payload.to_vec(),
            })
            .collect()
    }

    fn taken(from_bytes: u64, to_bytes: u64, broken: bool) -> Stretch {
        Stretch {
            from_bytes,
            to_bytes,
            fate: Fate::Taken,
            broken,
        }
    }

    #[test]
    fn a_recording_is_judged_by_its_bytes() {
        let stream: Vec<u8> = (0..2).flat_map(|number| chunk(0, number)).collect();
        let all = stream.len() as u64;
        let camera = Camera {
            name: "camera-0".into(),
            site: SiteId(0),
            stream: 0,
            feeder: FeederId(0),
        };
        let judge = |payloads: &[&[u8]], fates: &[Stretch], said| recorded(&pieces(payloads, said), &camera, fates, false);
        let whole = [taken(0, all, false)];
        assert_eq!(judge(&[&stream[..5000], &stream[5000..]], &whole, false), Ok(()));
        for bad in [
            &[&stream[..5000], &stream[5001..]][..],
            &[&stream[..5000], &stream[4000..]],
            &[&stream[5000..], &stream[..5000]],
            &[&stream[..5000]],
            &[&stream[..], b"x"],
        ] {
            assert!(judge(bad, &whole, false).is_err());
        }
        let crash = [taken(0, 6000, true), taken(6000, all, false)];
        assert_eq!(judge(&[&stream[..5000], &stream[6000..]], &crash, true), Ok(()));
        assert!(judge(&[&stream[..5000], &stream[6000..]], &crash, false).is_err());
        assert!(judge(&[&stream[..5000], &stream[6001..]], &crash, true).is_err());
        let dropped = [
            taken(0, 100, false),
            Stretch {
                fate: Fate::Dropped,
                ..taken(100, all, false)
            },
        ];
        assert_eq!(judge(&[&stream[..100]], &dropped, false), Ok(()));
        assert!(judge(&[&stream[..99]], &dropped, false).is_err());
        let mut cut_off = dropped;
        cut_off[1].broken = true;
        assert_eq!(judge(&[&stream[..99]], &cut_off, false), Ok(()));
    }
}
