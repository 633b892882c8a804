//! What must hold, judged from the bytes on the disks and from what the feeders know.
//!
//! Nothing here asks the product anything.

use std::collections::BTreeMap;

use drivers_sim::{Fate, Image, SiteId, Stretch};

use super::history::Promises;
use super::stage::Camera;
use super::stream::{Run, place};
use super::volume::{Content, Piece, Track, log, pieces};

/// Everything that a site promised is on its volume.
pub fn kept(name: &str, site: SiteId, image: &Image, promises: &Promises) -> Result<(), String> {
    let mine: Vec<_> = promises.iter().filter(|((of, _), _)| *of == site).collect();
    if mine.is_empty() {
        return Ok(());
    }
    let there = pieces(image).map_err(|why| format!("{name}: {why}"))?;
    for ((_, track), next) in mine {
        let missing = (0..*next).find(|sequence| !there.contains_key(&(track.clone(), *sequence)));
        if let Some(missing) = missing {
            let camera = &track.camera;
            return Err(format!(
                "{name} acknowledged {camera} below {next}, and {missing} is not durable there"
            ));
        }
    }
    Ok(())
}

/// All tracks of an archive, from its log.
#[derive(Clone, Debug)]
pub struct Archive {
    name: String,
    tracks: BTreeMap<Track, Vec<Piece>>,
}

impl Archive {
    /// Reads a log, and sees that every track in it is dense, chained and there once.
    pub fn read(name: &str, image: &Image, oldest: u64, head: u64) -> Result<Archive, String> {
        let blocks = log(image, oldest, head).map_err(|why| format!("{name}: {why}"))?;
        let mut tracks: BTreeMap<Track, Vec<Piece>> = BTreeMap::new();
        for block in blocks {
            match block.content {
                Content::Piece(piece) => tracks.entry(piece.track.clone()).or_default().push(piece),
                Content::Records(gaps) => {
                    if let Some((track, from, to)) = gaps.first() {
                        let camera = &track.camera;
                        return Err(format!(
                            "{name} states that {camera} {from} to {to} are missing, for no reason"
                        ));
                    }
                }
                Content::Checkpoint => {}
            }
        }
        for (track, pieces) in &tracks {
            follow_each_other(pieces).map_err(|why| format!("{name}, track of {}: {why}", track.camera))?;
        }
        Ok(Archive {
            name: name.into(),
            tracks,
        })
    }

    /// Blocks of tracks.
    pub fn blocks(&self) -> u64 {
        self.tracks.values().map(|pieces| pieces.len() as u64).sum()
    }
}

fn follow_each_other(pieces: &[Piece]) -> Result<(), String> {
    let mut previous = [0; 32];
    for (expected, piece) in (0..).zip(pieces) {
        if piece.sequence != expected {
            return Err(format!("{} stands where {expected} belongs", piece.sequence));
        }
        if piece.previous != previous {
            return Err(format!("{expected} does not follow the one before"));
        }
        previous = piece.hash;
    }
    Ok(())
}

/// A target has exactly what its source has: the same blocks, once, in the same order.
pub fn same_tracks(source: &Archive, target: &Archive) -> Result<(), String> {
    if let Some(track) = target.tracks.keys().find(|track| !source.tracks.contains_key(track)) {
        return Err(format!(
            "{} has {}, which {} never had",
            target.name, track.camera, source.name
        ));
    }
    for (track, ours) in &source.tracks {
        let theirs = target.tracks.get(track).map(Vec::as_slice).unwrap_or_default();
        let (camera, there) = (&track.camera, &target.name);
        if ours.len() != theirs.len() {
            return Err(format!(
                "{} has {} blocks of {camera}, and {there} {}",
                source.name,
                ours.len(),
                theirs.len()
            ));
        }
        let differs = ours
            .iter()
            .zip(theirs)
            .find(|(a, b)| a.origin_part != b.origin_part || a.payload != b.payload);
        if let Some((piece, _)) = differs {
            return Err(format!("block {} of {camera} is another one at {there}", piece.sequence));
        }
    }
    Ok(())
}

/// A track holds what its feeder wrote: once, in order, without foreign bytes; and what it does not hold was dropped, was lost on
/// the way, or had just been taken when the connection broke.
pub fn recorded(archive: &Archive, camera: &Camera, fates: &[Stretch]) -> Result<(), String> {
    let name = &camera.name;
    let track = archive.tracks.iter().find(|(track, _)| track.camera == *name);
    let pieces = track.map(|(_, pieces)| pieces.as_slice()).unwrap_or_default();
    let starts: Vec<u64> = fates.iter().map(|stretch| stretch.from_bytes).collect();
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
            excused(&(end..run.start), fates).map_err(|why| format!("before block {sequence} of {name}: {why}"))?;
            if run.start > end && !piece.discontinuity {
                return Err(format!(
                    "block {sequence} of {name} does not say that stream bytes are missing before it"
                ));
            }
            end = run.end;
        }
    }
    let all = fates.last().map_or(0, |stretch| stretch.to_bytes);
    excused(&(end..all), fates).map_err(|why| format!("behind the last block of {name}: {why}"))
}

/// Whether stream bytes may be missing.
fn excused(missing: &Run, fates: &[Stretch]) -> Result<(), String> {
    for stretch in fates {
        let (from, to) = (missing.start.max(stretch.from_bytes), missing.end.min(stretch.to_bytes));
        if from >= to || stretch.fate != Fate::Taken {
            continue;
        }
        let was_cut_off = stretch.broken && to == stretch.to_bytes;
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
    use drivers_sim::FeederId;

    fn archive(payloads: &[&[u8]]) -> Archive {
        interrupted_archive(payloads, false)
    }

    fn interrupted_archive(payloads: &[&[u8]], discontinuity: bool) -> Archive {
        let track = Track {
            origin: [1; 16],
            camera: "camera-0".into(),
            kind: 0,
        };
        let pieces = (0..).zip(payloads).map(|(sequence, payload)| Piece {
            track: track.clone(),
            sequence,
            origin_part: vec![7; 8],
            hash: [8; 32],
            previous: [0; 32],
            discontinuity,
            payload: payload.to_vec(),
        });
        Archive {
            name: "here".into(),
            tracks: BTreeMap::from([(track.clone(), pieces.collect())]),
        }
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
            stream: 0,
            feeder: FeederId(0),
        };
        let judge = |payloads: &[&[u8]], fates: &[Stretch]| recorded(&archive(payloads), &camera, fates);
        let whole = [taken(0, all, false)];
        assert_eq!(judge(&[&stream[..5000], &stream[5000..]], &whole), Ok(()));
        for bad in [
            &[&stream[..5000], &stream[5001..]][..],
            &[&stream[..5000], &stream[4000..]],
            &[&stream[5000..], &stream[..5000]],
            &[&stream[..5000]],
            &[&stream[..], b"x"],
        ] {
            assert!(judge(bad, &whole).is_err());
        }
        let crash = [taken(0, 6000, true), taken(6000, all, false)];
        let judge = |payloads: &[&[u8]], fates: &[Stretch], said| recorded(&interrupted_archive(payloads, said), &camera, fates);
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
    }

    #[test]
    fn a_copy_must_be_the_same() {
        let source = archive(&[b"one", b"two"]);
        assert_eq!(same_tracks(&source, &archive(&[b"one", b"two"])), Ok(()));
        for bad in [&[&b"one"[..]][..], &[b"one", b"twO"], &[b"one", b"two", b"two"], &[]] {
            assert!(same_tracks(&source, &archive(bad)).is_err());
        }
        assert!(
            same_tracks(
                &Archive {
                    name: "empty".into(),
                    tracks: BTreeMap::new()
                },
                &source
            )
            .is_err()
        );
    }

    #[test]
    fn pieces_must_follow_each_other() {
        let mut pieces = archive(&[b"one", b"two"]).tracks.into_values().next().unwrap();
        pieces[0].hash = [3; 32];
        assert!(follow_each_other(&pieces).is_err(), "chain");
        pieces[1].previous = [3; 32];
        assert_eq!(follow_each_other(&pieces), Ok(()));
        pieces[1].sequence = 2;
        assert!(follow_each_other(&pieces).is_err(), "hole");
    }
}
