//! The peers beside the product, in turns, in memory.

use std::io::Write;

use blockhaul_tests::Result;
use serde_json::json;

use crate::hauling::{Source, volume_bytes};
use crate::noise::Noise;
use crate::peers::{Job, PEERS};
use crate::plan::Bench;
use crate::report::{Table, figures, shown};
use crate::sample::Series;
use crate::volume::{Medium, Volume};

/// What the product leaves to others.
const LACKS: &str = "(nothing of these: durable before acknowledged, checked, resumes, encrypted, appends only)";

/// Measures all that run here; one that does not says why.
pub fn compare(bench: &Bench) -> Result<Vec<Table>> {
    let folder = Medium::Memory.folder()?;
    let from = Volume::new(folder.path(), "from", bench.bytes)?;
    // A peer may want a file system on it.
    let to = Volume::new(folder.path(), "to", volume_bytes(bench.bytes + bench.bytes / 4) + (256 << 20))?;
    let file = folder.path().join("file");
    write_noise(&file, bench.bytes)?;
    let mut source = Source::record(&bench.programs, Medium::Memory, folder.path(), "1MiB", bench.bytes, 1)?;
    let job = Job {
        from: from.device(),
        to: to.device(),
        file: &file,
        folder: folder.path(),
        bytes: bench.bytes,
    };
    let mut own = Series::default();
    let mut series: Vec<Result<Series>> = PEERS
        .iter()
        .map(|peer| peer.missing().map_or_else(|| Ok(Series::default()), Err))
        .collect();
    for round in 1..=bench.runs.min(5) {
        eprintln!("Peers, round {round}.");
        own.0.push(source.haul(&to, 1)?);
        for (peer, series) in PEERS.iter().zip(&mut series) {
            if let Ok(known) = series {
                match (peer.run)(&job) {
                    Ok(sample) => known.0.push(sample),
                    Err(why) => *series = Err(why),
                }
            }
        }
    }
    let columns = [
        "program",
        "MiB/s",
        "CPU s/GiB, both ends",
        "kernel workers s/GiB",
        "what it leaves to others",
    ];
    let about = format!(
        "{} MiB from memory to memory over loopback, flushed where it can: median (least–most).",
        bench.bytes >> 20
    );
    let mut table = Table::new("Peers", &about, &columns);
    let line = |name: &str, series: &Series, lacks: &str| {
        vec![
            name.into(),
            shown(series.rate()),
            shown(series.cpu()),
            shown(series.kernel()),
            lacks.into(),
        ]
    };
    table.add(line("blockhaul", &own, LACKS), figures(&own));
    for (peer, series) in PEERS.iter().zip(&series) {
        match series {
            Ok(series) => table.add(line(peer.name, series, peer.lacks), figures(series)),
            Err(why) => table.add(
                vec![
                    peer.name.into(),
                    "–".into(),
                    "–".into(),
                    "–".into(),
                    format!("did not run: {why}"),
                ],
                json!({ "did_not_run": why }),
            ),
        }
    }
    Ok(vec![table])
}

fn write_noise(file: &std::path::Path, bytes: u64) -> Result<()> {
    let mut noise = Noise::new(1);
    let mut piece = vec![0; 1 << 20];
    let written = std::fs::File::create(file).and_then(|mut file| {
        for _ in 0..bytes >> 20 {
            noise.fill(&mut piece);
            file.write_all(&piece)?;
        }
        Ok(())
    });
    written.map_err(|error| format!("{} cannot be written: {error}", file.display()))
}
