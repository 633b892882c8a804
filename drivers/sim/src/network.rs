//! Paths between sites: how long, how wide, and whether anything gets through.
//!
//! Links over them are in `wire.rs`, `link.rs` and `handshake.rs`.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use hal::{LinkError, LinkId};

use crate::due::Due;
use crate::{Machines, SiteId};

/// One direction between two sites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Time on the way.
    pub latency_ns: RangeInclusive<u64>,
    /// Rate of one connection.
    pub bytes_per_second: u64,
    /// Nothing gets through, and nobody is told.
    pub blocked: bool,
    /// Calls are refused at once.
    pub refused: bool,
}

impl Default for Path {
    /// A gigabit network with some distance.
    fn default() -> Self {
        Self {
            latency_ns: 300_000..=2_000_000,
            bytes_per_second: 110_000_000,
            blocked: false,
            refused: false,
        }
    }
}

/// All paths that are not the default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Network {
    paths: BTreeMap<(SiteId, SiteId), Path>,
    /// How many of the next bodies from one site to another get a bit turned.
    altering: BTreeMap<(SiteId, SiteId), u64>,
}

impl Machines {
    /// The path from one site to another.
    pub fn path(&self, from: SiteId, to: SiteId) -> Path {
        self.network.paths.get(&(from, to)).cloned().unwrap_or_default()
    }

    /// Changes the path from one site to another. What was held up by a block that ends goes on.
    pub fn set_path(&mut self, from: SiteId, to: SiteId, path: Path) {
        let (a, b) = (&self.sites[from.0].name, &self.sites[to.0].name);
        let line = format!("path {a} to {b}: {path:?}");
        self.say(&line);
        let healed = self.path(from, to).blocked && !path.blocked;
        self.network.paths.insert((from, to), path);
        if healed {
            self.heal(from, to);
        }
    }

    /// Turns one bit in each of the next bodies from one site to another, behind the back of TCP and TLS: bad memory in either
    /// machine.
    pub fn alter_bodies(&mut self, from: SiteId, to: SiteId, bodies: u64) {
        self.network.altering.insert((from, to), bodies);
    }

    /// The body of a frame as it arrives.
    pub(crate) fn body_on_the_way(&mut self, from: SiteId, to: SiteId, mut body: Arc<[u8]>) -> Arc<[u8]> {
        let left = self.network.altering.entry((from, to)).or_default();
        if *left > 0 && !body.is_empty() {
            *left -= 1;
            let at = self.random.below(u64::try_from(body.len()).expect("lengths fit in 64 bits"));
            let bit = self.random.below(8);
            Arc::make_mut(&mut body)[usize::try_from(at).expect("below a length")] ^= 1 << bit;
            self.altered_bodies += 1;
        }
        body
    }

    /// Blocks or opens one direction.
    pub fn block(&mut self, from: SiteId, to: SiteId, blocked: bool) {
        self.set_path(
            from,
            to,
            Path {
                blocked,
                ..self.path(from, to)
            },
        );
    }

    /// Blocks or opens both directions.
    pub fn partition(&mut self, a: SiteId, b: SiteId, blocked: bool) {
        self.block(a, b, blocked);
        self.block(b, a, blocked);
    }

    /// Resets every link between two sites, in the middle of whatever is on the way. Returns how many there were.
    pub fn cut_links(&mut self, a: SiteId, b: SiteId) -> usize {
        let wires = self.wires_between(a, b);
        for wire in &wires {
            self.cut_wire(*wire);
        }
        wires.len()
    }

    /// Lets one site lose its links to another, which hears nothing of it: its ends stay half-open, and what was on the way to them
    /// comes late, perhaps after what a new link brings. Returns how many there were.
    pub fn strand_links(&mut self, from: SiteId, to: SiteId) -> usize {
        let wires = self.wires_between(from, to);
        for number in &wires {
            self.say(&format!("link {number} is stranded"));
            let late_ns = self.random.within(&(0..=5_000_000_000));
            let now_ns = self.now_ns;
            let wire = self.wires.get_mut(number).expect("listed");
            let which = usize::from(wire.ends[1].site == from);
            let end = &mut wire.ends[which];
            end.last_arrival_ns += late_ns;
            let mut arrivals = Vec::new();
            for item in &mut end.on_the_way {
                item.arrives_at_ns += late_ns;
                arrivals.push(item.arrives_at_ns.saturating_sub(now_ns));
            }
            for delay_ns in arrivals {
                self.after(
                    delay_ns,
                    Due::Arrive {
                        wire: *number,
                        from: which,
                    },
                );
            }
            self.break_soon(*number, which, LinkError::Lost, 0);
        }
        wires.len()
    }

    fn wires_between(&self, a: SiteId, b: SiteId) -> Vec<u64> {
        let between = |wire: &crate::wire::Wire| {
            let sites = (wire.ends[0].site, wire.ends[1].site);
            sites == (a, b) || sites == (b, a)
        };
        let wires = self.wires.iter().filter(|(_, wire)| between(wire));
        wires.map(|(number, _)| *number).collect()
    }

    /// Resets one link of a site.
    pub fn cut_link(&mut self, site: SiteId, link: LinkId) {
        if let Some((wire, _)) = self.sites[site.0].links.get(&link).copied() {
            self.cut_wire(wire);
        }
    }

    fn cut_wire(&mut self, number: u64) {
        self.say(&format!("link {number} is cut"));
        let Some(wire) = self.wires.get_mut(&number) else { return };
        // What left first may still get there; the cut is behind it, at any byte.
        for end in &mut wire.ends {
            let frames = u64::try_from(end.on_the_way.len()).expect("a count");
            let kept = self.random.below(frames + 1);
            end.on_the_way.truncate(usize::try_from(kept).expect("a count"));
        }
        for end in 0..2 {
            let delay_ns = self.random.within(&(0..=50_000_000));
            self.break_soon(number, end, LinkError::Lost, delay_ns);
        }
    }

    /// Whether packets get from one site to another now.
    pub(crate) fn gets_through(&self, from: SiteId, to: SiteId) -> bool {
        let (a, b) = (&self.sites[from.0], &self.sites[to.0]);
        !self.path(from, to).blocked && b.powered && a.has_nic(None) && b.has_nic(None)
    }

    pub(crate) fn heal_paths_of(&mut self, site: SiteId) {
        for other in (0..self.sites.len()).map(SiteId) {
            self.heal(site, other);
            self.heal(other, site);
        }
    }

    /// What was held up from one site to another is sent again.
    fn heal(&mut self, from: SiteId, to: SiteId) {
        if !self.gets_through(from, to) {
            return;
        }
        let now_ns = self.now_ns;
        let delay_ns = self.random.within(&(1_000_000..=2_000_000_000));
        let mut arrivals = Vec::new();
        for (number, wire) in &mut self.wires {
            for end in 0..2 {
                let other = wire.ends[1 - end].site;
                let here = &mut wire.ends[end];
                if (here.site, other) != (from, to) || here.stuck_since_ns.is_none() {
                    continue;
                }
                here.stuck_since_ns = None;
                for item in &mut here.on_the_way {
                    item.arrives_at_ns = item.arrives_at_ns.max(now_ns + delay_ns);
                    arrivals.push((*number, end, item.arrives_at_ns - now_ns));
                }
                here.last_arrival_ns = here.last_arrival_ns.max(now_ns + delay_ns);
            }
        }
        for (wire, from, delay_ns) in arrivals {
            self.after(delay_ns, Due::Arrive { wire, from });
        }
    }
}
