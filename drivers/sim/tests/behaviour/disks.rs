//! Volumes, their faults, power cuts and kills.

use drivers_sim::{DiskModel, Effect, Fault, IoKind};
use hal::{Access, Event, IoError, Memory, Op, Tag, VolumeId};

use crate::toys::{DISK_BYTES, FLUSH, Puppet, SECOND_NS, VOLUME, ask, done, one, open, page, told, write};

fn read(number: u32) -> Op {
    Op::Read {
        tag: Tag(50),
        volume: VOLUME,
        at_bytes: u64::from(number) * 4096,
        into: page(100),
    }
}

#[test]
fn what_was_written_reads_back_and_is_durable_after_a_flush() {
    let (mut world, site) = one(1);
    open(&mut world, site);
    let disk = world.machines.disk_at(site, "/dev/sim0").unwrap();
    let op = write(&mut world, site, 3, 7);
    assert_eq!(done(&mut world, site, op), Ok(()));
    assert_eq!(done(&mut world, site, read(3)), Ok(()));
    assert_eq!(world.machines.memory(site).bytes(page(100)), [7; 4096]);
    assert_eq!(world.machines.disk(disk).durable().bytes(3 * 4096, 1), [0]);
    assert_eq!(done(&mut world, site, FLUSH), Ok(()));
    assert_eq!(world.machines.disk(disk).durable().bytes(3 * 4096, 4096), [7; 4096]);
}

#[test]
fn completions_come_in_many_orders() {
    let mut orders = std::collections::BTreeSet::new();
    for seed in 0..50 {
        let (mut world, site) = one(seed);
        open(&mut world, site);
        for number in 0..3 {
            let op = write(&mut world, site, number, 1);
            world.machines.submit(site, op);
        }
        world.run_for(SECOND_NS);
        let order: Vec<u64> = told(&world, site, 1)
            .iter()
            .map(|event| {
                if let Event::Done { tag, .. } = event {
                    tag.0
                } else {
                    panic!("{event:?}")
                }
            })
            .collect();
        orders.insert(order);
    }
    assert_eq!(orders.len(), 6);
}

#[test]
fn a_power_cut_keeps_flushed_writes_and_any_part_of_the_others() {
    let mut fates = std::collections::BTreeSet::new();
    for seed in 0..60 {
        let (mut world, site) = one(seed);
        open(&mut world, site);
        let op = write(&mut world, site, 0, 1);
        done(&mut world, site, op).unwrap();
        done(&mut world, site, FLUSH).unwrap();
        let op = write(&mut world, site, 1, 2);
        done(&mut world, site, op).unwrap();
        let op = write(&mut world, site, 2, 3);
        world.machines.submit(site, op);
        world.power_cut(site);
        world.boot(site, |_, _, _| Puppet::default());
        let disk = world.machines.disk_at(site, "/dev/sim0").unwrap();
        let image = world.machines.disk(disk).current();
        assert_eq!(image.bytes(0, 4096), [1; 4096]);
        fates.insert([image.bytes(4096, 4096) == [2; 4096], image.bytes(8192, 4096) == [3; 4096]]);
        open(&mut world, site);
    }
    assert_eq!(
        fates.len(),
        4,
        "completed and flying writes survive or not, independently: {fates:?}"
    );
}

#[test]
fn a_kill_keeps_completed_writes() {
    for seed in 0..40 {
        let (mut world, site) = one(seed);
        open(&mut world, site);
        let op = write(&mut world, site, 0, 1);
        done(&mut world, site, op).unwrap();
        let op = write(&mut world, site, 1, 2);
        world.machines.submit(site, op);
        world.kill(site);
        world.run_for(SECOND_NS);
        world.boot(site, |board, _, _| {
            assert!(board.now.at.boot_ns > SECOND_NS, "the machine was up all the time");
            Puppet::default()
        });
        open(&mut world, site);
        assert_eq!(done(&mut world, site, read(0)), Ok(()));
        assert_eq!(world.machines.memory(site).bytes(page(100)), [1; 4096]);
    }
}

#[test]
fn faults_strike_what_they_are_meant_for() {
    let (mut world, site) = one(1);
    open(&mut world, site);
    let disk = world.machines.disk_at(site, "/dev/sim0").unwrap();
    for number in 0..3 {
        let op = write(&mut world, site, number, 9);
        done(&mut world, site, op).unwrap();
    }
    let media = Effect::Error(IoError::Media);
    world.machines.disk_mut(disk).faults = vec![
        Fault {
            times: 2,
            ..Fault::always(IoKind::Read, 0..512, media)
        },
        Fault::always(IoKind::Read, 4096..4097, Effect::Flip),
        Fault::once(IoKind::Flush, media),
        Fault::once(IoKind::Write, Effect::Nothing),
    ];
    assert_eq!(done(&mut world, site, read(0)), Err(IoError::Media));
    assert_eq!(done(&mut world, site, read(2)), Ok(()));
    assert_eq!(done(&mut world, site, read(0)), Err(IoError::Media));
    assert_eq!(done(&mut world, site, read(0)), Ok(()));
    assert_eq!(done(&mut world, site, read(1)), Ok(()));
    let turned: u32 = world
        .machines
        .memory(site)
        .bytes(page(100))
        .iter()
        .map(|byte| (byte ^ 9).count_ones())
        .sum();
    assert_eq!(turned, 1);
    assert_eq!(done(&mut world, site, FLUSH), Err(IoError::Media));
    assert_eq!(done(&mut world, site, FLUSH), Ok(()));
    let op = write(&mut world, site, 2, 1);
    assert_eq!(done(&mut world, site, op), Ok(()), "a lost write says that it is done");
    assert_eq!(world.machines.disk(disk).current().bytes(8192, 1), [9]);
}

#[test]
fn the_end_of_the_disk_is_the_end() {
    let (mut world, site) = one(1);
    open(&mut world, site);
    let at_bytes = DISK_BYTES - 512;
    let op = Op::Read {
        tag: Tag(1),
        volume: VOLUME,
        at_bytes,
        into: page(0),
    };
    assert_eq!(done(&mut world, site, op), Err(IoError::Short));
    let op = Op::Write {
        tag: Tag(1),
        volume: VOLUME,
        at_bytes,
        from: page(0),
    };
    assert_eq!(done(&mut world, site, op), Err(IoError::Full));
}

#[test]
fn a_hung_disk_keeps_memory_and_lock_until_it_goes_on() {
    let (mut world, site) = one(1);
    open(&mut world, site);
    let disk = world.machines.disk_at(site, "/dev/sim0").unwrap();
    world.machines.hang_disk(disk);
    let op = write(&mut world, site, 0, 1);
    world.machines.submit(site, op);
    world.run_for(600 * SECOND_NS);
    assert_eq!(world.machines.memory(site).lent_count(), 1);
    world.kill(site);
    world.boot(site, |_, _, _| Puppet::default());
    let again = || Op::Open {
        tag: Tag(0),
        volume: VOLUME,
        path: "/dev/sim0".into(),
        access: Access::Exclusive,
    };
    let Event::Opened { result, .. } = ask(&mut world, site, again()) else {
        panic!()
    };
    assert_eq!(result.unwrap_err(), IoError::Busy);
    world.machines.release_disk(disk);
    world.run_for(SECOND_NS);
    assert_eq!(
        world.machines.disk(disk).current().bytes(0, 1),
        [1],
        "what was in flight landed late"
    );
    let Event::Opened { result, .. } = ask(&mut world, site, again()) else {
        panic!()
    };
    assert!(result.is_ok());
}

#[test]
fn a_disk_that_went_and_came_back_must_be_opened_again() {
    let (mut world, site) = one(1);
    open(&mut world, site);
    let disk = world.machines.disk_at(site, "/dev/sim0").unwrap();
    world.machines.take_disk(disk);
    assert!(matches!(
        told(&world, site, 1)[..],
        [] if world.run_until(SECOND_NS, |world| told(world, site, 1).len() == 1)
    ));
    assert_eq!(done(&mut world, site, read(0)), Err(IoError::Gone));
    world.machines.return_disk(disk);
    world.run_for(SECOND_NS);
    assert_eq!(
        done(&mut world, site, read(0)),
        Err(IoError::Gone),
        "the old volume stays dead"
    );
    assert_eq!(
        done(
            &mut world,
            site,
            Op::Close {
                tag: Tag(1),
                volume: VOLUME
            }
        ),
        Ok(())
    );
    open(&mut world, site);
    assert_eq!(done(&mut world, site, read(0)), Ok(()));
}

#[test]
fn a_disk_under_two_names_is_one_disk() {
    let (mut world, site) = one(1);
    let disk = world.machines.disk_at(site, "/dev/sim0").unwrap();
    world.machines.plug(site, "/dev/disk/by-id/sim", disk);
    let open = |volume, path: &str| Op::Open {
        tag: Tag(0),
        volume,
        path: path.into(),
        access: Access::Exclusive,
    };
    let Event::Opened { result: Ok(_), .. } = ask(&mut world, site, open(VOLUME, "/dev/sim0")) else {
        panic!()
    };
    let second = ask(&mut world, site, open(VolumeId(2), "/dev/disk/by-id/sim"));
    assert!(
        matches!(
            second,
            Event::Opened {
                result: Err(IoError::Busy),
                ..
            }
        ),
        "{second:?}"
    );
}

#[test]
fn files_are_made_once_and_only_where_there_is_room() {
    let (mut world, site) = one(1);
    world.machines.site_mut(site).file_room_bytes = 1 << 20;
    let create = |size_bytes| Op::CreateFile {
        tag: Tag(1),
        path: "/var/a".into(),
        size_bytes,
    };
    assert_eq!(done(&mut world, site, create(2 << 20)), Err(IoError::Full));
    assert_eq!(done(&mut world, site, create(1 << 20)), Ok(()));
    assert_eq!(done(&mut world, site, create(1 << 20)), Err(IoError::Exists));
}

#[test]
fn a_disk_without_a_write_cache_loses_nothing_that_completed() {
    for seed in 0..20 {
        let (mut world, site) = one(seed);
        open(&mut world, site);
        let disk = world.machines.disk_at(site, "/dev/sim0").unwrap();
        let model = DiskModel {
            flush: hal::FlushClass::WriteThrough,
            ..DiskModel::disk(DISK_BYTES, "S1")
        };
        world.machines.disk_mut(disk).model = model;
        let op = write(&mut world, site, 0, 1);
        done(&mut world, site, op).unwrap();
        world.power_cut(site);
        assert_eq!(world.machines.disk(disk).current().bytes(0, 4096), [1; 4096]);
    }
}

#[test]
#[should_panic(expected = "used while it is lent")]
fn touching_memory_of_a_write_in_flight_panics() {
    let (mut world, site) = one(1);
    open(&mut world, site);
    let op = write(&mut world, site, 0, 1);
    world.machines.submit(site, op);
    world.machines.memory(site).bytes_mut(page(0));
}

#[test]
#[should_panic(expected = "is not aligned")]
fn an_unaligned_write_panics() {
    let (mut world, site) = one(1);
    open(&mut world, site);
    let op = Op::Write {
        tag: Tag(1),
        volume: VOLUME,
        at_bytes: 100,
        from: page(0),
    };
    world.machines.submit(site, op);
}

#[test]
#[should_panic(expected = "is not open")]
fn using_a_volume_after_its_close_panics() {
    let (mut world, site) = one(1);
    open(&mut world, site);
    world.machines.submit(
        site,
        Op::Close {
            tag: Tag(1),
            volume: VOLUME,
        },
    );
    world.machines.submit(site, FLUSH);
}

#[test]
fn settings_are_there_after_a_restart_and_events_are_kept() {
    let (mut world, site) = one(1);
    let save = Op::SaveSettings {
        tag: Tag(1),
        document: b"settings".to_vec(),
    };
    world.machines.submit(site, Op::KeepEvent { line: b"{}".to_vec() });
    assert_eq!(done(&mut world, site, save), Ok(()));
    world.run_for(10 * SECOND_NS);
    world.power_cut(site);
    world.boot(site, |board, _, _| {
        assert_eq!(board.settings.as_deref(), Some(&b"settings"[..]));
        assert_eq!(board.kept_events, [b"{}"]);
        assert!(board.now.at.boot_ns < 10 * SECOND_NS, "boot time begins again");
        Puppet::default()
    });
}
