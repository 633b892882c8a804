//! Does it boot? An appliance with a data disk and a state volume starts, is switched off by its power button, and starts
//! again as the same appliance.

use image::Result;
use image::bake::{self, Image};

use crate::disk::{Bus, Disk};
use crate::machine::{Boots, Machine, Parts};
use crate::report::Report;
use crate::scenario::Stage;

const MIB: u64 = 1024 * 1024;

/// The serial that the board file names.
const STATE_SERIAL: &str = "blockhaul-state";
const DATA_SERIAL: &str = "SMOKE0";

/// The address of the network interface as the console shows it: by the board file, and leased by the emulator's network.
const ADDRESS: &str = "eth0 10.0.2.15/24 10.0.2.2";
const LEASED_ADDRESS: &str = "eth0 10.0.2.15/24, by DHCP from 10.0.2.2";

/// Where the daemon keeps its key, on the state volume.
const KEY_FILE: &str = "/identity.key";

/// Plays it.
pub fn play(stage: &Stage<'_>, report: &mut Report) -> Result<()> {
    let data = Disk::blank(&stage.folder, DATA_SERIAL, 64 * MIB)?;
    let state = Disk::ext4(&stage.folder, STATE_SERIAL, 32 * MIB)?;
    let disks = [data, state.clone()];

    boot_and_stop(stage, stage.image, report, "first", &disks, ADDRESS)?;
    let key = state.read(KEY_FILE)?;
    report.saw("its identity is on the state volume");

    boot_and_stop(stage, stage.image, report, "second", &disks, ADDRESS)?;
    if state.read(KEY_FILE)? != key {
        return Err("After the second start the identity on the state volume is another one.".to_owned());
    }
    report.saw("its identity is still the same");
    Ok(())
}

/// A board that differs in kernel and devices: one start, from a SATA drive, with an SD card and an Intel network interface.
pub fn play_board(stage: &Stage<'_>, report: &mut Report) -> Result<()> {
    let image = bake::build(&stage.tree, "qemu-camera", &bake::Options::default())?;
    report.saw(&format!("baked {} with {}", image.board, image.kernel_package));
    let state = Disk::ext4(&stage.folder, STATE_SERIAL, 32 * MIB)?.at(Bus::Sata);
    let data = Disk::blank(&stage.folder, DATA_SERIAL, 64 * MIB)?.at(Bus::Sata);
    let card = Disk::blank(&stage.folder, "CARD0", 16 * MIB)?.at(Bus::Sd);
    let disks = [state, data, card];
    boot_and_stop(stage, &image, report, "camera", &disks, LEASED_ADDRESS)
}

fn boot_and_stop(stage: &Stage<'_>, image: &Image, report: &mut Report, name: &str, disks: &[Disk], address: &str) -> Result<()> {
    let nic = if image.modules.iter().any(|module| module == "e1000") {
        "e1000"
    } else {
        "virtio-net-pci"
    };
    let mut machine = Machine::start(Parts {
        boots: Boots::Kernel(image, &image.initramfs()),
        memory_mib: image.memory_mib,
        folder: &stage.folder,
        name,
        disks,
        nics: [
            "-netdev",
            "user,id=net0,restrict=on",
            "-device",
            &format!("{nic},netdev=net0"),
        ]
        .map(str::to_owned)
        .to_vec(),
        clock: None,
        more: Vec::new(),
        deadline: stage.deadline,
    })?;
    let awaited = ["first process", "kernel modules loaded", DATA_SERIAL, "state volume", "ready"];
    for text in awaited {
        report.saw(&machine.expect(text)?);
    }
    report.saw(&machine.expect_anywhere(address)?);
    machine.press_power_button()?;
    report.saw(&machine.expect("power button pressed")?);
    report.saw(&machine.expect("switching off")?);
    machine.expect_power_off()?;
    report.saw("the machine is off");
    Ok(())
}
