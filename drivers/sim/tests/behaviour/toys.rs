//! Toys that run where an appliance would.

use drivers_sim::{Brain, DiskModel, SiteId, World};
use hal::{Access, Event, Instant, IoError, LinkId, Memory, Message, Moment, Op, Ops, Route, Span, Tag, VolumeId};

pub const MEMORY_BYTES: u32 = 1 << 20;
pub const DISK_BYTES: u64 = 16 << 20;
pub const VOLUME: VolumeId = VolumeId(1);
pub const SECOND_NS: u64 = 1_000_000_000;

/// Does nothing by itself and remembers what it was told; the test submits for it.
#[derive(Clone, Debug, Default)]
pub struct Puppet {
    pub told: Vec<(Instant, Event)>,
}

impl Brain for Puppet {
    fn step(&mut self, now: Moment, event: Event, _: &mut dyn Memory, _: &mut Ops) {
        self.told.push((now.at, event));
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn stopped(&self) -> bool {
        false
    }
}

/// A page of the block memory.
pub fn page(number: u32) -> Span {
    Span {
        offset_bytes: number * 4096,
        length_bytes: 4096,
    }
}

/// A site with a puppet and a disk.
pub fn puppet_site(world: &mut World<Puppet>, name: &str) -> SiteId {
    let site = world.machines.add_site(name, MEMORY_BYTES);
    world.machines.add_disk(site, "/dev/sim0", DiskModel::disk(DISK_BYTES, "S1"));
    world.boot(site, |_, _, _| Puppet::default());
    site
}

/// A world with one site.
pub fn one(seed: u64) -> (World<Puppet>, SiteId) {
    let mut world = World::new(seed);
    let site = puppet_site(&mut world, "north");
    (world, site)
}

/// Submits an op and waits for what comes of it within a minute.
pub fn ask(world: &mut World<Puppet>, site: SiteId, op: Op) -> Event {
    let before = world.brain(site).unwrap().told.len();
    world.machines.submit(site, op);
    assert!(
        world.run_until(60 * SECOND_NS, |world| world.brain(site).unwrap().told.len() > before),
        "no answer"
    );
    world.brain(site).unwrap().told[before].1.clone()
}

/// Submits an op that ends with `Done` and says how.
pub fn done(world: &mut World<Puppet>, site: SiteId, op: Op) -> Result<(), IoError> {
    match ask(world, site, op) {
        Event::Done { result, .. } => result,
        other => panic!("{other:?}"),
    }
}

/// Opens the disk of a site.
pub fn open(world: &mut World<Puppet>, site: SiteId) {
    let op = Op::Open {
        tag: Tag(0),
        volume: VOLUME,
        path: "/dev/sim0".into(),
        access: Access::Exclusive,
    };
    assert!(matches!(ask(world, site, op), Event::Opened { result: Ok(_), .. }));
}

/// Fills a page of memory and returns a write of it.
pub fn write(world: &mut World<Puppet>, site: SiteId, number: u32, value: u8) -> Op {
    world.machines.memory(site).bytes_mut(page(number)).fill(value);
    Op::Write {
        tag: Tag(u64::from(number)),
        volume: VOLUME,
        at_bytes: u64::from(number) * 4096,
        from: page(number),
    }
}

pub const FLUSH: Op = Op::Flush {
    tag: Tag(99),
    volume: VOLUME,
};

/// What a site was told since it was told `from` things.
pub fn told(world: &World<Puppet>, site: SiteId, from: usize) -> Vec<Event> {
    world.brain(site).unwrap().told[from..]
        .iter()
        .map(|(_, event)| event.clone())
        .collect()
}

/// Two sites that trust each other, and the dialled and the accepted end of a link between them.
pub fn linked(seed: u64) -> (World<Puppet>, [SiteId; 2], [LinkId; 2]) {
    let mut world = World::new(seed);
    let sites = [puppet_site(&mut world, "north"), puppet_site(&mut world, "south")];
    trust(&mut world, sites[1], sites[0]);
    let link = LinkId(4);
    let op = dial(&world, &route("south"), sites[1], link);
    let up = ask(&mut world, sites[0], op);
    assert!(matches!(up, Event::LinkUp { link: LinkId(4), .. }), "{up:?}");
    let accepted = told(&world, sites[1], 0);
    let [Event::LinkUp { link: other, .. }] = accepted[..] else {
        panic!("{accepted:?}")
    };
    (world, sites, [link, other])
}

/// Lets `site` let `peer` in.
pub fn trust(world: &mut World<Puppet>, site: SiteId, peer: SiteId) {
    let keys = vec![world.machines.site(peer).fingerprint];
    world.machines.submit(site, Op::TrustKeys { keys });
}

/// The route to a host.
pub fn route(host: &str) -> Route {
    Route {
        host: host.into(),
        port: 7440,
        nic: None,
    }
}

/// A call to a site.
pub fn dial(world: &World<Puppet>, route: &Route, to: SiteId, link: LinkId) -> Op {
    Op::Dial {
        link,
        route: route.clone(),
        expect: world.machines.site(to).fingerprint,
    }
}

/// A frame.
pub fn send(tag: u64, link: LinkId, text: &str, body: Option<Span>) -> Op {
    Op::Send {
        tag: Tag(tag),
        link,
        message: Message::from_slice(text.as_bytes()).unwrap(),
        body,
    }
}
