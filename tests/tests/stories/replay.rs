//! Everything that a target writes to a real block device is logged, and the power is cut in hindsight: after every write, with any of the
//! writes that no flush had covered, some of them torn. Each image must open and hold what the target had called durable by then.
//!
//! The core opens each image in this process; the finished daemon and the independent reader look at some.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use blockhaul_tests::Result;
use blockhaul_tests::client::Client;

use crate::dice::Dice;
use crate::faulty::FaultyDisk;
use crate::opened::Machine;
use crate::reader::{self, Block};
use crate::stage::{CAMERA, CARD, Stage, VAULT, archive_field, ask, create, create_file, wait_until};
use crate::stream::{blocks, record};
use crate::volume::{Loop, put, slot};
use crate::writes::{Entry, Log, SECTOR_BYTES};

const VOLUME_BYTES: u64 = 16 << 20;
const BLOCK_BYTES: usize = 64 << 10;
const PARTS: u32 = 30;
const STATES_MIN: usize = 2_000;
/// Images that the daemon opens too.
const SAMPLES: usize = 2;
/// Of the blocks that must be there, the newest are compared with what was written; in every so manieth image all of them.
const NEWEST: u64 = 8;
const ALL_EVERY: usize = 50;

/// "So many entries of the log later at most, all log sequences below this were durable."
#[derive(Clone, Copy, Debug)]
struct Promise {
    entries: usize,
    durable: u64,
}

/// Asks again and again. What is durable when the answer comes has been logged when the log is looked at after the next answer.
fn watch(target: &Client, log: &Path, over: &AtomicBool) -> Result<Vec<Promise>> {
    let (mut log, mut promises, mut before) = (Log::open(log)?, Vec::new(), None);
    while !over.load(Ordering::SeqCst) {
        let durable = archive_field(target, VAULT, "durable")?
            .as_u64()
            .ok_or("nothing is durable")?;
        let entries = log.count()?;
        promises.extend(before.replace(durable).map(|durable| Promise { entries, durable }));
    }
    Ok(promises)
}

/// The end of the story, against which every image is judged.
struct Judge<'a> {
    promises: &'a [Promise],
    there: &'a [Block],
    last: Machine,
}

impl Judge<'_> {
    /// What was promised when so many entries were in the log.
    fn promised(&self, entries: usize) -> u64 {
        let made = self.promises.iter().filter(|promise| promise.entries <= entries);
        made.map(|promise| promise.durable).max().unwrap_or(0)
    }

    /// Blocks of the track among those.
    fn blocks(&self, durable: u64) -> u64 {
        self.there.iter().filter(|block| block.log_sequence < durable).count() as u64
    }

    fn judge(&self, mut image: Machine, entries: usize, all: bool) -> Result<()> {
        let durable = self.promised(entries);
        let info = image.open()?;
        let archive = &info["archive"];
        let tips = info["tracks"].as_array().into_iter().flatten();
        let next: u64 = tips.filter_map(|tip| tip["next"].as_u64()).sum();
        let whole = archive["state"] == "ready" && archive["quarantined"] == 0;
        if !whole || archive["head"].as_u64() < Some(durable) || next < self.blocks(durable) {
            return Err(format!("{durable} blocks of the log were durable, and it opens as {info}"));
        }
        let from = if all { 0 } else { durable.saturating_sub(NEWEST) };
        for sequence in from..durable {
            if image.bytes(slot(sequence), BLOCK_BYTES) != self.last.bytes(slot(sequence), BLOCK_BYTES) {
                return Err(format!("block {sequence} of the log was durable and is another now"));
            }
        }
        Ok(())
    }
}

/// Puts some writes on the image: each with a chance, of those some torn.
fn lose_some(image: &mut Machine, pending: &[&Entry], dice: &mut Dice) {
    let (kept, torn) = (dice.within(0..5), dice.within(0..5));
    for entry in pending {
        let Entry::Write { at_bytes, bytes } = entry else { continue };
        if dice.within(0..4) >= kept {
            continue;
        }
        if dice.within(0..4) >= torn {
            image.put(*at_bytes, bytes);
            continue;
        }
        for (at, sector) in (0..).zip(bytes.chunks(SECTOR_BYTES as usize)) {
            if dice.within(0..2) == 0 {
                image.put(at_bytes + at * SECTOR_BYTES, sector);
            }
        }
    }
}

fn put_all(image: &mut Machine, writes: &[&Entry]) {
    for write in writes {
        if let Entry::Write { at_bytes, bytes } = write {
            image.put(*at_bytes, bytes);
        }
    }
}

#[test]
fn power_cut_at_any_write_keeps_what_was_durable() -> Result<()> {
    let mut dice = Dice::new("replay");
    let mut stage = Stage::set()?;
    let disk = FaultyDisk::new(stage.folder.path(), "disk", VOLUME_BYTES)?;
    create_file(&stage.source, CARD, ("32MiB", "ring"))?;
    create(&stage.target, VAULT, &disk.path(), &[])?;
    let uuid = archive_field(&stage.target, VAULT, "uuid")?;
    wait_until("the archive to be open", || {
        Ok(archive_field(&stage.target, VAULT, "state")? == "ready")
    })?;
    let made = Log::open(&disk.log())?.count()?;
    stage.haul()?;
    let over = AtomicBool::new(false);
    let (target, log, over_now) = ((*stage.target).clone(), disk.log(), &over);
    let promises = thread::scope(|scope| {
        let watcher = scope.spawn(move || watch(&target, &log, over_now));
        let recorded = (0..PARTS).try_for_each(|part| record(&stage.source, CARD, CAMERA, &blocks(part, 1 + part as usize % 6)));
        let hauled = recorded.and_then(|()| stage.caught_up());
        over.store(true, Ordering::SeqCst);
        let promises = watcher.join().map_err(|_| "the watcher panicked")?;
        hauled.and(promises)
    })?;
    stage.target.stop()?;

    let (mut log, mut entries) = (Log::open(&disk.log())?, Vec::new());
    while let Some(entry) = log.next()? {
        entries.push(entry);
    }
    let mut durable = Machine::new(VOLUME_BYTES, uuid.as_str().unwrap_or_default());
    let mut last = durable.clone();
    put_all(&mut last, &entries.iter().collect::<Vec<_>>());
    let there = reader::read(&disk.image())?;
    let judge = Judge {
        promises: &promises,
        there: &there,
        last,
    };
    let points = entries.len() - made;
    let draws = STATES_MIN.div_ceil(points);
    let (begun, mut states, mut pending, mut samples) = (Instant::now(), 0, Vec::new(), Vec::new());
    for (at, entry) in entries.iter().enumerate() {
        let so_far = at + 1;
        match entry {
            Entry::Write { .. } => pending.push(entry),
            Entry::Flush => put_all(&mut durable, &std::mem::take(&mut pending)),
        }
        if so_far < made {
            continue;
        }
        for draw in 0..=draws {
            let mut image = durable.clone();
            if draw == 0 {
                put_all(&mut image, &pending);
            } else {
                lose_some(&mut image, &pending, &mut dice);
            }
            states += 1;
            if (so_far - made) * SAMPLES / points > samples.len() && draw == draws {
                samples.push((so_far, image.clone()));
            }
            let judged = judge.judge(image, so_far, states % ALL_EVERY == 0);
            judged.map_err(|why| format!("{so_far} of {} entries, draw {draw}: {why}", entries.len()))?;
        }
    }
    let promised = judge.promised(entries.len());
    println!(
        "replay: {states} images of {} writes and flushes, {} promises up to block {promised}, {} s",
        entries.len(),
        promises.len(),
        begun.elapsed().as_secs()
    );
    assert!(
        states >= STATES_MIN && promises.len() > 10 && promised > 50,
        "too little to mean anything"
    );
    for (so_far, image) in &samples {
        let wanted = judge.blocks(judge.promised(*so_far));
        the_daemon_opens(&mut stage, &disk, image, wanted)?;
    }
    drop((stage, disk));
    Ok(())
}

/// The finished daemon opens an image and proves every block of it; the independent reader finds as many.
fn the_daemon_opens(stage: &mut Stage, disk: &FaultyDisk, image: &Machine, wanted: u64) -> Result<()> {
    let file = stage.folder.path().join("cut.img");
    std::fs::write(&file, b"").map_err(|error| error.to_string())?;
    put(&file, 0, &image.bytes(0, VOLUME_BYTES as usize))?;
    let device = Loop::attach(&file)?;
    let path = disk.path();
    std::fs::remove_file(&path)
        .and_then(|()| std::os::unix::fs::symlink(&device.device, &path))
        .map_err(|error| error.to_string())?;
    // What is hauled after the opening is not what this is about.
    stage.network.cut();
    stage.target.start()?;
    wait_until("the image to be open", || {
        Ok(archive_field(&stage.target, VAULT, "state")? == "ready")
    })?;
    let verified = ask(&stage.target, &["archive", "verify", VAULT])?;
    let next = stage.target.taken(VAULT)?;
    assert!(
        verified.exit == 0 && next >= wanted,
        "{next} blocks of {wanted}: {verified:?}"
    );
    stage.target.stop()?;
    let found = reader::sequences(&reader::read(&file)?);
    assert_eq!(found, (0..next).collect::<Vec<u64>>(), "every block once and in order");
    Ok(())
}
