//! An appliance in a virtual machine, as a technician has it before him: it is switched on and off, its plug is pulled, and the
//! real command line talks to it through its control socket, which is forwarded to a socket on the host.
//!
//! Two network interfaces: the first leads to the host, the second is the wire to other appliances.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use blockhaul_tests::client::Client;
use image::Result;
use image::cpio::Archive;
use image::tree::{read, write};
use serde_json::{Value, json};

use crate::cache::{Cache, Cut};
use crate::dice::Dice;
use crate::disk::Disk;
use crate::footage::Footage;
use crate::machine::{Boots, Machine, Parts};
use crate::scenario::Stage;
use crate::setup::FIRMWARE_VARIABLES;
use crate::slot::Slot;

const MIB: u64 = 1024 * 1024;

/// The serial that the board file names.
pub const STATE_SERIAL: &str = "blockhaul-state";

/// Ports of the agent (`qemu/agent`).
const CONTROL_PORT: u16 = 7001;
const REQUEST_PORT: u16 = 7002;

/// Where daemons listen for peers.
pub const PEER_PORT: u16 = 7440;

const POLL: Duration = Duration::from_millis(100);

/// Which end of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The emulator at this end waits for the other.
    First,
    /// The emulator at this end looks for the other, again and again.
    Second,
}

impl End {
    /// The address of the appliance there.
    pub fn address(self) -> Ipv4Addr {
        Ipv4Addr::new(192, 168, 77, if self == End::First { 1 } else { 2 })
    }
}

/// One appliance.
pub struct Guest {
    name: String,
    end: End,
    folder: PathBuf,
    initramfs: PathBuf,
    /// Its disks, the state volume first.
    pub disks: Vec<Disk>,
    /// When its clock starts, if that is not now.
    pub clock: Option<String>,
    more: Vec<String>,
    /// The file of the firmware's variables, if firmware starts it.
    firmware: Option<&'static str>,
    client: Client,
    control_port: Arc<AtomicU16>,
    request_port: u16,
    starts: usize,
    machine: Option<Machine>,
    deadline: Instant,
}

impl Guest {
    /// An appliance with a state volume and these disks, switched off.
    pub fn new(stage: &Stage<'_>, name: &str, end: End, disks: Vec<Disk>) -> Result<Guest> {
        let state = Disk::ext4_as(&stage.folder, &format!("{name}-state"), STATE_SERIAL, 32 * MIB)?;
        let initramfs = stage.folder.join(format!("{name}.initramfs.cpio"));
        lay_agent_over(stage, end, &initramfs)?;
        let socket = stage.sockets.join(format!("{name}.control"));
        let control_port = Arc::new(AtomicU16::new(0));
        forward(&socket, Arc::clone(&control_port))?;
        Ok(Guest {
            name: name.to_owned(),
            end,
            folder: stage.folder.clone(),
            initramfs,
            disks: [vec![state], disks].concat(),
            clock: None,
            more: Vec::new(),
            firmware: None,
            client: Client::new(name, &stage.command, &socket),
            control_port,
            request_port: 0,
            starts: 0,
            machine: None,
            deadline: stage.deadline,
        })
    }

    /// Changes what it boots from the next start on, as an update from outside would.
    pub fn change_image(&mut self, stage: &Stage<'_>) -> Result<()> {
        lay_agent_over(stage, self.end, &self.initramfs)
    }

    /// The same, started by firmware from this disk, which has the state too.
    pub fn on_disk(mut self, disk: Disk) -> Result<Guest> {
        const VARIABLES: &str = "variables.fd";
        let file = self.folder.join(VARIABLES);
        write(&file, &read(Path::new(FIRMWARE_VARIABLES))?)?;
        self.firmware = Some(VARIABLES);
        self.disks = vec![disk];
        Ok(self)
    }

    /// The first file system that it boots: the image's, with the agent laid over it.
    pub fn initramfs(&self) -> &Path {
        &self.initramfs
    }

    /// The same, with a cache in front of the state volume too.
    pub fn with_cached_state(mut self, stage: &Stage<'_>) -> Result<Guest> {
        let state = self.disks.remove(0);
        self.disks.insert(0, state.with_cache(&stage.sockets)?);
        Ok(self)
    }

    /// The same, with a watchdog whose bite ends the emulator's patience, not the emulator.
    pub fn with_watchdog(mut self) -> Guest {
        let arguments = ["-device", "i6300esb", "-action", "watchdog=pause"];
        self.more.extend(arguments.map(str::to_owned));
        self
    }

    /// The same, with places for cards, and these cards in somebody's hand.
    pub fn with_slots(mut self, cards: &[Footage]) -> Guest {
        self.more.extend(Slot::arguments(cards));
        self
    }

    /// The cache of the last disk.
    pub fn cache(&self) -> Result<&Cache> {
        let cache = self.disks.last().and_then(|disk| disk.cache.as_ref());
        cache
            .map(|(cache, _)| cache)
            .ok_or_else(|| format!("The disk of {} has no cache.", self.name))
    }

    /// Switches it on, and waits until the daemon is ready, its archives are open and it can be asked.
    pub fn boot(&mut self, stage: &Stage<'_>) -> Result<()> {
        self.switch_on(stage)?;
        let machine = self.machine()?;
        machine.expect("ready")?;
        machine.expect(&format!("listening on port {REQUEST_PORT}"))?;
        self.until("its archives to be open", |guest| {
            // Until the agent is there, nothing answers.
            let Ok(status) = guest.call(&["status"]) else {
                return Ok(false);
            };
            let archives = status["archives"].as_array();
            Ok(archives.is_some_and(|archives| archives.iter().all(|archive| archive["state"] != "indexing")))
        })
    }

    /// Switches it on.
    pub fn switch_on(&mut self, stage: &Stage<'_>) -> Result<()> {
        self.starts += 1;
        let log = format!("{}-{}", self.name, self.starts);
        let (control, request) = (free_port()?, free_port()?);
        self.machine = Some(Machine::start(Parts {
            boots: match self.firmware {
                None => Boots::Kernel(stage.image, &self.initramfs),
                Some(variables) => Boots::Firmware(variables),
            },
            memory_mib: stage.image.memory_mib,
            folder: &self.folder,
            name: &log,
            disks: &self.disks,
            nics: self.nics(control, request),
            clock: self.clock.as_deref(),
            more: self.more.clone(),
            deadline: self.deadline,
        })?);
        self.control_port.store(control, Ordering::SeqCst);
        self.request_port = request;
        Ok(())
    }

    fn nics(&self, control: u16, request: u16) -> Vec<String> {
        let host = format!(
            "user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:{control}-:{CONTROL_PORT},hostfwd=tcp:127.0.0.1:{request}-:{REQUEST_PORT}"
        );
        let role = match self.end {
            End::First => "server=on",
            End::Second => "server=off,reconnect-ms=200",
        };
        let wire = format!("stream,id=wire,{role},addr.type=unix,addr.path=wire.sock");
        let last = self.end.address().octets()[3];
        [
            "-netdev",
            &host,
            "-device",
            "virtio-net-pci,netdev=net0",
            "-netdev",
            &wire,
            "-device",
            &format!("virtio-net-pci,id=nic1,netdev=wire,mac=52:54:00:77:00:{last:02x}"),
        ]
        .map(str::to_owned)
        .to_vec()
    }

    /// The machine, which must be on.
    pub fn machine(&mut self) -> Result<&mut Machine> {
        let name = &self.name;
        self.machine.as_mut().ok_or_else(|| format!("{name} is switched off."))
    }

    /// What the real command line is given.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Runs a command of the real command line.
    pub fn call(&self, arguments: &[&str]) -> Result<Value> {
        self.client.call(arguments)
    }

    /// Presses the power button and waits for an orderly end.
    pub fn stop(&mut self) -> Result<()> {
        let mut machine = self.machine.take().ok_or("It is off.")?;
        machine.press_power_button()?;
        machine.expect("switching off")?;
        machine.expect_power_off()
    }

    /// Pulls the plug. Says what became of what was in the caches of the disks; how much of it they keep is drawn.
    pub fn cut_power(&mut self, dice: &mut Dice) -> Result<Cut> {
        let mercy = dice.below(5);
        self.cut_power_with(mercy, dice)
    }

    /// The same with a given [mercy](Cache::cut_power).
    fn cut_power_with(&mut self, mercy: u64, dice: &mut Dice) -> Result<Cut> {
        self.machine.take().ok_or("It is off.")?.cut_power()?;
        let mut all = Cut::default();
        for cache in self.caches() {
            let cut = cache.cut_power(mercy, dice)?;
            all.whole += cut.whole;
            all.torn += cut.torn;
            all.lost += cut.lost;
        }
        Ok(all)
    }

    /// Pulls the plug as soon as there are so many writes in the cache of a disk, after `patience` already at the first one, and
    /// after twice that time anyhow.
    pub fn cut_power_while_writing(&mut self, writes: usize, patience: Duration, mercy: u64, dice: &mut Dice) -> Result<Cut> {
        for writes in [writes, 1] {
            let end = Instant::now() + patience;
            while Instant::now() < end && !self.caches().any(|cache| cache.stop_while_pending(writes)) {
                thread::sleep(Duration::from_millis(1));
            }
        }
        self.cut_power_with(mercy, dice)
    }

    fn caches(&self) -> impl Iterator<Item = &Cache> {
        self.disks
            .iter()
            .filter_map(|disk| disk.cache.as_ref().map(|(cache, _)| cache))
    }

    /// Has the agent do something; see `qemu/agent`.
    pub fn agent(&self, request: &Value) -> Result<Value> {
        let failed = |error: io::Error| format!("The agent of {} does not answer: {error}.", self.name);
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.request_port)).map_err(failed)?;
        connection.set_read_timeout(Some(Duration::from_secs(20))).map_err(failed)?;
        writeln!(connection, "{request}").map_err(failed)?;
        let mut line = String::new();
        BufReader::new(connection).read_line(&mut line).map_err(failed)?;
        let reply: Value = serde_json::from_str(&line).map_err(|error| format!("The agent answers {line:?}: {error}."))?;
        match reply["error"].as_str() {
            Some(error) => Err(format!("The agent of {} cannot {request}: {error}.", self.name)),
            None => Ok(reply),
        }
    }

    /// The device of a disk, by its serial, or the only one of a kind that has none of ours.
    pub fn device(&self, disk: &Disk) -> Result<String> {
        let devices = self.call(&["device", "list"])?;
        let disks = devices["disks"].as_array().cloned().unwrap_or_default();
        let is_it = |device: &&Value| match disk.bus {
            crate::disk::Bus::Usb => device["path"].as_str().is_some_and(|path| path.starts_with("/dev/sd")),
            crate::disk::Bus::Sd => device["path"].as_str().is_some_and(|path| path.contains("mmcblk")),
            _ => device["serial"] == disk.serial,
        };
        let found = disks.iter().find(is_it).and_then(|device| device["path"].as_str());
        found
            .map(str::to_owned)
            .ok_or_else(|| format!("{} has no disk {}: {devices}", self.name, disk.serial))
    }

    /// The events of one code so far.
    pub fn events(&self, code: &str) -> Result<Vec<Value>> {
        let output = self.client.command(&["events"]).output().map_err(|error| error.to_string())?;
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let all = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        Ok(all.filter(|event| event["code"] == code).collect())
    }

    /// Waits until something is so, to the end of the scenario's time.
    pub fn until(&self, what: &str, mut holds: impl FnMut(&Guest) -> Result<bool>) -> Result<()> {
        loop {
            if holds(self)? {
                return Ok(());
            }
            if Instant::now() >= self.deadline {
                let why = format!("{} was given no more time for {what}.", self.name);
                return Err(self.machine.as_ref().map_or(why.clone(), |machine| machine.explain(&why)));
            }
            thread::sleep(POLL);
        }
    }

    /// Waits for an event.
    pub fn until_event(&self, code: &str) -> Result<Value> {
        let mut found = json!(null);
        self.until(&format!("the event {code}"), |guest| {
            let events = guest.events(code).unwrap_or_default();
            found = events.last().cloned().unwrap_or_default();
            Ok(!events.is_empty())
        })?;
        Ok(found)
    }
}

/// The image's first file system with the agent and the addresses of this end laid over it.
fn lay_agent_over(stage: &Stage<'_>, end: End, path: &Path) -> Result<()> {
    let mut over = Archive::default();
    over.file("opt/qemu/agent", 0o755, &read(&stage.agent)?);
    over.file("etc/blockhaul/programs", 0o644, b"/opt/qemu/agent\n");
    let nics = format!("eth0 10.0.2.15/24 10.0.2.2\neth1 {}/24\n", end.address());
    over.file("etc/blockhaul/nics", 0o644, nics.as_bytes());
    let mut whole = read(&stage.image.initramfs())?;
    whole.extend(over.finish());
    write(path, &whole)
}

/// Each connection to the socket becomes one to the port.
fn forward(socket: &Path, port: Arc<AtomicU16>) -> Result<()> {
    let listener = UnixListener::bind(socket).map_err(|error| format!("{} cannot be opened: {error}.", socket.display()))?;
    thread::spawn(move || {
        for command in listener.incoming().flatten() {
            let Ok(guest) = TcpStream::connect((Ipv4Addr::LOCALHOST, port.load(Ordering::SeqCst))) else {
                continue;
            };
            let (Ok(mut from_command), Ok(mut to_guest)) = (command.try_clone(), guest.try_clone()) else {
                continue;
            };
            thread::spawn(move || {
                let _ = io::copy(&mut from_command, &mut to_guest);
                let _ = to_guest.shutdown(Shutdown::Write);
            });
            let (mut from_guest, mut to_command) = (guest, command);
            thread::spawn(move || {
                let _ = io::copy(&mut from_guest, &mut to_command);
                let _ = to_command.shutdown(Shutdown::Both);
            });
        }
    });
    Ok(())
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    listener
        .map(|address| address.port())
        .map_err(|error| format!("No port is free: {error}."))
}
