//! How links come up, or do not: routes, listeners, keys.

use hal::{Event, Fingerprint, LinkError, LinkId, Route};

use crate::due::Due;
use crate::wire::{End, Phase, Wire};
use crate::{Machines, SiteId};

/// A handshake that hears nothing is given up after this long.
const HANDSHAKE_NS: u64 = 15_000_000_000;

impl Machines {
    pub(crate) fn trust(&mut self, site: SiteId, keys: Vec<Fingerprint>) {
        let links: Vec<(u64, usize)> = self.sites[site.0].links.values().copied().collect();
        for (wire, end) in links {
            let peer = self.wires.get(&wire).map(|wire| wire.ends[end].peer);
            let accepted = end == 1;
            if accepted && peer.is_some_and(|peer| !keys.contains(&peer)) {
                self.reset(wire, end, LinkError::KeyRefused);
            }
        }
        self.sites[site.0].trusted = keys;
    }

    pub(crate) fn dial(&mut self, site: SiteId, link: LinkId, route: Route, expect: Fingerprint) {
        assert!(link.0.is_multiple_of(2), "dialled links have even numbers");
        assert!(!self.sites[site.0].links.contains_key(&link), "{link:?} is in use");
        let run = self.sites[site.0].run;
        let number = self.number();
        let host = (0..self.sites.len())
            .map(SiteId)
            .find(|other| self.sites[other.0].name == route.host);
        let dialler = End::new(site, run, link, Phase::Dialling, expect);
        let acceptor = End::new(
            host.unwrap_or(site),
            0,
            LinkId(0),
            Phase::Down,
            self.sites[site.0].fingerprint,
        );
        let nic_is_up = self.sites[site.0].has_nic(route.nic.as_deref());
        self.wires.insert(
            number,
            Wire {
                ends: [dialler, acceptor],
                route,
            },
        );
        self.sites[site.0].links.insert(link, (number, 0));
        let Some(host) = host else {
            let delay_ns = self.random.within(&(1_000_000..=100_000_000));
            return self.break_soon(number, 0, LinkError::NameUnknown, delay_ns);
        };
        if !nic_is_up {
            return self.break_soon(number, 0, LinkError::NicDown, 50_000);
        }
        let way_ns = self.way_ns(site, host) + self.way_ns(host, site) + self.way_ns(site, host);
        self.break_soon(number, 0, LinkError::TimedOut, HANDSHAKE_NS);
        self.after(way_ns, Due::Knock { wire: number });
    }

    /// A call reaches the other side.
    pub(crate) fn knock(&mut self, number: u64) {
        let Some(wire) = self.wires.get(&number) else { return };
        let [dialler, acceptor] = [&wire.ends[0], &wire.ends[1]];
        if dialler.phase != Phase::Dialling {
            return;
        }
        let (from, to, expect, key) = (dialler.site, acceptor.site, dialler.peer, acceptor.peer);
        if !self.gets_through(from, to) || !self.gets_through(to, from) {
            return;
        }
        let port = wire.route.port;
        let back_ns = self.way_ns(to, from);
        let host = &self.sites[to.0];
        if self.path(from, to).refused || !host.running || host.stopping || !host.ports.contains(&port) {
            return self.break_soon(number, 0, LinkError::Unreachable, back_ns);
        }
        let address = self.sites[from.0].name.clone();
        let (trusted, expected) = (host.trusted.contains(&key), host.fingerprint == expect);
        if !trusted || !expected {
            let key = expected.then_some(key);
            self.break_soon(number, 0, LinkError::KeyRefused, back_ns);
            return self.post(
                to,
                Event::Turned {
                    address,
                    key,
                    why: LinkError::KeyRefused,
                },
                Vec::new(),
            );
        }
        let host = &mut self.sites[to.0];
        let link = LinkId(2 * host.accepted + 1);
        host.accepted += 1;
        host.links.insert(link, (number, 1));
        let run = host.run;
        let wire = self.wires.get_mut(&number).expect("looked up before");
        let acceptor = &mut wire.ends[1];
        (acceptor.run, acceptor.link, acceptor.phase) = (run, link, Phase::Up);
        acceptor.last_arrival_ns = self.now_ns + back_ns;
        self.post(
            to,
            Event::LinkUp {
                link,
                peer: key,
                address,
            },
            Vec::new(),
        );
        self.after(back_ns, Due::Connected { wire: number });
    }

    /// The dialling end hears that it was let in.
    pub(crate) fn connected(&mut self, number: u64) {
        let Some(wire) = self.wires.get_mut(&number) else { return };
        let (from, to) = (wire.ends[1].site, wire.ends[0].site);
        if wire.ends[0].phase != Phase::Dialling || wire.ends[1].phase != Phase::Up {
            return;
        }
        if !self.gets_through(from, to) {
            return;
        }
        let wire = self.wires.get_mut(&number).expect("looked up before");
        let end = &mut wire.ends[0];
        end.phase = Phase::Up;
        let (site, link, peer) = (end.site, end.link, end.peer);
        let address = format!("{}:{}", wire.route.host, wire.route.port);
        self.post(site, Event::LinkUp { link, peer, address }, Vec::new());
    }

    /// Time for something small from one site to another.
    pub(crate) fn way_ns(&mut self, from: SiteId, to: SiteId) -> u64 {
        let latency_ns = self.path(from, to).latency_ns;
        self.random.within(&latency_ns)
    }
}
