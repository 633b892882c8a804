//! Figures of the image: sizes, memory after the start and with many tracks, time from the kernel's start to `ready`. They are
//! printed as the table that the README has (Markdown), and judged only by the memory that the board has.

use std::thread;

use image::Result;
use serde_json::json;

use crate::disk::Disk;
use crate::guest::{End, Guest};
use crate::pair::{self, CARD};
use crate::report::Report;
use crate::scenario::Stage;

const MIB: u64 = 1024 * 1024;
const TRACKS: usize = 1000;
/// Commands at once.
const HANDS: usize = 4;

/// Plays it.
pub fn play(stage: &Stage<'_>, report: &mut Report) -> Result<()> {
    let card = Disk::blank(&stage.folder, "CARD0", 256 * MIB)?;
    let mut guest = Guest::new(stage, "appliance", End::First, vec![card])?;
    guest.boot(stage)?;
    let ready = guest.machine()?.line("after the kernel started")?;
    pair::create(&guest, CARD, "ring")?;
    pair::record_as(guest.client(), "camera-0", b"one track")?;
    let resident = |guest: &Guest| -> Result<(u64, u64)> {
        let memory = guest.agent(&json!({ "do": "memory" }))?;
        let number = |name: &str| memory[name].as_u64().ok_or_else(|| format!("the agent tells no {name}"));
        Ok((number("daemon_bytes")?, number("first_bytes")?))
    };
    let (one, first) = resident(&guest)?;
    report.saw("one track is recorded");
    let client = guest.client();
    let recorded: Vec<Result<()>> = thread::scope(|scope| {
        let hand = |hand: usize| {
            let cameras = (1..TRACKS).skip(hand).step_by(HANDS);
            scope.spawn(move || {
                let mut cameras = cameras;
                cameras.try_for_each(|camera| pair::record_as(client, &format!("camera-{camera}"), b"one of many tracks"))
            })
        };
        let hands: Vec<_> = (0..HANDS).map(hand).collect();
        hands
            .into_iter()
            .map(|hand| hand.join().unwrap_or_else(|_| Err("a thread panicked".into())))
            .collect()
    });
    recorded.into_iter().collect::<Result<()>>()?;
    let tracks = guest.call(&["archive", "info", CARD])?["tracks"]
        .as_array()
        .map_or(0, Vec::len);
    if tracks != TRACKS {
        return Err(format!("{TRACKS} tracks were recorded, and there are {tracks}."));
    }
    let (many, _) = resident(&guest)?;
    report.saw(&format!("{TRACKS} tracks are recorded"));
    guest.stop()?;
    let image = stage.image;
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / MIB as f64);
    let seconds = ready
        .split_whitespace()
        .find_map(|word| word.parse::<f64>().ok())
        .ok_or_else(|| format!("The console tells no time: {ready}"))?;
    table(&[
        ("daemon, static", mib(image.daemon_bytes)),
        ("initramfs: the daemon and kernel modules", mib(image.initramfs_bytes)),
        ("image: initramfs and kernel", mib(image.initramfs_bytes + image.kernel_bytes)),
        ("resident, daemon with 1 track", mib(one)),
        ("resident, daemon with 1,000 tracks", mib(many)),
        ("resident, first process", mib(first)),
        (
            "from the kernel's start to `ready`, emulated in software",
            format!("{seconds:.1} s"),
        ),
    ]);
    if many > u64::from(image.memory_mib) * MIB / 2 {
        return Err("The daemon takes more than half of the machine's memory.".to_owned());
    }
    report.saw("the machine stopped in order");
    Ok(())
}

/// In Markdown, on lines of their own.
fn table(rows: &[(&str, String)]) {
    println!("\n| image for QEMU | |\n|---|---|");
    for (what, how_much) in rows {
        println!("| {what} | {how_much} |");
    }
    println!();
}
