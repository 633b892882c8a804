//! The volumes that histories from seeds leave behind: the product and `tests/reader.py` find the same on each, block by block.
//!
//! Histories of one appliance bring faults of disks (rot, torn and lost writes, rollbacks), those of several bring gaps, fills, marks
//! and freed segments; the sizes differ. Invariant: a volume that one of the two refuses, the other does not open either.

use blockhaul_tests::sim;

use crate::reader;
use crate::volumes::{Opened, line, superblock};

/// Histories of one appliance, and of several.
const ALONE: std::ops::Range<u64> = 0..16;
const SEVERAL: std::ops::Range<u64> = 0..8;
/// Fewer volumes than this would show little.
const VOLUMES_MIN: usize = 20;

/// What was on the volumes.
#[derive(Debug, Default)]
struct Counts {
    volumes: usize,
    blocks: usize,
    damaged: usize,
    wrapped: usize,
    freed: usize,
    fills: usize,
    refused: usize,
}

#[test]
fn product_and_reader_find_the_same_on_what_histories_leave() {
    let mut counts = Counts::default();
    for (keeping, seeds) in [(false, ALONE), (true, SEVERAL)] {
        for seed in seeds {
            let volumes = sim::volumes(keeping, seed).unwrap();
            for (number, image) in volumes.iter().enumerate() {
                let kind = if keeping { "keeping" } else { "archive" };
                compare(image, &format!("{kind} seed {seed}, volume {number}"), &mut counts);
            }
        }
    }
    println!("{counts:?}");
    assert!(counts.volumes >= VOLUMES_MIN, "{counts:?}");
    assert!(counts.blocks > 200 && counts.damaged > 5, "{counts:?}");
    assert!(counts.wrapped > 0 && counts.freed > 0 && counts.fills > 0, "{counts:?}");
}

fn compare(image: &[u8], what: &str, counts: &mut Counts) {
    let Some(newest) = superblock(image) else {
        counts.refused += 1;
        return;
    };
    let mut opened = Opened::after(image, newest.archive);
    let state = opened.info["state"].as_str().unwrap_or_default().to_owned();
    if !matches!(state.as_str(), "ready" | "full" | "degraded") {
        counts.refused += 1;
        return;
    }
    let (_, damaged) = opened.verify();
    let headers = opened.headers_without(&damaged);
    let lines: Vec<String> = headers.values().filter_map(line).collect();
    let found = reader::read(image);
    assert_eq!(found.blocks, lines, "{what}: the blocks");
    assert_eq!(
        found.damaged,
        damaged.keys().copied().collect::<Vec<_>>(),
        "{what}: what is damaged"
    );
    let summary = format!(
        "archive {} epoch {} head {}",
        newest.archive, newest.epoch.counter, opened.head
    );
    assert_eq!(found.summary, summary, "{what}");
    counts.volumes += 1;
    counts.blocks += lines.len();
    counts.damaged += damaged.len();
    counts.wrapped += usize::from(opened.head > newest.slots);
    counts.freed += usize::from(newest.freed_sequence > 0);
    counts.fills += headers.values().filter(|header| header.placement.fill).count();
}
