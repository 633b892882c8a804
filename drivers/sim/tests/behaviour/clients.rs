//! Control clients: calls, replies, chunks, goodbyes.

use drivers_sim::World;
use hal::{ClientId, Event, IoError, Memory, Op, Role, Tag};

use crate::toys::{Puppet, SECOND_NS, one, page, told};

fn caller() -> (World<Puppet>, drivers_sim::SiteId, drivers_sim::CallerId, ClientId) {
    let (mut world, site) = one(1);
    let caller = world.machines.connect_and_call(site, Role::Operate, r#"{"method":"x"}"#);
    world.run_for(SECOND_NS);
    let Event::Call {
        client,
        role: Role::Operate,
        ref message,
        ..
    } = told(&world, site, 0)[0]
    else {
        panic!()
    };
    assert_eq!(message, br#"{"method":"x"}"#);
    (world, site, caller, client)
}

#[test]
fn chunks_come_before_the_reply_that_ends_them() {
    let (mut world, site, caller, client) = caller();
    for number in 0..3 {
        world
            .machines
            .memory(site)
            .bytes_mut(page(number))
            .fill(number.to_le_bytes()[0]);
        let chunk = page(number).part(0, 2);
        world.machines.submit(
            site,
            Op::Deliver {
                tag: Tag(u64::from(number)),
                client,
                chunk,
            },
        );
    }
    world.machines.submit(
        site,
        Op::Reply {
            client,
            message: b"end".to_vec(),
        },
    );
    world.machines.set_reading(caller, false);
    world.run_for(SECOND_NS);
    assert_eq!(
        world.machines.memory(site).lent_count(),
        3,
        "a client that does not read keeps memory"
    );
    world.machines.set_reading(caller, true);
    world.run_for(SECOND_NS);
    assert_eq!(world.machines.chunks(caller), [0, 0, 1, 1, 2, 2]);
    assert_eq!(world.machines.take_reply(caller).unwrap(), b"end");
    assert_eq!(world.machines.memory(site).lent_count(), 0);
}

#[test]
fn a_client_that_leaves_returns_its_chunks_first() {
    let (mut world, site, caller, client) = caller();
    world.machines.set_reading(caller, false);
    world.machines.submit(
        site,
        Op::Deliver {
            tag: Tag(1),
            client,
            chunk: page(0),
        },
    );
    world.machines.leave(caller);
    world.machines.submit(
        site,
        Op::Deliver {
            tag: Tag(2),
            client,
            chunk: page(1),
        },
    );
    world.machines.submit(
        site,
        Op::Reply {
            client,
            message: Vec::new(),
        },
    );
    world.run_for(SECOND_NS);
    let gone = |tag| Event::Delivered {
        tag: Tag(tag),
        client,
        result: Err(IoError::Gone),
    };
    assert_eq!(told(&world, site, 1), [gone(1), gone(2), Event::ClientGone { client }]);
    assert_eq!(world.machines.memory(site).lent_count(), 0);
}

#[test]
fn where_nothing_runs_nobody_answers() {
    let (mut world, site, first, _) = caller();
    world.kill(site);
    assert!(world.machines.is_gone(first));
    let caller = world.machines.connect_and_call(site, Role::Read, "{}");
    world.run_for(SECOND_NS);
    assert!(world.machines.is_gone(caller));
}
