//! Every code of an event for people is produced by the product on a simulated machine, by a story that somebody can read.
//!
//! - `disk` and `haul`: the stories of one appliance and of two (`stage.rs` of the crate); `keep`: what is freed, and what is not.
//! - `check`: what a check of a card finds, fault by fault, and that it leaves everything as it was.
//! - `found`: stories of what histories from seeds found once, each with its own judgement.
//!
//! Not here: whether an event is said whenever it should be; histories from seeds judge that (`tests/src/sim`). Invariant: a code
//! that the product gets stands in the table of a story, or this fails.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod axis;
mod card;
mod check;
mod disk;
mod found;
mod haul;
mod keep;
mod macros;

use std::collections::BTreeSet;

use blockhaul_tests::sim::all_codes;
use blockhaul_tests::stage;
use stage::Stage;

/// A story, and the codes that it must produce.
type Story = (&'static str, fn() -> Stage, &'static [&'static str]);

const STORIES: &[Story] = &[
    (
        "an archive is made, filled to its end, and its appliance stopped",
        disk::life,
        &[
            "started",
            "configured",
            "archive-created",
            "archive-ready",
            "archive-full",
            "recording-dropped",
            "stopped",
        ],
    ),
    (
        "blocks go bad",
        disk::bad_blocks,
        &["block-corrupt", "block-unreadable", "verify-failed"],
    ),
    (
        "a checkpoint goes bad, and somebody searches",
        disk::bad_checkpoint,
        &["block-corrupt"],
    ),
    (
        "the power is cut, and a block written before is damaged by it",
        disk::cut_and_looked_over,
        &["looked-over", "block-corrupt", "verify-failed"],
    ),
    (
        "superblock copies go bad",
        disk::bad_superblocks,
        &["superblock-repaired", "superblock-quorum-lost"],
    ),
    (
        "writes fail, once and for good",
        disk::bad_writes,
        &["group-rewritten", "archive-read-only"],
    ),
    (
        "a card keeps nothing of what it is given",
        disk::keeps_nothing,
        &["write-not-kept", "group-rewritten", "archive-read-only"],
    ),
    (
        "a disk is taken out and put back",
        disk::taken_out,
        &["device-removed", "archive-offline", "device-added"],
    ),
    (
        "another disk is in its place, and then its own, smaller",
        disk::another_volume,
        &["uuid-mismatch", "geometry-mismatch"],
    ),
    ("old superblocks come back", disk::old_superblocks, &["superblock-regressed"]),
    (
        "a power cut leaves a later block without the one before",
        disk::torn_tail,
        &["tail-discarded"],
    ),
    ("a block lies where none should be", disk::foreign_block, &["would-overwrite"]),
    (
        "a disk hangs for long",
        disk::silence,
        &["device-silent", "recording-dropped", "device-answers", "recording-resumed"],
    ),
    (
        "a card is put in, made known, taken, pulled and put elsewhere",
        card::life,
        &["card-unknown", "card-found", "card-taken", "card-removed"],
    ),
    ("cards and power come and go", card::interrupted, &["card-removed"]),
    ("a camera writes over what is being taken", card::overwritten, &["gap"]),
    (
        "files change, cannot be read, folders are damaged",
        card::changed,
        &["card-file-changed", "card-file-unreadable", "card-damaged", "gap"],
    ),
    (
        "a card of an Axis camera lacks some of its documents",
        axis::documents,
        &["card-sidecar-missing", "card-taken"],
    ),
    (
        "copies of a card, and another in its place",
        card::strangers,
        &["card-cloned", "card-swapped"],
    ),
    (
        "a card is checked that has less than it says",
        check::story,
        &["card-checked"],
    ),
    ("a job runs once", haul::run, &["run-started", "caught-up", "run-completed"]),
    ("the target is full", haul::full_target, &["target-full"]),
    ("a ring goes round while the link is down", haul::overrun, &["overrun", "gap"]),
    (
        "blocks of a target go bad and are sent again by a full run",
        haul::reconcile,
        &["reconciled", "back-filled"],
    ),
    (
        "a link is down for long",
        haul::stall,
        &["nic-down", "stalled", "nic-up", "resumed"],
    ),
    ("a bit turns on the way", haul::altered, &["digest-mismatch"]),
    (
        "what was hauled is freed, and the log goes round an append archive",
        keep::removed_after_success,
        &["freed"],
    ),
    (
        "superblocks from before anything was freed come back",
        keep::freed_and_put_back,
        &["superblock-regressed"],
    ),
    (
        "a job that is switched off fills a ring that protects, and is released",
        keep::protected,
        &["archive-full", "recording-dropped", "guard-released", "recording-resumed"],
    ),
    (
        "there is no room for the tag of what was hauled",
        haul::untagged,
        &["untagged"],
    ),
    ("a token is wrong", haul::wrong_token, &["peer-refused"]),
    ("a grant does not name the camera", haul::out_of_scope, &["scope-violation"]),
    (
        "the source is put back to an earlier state and goes on",
        haul::put_back,
        &["needs-decision", "diverged"],
    ),
    (
        "rules on events: one that works, one that fails",
        macros::works_and_fails,
        &["macro-begun", "macro-ended", "macro-failed"],
    ),
    ("two rules chase each other", macros::chase, &["macro-stopped"]),
    ("the power goes in the middle of a macro", macros::cut, &["macro-cut"]),
];

#[test]
fn every_story_produces_its_events() {
    for (story, play, codes) in STORIES {
        let said = play().said();
        for code in *codes {
            assert!(said.contains(*code), "{story}, and there is no event {code}: {said:?}");
        }
    }
}

#[test]
fn every_event_has_a_story() {
    let told: BTreeSet<&str> = STORIES.iter().flat_map(|(_, _, codes)| codes.iter().copied()).collect();
    let known: BTreeSet<&str> = all_codes().collect();
    let untold: Vec<_> = known.difference(&told).collect();
    assert!(
        untold.is_empty(),
        "no story in tests/tests/events produces {untold:?}: write one, or take the code out of the journal"
    );
    let unknown: Vec<_> = told.difference(&known).collect();
    assert!(unknown.is_empty(), "the journal does not know {unknown:?}");
}

/// What a device did while the process stood still is not known yet when it goes on.
#[test]
fn a_pause_of_the_process_is_not_blamed_on_its_device() {
    for after_ms in 0..40 {
        let said = disk::pause(after_ms * 1_000_000).said();
        assert!(!said.contains("device-silent"), "paused after {after_ms} ms: {said:?}");
    }
}
