//! Sectors of the target's volume are overwritten behind its back. `verify` names the blocks; a full run finds them by hashes, sends
//! exactly those, and what the target gives out is byte for byte what was recorded. A second full run sends nothing, also after a
//! restart of the target, and new blocks go on as always.

use blockhaul_tests::Result;
use blockhaul_tests::client::Client;
use serde_json::Value;

use crate::reader;
use crate::stage::{CAMERA, CARD, JOB, Stage, VAULT, archive_field, ask, wait_until};
use crate::stream::{blocks, export, record, same};
use crate::volume::{put, slot};

const BLOCKS: usize = 40;
/// Track sequences whose blocks are damaged: alone, next to each other, the first and the last.
const DAMAGED: [u64; 5] = [0, 7, 8, 21, 39];
/// Somewhere in a payload.
const INTO_SLOT_BYTES: u64 = 4096 + 16_384;

/// Log sequences that `verify` names, and of how many it says what replaced them.
fn named(at: &Client) -> Result<(Vec<u64>, usize, Value)> {
    let verified = ask(at, &["archive", "verify", VAULT])?;
    let damaged = verified.said["damaged"].as_array().cloned().unwrap_or_default();
    let replaced = damaged.iter().filter(|one| one["replaced_by"].is_u64()).count();
    let named = damaged.iter().filter_map(|one| one["log_sequence"].as_u64()).collect();
    Ok((named, replaced, verified.said))
}

/// A full run; what it says of itself at its end.
fn full_run(stage: &Stage) -> Result<Value> {
    let run = stage
        .source
        .call(&["job", "run", JOB, "--full", "--wait", "--timeout", "40s"]);
    let run = run.map_err(|why| format!("{why}\n{}", stage.last_words()))?;
    assert_eq!(run["result"], "completed", "{run}");
    stage.job_field(JOB, "full")
}

#[test]
fn a_full_run_repairs_a_damaged_target_and_nothing_else() -> Result<()> {
    let mut stage = Stage::with_files(("32MiB", "ring"), ("32MiB", "append"))?;
    let mut recorded = blocks(0, BLOCKS);
    record(&stage.source, CARD, CAMERA, &recorded)?;
    stage.caught_up()?;
    let volume = stage.target.folder().join("volume");
    let there = reader::read(&volume)?;
    let mut places = Vec::new();
    for number in DAMAGED {
        let block = there.iter().find(|block| block.track_sequence == number);
        let at = block.ok_or("a block is not there")?.log_sequence;
        put(&volume, slot(at) + INTO_SLOT_BYTES, &[0; 4096])?;
        places.push(at);
    }
    let (found, replaced, said) = named(&stage.target)?;
    assert_eq!((&found, replaced), (&places, 0), "{said}");
    let (ended, _) = export(&stage.target, VAULT, &stage.folder.path().join("damaged"))?;
    assert_eq!(ended.said["damaged"], DAMAGED.len(), "{ended:?}");

    let durable = archive_field(&stage.target, VAULT, "durable")?;
    let looked = ask(&stage.source, &["archive", "compare", CARD, "--with", "store/vault"])?;
    let found = &looked.said["jobs"][0]["full"];
    assert_eq!((looked.exit, &found["lacking"]), (3, &DAMAGED.len().into()), "{looked:?}");
    let now = archive_field(&stage.target, VAULT, "durable")?;
    assert_eq!(now, durable, "looking has changed something");

    let full = full_run(&stage)?;
    let (compared, sent) = (&full["compared"], &full["sent"]);
    assert_eq!((compared, sent), (&BLOCKS.into(), &DAMAGED.len().into()), "{full}");
    let (ended, bytes) = export(&stage.target, VAULT, &stage.folder.path().join("whole"))?;
    assert_eq!(ended.exit, 0, "{ended:?}");
    assert_eq!(
        (&ended.said["missing"], &ended.said["blocks"]),
        (&0.into(), &BLOCKS.into()),
        "{ended:?}"
    );
    same("the target", &bytes, &recorded)?;
    let (found, replaced, said) = named(&stage.target)?;
    assert_eq!((&found, replaced), (&places, DAMAGED.len()), "{said}");
    assert_eq!(said["back_filled"], DAMAGED.len(), "{said}");

    let before = archive_field(&stage.target, VAULT, "durable")?;
    let looked = ask(&stage.source, &["archive", "compare", CARD, "--with", "store/vault"])?;
    assert_eq!(looked.exit, 0, "{looked:?}");
    let full = full_run(&stage)?;
    assert_eq!((&full["compared"], &full["sent"]), (&BLOCKS.into(), &0.into()), "{full}");
    assert_eq!(
        archive_field(&stage.target, VAULT, "durable")?,
        before,
        "a second run wrote something"
    );

    stage.target.stop()?;
    let mut filled: Vec<u64> = reader::fills(&volume)?;
    filled.sort_unstable();
    assert_eq!(filled, DAMAGED, "the independent reader sees other fills");
    stage.target.start()?;
    wait_until("the vault to be open", || {
        Ok(archive_field(&stage.target, VAULT, "durable")?.is_u64())
    })?;
    let more = blocks(1, 3);
    record(&stage.source, CARD, CAMERA, &more)?;
    recorded.extend(&more);
    stage.caught_up()?;
    let full = full_run(&stage)?;
    assert_eq!(
        (&full["compared"], &full["sent"]),
        (&(BLOCKS + 3).into(), &0.into()),
        "{full}"
    );
    let (_, bytes) = export(&stage.target, VAULT, &stage.folder.path().join("again"))?;
    same("the target after a restart", &bytes, &recorded)
}
