//! What a seed draws before anything happens: which faults exist at all, how often they come, and how slow each part is relative
//! to the others. Rare mixtures are as likely as common ones.

use drivers_sim::{DiskLatency, SiteId};

use super::faults::Fault;
use super::play::{Play, SECOND_NS};

/// The draw of one seed.
#[derive(Clone, Debug)]
pub struct Swarm {
    /// Faults that exist.
    pub faults: Vec<Fault>,
    /// How many will come.
    pub count: u64,
    /// Longest pause between two.
    pause_ns: u64,
}

impl Swarm {
    /// Draws from the faults of a kind of histories.
    pub fn draw(play: &mut Play, all: &[Fault], count_max: u64) -> Swarm {
        let percent = play.pick(&[10, 25, 50, 80]);
        let mut faults: Vec<Fault> = all.iter().copied().filter(|_| play.chance(percent)).collect();
        if faults.is_empty() {
            faults.push(play.pick(all));
        }
        Swarm {
            faults,
            count: 1 + play.draw(count_max),
            pause_ns: play.pick(&[SECOND_NS / 20, SECOND_NS / 2, 3 * SECOND_NS, 10 * SECOND_NS]),
        }
    }

    /// Time until the next fault.
    pub fn pause_ns(&self, play: &mut Play) -> u64 {
        play.draw(self.pause_ns)
    }
}

/// Makes the parts of a site slow, each by itself.
pub fn slow_down(play: &mut Play, site: SiteId) {
    let mut times = |range: std::ops::RangeInclusive<u64>| {
        let factor = play.pick(&[1, 1, 1, 3, 10, 50]);
        range.start() * factor..=range.end() * factor
    };
    let usual = DiskLatency::default();
    let (read_ns, write_ns, flush_ns) = (times(usual.read_ns), times(usual.write_ns), times(usual.flush_ns));
    let think_ns = times(0..=20_000);
    let disk = play.disk(site);
    let latency = &mut play.world.machines.disk_mut(disk).latency;
    (latency.read_ns, latency.write_ns, latency.flush_ns) = (read_ns, write_ns, flush_ns);
    play.world.machines.site_mut(site).think_ns = think_ns;
}
