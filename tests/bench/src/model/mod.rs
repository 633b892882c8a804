//! The bare pipeline: what is left of hauling when everything is taken away but reading, sending, checking and writing. It is the
//! limit that the product is held against, not an alternative to it: it knows no log, no peer and no failure.
//!
//! One process for each end, like the product, so that the kernel counts them alike.

mod channel;
mod disk;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use blockhaul_tests::Result;
use clap::{Args, Subcommand};
use hal::Span;

pub use channel::certify;
use channel::{Receiver, Sender};
use disk::Disk;

/// Blocks in flight on a disk or between disk and socket: enough for memory and for any disk here.
const AHEAD: u32 = 8;
/// As much as the product makes durable together.
const GROUP_BYTES: u64 = 16 << 20;

/// One end of it.
#[derive(Clone, Debug, Subcommand)]
pub enum Role {
    /// Read a device and throw the bytes away
    Read(Part),
    /// Write a device and flush it by groups
    Write(Part),
    /// Read and send
    Send(Part),
    /// Receive and write
    Receive(Part),
}

/// What an end does.
#[derive(Args, Clone, Debug)]
pub struct Part {
    /// The device; memory if none
    #[arg(long)]
    pub device: Option<PathBuf>,
    /// The other end
    #[arg(long)]
    pub address: Option<SocketAddr>,
    /// All bytes
    #[arg(long)]
    pub bytes: u64,
    /// Bytes of a block
    #[arg(long)]
    pub block: u32,
    /// Folder of the certificate; no TLS if none
    #[arg(long)]
    pub tls: Option<PathBuf>,
    /// Check each block by CRC-32C
    #[arg(long)]
    pub check: bool,
    /// One block at a time, each made durable; the sender prints the times in ns
    #[arg(long)]
    pub each: bool,
}

/// Plays one end.
pub fn play(role: &Role) -> Result<()> {
    match role {
        Role::Read(part) => read(part),
        Role::Write(part) => write(part),
        Role::Send(part) => send(part),
        Role::Receive(part) => receive(part),
    }
}

impl Part {
    fn blocks(&self) -> u64 {
        self.bytes / u64::from(self.block)
    }

    fn span(&self, number: u64) -> Span {
        Span {
            offset_bytes: (number % u64::from(AHEAD)) as u32 * self.block,
            length_bytes: self.block,
        }
    }

    fn at(&self, number: u64) -> u64 {
        number * u64::from(self.block)
    }

    fn disk(&self) -> Result<Disk> {
        Disk::open(self.device.as_deref(), AHEAD * self.block)
    }

    fn address(&self) -> Result<SocketAddr> {
        self.address
            .ok_or_else(|| "an end that sends or receives needs --address".into())
    }

    fn group(&self) -> u64 {
        (GROUP_BYTES / u64::from(self.block)).max(1)
    }
}

fn read(part: &Part) -> Result<()> {
    let mut disk = part.disk()?;
    for number in 0..part.blocks() {
        if number >= u64::from(AHEAD) {
            disk.take_oldest()?;
        }
        disk.read(part.at(number), part.span(number));
    }
    disk.settle()
}

fn write(part: &Part) -> Result<()> {
    let mut disk = part.disk()?;
    for number in 0..part.blocks() {
        if disk.in_flight() >= AHEAD as usize {
            disk.take_oldest()?;
        }
        disk.write(part.at(number), part.span(number));
        if (number + 1).is_multiple_of(part.group()) {
            disk.settle()?;
            disk.flush()?;
        }
    }
    disk.settle()?;
    disk.flush()
}

fn send(part: &Part) -> Result<()> {
    let mut disk = part.disk()?;
    let stream = connect(part.address()?)?;
    let mut sender = Sender::new(stream, part.tls.as_deref())?;
    let ahead = if part.each { 1 } else { u64::from(AHEAD).min(part.blocks()) };
    for number in 0..ahead {
        disk.read(part.at(number), part.span(number));
    }
    let mut times_ns = Vec::new();
    for number in 0..part.blocks() {
        let begun = Instant::now();
        disk.take_oldest()?;
        let block = disk.lend(part.span(number));
        if part.check {
            std::hint::black_box(checksum(&block));
        }
        sender.send(&block)?;
        drop(block);
        if part.each {
            sender.wait_for_word()?;
            times_ns.push(begun.elapsed().as_nanos());
        }
        if number + ahead < part.blocks() {
            disk.read(part.at(number + ahead), part.span(number + ahead));
        }
    }
    sender.wait_for_word()?;
    for time_ns in times_ns {
        println!("{time_ns}");
    }
    Ok(())
}

fn receive(part: &Part) -> Result<()> {
    let mut disk = part.disk()?;
    let listener = TcpListener::bind(part.address()?).map_err(|error| error.to_string())?;
    println!("listening");
    let (stream, _) = listener.accept().map_err(|error| error.to_string())?;
    let mut receiver = Receiver::new(stream, part.tls.as_deref())?;
    for number in 0..part.blocks() {
        if disk.in_flight() >= AHEAD as usize {
            disk.take_oldest()?;
        }
        let mut block = disk.lend(part.span(number));
        receiver.fill(&mut block)?;
        if part.check {
            std::hint::black_box(checksum(&block));
        }
        drop(block);
        disk.write(part.at(number), part.span(number));
        if part.each || (number + 1).is_multiple_of(part.group()) {
            disk.settle()?;
            disk.flush()?;
        }
        if part.each {
            receiver.say_word()?;
        }
    }
    disk.settle()?;
    disk.flush()?;
    receiver.say_word()
}

fn checksum(bytes: &[u8]) -> u64 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes)
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).map_err(|error| error.to_string())?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    Ok(stream)
}
