//! What was filled in later at the target is there for whoever asks: presence, statistics, comparison, verify and restore.

use blockhaul_tests::stage::{BLOCK_BYTES, SLOTS, pair};
use drivers_sim::DiskModel;
use serde_json::json;

use crate::target::{missing, numbers, there, utc};

const SECOND_VOLUME: &str = "/dev/attic";

#[test]
fn what_came_later_is_there_for_whoever_asks() {
    let mut pair = pair(2 * SLOTS, &[], "on-demand", None);
    let begin = utc(&pair);
    pair.stage.record(pair.lobby, 3);
    let from = utc(&pair);
    pair.stage.record(pair.lobby, 2);
    let range = json!({ "of": "range", "from_utc_ns": from, "to_utc_ns": utc(&pair) });
    pair.stage.record(pair.lobby, 4);
    let end = utc(&pair);
    let run = json!({ "name": "out", "wait": true, "period": range });
    pair.stage.ask(pair.lobby, "Job.Run", run);
    let times = json!({ "archive": "vault", "camera": "gate", "from_utc_ns": begin, "to_utc_ns": end });
    let vault = pair.vault;
    assert_eq!(pair.stage.ask(vault, "Archive.Exists", times.clone())["answer"], "partly");
    assert_eq!(missing(&mut pair), [(0, 3, "not-retrieved".into())]);

    let full = json!({ "name": "out", "wait": true, "full": true });
    pair.stage.ask(pair.lobby, "Job.Run", full);
    assert_eq!(there(&pair), numbers(0..9));
    assert_eq!(missing(&mut pair), []);
    let stage = &mut pair.stage;
    assert_eq!(stage.ask(vault, "Archive.Exists", times)["answer"], "yes");
    let days = stage.ask(vault, "Archive.Statistics", json!({ "archive": "vault" }));
    let days = days["days"].as_array().unwrap();
    let sum = |key: &str| days.iter().map(|day| day[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("hauled_blocks"), sum("lost_blocks")), (9, 0));

    // Copied into another archive it is there as well, and found to be the same.
    let model = DiskModel::disk(8 * SLOTS * BLOCK_BYTES, "attic");
    stage.world.machines.add_disk(vault, SECOND_VOLUME, model);
    let attic = json!({ "name": "attic", "volume": SECOND_VOLUME, "block_bytes": BLOCK_BYTES, "mode": "append" });
    stage.ask(vault, "Archive.Create", attic);
    stage.ask(vault, "Mark.Create", json!({ "archive": "vault", "name": "now" }));
    let mut restore = json!({ "archive": "vault", "name": "now", "into": "attic", "dry_run": true });
    let planned = stage.ask(vault, "Mark.Restore", restore.clone());
    assert_eq!((&planned["blocks"], &planned["missing"]), (&json!(9), &json!(0)), "{planned}");
    restore["dry_run"] = json!(false);
    let restored = stage.ask(vault, "Mark.Restore", restore.clone());
    assert_eq!(
        (&restored["blocks"], &restored["missing"]),
        (&json!(9), &json!(0)),
        "{restored}"
    );
    let compared = stage.ask(vault, "Archive.Compare", json!({ "name": "vault", "with": "attic" }));
    assert_eq!(
        (&compared["same"], &compared["differences"]),
        (&json!(9), &json!([])),
        "{compared}"
    );
    let verified = stage.ask(vault, "Archive.Verify", json!({ "name": "attic" }));
    assert_eq!(
        (&verified["good"], &verified["back_filled"]),
        (&json!(9), &json!(3)),
        "{verified}"
    );
    // Begun again it finds everything there.
    let again = stage.ask(vault, "Mark.Restore", restore);
    assert_eq!((&again["blocks"], &again["before"]), (&json!(0), &json!(9)), "{again}");
}
