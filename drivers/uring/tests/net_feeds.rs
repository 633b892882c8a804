//! A recorder's bytes come in through a socket: filled, drained, ended, one feeder at a time.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use hal::{Event, FeedId, IoError, Machine, Op, Span};
use support::{Host, span};

const FEED: FeedId = FeedId(7);

fn opened(host: &mut Host) -> Result<(), IoError> {
    host.expect("a feed", |event| match event {
        Event::FeedOpened { result, .. } => Some(*result),
        _ => None,
    })
}

fn open(host: &mut Host) -> std::path::PathBuf {
    let path = host.folder.path().join("gate.feed");
    host.submit(Op::OpenFeed {
        feed: FEED,
        path: path.to_str().unwrap().into(),
    });
    assert_eq!(opened(host), Ok(()));
    path
}

fn filled(host: &mut Host) -> (u64, bool) {
    let filled = host.expect("filled", |event| match event {
        Event::Filled { feed: FEED, bytes, end } => Some((*bytes, *end)),
        _ => None,
    });
    host.log.clear();
    filled
}

fn fill(host: &mut Host, into: Span, patience: Duration) -> (u64, bool) {
    let until = host.machine.now().at + patience;
    host.submit(Op::Fill { feed: FEED, into, until });
    filled(host)
}

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(10);

#[test]
fn filled_until_full_until_late_and_until_the_end() {
    let mut host = Host::new();
    let path = open(&mut host);
    assert_eq!(fill(&mut host, span(0, 4096), SHORT), (0, false), "nobody feeds");

    let mut first = UnixStream::connect(&path).unwrap();
    first.write_all(b"0123456789").unwrap();
    assert_eq!(fill(&mut host, span(0, 4), LONG), (4, false), "full");
    assert_eq!(fill(&mut host, span(4096, 4096), SHORT), (6, false), "late");
    assert_eq!(host.machine.memory().bytes(span(0, 4)), b"0123");
    assert_eq!(host.machine.memory().bytes(span(4096, 6)), b"456789");

    // The second waits in the backlog until the first has ended.
    let mut second = UnixStream::connect(&path).unwrap();
    second.write_all(b"second").unwrap();
    first.write_all(b"last").unwrap();
    drop(first);
    assert_eq!(fill(&mut host, span(0, 4096), LONG), (4, true), "the end of the first only");
    assert_eq!(host.machine.memory().bytes(span(0, 4)), b"last");
    drop(second);
    assert_eq!(fill(&mut host, span(0, 4096), LONG), (6, true));
    assert_eq!(host.machine.memory().bytes(span(0, 6)), b"second");
}

#[test]
fn a_feeder_that_comes_late_is_taken_in_by_the_fill_that_waits() {
    let mut host = Host::new();
    let path = open(&mut host);
    let until = host.machine.now().at + LONG;
    host.submit(Op::Fill {
        feed: FEED,
        into: span(0, 8),
        until,
    });
    host.turn();
    let mut feeder = UnixStream::connect(&path).unwrap();
    feeder.write_all(b"1234").unwrap();
    host.turn();
    feeder.write_all(b"5678").unwrap();
    assert_eq!(filled(&mut host), (8, false));
}

#[test]
fn what_is_drained_is_counted_and_gone() {
    let mut host = Host::new();
    let path = open(&mut host);
    let mut feeder = UnixStream::connect(&path).unwrap();
    feeder.write_all(&[1; 100_000]).unwrap();
    let until = host.machine.now().at + SHORT;
    host.submit(Op::Drain { feed: FEED, until });
    assert_eq!(filled(&mut host), (100_000, false));
    feeder.write_all(b"kept").unwrap();
    assert_eq!(fill(&mut host, span(0, 4), LONG), (4, false));
    drop(feeder);
    let until = host.machine.now().at + LONG;
    host.submit(Op::Drain { feed: FEED, until });
    assert_eq!(filled(&mut host), (0, true));
}

#[test]
fn closing_returns_the_fill_and_removes_the_socket() {
    let mut host = Host::new();
    let path = open(&mut host);
    let mut feeder = UnixStream::connect(&path).unwrap();
    feeder.write_all(b"abc").unwrap();
    let until = host.machine.now().at + LONG;
    host.submit(Op::Fill {
        feed: FEED,
        into: span(0, 4096),
        until,
    });
    host.turn();
    host.submit(Op::CloseFeed { feed: FEED });
    assert_eq!(filled(&mut host), (3, false));
    host.turn();
    assert!(!path.exists());
    host.machine.memory().bytes(span(0, 4096));
    feeder.set_read_timeout(Some(LONG)).unwrap();
    assert_eq!(feeder.read(&mut [0; 8]).unwrap_or(0), 0, "the feeder sees the end");
}

#[test]
fn only_a_socket_that_nobody_serves_is_replaced() {
    let mut host = Host::new();
    let folder = host.folder.path().to_owned();
    let open = |host: &mut Host, name: &str| {
        host.log.clear();
        host.submit(Op::OpenFeed {
            feed: FEED,
            path: folder.join(name).to_str().unwrap().into(),
        });
        let result = opened(host);
        if result.is_ok() {
            host.submit(Op::CloseFeed { feed: FEED });
            host.turn();
        }
        result
    };
    std::fs::write(folder.join("file"), "precious").unwrap();
    assert_eq!(open(&mut host, "file"), Err(IoError::Exists));
    assert_eq!(std::fs::read(folder.join("file")).unwrap(), b"precious");

    std::os::unix::fs::symlink(folder.join("file"), folder.join("link")).unwrap();
    assert_eq!(open(&mut host, "link"), Err(IoError::Exists));

    let live = UnixListener::bind(folder.join("live")).unwrap();
    assert_eq!(open(&mut host, "live"), Err(IoError::Busy));
    drop(live);
    assert_eq!(open(&mut host, "live"), Ok(()), "a socket file without a listener");

    assert_eq!(open(&mut host, "no/such/folder"), Err(IoError::NotFound));
    assert_eq!(open(&mut host, &"x".repeat(120)), Err(IoError::Unsupported));
}

#[test]
fn the_socket_is_for_owner_and_group() {
    use std::os::unix::fs::PermissionsExt;
    let mut host = Host::new();
    let path = open(&mut host);
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o660);
}
