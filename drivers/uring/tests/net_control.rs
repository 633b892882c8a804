//! Programs talk to the control socket, well and badly.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use hal::{ClientId, Event, FeedId, Machine, Op, Role, Tag};
use support::{Host, span};

fn connect(host: &Host) -> UnixStream {
    let stream = UnixStream::connect(host.socket()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn calls(host: &Host) -> Vec<(ClientId, Vec<u8>)> {
    let call = |event: &Event| match event {
        Event::Call { client, message, .. } => Some((*client, message.clone())),
        _ => None,
    };
    host.log.iter().filter_map(call).collect()
}

fn nth_call(host: &mut Host, n: usize) -> (ClientId, Vec<u8>) {
    support::until(&mut [host], "a call", |hosts| calls(hosts[0]).get(n).cloned())
}

fn gone(host: &mut Host, id: ClientId) {
    host.expect("client gone", |event| {
        (*event == Event::ClientGone { client: id }).then_some(())
    });
}

fn reads(stream: &mut UnixStream, bytes: usize) -> Vec<u8> {
    let mut read = vec![0; bytes];
    stream.read_exact(&mut read).unwrap();
    read
}

fn reads_to_end(stream: &mut UnixStream) -> Vec<u8> {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => rest,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => rest,
        Err(error) => panic!("not closed: {error}"),
    }
}

#[test]
fn split_and_joined_messages() {
    let mut host = Host::new();
    let mut program = connect(&host);
    program.write_all(b"{\"method\":").unwrap();
    host.turn();
    assert_eq!(calls(&host), []);
    program.write_all(b"\"a\"}\0{\"method\":\"b\"}\0junk\0\0{\"met").unwrap();
    nth_call(&mut host, 3);
    let messages: Vec<_> = calls(&host).into_iter().map(|(_, message)| message).collect();
    assert_eq!(messages, [&b"{\"method\":\"a\"}"[..], b"{\"method\":\"b\"}", b"junk", b""]);
    let (role, uid) = host.expect("a call", |event| match event {
        Event::Call { role, uid, .. } => Some((*role, *uid)),
        _ => None,
    });
    assert_eq!((role, uid), (Role::Admin, rustix::process::getuid().as_raw()));

    let client = calls(&host)[0].0;
    for answer in [&b"{\"parameters\":{}}"[..], b"{\"error\":\"x\"}"] {
        host.submit(Op::Reply {
            client,
            message: answer.to_vec(),
        });
    }
    host.turn();
    assert_eq!(reads(&mut program, 32), b"{\"parameters\":{}}\0{\"error\":\"x\"}\0");
    drop(program);
    gone(&mut host, client);
    host.submit(Op::Reply {
        client,
        message: b"{}".to_vec(),
    });
    host.turn();
}

#[test]
fn a_call_that_is_too_long_is_answered_and_dismissed() {
    let mut host = Host::new();
    let mut polite = connect(&host);
    let mut longest = vec![b'x'; 65536];
    longest.push(0);
    polite.write_all(&longest).unwrap();
    let (client, message) = nth_call(&mut host, 0);
    assert_eq!(message.len(), 65536);

    let mut rude = connect(&host);
    let writer = rude.try_clone().unwrap();
    let thread = std::thread::spawn(move || {
        let mut writer = writer;
        let _ = writer.write_all(&vec![b'x'; 5 << 20]);
    });
    let dismissed = host.expect("the rude one gone", |event| match event {
        Event::ClientGone { client } => Some(*client),
        _ => None,
    });
    assert_ne!(dismissed, client);
    thread.join().unwrap();
    let said = reads_to_end(&mut rude);
    assert!(
        said.starts_with(b"{\"error\":\"org.varlink.service.InvalidParameter\""),
        "{said:?}"
    );
    assert_eq!(calls(&host).len(), 1);

    host.submit(Op::Reply {
        client,
        message: b"{}".to_vec(),
    });
    host.turn();
    assert_eq!(reads(&mut polite, 3), b"{}\0");
}

#[test]
fn one_that_does_not_read_is_dismissed_and_holds_up_nobody() {
    let mut host = Host::new();
    let mut deaf = connect(&host);
    deaf.write_all(b"{}\0").unwrap();
    let (deaf_id, _) = nth_call(&mut host, 0);
    for _ in 0..3000 {
        host.submit(Op::Reply {
            client: deaf_id,
            message: vec![b'x'; 4096],
        });
    }
    let mut other = connect(&host);
    other.write_all(b"{}\0").unwrap();
    let (other_id, _) = nth_call(&mut host, 1);
    host.submit(Op::Reply {
        client: other_id,
        message: b"{}".to_vec(),
    });
    host.turn();
    assert_eq!(reads(&mut other, 3), b"{}\0");
    gone(&mut host, deaf_id);
}

#[test]
fn chunks_then_their_end_then_the_reply() {
    let mut host = Host::new();
    let mut program = connect(&host);
    program.write_all(b"{\"upgrade\":true}\0").unwrap();
    let (client, _) = nth_call(&mut host, 0);
    host.fill(span(0, 5), |index| b"hello"[index]);
    host.submit(Op::Deliver {
        tag: Tag(1),
        client,
        chunk: span(0, 5),
    });
    host.submit(Op::Deliver {
        tag: Tag(2),
        client,
        chunk: span(4096, 1),
    });
    host.submit(Op::Reply {
        client,
        message: b"{}".to_vec(),
    });
    host.submit(Op::Dismiss { client });
    gone(&mut host, client);
    assert_eq!(reads_to_end(&mut program), b"\x05\0\0\0hello\x01\0\0\0\0\0\0\0\0{}\0");
    let delivered = |event: &Event| match event {
        Event::Delivered { tag, result, .. } => Some((*tag, *result)),
        _ => None,
    };
    let delivered: Vec<_> = host.log.iter().filter_map(delivered).collect();
    assert_eq!(delivered, [(Tag(1), Ok(())), (Tag(2), Ok(()))]);
}

#[test]
fn one_that_goes_in_the_middle_of_chunks_returns_them() {
    let mut host = Host::new();
    let mut program = connect(&host);
    program.write_all(b"{\"upgrade\":true}\0").unwrap();
    let (client, _) = nth_call(&mut host, 0);
    for tag in 0..4 {
        host.submit(Op::Deliver {
            tag: Tag(tag),
            client,
            chunk: span(tag as u32 * (1 << 20), 1 << 20),
        });
    }
    host.turn();
    drop(program);
    gone(&mut host, client);
    let tags = |event: &Event| match event {
        Event::Delivered { tag, .. } => Some(tag.0),
        _ => None,
    };
    assert_eq!(host.log.iter().filter_map(tags).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!(matches!(host.log.last(), Some(Event::ClientGone { .. })));
    host.machine.memory().bytes(span(0, 4 << 20));
}

#[test]
fn an_adopted_connection_feeds_and_is_answered() {
    const FEED: FeedId = FeedId(1);
    let mut host = Host::new();
    let mut program = connect(&host);
    // The stream starts in the same write as the call, and holds bytes that would end a call.
    program.write_all(b"{\"upgrade\":true}\0one\0two").unwrap();
    let (client, _) = nth_call(&mut host, 0);
    host.turn();
    assert_eq!(calls(&host).len(), 1, "what follows is no call");
    host.submit(Op::AdoptFeed { feed: FEED, client });
    let until = host.machine.now().at + Duration::from_secs(10);
    host.submit(Op::Fill {
        feed: FEED,
        into: span(0, 4096),
        until,
    });
    host.turn();
    assert!(host.log.contains(&Event::FeedOpened {
        feed: FEED,
        result: Ok(())
    }));
    program.write_all(b" three").unwrap();
    program.shutdown(std::net::Shutdown::Write).unwrap();
    let filled = host.expect("filled", |event| match event {
        Event::Filled { bytes, end, .. } => Some((*bytes, *end)),
        _ => None,
    });
    assert_eq!(filled, (13, true));
    assert_eq!(host.machine.memory().bytes(span(0, 13)), b"one\0two three");
    host.submit(Op::CloseFeed { feed: FEED });
    host.turn();
    host.submit(Op::Reply {
        client,
        message: b"{\"done\":1}".to_vec(),
    });
    gone(&mut host, client);
    assert_eq!(reads_to_end(&mut program), b"{\"done\":1}\0");
}

#[test]
fn adopting_one_that_is_gone() {
    let mut host = Host::new();
    host.submit(Op::AdoptFeed {
        feed: FeedId(1),
        client: ClientId(99),
    });
    let result = host.expect("refused", |event| match event {
        Event::FeedOpened { result, .. } => Some(*result),
        _ => None,
    });
    assert_eq!(result, Err(hal::IoError::Gone));
}

#[test]
fn so_many_and_no_more() {
    let mut host = Host::new();
    let held: Vec<_> = (0..drivers_uring::limits::CLIENTS_MAX).map(|_| connect(&host)).collect();
    host.turn();
    let mut extra = connect(&host);
    host.turn();
    let said = reads_to_end(&mut extra);
    assert!(said.starts_with(b"{\"error\":\"io.blockhaul.Busy\""), "{said:?}");
    drop(held);
    host.turn();
    let mut next = connect(&host);
    next.write_all(b"{}\0").unwrap();
    nth_call(&mut host, 0);
}
