//! A part of a checkpoint: its head, the entries alone, and the whole content if it is the only part.
//!
//! What is decoded is also cut into small parts and joined again.

use blockhaul_core::Kind;
use blockhaul_core::control::types::GapReason;
use blockhaul_core::format::checkpoint::{ENTRY_BYTES, Fills, PART_HEAD_BYTES, PartHead};
use blockhaul_core::format::notes::{MarkHead, MarkPoint, TagRange};
use blockhaul_core::format::record::GapRange;
use blockhaul_core::format::{Checkpoint, Entry, Notes, ScrubState, Tip, TrackKey};
use hal::{Digest, Uuid};

use crate::sector::differ;
use crate::{Seed, Target, golden, heap};

/// The target.
pub const TARGET: Target = Target {
    name: "checkpoint",
    what: "heads, entries, tips, gaps of checkpoints",
    longest: 4096,
    check,
    seeds,
    words: &[],
};

/// A share that cuts entries, tips and gaps in the middle.
const SMALL_SHARE_BYTES: usize = 101;

fn check(payload: &[u8]) {
    let Ok(head) = heap::within(0, payload, || PartHead::decode(payload)) else {
        assert!(
            Checkpoint::decode_entries(payload).is_err(),
            "entries of a part without a head"
        );
        return;
    };
    assert!(head.part < head.parts);
    assert!(head.from_sequence <= head.sequence);
    let covered = head.sequence - head.from_sequence;

    if let Ok((of_entries, entries)) = heap::within(4, payload, || Checkpoint::decode_entries(payload)) {
        assert_eq!(of_entries, head);
        assert_eq!(entries.len() as u64, covered);
        assert!(PART_HEAD_BYTES + entries.len() * ENTRY_BYTES <= payload.len());
    }

    let content = &payload[PART_HEAD_BYTES..];
    let Ok(checkpoint) = heap::within(4, payload, || Checkpoint::decode(&head, content)) else {
        return;
    };
    hold(&checkpoint, covered);
    assert_eq!(
        differ(content, &checkpoint.content()),
        None,
        "a checkpoint is encoded in another way than it was decoded"
    );
    if head.parts == 1 {
        // No payload is without room for content.
        let mut again = vec![0xff; payload.len() + 1];
        let length = checkpoint.encode_part(head.sequence, 0, content, &mut again);
        again.truncate(length as usize);
        assert_eq!(
            differ(payload, &again),
            None,
            "a part is encoded in another way than it was decoded"
        );
    }
    cut_and_join(&checkpoint, head.sequence, content);
}

fn hold(checkpoint: &Checkpoint, covered: u64) {
    assert_eq!(checkpoint.entries.len() as u64, covered);
    for tip in &checkpoint.tips {
        assert!((1..=63).contains(&tip.key.camera.len()));
    }
    for (track, gap) in &checkpoint.gaps {
        assert!(
            (*track as usize) < checkpoint.tips.len(),
            "a gap of a track that is not there"
        );
        assert!(gap.from < gap.to, "a gap of nothing was accepted");
    }
    for (track, _) in &checkpoint.fills {
        assert!(
            (*track as usize) < checkpoint.tips.len(),
            "a fill of a track that is not there"
        );
    }
    let notes = &checkpoint.notes;
    for tag in &notes.tags {
        let there = (tag.track as usize) < checkpoint.tips.len() && (tag.name as usize) < notes.tag_names.len();
        assert!(there && tag.from < tag.to, "a tag on nothing was accepted");
    }
    for point in &notes.points {
        let there = (point.track as usize) < checkpoint.tips.len() && (point.mark as usize) < notes.marks.len();
        assert!(there, "a point of nothing was accepted");
    }
}

fn cut_and_join(checkpoint: &Checkpoint, sequence: u64, content: &[u8]) {
    let capacity = PART_HEAD_BYTES + SMALL_SHARE_BYTES;
    let parts = Checkpoint::parts(content.len(), capacity as u32);
    let mut joined = Vec::new();
    let mut last = None;
    for part in 0..parts {
        let mut payload = vec![0xff; capacity];
        let length = checkpoint.encode_part(sequence, part, content, &mut payload) as usize;
        let head = PartHead::decode(&payload[..length]).expect("a part that was just encoded");
        assert_eq!((head.part, head.parts, head.sequence), (part, parts, sequence));
        joined.extend_from_slice(&payload[PART_HEAD_BYTES..length]);
        last = Some(head);
    }
    let head = last.expect("there is at least one part");
    assert_eq!(Checkpoint::decode(&head, &joined).as_ref(), Ok(checkpoint));
}

fn notes() -> Notes {
    Notes {
        tag_names: vec!["motion".parse().expect("a name")],
        tags: vec![TagRange {
            track: 1,
            name: 0,
            from: 2,
            to: 5,
            log_sequence: 101,
        }],
        marks: vec![MarkHead {
            mark: Uuid([8; 16]),
            name: "before".parse().expect("a name"),
            made_in: Uuid([9; 16]),
            utc_ns: 1,
            points: 1,
        }],
        points: vec![MarkPoint {
            mark: 0,
            track: 2,
            next: 9,
            hash: Digest([7; 32]),
        }],
    }
}

fn seeds() -> Vec<Seed> {
    let tips = (0..3).map(|number| {
        Tip::new(TrackKey {
            origin: Uuid([number; 16]),
            camera: "gate".parse().expect("a name"),
            kind: Kind::Audio,
        })
    });
    let gap = GapRange {
        from: 4,
        to: 9,
        reason: GapReason::Damaged,
    };
    let fills = Fills {
        from: 3,
        to: 6,
        log_from: 90,
        log_to: 99,
    };
    let checkpoint = Checkpoint {
        from_sequence: 100,
        entries: vec![Entry::OTHER; 8],
        tips: tips.collect(),
        gaps: vec![(2, gap)],
        fills: vec![(1, fills)],
        new_tracks_begin: 7,
        notes: notes(),
        scrub: ScrubState::default(),
    };
    let part = |part: u32, capacity: usize| {
        let mut payload = vec![0; capacity];
        let length = checkpoint.encode_part(108, part, &checkpoint.content(), &mut payload);
        payload.truncate(length as usize);
        payload
    };
    let empty = Checkpoint::default();
    let mut nothing = vec![0; PART_HEAD_BYTES + 1];
    let length = empty.encode_part(0, 0, &[], &mut nothing);
    nothing.truncate(length as usize);
    vec![
        ("golden".to_owned(), golden::bytes("checkpoint.txt")),
        ("whole".to_owned(), part(0, 2048)),
        ("part-0".to_owned(), part(0, 400)),
        ("part-1".to_owned(), part(1, 400)),
        ("nothing".to_owned(), nothing),
    ]
}
