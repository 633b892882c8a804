//! Does it boot? An appliance with a data disk and a state volume starts, is switched off by its power button, and starts
//! again as the same appliance.

use image::Result;

use crate::disk::Disk;
use crate::machine::{Machine, Parts};
use crate::report::Report;
use crate::scenario::Stage;

const MIB: u64 = 1024 * 1024;

/// The serial that the board file names.
const STATE_SERIAL: &str = "blockhaul-state";
const DATA_SERIAL: &str = "SMOKE0";

/// Where the daemon keeps its key, on the state volume.
const KEY_FILE: &str = "/identity.key";

/// Plays it.
pub fn play(stage: &Stage<'_>, report: &mut Report) -> Result<()> {
    let data = Disk::blank(&stage.folder, DATA_SERIAL, 64 * MIB)?;
    let state = Disk::ext4(&stage.folder, STATE_SERIAL, 32 * MIB)?;
    let disks = [data, state.clone()];

    boot_and_stop(stage, report, "first", &disks)?;
    let key = state.read(KEY_FILE)?;
    report.saw("its identity is on the state volume");

    boot_and_stop(stage, report, "second", &disks)?;
    if state.read(KEY_FILE)? != key {
        return Err("After the second start the identity on the state volume is another one.".to_owned());
    }
    report.saw("its identity is still the same");
    Ok(())
}

fn boot_and_stop(stage: &Stage<'_>, report: &mut Report, name: &str, disks: &[Disk]) -> Result<()> {
    let mut machine = Machine::start(Parts {
        image: stage.image,
        initramfs: None,
        folder: &stage.folder,
        name,
        disks,
        nics: ["-netdev", "user,id=net0,restrict=on", "-device", "virtio-net-pci,netdev=net0"]
            .map(str::to_owned)
            .to_vec(),
        clock: None,
        more: Vec::new(),
        deadline: stage.deadline,
    })?;
    let awaited = [
        "first process",
        "kernel modules loaded",
        "eth0 10.0.2.15/24",
        DATA_SERIAL,
        "state volume",
        "ready",
    ];
    for text in awaited {
        report.saw(&machine.expect(text)?);
    }
    machine.press_power_button()?;
    report.saw(&machine.expect("power button pressed")?);
    report.saw(&machine.expect("switching off")?);
    machine.expect_power_off()?;
    report.saw("the machine is off");
    Ok(())
}
