//! An appliance that starts from its own disk is updated: a good version proves itself and is kept, a bad one is given up after its
//! starts are used up, and the machine comes back to the version before. What was recorded is there all the time.

use image::Result;
use image::boot::Boot;
use image::cpio::Archive;
use image::disk::{self, Slot};
use image::tree::read;

use crate::dice::Dice;
use crate::disk::Disk;
use crate::guest::{End, Guest};
use crate::pair::{self, CARD};
use crate::report::Report;
use crate::scenario::Stage;

const MIB: u64 = 1024 * 1024;
const FILE: &str = "system.img";
/// Starts that the bad version gets.
const TRIES: u32 = 2;

/// Plays it.
pub fn play(stage: &Stage<'_>, report: &mut Report) -> Result<()> {
    let mut dice = Dice::of_this_run();
    let boot = Boot::obtain(&stage.tree)?;
    let mut guest = Guest::new(stage, "appliance", End::First, Vec::new())?;
    let initramfs = read(guest.initramfs())?;
    let slot = |initramfs: &[u8], version: &str, tries| Slot::new(&boot, stage.image, initramfs, version, tries);
    let file = stage.folder.join(FILE);
    let first = slot(&with(&initramfs, "version", "1.0"), "1.0", None)?;
    let system = disk::Disk::write(&file, "update", 256 * MIB, &boot, &first)?;
    let drive = Disk::of_file(&stage.folder, FILE, "SYSTEM0");
    guest = guest.on_disk(drive)?;

    guest.boot(stage)?;
    says(&mut guest, "image 1.0")?;
    guest.call(&[
        "archive",
        "create",
        CARD,
        "--volume",
        &data_partition(&guest)?,
        "--block-size",
        "64KiB",
    ])?;
    record(&guest, &mut dice, 10)?;
    guest.stop()?;
    report.saw("version 1.0 starts from the disk and records 10 blocks on its data partition");

    system.put_slot(&slot(&with(&initramfs, "version", "1.1"), "1.1", Some(3))?)?;
    guest.boot(stage)?;
    says(&mut guest, "image 1.1")?;
    guest.machine()?.expect("this slot is good")?;
    record(&guest, &mut dice, 10)?;
    guest.stop()?;
    expect_slots(&system, &["blockhaul_1.0.efi", "blockhaul_1.1.efi"])?;
    report.saw("version 1.1 starts, proves itself, and records 10 more");

    let bad = with(&with(&initramfs, "version", "1.2"), "arguments", "--no-such-option");
    system.put_slot(&slot(&bad, "1.2", Some(TRIES))?)?;
    for start in 1..=TRIES {
        guest.switch_on(stage)?;
        guest.machine()?.expect("image 1.2")?;
        guest.machine()?.expect("the daemon ended: exit 2")?;
        guest.machine()?.expect_restart()?;
        report.saw(&format!(
            "start {start} of version 1.2: its daemon does not run, and the machine restarts"
        ));
    }
    system.remove_slot("blockhaul_1.0.efi")?;
    let newer = "writes volume-2 settings-1; reads volume-1 volume-2 settings-1;";
    let newer = with(&with(&initramfs, "version", "1.3"), "formats", newer);
    system.put_slot(&slot(&newer, "1.3", Some(1))?)?;
    guest.switch_on(stage)?;
    guest
        .machine()?
        .expect("this slot writes volume-2, which blockhaul_1.1.efi does not read")?;
    guest.machine()?.expect_restart()?;
    report.saw("version 1.3 writes a format that 1.1 does not know: it starts no daemon, and writes nothing");
    guest.boot(stage)?;
    says(&mut guest, "image 1.1")?;
    pair::verify(&guest, CARD)?;
    let taken = guest.client().taken(CARD)?;
    if taken != 20 {
        return Err(format!("20 blocks were recorded, and {taken} are there."));
    }
    record(&guest, &mut dice, 10)?;
    guest.stop()?;
    report.saw("the machine is back at version 1.1, with all 20 blocks, and records 10 more");
    Ok(())
}

fn says(guest: &mut Guest, text: &str) -> Result<()> {
    let machine = guest.machine()?;
    if machine.has_said(text) {
        return Ok(());
    }
    Err(machine.explain(&format!("The console does not show {text:?}.")))
}

/// Random bytes, that many blocks of them.
fn record(guest: &Guest, dice: &mut Dice, blocks: usize) -> Result<()> {
    pair::record(guest, &pair::bytes(dice, blocks))
}

/// The first file system with one setting of the image laid over it.
fn with(initramfs: &[u8], name: &str, text: &str) -> Vec<u8> {
    let mut over = Archive::default();
    over.file(&format!("etc/blockhaul/{name}"), 0o644, format!("{text}\n").as_bytes());
    [initramfs, &over.finish()].concat()
}

fn data_partition(guest: &Guest) -> Result<String> {
    let devices = guest.call(&["device", "list"])?;
    let disks = devices["disks"].as_array().into_iter().flatten();
    let mut paths = disks.filter_map(|device| device["path"].as_str());
    // The third, behind system and state.
    let found = paths.find(|path| path.ends_with('3'));
    found
        .map(str::to_owned)
        .ok_or_else(|| format!("There is no third partition: {devices}"))
}

fn expect_slots(system: &disk::Disk, wanted: &[&str]) -> Result<()> {
    let mut slots = system.slots()?;
    slots.sort();
    if slots == wanted {
        Ok(())
    } else {
        Err(format!("The disk has the slots {slots:?}, and should have {wanted:?}."))
    }
}
