//! How long a start takes after the daemon was killed, and what it reads, over the size of the volume.

use std::fs;
use std::path::Path;
use std::time::Instant;

use blockhaul_tests::Result;
use blockhaul_tests::appliance::Appliance;
use serde_json::json;

use crate::call::Caller;
use crate::hauling::{CARD, create, feed};
use crate::plan::Bench;
use crate::report::{Table, shown};
use crate::sample::Spread;
use crate::volume::{Medium, Volume};

/// Bytes that are recorded before the daemon is killed: more blocks of 64 KiB than recovery may look at.
const RECORDED_BYTES: u64 = 128 << 20;

/// Measures.
pub fn measure(bench: &Bench) -> Result<Vec<Table>> {
    let columns = ["volume", "ready after ms", "reads at the device", "KiB read"];
    let about = "Killed with 2,000 blocks of 64 KiB in the log, then started: until it answers with the archive open.";
    let mut table = Table::new("Start and recovery", about, &columns);
    for (name, size_bytes) in [("1 GiB", 1u64 << 30), ("100 GiB", 100 << 30), ("10 TiB", 10 << 40)] {
        let folder = Medium::Disk.folder()?;
        let volume = Volume::sparse(folder.path(), "volume", size_bytes)?;
        let mut appliance = Appliance::new("camera", folder.path(), &bench.programs, None)?;
        appliance.start()?;
        create(&appliance, CARD, volume.device(), "64KiB", "ring")?;
        feed(&appliance, "cam0", RECORDED_BYTES)?;
        let (mut times, mut reads, mut read_kib) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..bench.runs.min(5) {
            appliance.kill();
            let before = device_reads(volume.device())?;
            let begun = Instant::now();
            appliance.start()?;
            let mut caller = Caller::new(appliance.socket())?;
            while caller.taken(CARD).unwrap_or(0) == 0 {
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            times.push(begun.elapsed().as_secs_f64() * 1000.0);
            let after = device_reads(volume.device())?;
            reads.push((after.0 - before.0) as f64);
            read_kib.push((after.1 - before.1) as f64 / 2.0);
        }
        let (times, reads, read_kib) = (Spread::of(times), Spread::of(reads), Spread::of(read_kib));
        table.add(
            vec![name.into(), shown(times), shown(reads), shown(read_kib)],
            json!({ "ready_ms": times.to_json(), "reads": reads.to_json(), "kib": read_kib.to_json() }),
        );
        appliance.stop()?;
    }
    Ok(vec![table])
}

/// Reads of a block device so far, and sectors of 512 bytes.
fn device_reads(device: &Path) -> Result<(u64, u64)> {
    let name = device.file_name().unwrap_or_default().display().to_string();
    let text = fs::read_to_string(format!("/sys/block/{name}/stat")).map_err(|error| error.to_string())?;
    let words: Vec<u64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    match words.as_slice() {
        [reads, _, sectors, ..] => Ok((*reads, *sectors)),
        _ => Err(format!("{name} tells no counts")),
    }
}
