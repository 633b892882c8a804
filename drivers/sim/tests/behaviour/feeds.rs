//! Feeds: fills, drains, deadlines, feeders that come and go.

use drivers_sim::{Fate, FeederId, Script, SiteId, Stretch, World};
use hal::{Event, FeedId, Instant, Memory, Op, Role};
use std::time::Duration;

use crate::toys::{Puppet, SECOND_NS, ask, one, page, told};

const FEED: FeedId = FeedId(5);

fn chunk(stream: u32, number: u64) -> Vec<u8> {
    vec![(number + u64::from(stream)).to_le_bytes()[0]; 1000]
}

fn script(chunks: u64) -> Script {
    Script {
        stream: 1,
        chunk,
        chunks,
        every_ns: SECOND_NS / 10,
    }
}

fn fed(seed: u64, chunks: u64) -> (World<Puppet>, SiteId, FeederId) {
    let (mut world, site) = one(seed);
    let opened = ask(
        &mut world,
        site,
        Op::OpenFeed {
            feed: FEED,
            path: "/run/door".into(),
        },
    );
    assert!(matches!(opened, Event::FeedOpened { result: Ok(()), .. }));
    let feeder = world.machines.feed_path(site, "/run/door", script(chunks));
    (world, site, feeder)
}

fn soon(world: &World<Puppet>, site: SiteId, ms: u64) -> Instant {
    world.machines.moment(site).at + Duration::from_millis(ms)
}

fn fill(world: &mut World<Puppet>, site: SiteId, length_bytes: u32, ms: u64) -> (u64, bool) {
    let until = soon(world, site, ms);
    match ask(
        world,
        site,
        Op::Fill {
            feed: FEED,
            into: page(0).part(0, length_bytes),
            until,
        },
    ) {
        Event::Filled { bytes, end, .. } => (bytes, end),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_fill_ends_when_it_is_full_or_late_or_the_feeder_ends() {
    let (mut world, site, feeder) = fed(1, 5);
    assert_eq!(fill(&mut world, site, 1500, 60_000), (1500, false));
    assert_eq!(world.machines.memory(site).bytes(page(0))[999..1001], [1, 2]);
    assert_eq!(
        fill(&mut world, site, 4096, 150),
        (1500, false),
        "chunks 1 and 2, and then the time is over"
    );
    assert_eq!(fill(&mut world, site, 4096, 60_000), (2000, true));
    assert!(world.machines.is_fed(feeder));
    assert_eq!(
        world.machines.fates(feeder),
        [Stretch {
            from_bytes: 0,
            to_bytes: 5000,
            fate: Fate::Taken,
            broken: false
        }]
    );
    let before = world.machines.now_ns();
    assert_eq!(fill(&mut world, site, 4096, 3000), (0, false), "nobody comes");
    assert!(world.machines.now_ns() >= before + 3 * SECOND_NS);
}

#[test]
fn a_drain_throws_away_until_its_time_and_counts() {
    let (mut world, site, feeder) = fed(1, 100);
    assert_eq!(fill(&mut world, site, 1000, 60_000), (1000, false));
    let until = soon(&world, site, 1000);
    let Event::Filled { bytes, end: false, .. } = ask(&mut world, site, Op::Drain { feed: FEED, until }) else {
        panic!()
    };
    assert!((9000..=10_000).contains(&bytes), "{bytes}");
    let fates = [
        Stretch {
            from_bytes: 0,
            to_bytes: 1000,
            fate: Fate::Taken,
            broken: false,
        },
        Stretch {
            from_bytes: 1000,
            to_bytes: 1000 + bytes,
            fate: Fate::Dropped,
            broken: false,
        },
    ];
    assert_eq!(world.machines.fates(feeder), fates);
}

#[test]
fn a_feeder_waits_when_its_bytes_are_not_taken() {
    let (mut world, site, feeder) = fed(1, 500);
    world.run_for(120 * SECOND_NS);
    assert!(!world.machines.is_fed(feeder));
    let mut total = 0;
    for _ in 0..200 {
        total += fill(&mut world, site, 4096, 60_000).0;
        if world.machines.is_fed(feeder) {
            break;
        }
    }
    assert_eq!(total, 500_000, "nothing was lost");
}

#[test]
fn a_feeder_comes_back_after_a_crash_and_what_was_on_the_way_is_lost() {
    let (mut world, site, feeder) = fed(1, 20);
    assert_eq!(fill(&mut world, site, 1000, 60_000), (1000, false));
    world.run_for(SECOND_NS / 2);
    world.kill(site);
    world.run_for(SECOND_NS);
    world.boot(site, |_, _, _| Puppet::default());
    ask(
        &mut world,
        site,
        Op::OpenFeed {
            feed: FEED,
            path: "/run/door".into(),
        },
    );
    assert_eq!(fill(&mut world, site, 1000, 60_000), (1000, false));
    let fates = world.machines.fates(feeder).to_vec();
    assert_eq!(
        fates.iter().map(|stretch| stretch.fate).collect::<Vec<_>>(),
        [Fate::Taken, Fate::Lost, Fate::Taken]
    );
    assert!(fates[0].broken && !fates[2].broken);
    assert!(fates.windows(2).all(|pair| pair[0].to_bytes == pair[1].from_bytes));
    let chunk = u8::try_from(fates[2].from_bytes / 1000).unwrap();
    assert_eq!(
        world.machines.memory(site).bytes(page(0))[0],
        chunk + 1,
        "content follows position"
    );
}

#[test]
fn closing_a_feed_returns_the_fill_first() {
    let (mut world, site, _) = fed(1, 1);
    let until = soon(&world, site, 60_000);
    world.machines.submit(
        site,
        Op::Fill {
            feed: FEED,
            into: page(0),
            until,
        },
    );
    world.machines.submit(site, Op::CloseFeed { feed: FEED });
    world.run_for(SECOND_NS);
    assert!(matches!(
        told(&world, site, 1)[..],
        [Event::Filled {
            bytes: 0,
            end: false,
            ..
        }]
    ));
    assert_eq!(world.machines.memory(site).lent_count(), 0);
    let opened = ask(
        &mut world,
        site,
        Op::OpenFeed {
            feed: FeedId(6),
            path: "/run/door".into(),
        },
    );
    assert!(
        matches!(opened, Event::FeedOpened { result: Ok(()), .. }),
        "the door is free again"
    );
}

#[test]
fn a_client_can_become_a_feeder() {
    let (mut world, site) = one(1);
    let caller = world.machines.connect_and_call(site, Role::Admin, "{}");
    world.machines.feed_caller(caller, script(2));
    world.run_for(SECOND_NS);
    let Event::Call { client, .. } = told(&world, site, 0)[0] else {
        panic!()
    };
    let adopted = ask(&mut world, site, Op::AdoptFeed { feed: FEED, client });
    assert!(matches!(adopted, Event::FeedOpened { result: Ok(()), .. }));
    assert_eq!(fill(&mut world, site, 4096, 60_000), (2000, true));
    world.machines.submit(site, Op::CloseFeed { feed: FEED });
    world.machines.submit(
        site,
        Op::Reply {
            client,
            message: b"done".to_vec(),
        },
    );
    world.machines.submit(site, Op::Dismiss { client });
    world.run_for(SECOND_NS);
    assert_eq!(world.machines.take_reply(caller).unwrap(), b"done");
    assert!(world.machines.is_gone(caller));
}

#[test]
fn a_client_that_leaves_ends_what_it_was_feeding() {
    let (mut world, site) = one(1);
    let caller = world.machines.connect_and_call(site, Role::Admin, "{}");
    world.machines.feed_caller(caller, script(1000));
    world.run_for(SECOND_NS);
    let Event::Call { client, .. } = told(&world, site, 0)[0] else {
        panic!()
    };
    ask(&mut world, site, Op::AdoptFeed { feed: FEED, client });
    let until = soon(&world, site, 600_000);
    world.machines.submit(
        site,
        Op::Fill {
            feed: FEED,
            into: page(0),
            until,
        },
    );
    world.run_for(SECOND_NS / 4);
    world.machines.leave(caller);
    world.run_for(SECOND_NS);
    let events = told(&world, site, 2);
    assert!(
        matches!(events[..], [Event::Filled { end: true, .. }, Event::ClientGone { .. }]),
        "{events:?}"
    );
}
