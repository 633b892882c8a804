//! Faults between sites.

use drivers_sim::{Path, SiteId};

use super::named;
use super::play::{Play, SECOND_NS};

/// A link that was lost is noticed in this time.
const SOON_NS: u64 = 2 * SECOND_NS;
/// A link on which nothing comes is given up in this time: 15 s, or 10 s for a greeting, and a little.
const SILENT_NS: u64 = 25 * SECOND_NS;

/// Kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Connections are lost in the middle of whatever is on the way.
    Cut,
    /// Nothing gets through in one direction.
    OneWay,
    /// Nothing gets through.
    Partition,
    /// Calls are refused at once.
    Refused,
    /// Everything takes long, and every connection another time.
    Delay,
    /// Few bytes get through.
    Narrow,
    /// Bits of blocks are turned behind the back of TCP and TLS.
    Altered,
    /// A network interface goes down and up.
    Nic,
    /// One end loses its connections; the other is not told, and what was on the way to it comes late.
    Stranded,
    /// One end starts anew behind a partition: the other holds connections of a process that is no more.
    HalfOpen,
}

/// All of them.
pub const ALL: [Fault; 10] = [
    Fault::Cut,
    Fault::OneWay,
    Fault::Partition,
    Fault::Refused,
    Fault::Delay,
    Fault::Narrow,
    Fault::Altered,
    Fault::Nic,
    Fault::Stranded,
    Fault::HalfOpen,
];

impl Fault {
    /// As it is counted.
    pub fn words(self) -> &'static str {
        match self {
            Fault::Cut => "links cut",
            Fault::OneWay => "one-way partitions",
            Fault::Partition => "partitions",
            Fault::Refused => "refused calls",
            Fault::Delay => "delays",
            Fault::Narrow => "narrow paths",
            Fault::Altered => "bodies altered",
            Fault::Nic => "interfaces down",
            Fault::Stranded => "links stranded",
            Fault::HalfOpen => "links half-open",
        }
    }
}

impl Play {
    pub(super) fn strike_network(&mut self, fault: Fault, site: SiteId, others: &[SiteId]) -> Result<(), String> {
        let other = self.pick(others);
        if other == site {
            return Ok(());
        }
        let span_ns = self.draw(40 * SECOND_NS);
        let usual = self.world.machines.path(site, other);
        let changed = match fault {
            Fault::Cut => {
                let before = named::job(self, site, other)?;
                self.world.machines.cut_links(site, other);
                self.pass(SOON_NS)?;
                return before.map_or(Ok(()), |before| named::lost(self, site, other, before));
            }
            Fault::Altered => {
                let bodies = 1 + self.draw(6);
                self.world.machines.alter_bodies(site, other, bodies);
                return Ok(());
            }
            Fault::Nic => {
                self.world.machines.set_nic(site, "eth0", false);
                self.pass(span_ns)?;
                self.world.machines.set_nic(site, "eth0", true);
                return Ok(());
            }
            Fault::Stranded => {
                self.world.machines.strand_links(site, other);
                return Ok(());
            }
            Fault::HalfOpen => {
                self.world.machines.partition(site, other, true);
                if self.chance(50) {
                    self.power_cut(other)?;
                } else {
                    self.world.kill(other);
                }
                self.boot(other)?;
                self.pass(span_ns)?;
                self.world.machines.partition(site, other, false);
                return Ok(());
            }
            Fault::OneWay | Fault::Partition => Path {
                blocked: true,
                ..usual.clone()
            },
            Fault::Refused => Path {
                refused: true,
                ..usual.clone()
            },
            Fault::Delay => Path {
                latency_ns: 1_000_000..=3 * SECOND_NS,
                ..usual.clone()
            },
            Fault::Narrow => Path {
                bytes_per_second: 20_000,
                ..usual.clone()
            },
        };
        let both = fault != Fault::OneWay;
        self.world.machines.set_path(site, other, changed.clone());
        if both {
            self.world.machines.set_path(other, site, changed);
        }
        self.pass(span_ns)?;
        if fault == Fault::Partition && span_ns > SILENT_NS {
            named::parted(self, site, other)?;
        }
        self.world.machines.set_path(site, other, usual.clone());
        if both {
            self.world.machines.set_path(other, site, usual);
        }
        Ok(())
    }
}
