//! Power and processes: how an appliance starts, and every way in which it ends.

use crate::due::Due;
use crate::volume::written;
use crate::{BlockMemory, Board, DiskId, IoKind, Machines, SiteId};

/// How long a machine is up before its appliance starts.
const KERNEL_BOOT_NS: u64 = 4_000_000_000;

impl Machines {
    /// Starts an appliance's process, and its machine if that is without power.
    pub fn start(&mut self, id: SiteId) -> Board {
        let seed = self.random.bytes32();
        let now_ns = self.now_ns;
        let site = &mut self.sites[id.0];
        assert!(!site.running, "{} runs already", site.name);
        if !site.powered {
            site.powered = true;
            site.powered_at_ns = now_ns;
            site.uptime_at_power_ns = KERNEL_BOOT_NS;
        }
        site.running = true;
        site.paused = false;
        site.stopping = false;
        site.run += 1;
        site.accepted = 0;
        site.connected = 0;
        site.ready_at_ns = now_ns;
        site.memory = BlockMemory::new(site.memory_bytes);
        let board = Board {
            fingerprint: site.fingerprint,
            seed,
            listening: site.ports.iter().map(|port| format!("{}:{port}", site.name)).collect(),
            settings: site.state.settings.clone(),
            kept_events: site.state.kept(),
            memory_bytes: site.memory_bytes,
            now: site.moment(now_ns),
        };
        let run = self.sites[id.0].run;
        self.note(id, format_args!("# starts, run {run}"));
        self.heal_paths_of(id);
        board
    }

    /// The process dies between two instructions. What had completed stays; what was in flight happened or did not.
    pub fn kill(&mut self, site: SiteId) {
        self.note(site, format_args!("# killed"));
        if !self.sites[site.0].running {
            return;
        }
        self.abandon_disks(site);
        self.sites[site.0].state.lose_process(&mut self.random);
        self.end_process(site);
    }

    /// Power is gone, with everything that was not durable.
    pub fn power_cut(&mut self, site: SiteId) {
        self.note(site, format_args!("# loses power"));
        let disks: Vec<DiskId> = self.sites[site.0].nodes.values().copied().collect();
        for id in disks {
            let in_flight = self.writes_in_flight(id);
            let disk = &mut self.disks[id.0];
            disk.flying.clear();
            disk.waiting.clear();
            disk.holders.clear();
            disk.lose_power(in_flight, &mut self.random);
        }
        let Self {
            sites, random, now_ns, ..
        } = self;
        sites[site.0].state.lose_power(*now_ns, random);
        sites[site.0].powered = false;
        if sites[site.0].running {
            self.end_process(site);
        }
    }

    /// The process ends in good order: what is in flight finishes first.
    pub fn exit(&mut self, site: SiteId) {
        self.note(site, format_args!("# ends"));
        for id in (0..self.disks.len()).map(DiskId) {
            let numbers: Vec<u64> = self.flying_of(site, id);
            for number in numbers {
                self.complete(id, number);
            }
        }
        self.abandon_disks(site);
        let state = &mut self.sites[site.0].state;
        if let Some((_, document)) = state.saving.drain(..).next_back() {
            state.settings = Some(document);
        }
        self.end_process(site);
    }

    fn flying_of(&self, site: SiteId, id: DiskId) -> Vec<u64> {
        let run = self.sites[site.0].run;
        let flying = self.disks[id.0].flying.iter();
        flying
            .filter(|(_, op)| (op.site, op.run) == (site, run))
            .map(|(number, _)| *number)
            .collect()
    }

    /// Nobody waits any more for what a process has in flight. On a hung disk it stays in flight, and holds the disk.
    fn abandon_disks(&mut self, site: SiteId) {
        let run = self.sites[site.0].run;
        for id in (0..self.disks.len()).map(DiskId) {
            let numbers = self.flying_of(site, id);
            let Self {
                disks, sites, random, ..
            } = self;
            let disk = &mut disks[id.0];
            assert!(
                disk.log.is_none() || numbers.is_empty(),
                "{} is recorded: what a killed process leaves is not",
                disk.name
            );
            if disk.holders.iter().any(|holder| (holder.site, holder.run) == (site, run)) {
                disk.forget_failed_flushes();
            }
            if disk.hung && !numbers.is_empty() {
                for number in numbers {
                    let flying = disk.flying.get_mut(&number).expect("listed");
                    if flying.kind == IoKind::Write {
                        flying.left_behind = Some(written(flying, &sites[site.0].memory));
                    }
                    flying.lent = None;
                }
                continue;
            }
            for number in numbers {
                let flying = disk.flying.remove(&number).expect("listed");
                match (flying.kind, random.below(3)) {
                    (IoKind::Write, 0) => disk.write(flying.at_bytes, written(&flying, &sites[site.0].memory)),
                    (IoKind::Write, 1) => {
                        disk.write_torn(flying.at_bytes, &written(&flying, &sites[site.0].memory), random);
                    }
                    (IoKind::Flush, 0) => disk.flush(flying.covers),
                    (IoKind::Read | IoKind::Write | IoKind::Flush | IoKind::Discard, _) => {}
                }
            }
            disk.holders.retain(|holder| (holder.site, holder.run) != (site, run));
        }
    }

    /// Everything that only the process held is gone.
    fn end_process(&mut self, id: SiteId) {
        self.break_links_of(id);
        self.break_feeds_of(id);
        self.break_callers_of(id);
        let site = &mut self.sites[id.0];
        site.running = false;
        site.inbox.clear();
        site.volumes.clear();
        site.open_cards.clear();
        site.trusted.clear();
        site.links.clear();
        site.feeds.clear();
        site.clients.clear();
        site.memory = BlockMemory::new(0);
    }

    /// A network interface comes up or goes down.
    pub fn set_nic(&mut self, id: SiteId, name: &str, up: bool) {
        self.note(id, format_args!("# {name} {}", if up { "up" } else { "down" }));
        let site = &mut self.sites[id.0];
        let nic = site.nics.iter_mut().find(|nic| nic.name == name).expect("a NIC of the site");
        nic.up = up;
        let nic = nic.clone();
        if site.running {
            self.post_soon(id, hal::Event::NicChanged { nic });
        }
        if up {
            self.heal_paths_of(id);
        } else {
            self.break_links_of_nic(id, name);
        }
    }

    /// Schedules an end of a link to learn that it is lost.
    pub(crate) fn break_soon(&mut self, wire: u64, end: usize, why: hal::LinkError, delay_ns: u64) {
        self.after(delay_ns, Due::Break { wire, end, why });
    }
}
