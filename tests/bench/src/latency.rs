//! How long a block is on its way: from the last byte that a feeder writes until the block is durable at the target; and how soon a
//! source has caught up after an outage while recording goes on.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use blockhaul_tests::Result;
use serde_json::json;

use crate::call::Caller;
use crate::hauling::{CARD, Source, VAULT, feed, feed_paced, volume_bytes};
use crate::limits::Work;
use crate::model;
use crate::noise::Noise;
use crate::plan::Bench;
use crate::report::{Table, shown};
use crate::sample::Spread;
use crate::volume::{Medium, Volume};

const BLOCK_BYTES: usize = 1 << 20;
/// What of a block is payload: all but its header sector.
const PAYLOAD_BYTES: usize = BLOCK_BYTES - 4096;
/// Between two looks whether the block has arrived.
const LOOK_EVERY: Duration = Duration::from_micros(200);
/// Longest time for anything here.
const PATIENCE: Duration = Duration::from_secs(120);
/// A camera's pace while a source catches up, in bytes a second.
const PACE_BYTES: u64 = 10 << 20;

/// Measures both.
pub fn measure(bench: &Bench) -> Result<Vec<Table>> {
    let folder = Medium::Memory.folder()?;
    let certificate = folder.path().join("tls");
    std::fs::create_dir(&certificate).map_err(|error| error.to_string())?;
    model::certify(&certificate)?;
    let bytes = bench.bytes / 4;
    let from = Volume::new(folder.path(), "from", bytes)?;
    let to = Volume::new(folder.path(), "to", volume_bytes(8 * bytes))?;
    let count: usize = if bench.quick { 50 } else { 300 };
    let work = Work {
        from: Some(from.device()),
        to: Some(to.device()),
        bytes: (count * BLOCK_BYTES) as u64,
        block: BLOCK_BYTES as u32,
        tls: Some(&certificate),
        check: true,
    };
    let bare = work.each()?;
    to.clear()?;

    let room = 8 * bytes;
    let source = Volume::new(folder.path(), "source", volume_bytes(room))?;
    let mut source = Source::empty(&bench.programs, source, "1MiB")?;
    let target = source.target(&to)?;
    source.job("haul", &target, &[], "always")?;
    let door = folder.path().join("door");
    let listen = format!("unix:{}", door.display());
    source.appliance.call(&[
        "recorder",
        "create",
        "cam0",
        "--archive",
        CARD,
        "--camera",
        "cam0",
        "--listen",
        &listen,
    ])?;
    let mut there = Caller::new(target.appliance.socket())?;
    let mut feeder = UnixStream::connect(&door).map_err(|error| error.to_string())?;
    let mut payload = vec![0; PAYLOAD_BYTES];
    let mut noise = Noise::new(7);
    let mut whole = Vec::new();
    for number in 1..=count as u64 {
        noise.fill(&mut payload);
        let begun = Instant::now();
        feeder.write_all(&payload).map_err(|error| error.to_string())?;
        while there.taken(VAULT)? < number {
            if begun.elapsed() > PATIENCE {
                return Err(format!("block {number} does not arrive: {}", source.appliance.last_words()));
            }
            thread::sleep(LOOK_EVERY);
        }
        whole.push(begun.elapsed());
        thread::sleep(Duration::from_millis(20));
    }
    drop(feeder);
    let columns = ["case", "p50 ms", "p99 ms", "p50 / bare", "p99 / bare"];
    let about = format!(
        "{count} blocks of 1 MiB, one at a time, in memory. Bare: read, TLS, write, flush, answer. blockhaul: from before the feeder's write, so with \
         recording, its flush at the source, and what the look at the target costs."
    );
    let mut table = Table::new("From sealed to durable at the target", &about, &columns);
    let reference = [at(&bare, 50), at(&bare, 99)];
    for (name, times) in [("bare pipeline", &bare), ("blockhaul", &whole)] {
        let own = [at(times, 50), at(times, 99)];
        let cells = vec![
            name.into(),
            format!("{:.2}", own[0]),
            format!("{:.2}", own[1]),
            format!("{:.2}", own[0] / reference[0]),
            format!("{:.2}", own[1] / reference[1]),
        ];
        table.add(cells, json!({ "p50_ms": own[0], "p99_ms": own[1] }));
    }
    let caught_up = catch_up(bench, &mut source, bytes)?;
    Ok(vec![table, caught_up])
}

/// The time that so many of a hundred take at most, in ms.
fn at(times: &[Duration], hundredth: usize) -> f64 {
    let mut times = times.to_vec();
    times.sort();
    let place = (times.len() * hundredth / 100).min(times.len().saturating_sub(1));
    times.get(place).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
}

/// An outage in which a backlog grows, and then the way back, with recording going on and without.
fn catch_up(bench: &Bench, source: &mut Source, bytes: u64) -> Result<Table> {
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..bench.runs.min(3) {
        for (records, rates) in rates.iter_mut().enumerate() {
            source.appliance.call(&["job", "freeze", "haul"])?;
            feed(&source.appliance, "cam1", bytes)?;
            let mut backlog = bytes;
            let client = (*source.appliance).clone();
            let camera =
                (records == 1).then(|| thread::spawn(move || feed_paced(&client, "cam2", 2 * PACE_BYTES, Some(PACE_BYTES))));
            let begun = Instant::now();
            source.appliance.call(&["job", "thaw", "haul"])?;
            let timeout = format!("{}s", PATIENCE.as_secs());
            source
                .appliance
                .call(&["job", "wait", "haul", "--for", "caught-up", "--timeout", &timeout])?;
            let took = begun.elapsed();
            if let Some(camera) = camera {
                backlog += (took.as_secs_f64().min(2.0) * PACE_BYTES as f64) as u64;
                camera.join().map_err(|_| "the camera panicked")??;
            }
            rates.push(backlog as f64 / f64::from(1 << 20) / took.as_secs_f64());
        }
    }
    let about = format!("{} MiB of backlog after an outage: median (least–most).", bytes >> 20);
    let mut table = Table::new("Catching up", &about, &["case", "MiB/s"]);
    for (name, rates) in ["nothing is recorded meanwhile", "10 MiB/s are recorded meanwhile"]
        .iter()
        .zip(rates)
    {
        let spread = Spread::of(rates);
        table.add(vec![(*name).into(), shown(spread)], json!({ "mib_per_s": spread.to_json() }));
    }
    Ok(table)
}
