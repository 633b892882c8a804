//! The machine as a whole: state that survives, a second daemon, devices and NICs, the end.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use drivers_uring::{StartError, UringMachine};
use hal::{Event, Machine, NicFacts, Op, Tag};
use support::{Host, setup, span};

fn done(host: &mut Host, tag: Tag) -> Result<(), hal::IoError> {
    host.expect("done", |event| match event {
        Event::Done { tag: found, result } if *found == tag => Some(*result),
        _ => None,
    })
}

#[test]
fn settings_and_events_are_there_after_a_restart() {
    let mut host = Host::new();
    assert_eq!(host.machine.found().settings, None);
    let key = host.key();
    for n in 0..3 {
        host.submit(Op::KeepEvent {
            line: format!("{{\"n\":{n}}}").into_bytes(),
        });
    }
    host.submit(Op::SaveSettings {
        tag: Tag(1),
        document: b"a = 1\n".to_vec(),
    });
    host.submit(Op::SaveSettings {
        tag: Tag(2),
        document: b"a = 22\n".to_vec(),
    });
    assert_eq!(done(&mut host, Tag(1)), Ok(()));
    assert_eq!(done(&mut host, Tag(2)), Ok(()));
    host.submit(Op::KeepEvent {
        line: b"{\"n\":3}".to_vec(),
    });
    host.machine.finish();
    let Host { machine, folder, .. } = host;
    drop(machine);

    // What a crash in the middle leaves behind does no harm.
    let state = folder.path().join("state");
    std::fs::write(state.join("settings.toml.new"), "a = ").unwrap();
    let mut lines = std::fs::read(state.join("events.jsonl")).unwrap();
    lines.extend(b"{\"n\":");
    std::fs::write(state.join("events.jsonl"), lines).unwrap();

    let machine = UringMachine::start(setup(folder.path())).unwrap();
    let mut host = Host {
        machine,
        folder,
        log: Vec::new(),
    };
    let found = host.machine.found().clone();
    assert_eq!(found.fingerprint, key);
    assert_eq!(found.settings.as_deref(), Some(&b"a = 22\n"[..]));
    let kept: Vec<_> = found
        .kept_events
        .iter()
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    assert_eq!(kept, [r#"{"n":0}"#, r#"{"n":1}"#, r#"{"n":2}"#, r#"{"n":3}"#]);
    host.submit(Op::KeepEvent {
        line: b"{\"n\":4}".to_vec(),
    });
    host.machine.finish();
    let text = std::fs::read_to_string(state.join("events.jsonl")).unwrap();
    assert!(
        text.ends_with("{\"n\":\n{\"n\":4}\n"),
        "the torn line stays by itself: {text}"
    );
}

#[test]
fn settings_that_cannot_be_saved_say_so_and_leave_the_old_ones() {
    let mut host = Host::new();
    host.submit(Op::SaveSettings {
        tag: Tag(1),
        document: b"old".to_vec(),
    });
    assert_eq!(done(&mut host, Tag(1)), Ok(()));
    let state = host.folder.path().join("state");
    std::fs::create_dir(state.join("settings.toml.new")).unwrap();
    host.submit(Op::SaveSettings {
        tag: Tag(2),
        document: b"new".to_vec(),
    });
    assert!(done(&mut host, Tag(2)).is_err());
    assert_eq!(std::fs::read(state.join("settings.toml")).unwrap(), b"old");
}

#[test]
fn kept_events_are_put_aside_when_there_are_many() {
    let mut host = Host::new();
    let line = vec![b'x'; 100_000];
    for _ in 0..50 {
        host.submit(Op::KeepEvent { line: line.clone() });
        host.turn();
    }
    host.machine.finish();
    let state = host.folder.path().join("state");
    let size = |name| std::fs::metadata(state.join(name)).map(|file| file.len()).unwrap_or(0);
    assert_eq!(size("events.jsonl") + size("events.1.jsonl"), 50 * 100_001);
    assert!(size("events.1.jsonl") >= 4 << 20);
}

#[test]
fn settings_are_saved_while_disks_and_sockets_keep_the_thread_busy() {
    use std::io::Write;
    let mut host = Host::new();
    let path = host.folder.path().join("feed");
    host.submit(Op::OpenFeed {
        feed: hal::FeedId(1),
        path: path.to_str().unwrap().into(),
    });
    host.turn();
    let mut feeder = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let thread = std::thread::spawn(move || while feeder.write_all(&[0; 65536]).is_ok() {});
    host.submit(Op::SaveSettings {
        tag: Tag(1),
        document: b"a".to_vec(),
    });
    let start = host.machine.now().at;
    let saved_after = loop {
        let until = host.machine.now().at + Duration::from_secs(10);
        host.submit(Op::Fill {
            feed: hal::FeedId(1),
            into: span(0, 4096),
            until,
        });
        let saved = loop {
            match host.machine.next(Some(until)) {
                Event::Done { .. } => break true,
                Event::Filled { .. } => break false,
                _ => (),
            }
        };
        if saved {
            break host.machine.now().at.since(start);
        }
    };
    assert!(saved_after < Duration::from_secs(1), "{saved_after:?}");
    let folder = host.folder;
    drop(host.machine);
    thread.join().unwrap();
    drop(folder);
}

#[test]
fn a_second_daemon_is_told_what_is_in_its_way() {
    let host = Host::new();
    let sentence = |setup| match UringMachine::start(setup) {
        Ok(_) => panic!("started"),
        Err(error) => error.to_string(),
    };
    let same_state = setup(host.folder.path());
    assert!(sentence(same_state).contains("in use by another blockhauld"));

    let other = tempfile::tempdir().unwrap();
    let mut same_socket = setup(other.path());
    same_socket.socket = host.socket();
    assert!(sentence(same_socket).contains("another daemon answers"));

    let mut same_port = setup(other.path());
    same_port.listen = host.machine.found().listening.clone();
    assert!(sentence(same_port).contains("in use by another program"));

    let mut not_here = setup(other.path());
    not_here.listen = vec!["192.0.2.1:7000".parse().unwrap()];
    assert!(sentence(not_here).contains("not an address of this machine"));

    let mut long = setup(other.path());
    long.socket = other.path().join("x".repeat(110));
    assert!(matches!(UringMachine::start(long), Err(StartError::SocketPathTooLong)));

    let mut file = setup(other.path());
    std::fs::write(&file.socket, "").unwrap();
    assert!(sentence(file.clone()).contains("is not a socket"));
    std::fs::remove_file(&file.socket).unwrap();
    file.memory_bytes = 100;
    assert!(sentence(file).contains("block memory"));
}

#[test]
fn the_end_removes_the_socket_and_ticks_come_in_time() {
    let mut host = Host::new();
    let before = host.machine.now().at;
    let deadline = before + Duration::from_millis(30);
    while host.machine.next(Some(deadline)) != Event::Tick {}
    let late = host.machine.now().at.since(deadline);
    assert!(late < Duration::from_millis(500), "{late:?}");
    let past = host.machine.next(Some(before));
    assert_eq!(past, Event::Tick);
    host.submit(Op::Stop);
    host.machine.finish();
    assert!(!host.socket().exists());
}

#[test]
fn devices_are_listed_with_nics() {
    let mut host = Host::new();
    host.submit(Op::ListDevices { tag: Tag(5) });
    let nics = host.expect("devices", |event| match event {
        Event::Devices { tag: Tag(5), nics, .. } => Some(nics.clone()),
        _ => None,
    });
    assert!(nics.iter().any(|nic| nic.name == "lo"));
}

/// In a network namespace of this thread only, so that the host's interfaces stay as they are.
#[test]
fn a_nic_that_comes_up_and_goes_is_news() {
    use std::process::Command;
    let ip = |arguments: &[&str]| {
        Command::new("ip")
            .args(arguments)
            .status()
            .is_ok_and(|status| status.success())
    };
    let unshared = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET);
    if unshared.is_err() || !ip(&["link", "add", "bh0", "type", "veth", "peer", "name", "bh1"]) {
        eprintln!("no network namespace or no ip command here: not tested");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut without_listener = setup(folder.path());
    without_listener.listen.clear();
    let machine = UringMachine::start(without_listener).unwrap();
    let mut host = Host {
        machine,
        folder,
        log: Vec::new(),
    };
    let news = |host: &mut Host, up: bool| -> NicFacts {
        let nic = host.expect("news", |event| match event {
            Event::NicChanged { nic } if nic.name == "bh0" && nic.up == up => Some(nic.clone()),
            _ => None,
        });
        host.log.clear();
        nic
    };
    host.turn();
    std::thread::sleep(Duration::from_millis(50));
    host.turn();
    assert!(ip(&["address", "add", "10.99.0.1/24", "dev", "bh0"]));
    assert!(ip(&["link", "set", "bh1", "up"]));
    assert!(ip(&["link", "set", "bh0", "up", "mtu", "1400"]));
    let nic = news(&mut host, true);
    assert_eq!(nic.mtu_bytes, 1400);
    assert!(nic.addresses.contains(&"10.99.0.1/24".to_owned()), "{nic:?}");
    assert_eq!(nic.hardware.len(), 17);
    assert!(ip(&["link", "set", "bh1", "down"]));
    news(&mut host, false);
    assert!(ip(&["link", "set", "bh1", "up"]));
    news(&mut host, true);
    assert!(ip(&["link", "delete", "bh0"]));
    news(&mut host, false);
}
