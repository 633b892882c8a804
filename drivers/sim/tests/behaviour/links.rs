//! Links: keys, frames, credit, cuts, partitions.

use drivers_sim::{Path, World};
use hal::{Event, IoError, LinkError, LinkId, Memory, Op, Tag};

use crate::toys::{Puppet, SECOND_NS, ask, dial, linked, page, puppet_site, route, send, told, trust};

fn why(event: &Event) -> LinkError {
    match event {
        Event::LinkDown { why, .. } => *why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_call_needs_a_host_a_listener_and_both_keys() {
    let mut world: World<Puppet> = World::new(1);
    let sites = [puppet_site(&mut world, "north"), puppet_site(&mut world, "south")];
    let [north, south] = sites;
    let call = |world: &mut World<Puppet>, link, route| {
        let op = dial(world, &route, south, LinkId(link));
        ask(world, north, op)
    };
    assert_eq!(why(&call(&mut world, 2, route("nowhere"))), LinkError::NameUnknown);
    let mut closed = route("south");
    closed.port = 1;
    assert_eq!(why(&call(&mut world, 4, closed)), LinkError::Unreachable);
    let mut absent = route("south");
    absent.nic = Some("eth9".into());
    assert_eq!(why(&call(&mut world, 6, absent)), LinkError::NicDown);
    assert_eq!(
        why(&call(&mut world, 8, route("south"))),
        LinkError::KeyRefused,
        "the listener does not know the key"
    );
    assert!(matches!(
        told(&world, south, 0)[..],
        [Event::Turned {
            why: LinkError::KeyRefused,
            key: Some(_),
            ..
        }]
    ));
    trust(&mut world, south, north);
    let stranger = Op::Dial {
        link: LinkId(10),
        route: route("south"),
        expect: hal::Fingerprint([7; 32]),
    };
    assert_eq!(
        why(&ask(&mut world, north, stranger)),
        LinkError::KeyRefused,
        "the listener is not who is expected"
    );
    world.machines.partition(north, south, true);
    assert_eq!(why(&call(&mut world, 12, route("south"))), LinkError::TimedOut);
    world.machines.partition(north, south, false);
    world.machines.set_path(
        north,
        south,
        Path {
            refused: true,
            ..Path::default()
        },
    );
    assert_eq!(why(&call(&mut world, 14, route("south"))), LinkError::Unreachable);
    world.machines.set_path(north, south, Path::default());
    assert!(matches!(
        call(&mut world, 16, route("south")),
        Event::LinkUp { link: LinkId(16), .. }
    ));
    world.kill(south);
    world.run_for(SECOND_NS);
    assert_eq!(why(&told(&world, north, 0).last().unwrap().clone()), LinkError::Lost);
    assert_eq!(why(&call(&mut world, 18, route("south"))), LinkError::Unreachable);
}

#[test]
fn frames_arrive_in_order_with_their_bodies_in_lent_memory() {
    for seed in 0..20 {
        let (mut world, [north, south], [there, here]) = linked(seed);
        for number in 0..4 {
            world.machines.submit(
                south,
                Op::Receive {
                    link: here,
                    into: page(number),
                },
            );
            world
                .machines
                .memory(north)
                .bytes_mut(page(number))
                .fill(number.to_le_bytes()[0]);
            let body = page(number).part(0, 1000 + number);
            world
                .machines
                .submit(north, send(u64::from(number), there, "block", Some(body)));
        }
        world.machines.submit(north, send(9, there, "last", None));
        world.run_for(SECOND_NS);
        let frames = told(&world, south, 1);
        assert_eq!(frames.len(), 5);
        for (number, frame) in (0..4).zip(&frames) {
            let Event::Frame { body: Some(body), .. } = frame else {
                panic!("{frame:?}")
            };
            assert_eq!(*body, page(number).part(0, 1000 + number));
            assert!(
                world
                    .machines
                    .memory(south)
                    .bytes(*body)
                    .iter()
                    .all(|byte| u32::from(*byte) == number)
            );
        }
        assert!(matches!(&frames[4], Event::Frame { message, body: None, .. } if message.as_slice() == b"last"));
        let sent: Vec<_> = told(&world, north, 1);
        assert!(sent.iter().all(|event| matches!(event, Event::Sent { result: Ok(()), .. })));
        assert_eq!(sent.len(), 5);
        assert_eq!(
            world.machines.memory(north).lent_count() + world.machines.memory(south).lent_count(),
            0
        );
    }
}

#[test]
fn a_body_without_credit_ends_the_link() {
    let (mut world, [north, south], [there, here]) = linked(1);
    world.machines.submit(
        south,
        Op::Receive {
            link: here,
            into: page(0).part(0, 999),
        },
    );
    world
        .machines
        .submit(north, send(1, there, "block", Some(page(0).part(0, 1000))));
    world.run_for(SECOND_NS);
    assert_eq!(why(told(&world, south, 0).last().unwrap()), LinkError::Malformed);
    assert_eq!(why(told(&world, north, 0).last().unwrap()), LinkError::Lost);
    assert_eq!(world.machines.memory(south).lent_count(), 0, "what was lent came back");
}

#[test]
fn a_cut_returns_every_span_and_then_says_so() {
    for seed in 0..10 {
        let (mut world, [north, south], [there, here]) = linked(seed);
        world.machines.set_path(
            north,
            south,
            Path {
                bytes_per_second: 1_000_000,
                ..Path::default()
            },
        );
        for number in 0..200 {
            world
                .machines
                .submit(north, send(u64::from(number), there, "block", Some(page(number))));
            world.machines.submit(
                south,
                Op::Receive {
                    link: here,
                    into: page(number),
                },
            );
            world.machines.submit(
                north,
                Op::Receive {
                    link: there,
                    into: page(0).part(0, 0),
                },
            );
        }
        // Makes more than the socket holds.
        for number in 200..1000 {
            world.machines.submit(north, send(number, there, "block", Some(page(0))));
        }
        world.run_for(SECOND_NS / 10);
        assert!(world.machines.memory(north).lent_count() > 0 && world.machines.memory(south).lent_count() > 0);
        assert_eq!(world.machines.cut_links(north, south), 1);
        world.run_for(SECOND_NS);
        let events = told(&world, north, 1);
        assert_eq!(why(events.last().unwrap()), LinkError::Lost);
        let sent: Vec<u64> = events
            .iter()
            .filter_map(|event| {
                if let Event::Sent { tag, .. } = event {
                    Some(tag.0)
                } else {
                    None
                }
            })
            .collect();
        assert_eq!(sent, (0..1000).collect::<Vec<u64>>(), "every send came back once, in order");
        assert!(events.iter().any(|event| matches!(
            event,
            Event::Sent {
                result: Err(LinkError::Lost),
                ..
            }
        )));
        let events = told(&world, south, 1);
        assert_eq!(why(events.last().unwrap()), LinkError::Lost);
        assert!(events.len() < 201, "frames on the way are lost");
        assert_eq!(
            world.machines.memory(north).lent_count() + world.machines.memory(south).lent_count(),
            0
        );
    }
}

#[test]
fn what_is_submitted_before_the_end_is_known_comes_back_before_it() {
    let (mut world, [north, south], [there, here]) = linked(1);
    world.machines.submit(south, Op::HangUp { link: here });
    // The news is in the queue and has not been taken.
    world.machines.site_mut(north).think_ns = SECOND_NS..=SECOND_NS;
    world.machines.submit(north, send(1, there, "x", None));
    world.run_for(SECOND_NS / 2);
    world.machines.submit(north, send(2, there, "late", Some(page(0))));
    world.machines.submit(
        north,
        Op::Receive {
            link: there,
            into: page(1),
        },
    );
    world.machines.submit(north, Op::HangUp { link: there });
    world.run_for(9 * SECOND_NS);
    let events = told(&world, north, 1);
    let expected = [
        Event::Sent {
            tag: Tag(1),
            link: there,
            result: Ok(()),
        },
        Event::Sent {
            tag: Tag(2),
            link: there,
            result: Err(LinkError::Closed),
        },
        Event::LinkDown {
            link: there,
            why: LinkError::Closed,
        },
    ];
    assert_eq!(events, expected);
    assert_eq!(world.machines.memory(north).lent_count(), 0);
}

#[test]
fn hanging_up_lets_what_was_sent_arrive() {
    let (mut world, [north, south], [there, _]) = linked(3);
    world.machines.submit(north, send(1, there, "goodbye", None));
    world.machines.submit(north, Op::HangUp { link: there });
    world.run_for(SECOND_NS);
    let events = told(&world, south, 1);
    assert!(
        matches!(
            events[..],
            [
                Event::Frame { .. },
                Event::LinkDown {
                    why: LinkError::Closed,
                    ..
                }
            ]
        ),
        "{events:?}"
    );
    assert_eq!(why(told(&world, north, 0).last().unwrap()), LinkError::HungUp);
}

#[test]
fn a_short_partition_delays_and_a_long_one_breaks_one_end() {
    for (seconds, breaks) in [(5, false), (30, true)] {
        let (mut world, [north, south], [there, here]) = linked(5);
        world.machines.block(north, south, true);
        world.machines.submit(north, send(1, there, "held up", None));
        world.run_for(seconds * SECOND_NS);
        world.machines.block(north, south, false);
        world.run_for(5 * SECOND_NS);
        let north_events = told(&world, north, 2);
        let south_events = told(&world, south, 1);
        if breaks {
            assert_eq!(why(&north_events[0]), LinkError::TimedOut);
            assert!(south_events.is_empty(), "the other end is half open and knows nothing");
            world.machines.submit(south, send(1, here, "anybody there?", None));
            world.run_for(SECOND_NS);
            assert_eq!(why(told(&world, south, 0).last().unwrap()), LinkError::Lost);
        } else {
            assert!(north_events.is_empty());
            assert!(matches!(south_events[..], [Event::Frame { .. }]));
        }
    }
}

#[test]
fn a_power_cut_is_found_out_by_sending() {
    let (mut world, [north, south], [there, _]) = linked(5);
    world.power_cut(south);
    world.machines.submit(north, send(1, there, "anybody there?", None));
    world.run_for(30 * SECOND_NS);
    assert_eq!(why(told(&world, north, 0).last().unwrap()), LinkError::TimedOut);
}

#[test]
fn a_key_that_is_no_longer_trusted_is_out() {
    let (mut world, [north, south], _) = linked(5);
    world.machines.submit(south, Op::TrustKeys { keys: Vec::new() });
    world.run_for(SECOND_NS);
    assert_eq!(why(told(&world, south, 0).last().unwrap()), LinkError::KeyRefused);
    assert_eq!(why(told(&world, north, 0).last().unwrap()), LinkError::Lost);
}

#[test]
fn a_nic_that_goes_down_is_told_and_ends_links_bound_to_it() {
    let mut world: World<Puppet> = World::new(1);
    let [north, south] = [puppet_site(&mut world, "north"), puppet_site(&mut world, "south")];
    trust(&mut world, south, north);
    let mut bound = route("south");
    bound.nic = Some("eth0".into());
    let op = dial(&world, &bound, south, LinkId(2));
    assert!(matches!(ask(&mut world, north, op), Event::LinkUp { .. }));
    world.machines.set_nic(north, "eth0", false);
    world.run_for(SECOND_NS);
    let events = told(&world, north, 1);
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::NicChanged { nic } if !nic.up))
    );
    assert!(events.iter().any(|event| matches!(
        event,
        Event::LinkDown {
            why: LinkError::NicDown,
            ..
        }
    )));
}

#[test]
#[should_panic(expected = "there is no LinkId(4)")]
fn sending_on_a_link_that_is_over_panics() {
    let (mut world, [north, south], [there, _]) = linked(1);
    world.machines.cut_links(north, south);
    world.run_for(SECOND_NS);
    world.machines.submit(north, send(1, there, "x", None));
}

#[test]
fn devices_and_nics_are_listed() {
    let (mut world, [north, _], _) = linked(1);
    let Event::Devices { disks, nics, .. } = ask(&mut world, north, Op::ListDevices { tag: Tag(1) }) else {
        panic!()
    };
    assert_eq!((disks.len(), disks[0].path.as_str(), nics.len()), (1, "/dev/sim0", 1));
    let op = Op::RemoveFile {
        tag: Tag(2),
        path: "/none".into(),
    };
    assert!(matches!(
        ask(&mut world, north, op),
        Event::Done {
            result: Err(IoError::NotFound),
            ..
        }
    ));
}
