//! What a pair of appliances costs when nothing is to be done, and how much memory they take, over the number of tracks.

use std::thread;
use std::time::Duration;

use blockhaul_tests::Result;
use serde_json::json;

use crate::cost::{Cost, resident_bytes};
use crate::hauling::{Source, feed, volume_bytes};
use crate::plan::Bench;
use crate::report::Table;
use crate::volume::{Medium, Volume};

/// Bytes of each track: one short block.
const TRACK_BYTES: u64 = 1 << 10;

/// Measures.
pub fn measure(bench: &Bench) -> Result<Vec<Table>> {
    let columns = [
        "tracks",
        "source: CPU of a core",
        "wake-ups/s",
        "RSS MiB",
        "target: CPU of a core",
        "wake-ups/s",
        "RSS MiB",
    ];
    let time = Duration::from_secs(if bench.quick { 10 } else { 30 });
    let about = format!(
        "A job that is always on and has caught up, watched for {} s; 64 MiB of the memory is block memory, locked at the start.",
        time.as_secs()
    );
    let mut table = Table::new("At rest", &about, &columns);
    let many: u64 = if bench.quick { 100 } else { 1_000 };
    let folder = Medium::Memory.folder()?;
    let size_bytes = volume_bytes(many * (64 << 10));
    let source = Volume::new(folder.path(), "source", size_bytes)?;
    let to = Volume::new(folder.path(), "to", size_bytes)?;
    let mut source = Source::empty(&bench.programs, source, "64KiB")?;
    let target = source.target(&to)?;
    source.job("haul", &target, &[], "always")?;
    let mut recorded = 0;
    for tracks in [1, many] {
        for track in recorded..tracks {
            feed(&source.appliance, &format!("cam{track}"), TRACK_BYTES)?;
        }
        recorded = tracks;
        source
            .appliance
            .call(&["job", "wait", "haul", "--for", "caught-up", "--timeout", "60s"])?;
        // What comes after work, like the superblock that says how far the log is durable, is not rest.
        thread::sleep(Duration::from_secs(3));
        let pids = [source.appliance.pid(), target.appliance.pid()];
        let before = pids.map(Cost::of_process);
        thread::sleep(time);
        let mut cells = vec![tracks.to_string()];
        let mut figures = Vec::new();
        for (pid, before) in pids.into_iter().zip(before) {
            let spent = Cost::of_process(pid) - before;
            let share = spent.cpu.as_secs_f64() / time.as_secs_f64();
            let wakeups = spent.wakeups as f64 / time.as_secs_f64();
            let mebibytes = resident_bytes(pid).0 as f64 / f64::from(1 << 20);
            cells.extend([
                format!("{:.3} %", share * 100.0),
                format!("{wakeups:.2}"),
                format!("{mebibytes:.1}"),
            ]);
            figures.push(json!({ "cpu_share": share, "wakeups_per_s": wakeups, "resident_mib": mebibytes }));
        }
        table.add(cells, json!({ "source": figures[0], "target": figures[1] }));
    }
    Ok(vec![table])
}
