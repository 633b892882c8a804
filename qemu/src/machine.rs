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
use serde_json::{Value, json};

use crate::console::Console;
use crate::disk::Disk;
use crate::qmp::Qmp;
use crate::setup::{EMULATOR, FIRMWARE};

const POLL: Duration = Duration::from_millis(20);

/// For tests only: what a guest pays for holes in processors that an emulator does not have, and address randomness that
/// makes traces hard to read.
const TEST_COMMAND_LINE: &str = "nokaslr mitigations=off cryptomgr.notests";

/// How a machine starts.
pub enum Boots<'a> {
    /// The emulator loads the image's kernel, and a first file system.
    Kernel(&'a Image, &'a Path),
    /// UEFI firmware starts what is on the first disk; its variables are in this file of the folder.
    Firmware(&'a str),
}

/// What a machine consists of, and where its logs go.
pub struct Parts<'a> {
    /// What it boots.
    pub boots: Boots<'a>,
    /// Its memory.
    pub memory_mib: u32,
    /// The folder of the scenario.
    pub folder: &'a Path,
    /// The name of its logs there.
    pub name: &'a str,
    /// Its disks.
    pub disks: &'a [Disk],
    /// Arguments of its network interfaces.
    pub nics: Vec<String>,
    /// When its clock starts, if that is not now.
    pub clock: Option<&'a str>,
    /// What it gets besides.
    pub more: Vec<String>,
    /// When the scenario must have ended.
    pub deadline: Instant,
}

/// A running machine.
pub struct Machine {
    emulator: Child,
    console: Console,
    qmp: Qmp,
    errors: std::path::PathBuf,
    deadline: Instant,
}

impl Machine {
    /// Starts a machine.
    pub fn start(parts: Parts<'_>) -> Result<Machine> {
        let Parts { folder, name, .. } = parts;
        let log = |kind: &str| folder.join(format!("{name}.{kind}"));
        let console = Console::new(log("console.log"));
        let errors = log("emulator.log");
        // If this process dies, whatever the way, the machine ends with it.
        let mut command = Command::new("setpriv");
        // Its own files are named relative to the folder: a comma in a path would mean something to the emulator.
        command.current_dir(folder).args(["--pdeathsig", "KILL", EMULATOR]);
        let memory_mib = parts.memory_mib.to_string();
        command.args(["-accel", "tcg", "-M", "q35", "-cpu", "max", "-m", &memory_mib]);
        command.args(["-nodefaults", "-display", "none", "-no-reboot", "-qmp", "stdio"]);
        command.arg("-serial").arg(format!("file:{name}.console.log"));
        if let Some(clock) = parts.clock {
            command.arg("-rtc").arg(format!("base={clock}"));
        }
        match parts.boots {
            Boots::Kernel(image, initramfs) => {
                command.arg("-kernel").arg(image.vmlinux()).arg("-initrd").arg(initramfs);
                let command_line = format!("{} {TEST_COMMAND_LINE}", image.command_line);
                command.args(["-append", &command_line]);
            }
            Boots::Firmware(variables) => {
                let flash = |kind: &str, file: &str| format!("if=pflash,format=raw,{kind}file={file}");
                command.args(["-drive", &flash("readonly=on,", FIRMWARE), "-drive", &flash("", variables)]);
            }
        }
        // A panic ends the machine with an error; otherwise it would look like an orderly end.
        command.args([
            "-device",
            "pvpanic-pci",
            "-action",
            "panic=exit-failure",
            "-device",
            "virtio-rng-pci",
        ]);
        command.args(parts.nics).args(parts.more);
        for (index, disk) in parts.disks.iter().enumerate() {
            command.args(disk.arguments(index));
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
            deadline: parts.deadline,
        };
        machine.monitor("qmp_capabilities", json!({}))?;
        Ok(machine)
    }

    /// Waits for a line with `text`, wherever it is on the console.
    pub fn expect_anywhere(&mut self, text: &str) -> Result<String> {
        loop {
            if let Some(line) = self.console.line(text) {
                return Ok(line);
            }
            if self.ended()? || Instant::now() >= self.deadline {
                return Err(self.explain(&format!("The console did not show {text:?}.")));
            }
            thread::sleep(POLL);
        }
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
        self.monitor("system_powerdown", json!({})).map(drop)
    }

    /// Tells the emulator to do something to the machine.
    pub fn monitor(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let done = self.qmp.execute(command, arguments, self.deadline);
        done.map_err(|error| self.explain(&error))
    }

    /// Waits for something that the emulator says.
    pub fn event(&mut self, name: &str) -> Result<Value> {
        self.qmp.event(name, self.deadline).map_err(|error| self.explain(&error))
    }

    /// Waits for something that the emulator says of the device `id`.
    pub fn event_of(&mut self, name: &str, id: &str) -> Result<Value> {
        let event = self.qmp.event_that(name, |data| data["device"] == id, self.deadline);
        event.map_err(|error| self.explain(&error))
    }

    /// Waits until the machine has restarted itself, which ends the emulator.
    pub fn expect_restart(&mut self) -> Result<()> {
        let event = self.event("SHUTDOWN")?;
        match event["data"]["reason"].as_str() {
            Some("guest-reset") => Ok(()),
            reason => Err(self.explain(&format!(
                "The machine ended for another reason: {}.",
                reason.unwrap_or("unknown")
            ))),
        }
    }

    /// The plug is pulled.
    pub fn cut_power(mut self) -> Result<()> {
        self.emulator
            .kill()
            .and_then(|()| self.emulator.wait())
            .map(drop)
            .map_err(|error| format!("The emulator cannot be ended: {error}."))
    }

    /// The line with `text`, wherever it is on the console.
    pub fn line(&self, text: &str) -> Result<String> {
        let line = self.console.line(text);
        line.ok_or_else(|| self.explain(&format!("The console does not show {text:?}.")))
    }

    /// Whether a line with `text` is on the console.
    pub fn has_said(&self, text: &str) -> bool {
        self.console.has(text)
    }

    /// Waits until the machine has switched itself off, and makes sure that it did so of its own accord.
    pub fn expect_power_off(&mut self) -> Result<()> {
        let event = self.event("SHUTDOWN")?;
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

    fn ended(&mut self) -> Result<bool> {
        let status = self
            .emulator
            .try_wait()
            .map_err(|error| format!("The emulator cannot be waited for: {error}."))?;
        Ok(status.is_some())
    }

    /// Puts beside what went wrong what a person needs to find out why.
    pub fn explain(&self, what: &str) -> String {
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
