//! `cargo demo -- --card`: a dashcam's card is put in, taken, hauled, exported and compared; the daemon is killed twice meanwhile.
//!
//! The card is an image of FAT32 that the real tools make, with clips as a dashcam names them; nothing is mounted.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use blockhaul_tests::Result;
use blockhaul_tests::programs::{Profile, Programs, find};
use serde_json::Value;

use crate::Options;
use crate::original::Original;
use crate::report::{Report, rate, seconds};
use crate::stage::{CAMERA, CARD, Stage, VAULT};

/// Clips on the card.
const CLIPS: u64 = 8;
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(120);
/// When the daemon is killed, counted from the start before.
const KILLED_AFTER: [Duration; 2] = [Duration::from_millis(150), Duration::from_millis(400)];

/// Plays it all. An error says what is not as promised.
pub fn tell(options: &Options) -> Result<()> {
    println!("Building blockhauld and blockhaul ...");
    let programs = Programs::build(Profile::Release)?;
    let mut report = Report::begin();
    let begun = Instant::now();
    let mut stage = Stage::set(options, &programs)?;
    report.add(begun, "two appliances set up and paired", "");
    let played = play(&mut stage, &mut report);
    println!("\n{report}");
    played.map_err(|why| {
        let (camera, store) = (stage.source.last_words(), stage.target.last_words());
        format!("{why}\n--- camera:\n{camera}\n--- store:\n{store}")
    })?;
    println!(
        "Every byte of the {CLIPS} clips on the card is in the store's archive: {} bytes, identical.",
        stage.original.bytes
    );
    Ok(())
}

fn play(stage: &mut Stage, report: &mut Report) -> Result<()> {
    let begun = Instant::now();
    let image = card(stage.folder.path(), &stage.original)?;
    report.add(
        begun,
        "a dashcam filled a card",
        format!("{CLIPS} clips, FAT32, {}", stage.original.what),
    );
    let image = image.display().to_string();
    let begun = Instant::now();
    let add = [
        "card",
        "add",
        "dash",
        "--archive",
        CARD,
        "--path",
        &image,
        "--profile",
        "dashcam",
        "--camera",
        CAMERA,
    ];
    stage.source.call(&add)?;
    report.add(begun, "the card was put in and made known", "");
    for after in KILLED_AFTER {
        thread::sleep(after);
        let killed = Instant::now();
        stage.source.kill();
        stage.source.start()?;
        report.add(killed, "the daemon was killed while it took files, and started", "");
    }
    let taken = wait(stage)?;
    let took = begun.elapsed();
    let outcome = format!(
        "{} of them since the last start; {}",
        taken["files"],
        rate(stage.original.bytes, took)
    );
    report.add(Instant::now(), "all files of the card were taken", outcome);
    let timeout = format!("{}s", PATIENCE.as_secs());
    let _ = stage.source.call(&["job", "kick", crate::stage::JOB]);
    stage
        .source
        .call(&["job", "wait", crate::stage::JOB, "--for", "caught-up", "--timeout", &timeout])?;
    report.add(Instant::now(), "caught up", format!("after {}", seconds(begun.elapsed())));
    let out = stage.folder.path().join("exported.ts");
    let shown = out.display().to_string();
    stage
        .target
        .call(&["export", "--archive", VAULT, "--camera", CAMERA, "-o", &shown])?;
    stage.original.compare(&out)?;
    report.add(Instant::now(), "exported at the store and compared", "identical");
    Ok(())
}

/// Waits until everything on the card is taken.
fn wait(stage: &Stage) -> Result<Value> {
    let begun = Instant::now();
    loop {
        let all = stage.source.call(&["card", "list"])?;
        let card = all["cards"][0].clone();
        if card["state"] == "taken" && card["files_waiting"] == 0 {
            return Ok(card);
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!("The card was not taken within {} s: {card}", PATIENCE.as_secs()));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn tool(program: &str, arguments: &[&str]) -> Result<()> {
    let path = find(program).ok_or_else(|| format!("{program} is not there; `cargo ci` says which packages to install"))?;
    let output = Command::new(path).args(arguments).env("MTOOLS_SKIP_CHECK", "1").output();
    let output = output.map_err(|error| format!("{program} cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{program} failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    ))
}

/// An image of a card with the film in clips of a minute, as a dashcam names them; written an hour ago.
fn card(folder: &Path, film: &Original) -> Result<PathBuf> {
    let told = |error: std::io::Error| error.to_string();
    let image = folder.join("card.img");
    let shown = image.display().to_string();
    let size = film.bytes.next_multiple_of(1 << 20) + (64 << 20);
    File::create(&image).and_then(|file| file.set_len(size)).map_err(told)?;
    tool("mkfs.fat", &["-F", "32", "-s", "1", "-n", "DASHCAM", &shown])?;
    tool("mmd", &["-i", &shown, "::Normal"])?;
    let mut original = film.open()?;
    let share = film.bytes.div_ceil(CLIPS);
    for number in 0..CLIPS {
        let clip = folder.join(format!("20261119_22{number:02}00_NF.ts"));
        let mut bytes = Vec::new();
        (&mut original).take(share).read_to_end(&mut bytes).map_err(told)?;
        let mut file = File::create(&clip).map_err(told)?;
        file.write_all(&bytes).map_err(told)?;
        file.set_modified(SystemTime::now() - Duration::from_secs(3600))
            .map_err(told)?;
        tool("mcopy", &["-m", "-i", &shown, &clip.display().to_string(), "::Normal/"])?;
        fs::remove_file(&clip).map_err(told)?;
    }
    Ok(image)
}
