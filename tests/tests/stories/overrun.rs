//! The target is away for so long that the ring at the source comes round. The target is told exactly which blocks are missing and why,
//! and the rest follows.

use blockhaul_tests::Result;

use crate::reader;
use crate::stage::{CAMERA, CARD, JOB, Stage, VAULT, ask};
use crate::stream::{PAYLOAD_BYTES, blocks, export, record, same};

#[test]
fn a_ring_that_came_round_leaves_an_exact_gap() -> Result<()> {
    let mut stage = Stage::with_files(("8MiB", "ring"), ("64MiB", "append"))?;
    let mut recorded = blocks(0, 20);
    record(&stage.source, CARD, CAMERA, &recorded)?;
    stage.caught_up()?;
    stage.network.cut();
    let more = blocks(1, 200);
    record(&stage.source, CARD, CAMERA, &more)?;
    recorded.extend(&more);
    stage.network.mend();
    stage.caught_up()?;

    let gaps = stage.target.call(&["gaps", "--archive", VAULT, "--camera", CAMERA])?;
    let mut gaps = gaps["gaps"].as_array().cloned().unwrap_or_default();
    // Between the two recordings nothing was recorded.
    gaps.retain(|gap| gap["what"] != "not-recorded");
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!((&gaps[0]["what"], &gaps[0]["from"]), (&"not-retrieved".into(), &20.into()));
    let to = gaps[0]["to"].as_u64().ok_or("the gap has no end")?;
    assert_eq!(stage.job_field(JOB, "gaps")?, to - 20);

    let (ended, bytes) = export(&stage.target, VAULT, &stage.folder.path().join("out"))?;
    assert_eq!((ended.exit, &ended.said["missing"]), (3, &(to - 20).into()), "{ended:?}");
    let mut wanted = recorded[..20 * PAYLOAD_BYTES].to_vec();
    wanted.extend(&recorded[to as usize * PAYLOAD_BYTES..]);
    same("what came back", &bytes, &wanted)?;
    assert_eq!(ask(&stage.target, &["archive", "verify", VAULT])?.exit, 0);

    stage.source.stop()?;
    stage.target.stop()?;
    let left = reader::sequences(&reader::read(&stage.source.folder().join("volume"))?);
    assert_eq!(
        left,
        (to..220).collect::<Vec<u64>>(),
        "what the ring still has begins where the gap ends"
    );
    let kept = reader::sequences(&reader::read(&stage.target.folder().join("volume"))?);
    assert_eq!(
        kept,
        (0..20).chain(to..220).collect::<Vec<u64>>(),
        "the target has all but the gap"
    );
    Ok(())
}
