//! Some histories of tags and marks (`blockhaul_tests::notes`). `BLOCKHAUL_SEED` plays one history again.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use blockhaul_tests::notes::{one_archive, two_archives};

const SEEDS: u64 = 24;

fn seeds() -> Vec<u64> {
    match std::env::var("BLOCKHAUL_SEED") {
        Ok(seed) => vec![seed.parse().expect("BLOCKHAUL_SEED is a number")],
        Err(_) => (1..=SEEDS).collect(),
    }
}

#[test]
fn an_append_archive_keeps_what_it_has_said_of_its_notes() {
    for seed in seeds() {
        one_archive(seed, "append", 256);
    }
}

#[test]
fn a_ring_forgets_tags_only_with_their_blocks() {
    for seed in seeds() {
        one_archive(seed, "ring", 64);
    }
}

#[test]
fn marks_come_to_the_replica_whatever_is_cut_short() {
    for seed in seeds() {
        two_archives(seed);
    }
}
