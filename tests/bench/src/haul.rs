//! Hauling against the bare pipeline: by block size, by jobs side by side, in memory and on a disk.

use std::fs;
use std::path::{Path, PathBuf};

use blockhaul_tests::Result;
use tempfile::TempDir;

use crate::cases::Cases;
use crate::hauling::{Source, volume_bytes};
use crate::limits::Work;
use crate::model;
use crate::plan::Bench;
use crate::report::Table;
use crate::volume::{Medium, Volume};

/// Volumes and what the model needs.
struct Stand {
    from: Volume,
    to: Volume,
    certificate: PathBuf,
    folder: TempDir,
}

impl Stand {
    fn new(medium: Medium, bytes: u64) -> Result<Stand> {
        let folder = medium.folder()?;
        let certificate = folder.path().join("tls");
        fs::create_dir(&certificate).map_err(|error| error.to_string())?;
        model::certify(&certificate)?;
        Ok(Stand {
            from: Volume::new(folder.path(), "from", bytes)?,
            to: Volume::new(folder.path(), "to", volume_bytes(bytes))?,
            certificate,
            folder,
        })
    }

    fn pipeline(&self, bytes: u64, block: &str) -> Work<'_> {
        Work {
            from: Some(self.from.device()),
            to: Some(self.to.device()),
            bytes,
            block: block_bytes(block),
            tls: Some(&self.certificate),
            check: true,
        }
    }
}

fn block_bytes(block: &str) -> u32 {
    match block {
        "64KiB" => 64 << 10,
        "4MiB" => 4 << 20,
        _ => 1 << 20,
    }
}

fn about(bench: &Bench) -> String {
    format!(
        "{} MiB a run, {} runs in turns: median (least–most).",
        bench.bytes >> 20,
        bench.runs
    )
}

/// Measures this build, and the other one if there is one.
fn product(
    bench: &Bench,
    cases: &mut Cases,
    (name, model): (&str, &str),
    source: &mut Source,
    to: &Volume,
    jobs: usize,
) -> Result<()> {
    source.switch(&bench.programs)?;
    cases.run(name, || source.haul(to, jobs))?;
    cases.held_against(name, model);
    if let Some(against) = &bench.against {
        source.switch(against)?;
        let other = format!("{name}, other build");
        cases.run(&other, || source.haul(to, jobs))?;
        cases.held_against(&other, model);
    }
    Ok(())
}

/// Parts of the pipeline, the whole of it, and the product, in memory.
pub fn sizes(bench: &Bench) -> Result<Vec<Table>> {
    let stand = Stand::new(Medium::Memory, bench.bytes)?;
    let mut sources = Vec::new();
    for block in ["1MiB", "64KiB", "4MiB"] {
        eprintln!("Recording {} MiB in blocks of {block}.", bench.bytes >> 20);
        let folder = stand.folder.path();
        let source = Source::record(&bench.programs, Medium::Memory, folder, block, bench.bytes, 1)?;
        sources.push((block, source));
    }
    let mut cases = Cases::default();
    for round in 1..=bench.runs {
        eprintln!("Round {round} of {}.", bench.runs);
        parts(&mut cases, &stand, bench.bytes)?;
        for (block, source) in &mut sources {
            let model = format!("pipeline, {block}");
            cases.run(&model, || stand.pipeline(bench.bytes, block).pipe())?;
            let name = format!("blockhaul, {block}");
            product(bench, &mut cases, (&name, &model), source, &stand.to, 1)?;
        }
    }
    Ok(vec![cases.table("Limits, the bare pipeline, blockhaul", &about(bench))])
}

fn parts(cases: &mut Cases, stand: &Stand, bytes: u64) -> Result<()> {
    let disks = Work {
        tls: None,
        check: false,
        ..stand.pipeline(bytes, "1MiB")
    };
    let wire = Work {
        from: None,
        to: None,
        ..disks
    };
    let certificate: Option<&Path> = Some(&stand.certificate);
    cases.run("direct read", || disks.read())?;
    cases.run("direct write, flushed", || disks.write())?;
    cases.run("TCP", || wire.pipe())?;
    cases.run("TCP with TLS", || {
        Work {
            tls: certificate,
            ..wire
        }
        .pipe()
    })?;
    cases.run("pipeline without TLS, 1MiB", || Work { check: true, ..disks }.pipe())
}

/// One, two and four jobs.
pub fn parallel(bench: &Bench) -> Result<Vec<Table>> {
    let stand = Stand::new(Medium::Memory, bench.bytes)?;
    let folder = stand.folder.path();
    let mut source = Source::record(&bench.programs, Medium::Memory, folder, "1MiB", bench.bytes, 4)?;
    let mut cases = Cases::default();
    for _ in 0..bench.runs {
        cases.run("pipeline", || stand.pipeline(bench.bytes, "1MiB").pipe())?;
        for jobs in [1, 2, 4] {
            let name = format!("blockhaul, jobs: {jobs}");
            product(bench, &mut cases, (&name, "pipeline"), &mut source, &stand.to, jobs)?;
        }
    }
    Ok(vec![cases.table("Jobs side by side, 1 MiB blocks", &about(bench))])
}

/// On a disk.
pub fn disk(bench: &Bench) -> Result<Vec<Table>> {
    let stand = Stand::new(Medium::Disk, bench.bytes)?;
    let folder = stand.folder.path();
    let mut source = Source::record(&bench.programs, Medium::Disk, folder, "1MiB", bench.bytes, 1)?;
    let mut cases = Cases::default();
    for _ in 0..bench.runs.min(3) {
        cases.run("pipeline", || stand.pipeline(bench.bytes, "1MiB").pipe())?;
        let names = ("blockhaul", "pipeline");
        product(bench, &mut cases, names, &mut source, &stand.to, 1)?;
    }
    Ok(vec![cases.table("On a disk, 1 MiB blocks", &about(bench))])
}
