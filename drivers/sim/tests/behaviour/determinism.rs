//! The same seed gives the same history; another seed another one.

use drivers_sim::{Board, Brain, DiskModel, Machines, Random, Script, SimMachine, SiteId, World};
use hal::{Access, Event, FeedId, Fingerprint, Instant, LinkId, Machine, Memory, Message, Moment, Op, Ops, Route, Tag};
use std::time::Duration;

use crate::toys::{DISK_BYTES, MEMORY_BYTES, SECOND_NS, VOLUME, page};

/// Does a little of everything, all the time, by its own dice.
#[derive(Clone, Debug)]
struct Busy {
    random: Random,
    peer: Fingerprint,
    host: &'static str,
    open: bool,
    link: Option<LinkId>,
    links: u64,
    free: Vec<u32>,
    flying: std::collections::BTreeMap<u64, u32>,
    tags: u64,
    next: Instant,
}

impl Busy {
    fn start(board: &Board, peer: Fingerprint, host: &'static str, ops: &mut Ops) -> Self {
        ops.push(Op::TrustKeys { keys: vec![peer] });
        ops.push(Op::Open {
            tag: Tag(0),
            volume: VOLUME,
            path: "/dev/sim0".into(),
            access: Access::Exclusive,
        });
        ops.push(Op::OpenFeed {
            feed: FeedId(1),
            path: "/run/door".into(),
        });
        let seed = u64::from_le_bytes(board.seed[..8].try_into().unwrap());
        Self {
            random: Random::new(seed),
            peer,
            host,
            open: false,
            link: None,
            links: 0,
            free: (0..200).collect(),
            flying: std::collections::BTreeMap::new(),
            tags: 0,
            next: board.now.at,
        }
    }

    fn act(&mut self, memory: &mut dyn Memory, ops: &mut Ops) {
        let Some(number) = self.free.pop() else { return };
        self.tags += 1;
        let (tag, span) = (Tag(self.tags), page(number));
        let fill = self.random.bits().to_le_bytes()[0];
        memory.bytes_mut(span).fill(fill);
        let at_bytes = self.random.below(DISK_BYTES / 4096) * 4096;
        match (self.random.below(4), self.open, self.link) {
            (0, true, _) => ops.push(Op::Write {
                tag,
                volume: VOLUME,
                at_bytes,
                from: span,
            }),
            (1, true, _) => ops.push(Op::Read {
                tag,
                volume: VOLUME,
                at_bytes,
                into: span,
            }),
            (2, _, Some(link)) => {
                ops.push(Op::Send {
                    tag,
                    link,
                    message: Message::from_slice(&[fill]).unwrap(),
                    body: None,
                });
            }
            (3, true, _) => ops.push(Op::Flush { tag, volume: VOLUME }),
            (_, _, None) => {
                self.links += 2;
                let route = Route {
                    host: self.host.into(),
                    port: 7440,
                    nic: None,
                };
                ops.push(Op::Dial {
                    link: LinkId(self.links),
                    route,
                    expect: self.peer,
                });
                self.link = Some(LinkId(0));
                return self.free.push(number);
            }
            _ => return self.free.push(number),
        }
        self.flying.insert(tag.0, number);
    }
}

impl Brain for Busy {
    fn step(&mut self, now: Moment, event: Event, memory: &mut dyn Memory, ops: &mut Ops) {
        match event {
            Event::Done { tag, .. } | Event::Sent { tag, .. } => self.free.extend(self.flying.remove(&tag.0)),
            Event::Opened { result, .. } => self.open = result.is_ok(),
            Event::LinkUp { link, .. } if link.0 % 2 == 0 => self.link = Some(link),
            Event::LinkDown { link, .. } if link.0 % 2 == 0 => self.link = None,
            Event::FeedOpened { feed, .. } | Event::Filled { feed, .. } => {
                ops.push(Op::Fill {
                    feed,
                    into: page(250),
                    until: now.at + Duration::from_millis(700),
                });
            }
            _ => {}
        }
        if now.at >= self.next {
            self.next = now.at + Duration::from_micros(300);
            if self.link != Some(LinkId(0)) {
                self.act(memory, ops);
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.next)
    }

    fn stopped(&self) -> bool {
        false
    }
}

fn chunk(stream: u32, number: u64) -> Vec<u8> {
    [u64::from(stream), number]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .cycle()
        .take(3000)
        .collect()
}

fn history(seed: u64) -> World<Busy> {
    let mut world = World::new(seed);
    let names = ["north", "south"];
    let sites: Vec<SiteId> = names.iter().map(|name| world.machines.add_site(name, MEMORY_BYTES)).collect();
    for site in &sites {
        world.machines.add_disk(*site, "/dev/sim0", DiskModel::disk(DISK_BYTES, "S"));
        let script = Script {
            stream: 3,
            chunk,
            chunks: 1000,
            every_ns: 40_000_000,
        };
        world.machines.feed_path(*site, "/run/door", script);
    }
    for _ in 0..12 {
        for (index, site) in sites.iter().enumerate() {
            let peer = world.machines.site(sites[1 - index]).fingerprint;
            if !world.machines.site(*site).is_running() {
                world.boot(*site, |board, _, ops| Busy::start(&board, peer, names[1 - index], ops));
            }
        }
        let span_ns = world.machines.random.below(SECOND_NS);
        world.run_for(span_ns);
        let victim = sites[usize::from(world.machines.random.chance(50))];
        match world.machines.random.below(4) {
            0 => world.kill(victim),
            1 => world.power_cut(victim),
            2 => drop(world.machines.cut_links(sites[0], sites[1])),
            _ => world.machines.partition(sites[0], sites[1], false),
        }
    }
    world
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let mut hashes = std::collections::BTreeSet::new();
    for seed in 0..3 {
        let world = history(seed);
        assert_eq!(world.machines.trace_hash(), history(seed).machines.trace_hash());
        hashes.insert(world.machines.trace_hash());
        let disk = world.machines.disk_at(SiteId(0), "/dev/sim0").unwrap();
        assert!(
            world.machines.disk(disk).current() != &drivers_sim::Image::default(),
            "something happened"
        );
    }
    assert_eq!(hashes.len(), 3);
}

#[test]
fn a_clone_goes_on_as_its_original_does() {
    let mut world = history(7);
    let mut clone = world.clone();
    world.run_for(SECOND_NS);
    clone.run_for(SECOND_NS);
    assert_eq!(world.machines.trace_hash(), clone.machines.trace_hash());
}

#[test]
fn a_machine_alone_is_pumped_through_the_seam() {
    let (mut machine, board) = SimMachine::start(1, MEMORY_BYTES, DiskModel::disk(DISK_BYTES, "S"));
    let (before, site) = (machine.now(), machine.site());
    assert_eq!(before, board.now);
    let deadline = before.at + Duration::from_secs(5);
    assert_eq!(machine.next(Some(deadline)), Event::Tick);
    assert_eq!(machine.now().at, deadline);
    machine.submit(Op::Open {
        tag: Tag(1),
        volume: VOLUME,
        path: "/dev/sim0".into(),
        access: Access::ReadOnly,
    });
    assert!(matches!(machine.next(None), Event::Opened { result: Ok(_), .. }));
    machine.memory().bytes_mut(page(0)).fill(1);
    let machines: &Machines = &machine.machines;
    assert!(machines.site(site).is_running());
}
