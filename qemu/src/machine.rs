//! One virtual machine: started from an image, watched through its console, ended in order or, when dropped, at once.
//!
//! Emulation in software is always asked for: a host can offer acceleration that then does not run ordinary kernels.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use image::Result;
use image::bake::Image;
use image::tree::write;
use serde_json::json;

use crate::console::Console;
use crate::disk::Disk;
use crate::qmp::Qmp;
use crate::setup::EMULATOR;

const POLL: Duration = Duration::from_millis(20);

/// For tests only: what a guest pays for holes in processors that an emulator does not have, and address randomness that
/// makes traces hard to read.
const TEST_COMMAND_LINE: &str = "nokaslr mitigations=off cryptomgr.notests";

/// A running machine.
pub struct Machine {
    emulator: Child,
    console: Console,
    qmp: Qmp,
    errors: std::path::PathBuf,
    deadline: Instant,
}

impl Machine {
    /// Starts a machine with `image` and `disks`; its logs go to `folder`, under `name`.
    pub fn start(image: &Image, folder: &Path, name: &str, disks: &[Disk], deadline: Instant) -> Result<Machine> {
        let log = |kind: &str| folder.join(format!("{name}.{kind}"));
        let console = Console::new(log("console.log"));
        let errors = log("emulator.log");
        // If this process dies, whatever the way, the machine ends with it.
        let mut command = Command::new("setpriv");
        // Its own files are named relative to the folder: a comma in a path would mean something to the emulator.
        command.current_dir(folder).args(["--pdeathsig", "KILL", EMULATOR]);
        command.args([
            "-accel",
            "tcg",
            "-M",
            "q35",
            "-cpu",
            "max",
            "-m",
            &image.memory_mib.to_string(),
        ]);
        command.args(["-nodefaults", "-display", "none", "-no-reboot", "-qmp", "stdio"]);
        command.arg("-serial").arg(format!("file:{name}.console.log"));
        command
            .arg("-kernel")
            .arg(image.vmlinux())
            .arg("-initrd")
            .arg(image.initramfs());
        command
            .arg("-append")
            .arg(format!("{} {TEST_COMMAND_LINE}", image.command_line));
        // A panic ends the machine with an error; otherwise it would look like an orderly end.
        command.args([
            "-device",
            "pvpanic-pci",
            "-action",
            "panic=exit-failure",
            "-device",
            "virtio-rng-pci",
        ]);
        command.args(["-netdev", "user,id=net0,restrict=on", "-device", "virtio-net-pci,netdev=net0"]);
        for (index, disk) in disks.iter().enumerate() {
            command
                .arg("-drive")
                .arg(format!("if=none,id=disk{index},format=raw,file={}", disk.file));
            command
                .arg("-device")
                .arg(format!("virtio-blk-pci,drive=disk{index},serial={}", disk.serial));
        }
        write(&log("command"), format!("{command:?}\n").as_bytes())?;
        let error_file = File::create(&errors).map_err(|error| format!("{} cannot be created: {error}.", errors.display()))?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(error_file);
        let mut emulator = command
            .spawn()
            .map_err(|error| format!("setpriv cannot be started: {error}. Install it: apt-get install util-linux"))?;
        let (Some(input), Some(output)) = (emulator.stdin.take(), emulator.stdout.take()) else {
            return Err("The emulator has no standard input and output.".to_owned());
        };
        let mut machine = Machine {
            emulator,
            console,
            qmp: Qmp::new(input, output),
            errors,
            deadline,
        };
        machine.command("qmp_capabilities")?;
        Ok(machine)
    }

    /// Waits for a line with `text` on the console, after the one that was awaited last, and returns it.
    pub fn expect(&mut self, text: &str) -> Result<String> {
        loop {
            let ended = self.ended()?;
            if let Some(line) = self.console.take(text) {
                return Ok(line);
            }
            if let Some(line) = self.console.fatal() {
                return Err(self.explain(&format!("The kernel failed: {line}")));
            }
            if ended {
                return Err(self.explain(&format!("The machine ended before the console showed {text:?}.")));
            }
            if Instant::now() >= self.deadline {
                return Err(self.explain(&format!("The console did not show {text:?} in time.")));
            }
            thread::sleep(POLL);
        }
    }

    /// Presses the power button for a moment.
    pub fn press_power_button(&mut self) -> Result<()> {
        self.command("system_powerdown")
    }

    /// Waits until the machine has switched itself off, and makes sure that it did so of its own accord.
    pub fn expect_power_off(&mut self) -> Result<()> {
        let event = self
            .qmp
            .event("SHUTDOWN", self.deadline)
            .map_err(|error| self.explain(&error))?;
        let reason = event["data"]["reason"].as_str().unwrap_or("unknown").to_owned();
        if reason != "guest-shutdown" {
            return Err(self.explain(&format!("The machine ended for another reason: {reason}.")));
        }
        while !self.ended()? {
            if Instant::now() >= self.deadline {
                return Err(self.explain("The emulator did not end in time."));
            }
            thread::sleep(POLL);
        }
        let status = self
            .emulator
            .wait()
            .map_err(|error| format!("The emulator cannot be waited for: {error}."))?;
        if !status.success() {
            return Err(self.explain(&format!("The emulator ended with an error ({status}).")));
        }
        match self.console.fatal() {
            Some(line) => Err(self.explain(&format!("The kernel failed: {line}"))),
            None => Ok(()),
        }
    }

    fn command(&mut self, name: &str) -> Result<()> {
        self.qmp
            .execute(name, json!({}), self.deadline)
            .map(drop)
            .map_err(|error| self.explain(&error))
    }

    fn ended(&mut self) -> Result<bool> {
        let status = self
            .emulator
            .try_wait()
            .map_err(|error| format!("The emulator cannot be waited for: {error}."))?;
        Ok(status.is_some())
    }

    /// Puts beside what went wrong what a person needs to find out why.
    fn explain(&self, what: &str) -> String {
        let said = std::fs::read_to_string(&self.errors).unwrap_or_default();
        let said = if said.is_empty() {
            String::new()
        } else {
            format!("\nThe emulator said: {}", said.trim_end())
        };
        let tail = self.console.tail();
        format!(
            "{what}{said}\nThe end of the console ({}):\n{tail}",
            self.console.path().display()
        )
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It has ended already where all went well; otherwise there is nothing left to ask of it.
        let _ = self.emulator.kill();
        let _ = self.emulator.wait();
    }
}
