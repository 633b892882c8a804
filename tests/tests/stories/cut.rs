//! The connection is cut at random bytes while a camera records, again and again, mostly within a block. Each time hauling goes on
//! where the target is, and in the end the target has every block once.

use std::thread;
use std::time::{Duration, Instant};

use blockhaul_tests::Result;

use crate::dice::Dice;
use crate::reader;
use crate::stage::{CAMERA, CARD, JOB, PATIENCE, Stage, VAULT, ask};
use crate::stream::{blocks, export, record, same};

const CUTS: u32 = 25;
const PARTS: u32 = 8;
const BLOCKS_EACH: usize = 40;

#[test]
fn a_connection_cut_within_blocks_loses_nothing() -> Result<()> {
    let mut dice = Dice::new("cut");
    let mut stage = Stage::with_files(("64MiB", "ring"), ("64MiB", "append"))?;
    let (source, mut recorded) = ((*stage.source).clone(), Vec::new());
    let parts: Vec<Vec<u8>> = (0..PARTS).map(|part| blocks(part, BLOCKS_EACH)).collect();
    recorded.extend(parts.iter().flatten());
    let recorder = thread::spawn(move || parts.iter().try_for_each(|part| record(&source, CARD, CAMERA, part)));

    for cut in 0..CUTS {
        let (from, bytes, begun) = (stage.network.bytes(), dice.within(1..300_000), Instant::now());
        while stage.network.bytes() < from + bytes {
            if begun.elapsed() > PATIENCE {
                return Err(format!("after cut {cut} nothing more is hauled: {}", stage.last_words()));
            }
            // Everything that was recorded may be there already: then there is nothing left to cut.
            if recorder.is_finished() && stage.job_field(JOB, "backlog_blocks")? == 0 {
                break;
            }
            thread::sleep(Duration::from_micros(200));
        }
        stage.network.cut();
        thread::sleep(Duration::from_millis(dice.within(0..60)));
        stage.network.mend();
        // Waits grow with each failure; the story is about the cuts, not about the waits.
        stage.source.call(&["job", "kick", JOB])?;
    }
    recorder.join().map_err(|_| "the recorder panicked")??;
    stage.caught_up()?;

    let retries = stage.job_field(JOB, "retries")?;
    assert!(
        retries.as_u64() >= Some(10),
        "{retries} connections after the first are too few to mean anything"
    );
    let (ended, bytes) = export(&stage.target, VAULT, &stage.folder.path().join("out"))?;
    assert_eq!(ended.exit, 0, "{ended:?}");
    same("what came back", &bytes, &recorded)?;
    let verified = ask(&stage.target, &["archive", "verify", VAULT])?;
    assert_eq!(verified.exit, 0, "{verified:?}");
    let next = stage.target.taken(VAULT)?;
    stage.target.stop()?;
    let found = reader::read(&stage.target.folder().join("volume"))?;
    assert_eq!(
        reader::sequences(&found),
        (0..next).collect::<Vec<u64>>(),
        "every block once and in order"
    );
    Ok(())
}
