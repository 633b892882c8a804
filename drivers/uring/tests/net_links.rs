//! Two machines on one host find each other over loopback, and strangers do not get in.
//! Not here: bad lines and lost power (the simulator), throughput.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use hal::{Event, LinkError, LinkId, Machine, Op, Tag};
use support::{Host, down, linked, span, until, up};

const MIB: u32 = 1 << 20;

fn turned(host: &Host) -> Option<(Option<hal::Fingerprint>, LinkError)> {
    host.find(|event| match event {
        Event::Turned { key, why, .. } => Some((*key, *why)),
        _ => None,
    })
}

fn frames(host: &Host) -> Vec<(Vec<u8>, Option<hal::Span>)> {
    let frame = |event: &Event| match event {
        Event::Frame { message, body, .. } => Some((message.to_vec(), *body)),
        _ => None,
    };
    host.log.iter().filter_map(frame).collect()
}

fn sent(host: &Host) -> Vec<(Tag, Result<(), LinkError>)> {
    let sent = |event: &Event| match event {
        Event::Sent { tag, result, .. } => Some((*tag, *result)),
        _ => None,
    };
    host.log.iter().filter_map(sent).collect()
}

#[test]
fn blocks_go_both_ways_at_once_byte_for_byte() {
    let (mut near, mut far, here, there) = linked();
    assert_eq!(here, LinkId(2));
    assert_eq!(there.0 % 2, 1, "accepted links are odd");
    assert_eq!(up(&near).unwrap().1, far.key());
    assert_eq!(up(&far).unwrap().1, near.key());

    near.fill(span(0, 3 * MIB), |index| (index * 7 + index / 4096) as u8);
    far.fill(span(0, 3 * MIB), |index| (index * 13 + index / 512) as u8);
    for block in 0..3 {
        for (host, link) in [(&mut near, here), (&mut far, there)] {
            host.submit(Op::Receive {
                link,
                into: span((4 + block) * MIB, MIB),
            });
            host.send(block.into(), link, &[b'm', block as u8], Some(span(block * MIB, MIB)));
        }
    }
    let longest = [9; 512];
    near.send(3, here, &longest, None);
    far.send(3, there, b"x", None);
    until(&mut [&mut near, &mut far], "four frames each way", |hosts| {
        hosts
            .iter()
            .all(|host| frames(host).len() == 4 && sent(host).len() == 4)
            .then_some(())
    });
    for host in [&near, &far] {
        let got = frames(host);
        for block in 0..3u32 {
            assert_eq!(
                got[block as usize],
                (vec![b'm', block as u8], Some(span((4 + block) * MIB, MIB)))
            );
        }
        let in_order: Vec<_> = (0..4).map(|tag| (Tag(tag), Ok(()))).collect();
        assert_eq!(sent(host), in_order);
    }
    assert_eq!(frames(&near)[3], (b"x".to_vec(), None));
    assert_eq!(frames(&far)[3], (longest.to_vec(), None));
    let bytes = |host: &mut Host, at_bytes| host.machine.memory().bytes(span(at_bytes, 3 * MIB)).to_vec();
    assert!(bytes(&mut near, 0) == bytes(&mut far, 4 * MIB), "what the far end got");
    assert!(bytes(&mut far, 0) == bytes(&mut near, 4 * MIB), "what the near end got");

    // A body may be shorter than what was lent for it.
    far.submit(Op::Receive {
        link: there,
        into: span(7 * MIB, MIB),
    });
    near.send(4, here, b"short", Some(span(0, 4096)));
    until(&mut [&mut near, &mut far], "a short block", |hosts| {
        (frames(hosts[1]).len() == 5).then_some(())
    });
    assert_eq!(frames(&far)[4].1, Some(span(7 * MIB, 4096)));
}

#[test]
fn hanging_up_sends_first_and_is_the_last_word() {
    let (mut near, mut far, here, there) = linked();
    far.submit(Op::Receive {
        link: there,
        into: span(0, 2 * MIB),
    });
    near.send(1, here, b"last", Some(span(0, 2 * MIB)));
    near.submit(Op::HangUp { link: here });
    until(&mut [&mut near, &mut far], "both ends down", |hosts| {
        Some((down(hosts[0], here)?, down(hosts[1], there)?))
    });
    assert_eq!(down(&near, here), Some(LinkError::HungUp));
    assert_eq!(down(&far, there), Some(LinkError::Closed));
    assert_eq!(frames(&far).len(), 1);
    assert_eq!(sent(&near), [(Tag(1), Ok(()))]);
    assert!(matches!(near.log.last(), Some(Event::LinkDown { .. })));
}

#[test]
fn a_key_that_is_not_trusted_is_refused_at_both_ends() {
    let (mut near, mut far) = (Host::new(), Host::new());
    near.dial(2, far.port(), far.key());
    let hosts = &mut [&mut near, &mut far];
    let (why, stranger) = until(hosts, "refusals", |hosts| {
        Some((down(hosts[0], LinkId(2))?, turned(hosts[1])?))
    });
    assert_eq!(why, LinkError::KeyRefused);
    assert_eq!(stranger, (Some(near.key()), LinkError::KeyRefused));
    assert_eq!(up(&near), None, "the dialling end must not believe that it is in");
}

#[test]
fn another_key_than_the_expected_one_is_refused() {
    let (mut near, mut far, other) = (Host::new(), Host::new(), Host::new());
    far.submit(Op::TrustKeys { keys: vec![near.key()] });
    near.dial(2, far.port(), other.key());
    let hosts = &mut [&mut near, &mut far];
    let (why, turned_why) = until(hosts, "refusals", |hosts| {
        Some((down(hosts[0], LinkId(2))?, turned(hosts[1])?.1))
    });
    assert_eq!(why, LinkError::KeyRefused);
    assert_eq!(turned_why, LinkError::KeyRefused);
    assert_eq!(up(&far), None);
}

#[test]
fn a_key_that_is_taken_back_goes_down() {
    let (mut near, mut far, here, there) = linked();
    far.submit(Op::Receive {
        link: there,
        into: span(0, MIB),
    });
    far.submit(Op::TrustKeys { keys: vec![] });
    let hosts = &mut [&mut near, &mut far];
    let why = until(hosts, "both down", |hosts| {
        Some((down(hosts[0], here)?, down(hosts[1], there)?))
    });
    assert_eq!(why, (LinkError::Closed, LinkError::KeyRefused));
    far.machine.memory().bytes(span(0, MIB));
}

#[test]
fn a_body_without_credit_ends_the_link_and_returns_everything() {
    for lent_bytes in [None, Some(4096)] {
        let (mut near, mut far, here, there) = linked();
        if let Some(length_bytes) = lent_bytes {
            far.submit(Op::Receive {
                link: there,
                into: span(0, length_bytes),
            });
        }
        near.send(1, here, b"m", Some(span(0, 4097)));
        let hosts = &mut [&mut near, &mut far];
        until(hosts, "both down", |hosts| down(hosts[0], here).and(down(hosts[1], there)));
        assert_eq!(down(&far, there), Some(LinkError::Malformed));
        assert_eq!(frames(&far), []);
        far.machine.memory().bytes(span(0, 8192));
        near.machine.memory().bytes(span(0, 8192));
    }
}

#[test]
fn a_peer_that_vanishes_returns_every_send_in_order_before_the_end() {
    let (mut near, far, here, _) = linked();
    for tag in 1..=7 {
        near.send(tag, here, b"m", Some(span((tag as u32 - 1) * MIB, MIB)));
    }
    near.submit(Op::Receive {
        link: here,
        into: span(7 * MIB, MIB),
    });
    near.turn();
    drop(far);
    let why = until(&mut [&mut near], "down", |hosts| down(hosts[0], here));
    assert!(matches!(why, LinkError::Lost | LinkError::Closed), "{why:?}");
    let results = sent(&near);
    assert_eq!(
        results.iter().map(|(tag, _)| tag.0).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 6, 7]
    );
    assert!(results[6].1.is_err(), "seven MiB do not fit into the socket's buffers");
    assert!(matches!(near.log.last(), Some(Event::LinkDown { .. })));
    near.machine.memory().bytes(span(0, 8 * MIB));
}

#[test]
fn a_send_after_an_end_that_was_not_taken_is_answered_before_it() {
    let (mut near, far, here, _) = linked();
    drop(far);
    // The answer to the first send and the end come in one turn. The core sees the answer, and knows nothing of the end.
    near.send(1, here, b"first", Some(span(0, 8 * MIB)));
    let deadline = near.machine.now().at + Duration::from_secs(20);
    let first = near.machine.next(Some(deadline));
    assert!(
        matches!(
            first,
            Event::Sent {
                tag: Tag(1),
                result: Err(_),
                ..
            }
        ),
        "{first:?}"
    );
    near.send(2, here, b"late", Some(span(0, 4096)));
    near.submit(Op::Receive {
        link: here,
        into: span(0, 4096),
    });
    near.log.clear();
    near.turn();
    assert!(matches!(sent(&near)[..], [(Tag(2), Err(_))]), "{:?}", near.log);
    assert!(matches!(near.log.last(), Some(Event::LinkDown { .. })), "{:?}", near.log);
    near.machine.memory().bytes(span(0, 8 * MIB));
}

#[test]
fn nobody_there_and_nobody_of_that_name() {
    let mut near = Host::new();
    let key = near.key();
    let free_port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    near.dial(2, free_port, key);
    let route = hal::Route {
        host: "name.invalid".into(),
        port: 1,
        nic: None,
    };
    near.submit(Op::Dial {
        link: LinkId(4),
        route,
        expect: key,
    });
    let route = hal::Route {
        host: "127.0.0.1".into(),
        port: 1,
        nic: Some("nosuchnic0".into()),
    };
    near.submit(Op::Dial {
        link: LinkId(6),
        route,
        expect: key,
    });
    let why = until(&mut [&mut near], "all down", |hosts| {
        Some((
            down(hosts[0], LinkId(2))?,
            down(hosts[0], LinkId(4))?,
            down(hosts[0], LinkId(6))?,
        ))
    });
    assert_eq!(why, (LinkError::Unreachable, LinkError::NameUnknown, LinkError::NicDown));
}

#[test]
fn the_nic_of_a_route_is_used() {
    let (mut near, mut far) = (Host::new(), Host::new());
    far.submit(Op::TrustKeys { keys: vec![near.key()] });
    let route = hal::Route {
        host: "localhost".into(),
        port: far.port(),
        nic: Some("lo".into()),
    };
    near.submit(Op::Dial {
        link: LinkId(2),
        route,
        expect: far.key(),
    });
    until(&mut [&mut near, &mut far], "a link by name over lo", |hosts| {
        up(hosts[0]).and(up(hosts[1]))
    });
}

#[test]
fn hanging_up_while_dialling() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut near = Host::new();
    let key = near.key();
    near.dial(2, silent.local_addr().unwrap().port(), key);
    near.turn();
    near.submit(Op::HangUp { link: LinkId(2) });
    let why = until(&mut [&mut near], "down", |hosts| down(hosts[0], LinkId(2)));
    assert_eq!(why, LinkError::HungUp);
}

#[test]
fn junk_is_turned_away() {
    let mut far = Host::new();
    let mut junk = TcpStream::connect(("127.0.0.1", far.port())).unwrap();
    junk.write_all(b"GET / HTTP/1.1\r\nHost: camera\r\n\r\n").unwrap();
    let turned = until(&mut [&mut far], "turned away", |hosts| turned(hosts[0]));
    assert_eq!(turned, (None, LinkError::NotTls));
    closes(&mut junk);
}

#[test]
fn tls_1_2_is_turned_away() {
    let mut far = Host::new();
    let mut old = TcpStream::connect(("127.0.0.1", far.port())).unwrap();
    old.write_all(&client_hello_1_2()).unwrap();
    let turned = until(&mut [&mut far], "turned away", |hosts| turned(hosts[0]));
    assert_eq!(turned, (None, LinkError::NotTls));
    let answer = closes(&mut old);
    // An alert record: fatal (2), protocol_version (70).
    assert_eq!((answer[0], &answer[5..]), (21, &[2, 70][..]));
}

/// What a client that knows nothing newer sends: no supported_versions extension.
fn client_hello_1_2() -> Vec<u8> {
    let mut extensions = Vec::new();
    extensions.extend([0x00, 0x0a, 0, 4, 0, 2, 0x00, 0x1d]); // supported_groups: x25519
    extensions.extend([0x00, 0x0b, 0, 2, 1, 0]); // ec_point_formats
    extensions.extend([0x00, 0x0d, 0, 6, 0, 4, 0x04, 0x03, 0x08, 0x07]); // signature_algorithms
    let mut hello = vec![0x03, 0x03];
    hello.extend([7; 32]);
    hello.push(0);
    hello.extend([0, 2, 0xc0, 0x2b]); // ECDHE-ECDSA-AES128-GCM-SHA256
    hello.extend([1, 0]);
    hello.extend((extensions.len() as u16).to_be_bytes());
    hello.extend(extensions);
    let mut handshake = vec![1, 0];
    handshake.extend((hello.len() as u16).to_be_bytes());
    handshake.extend(hello);
    let mut record = vec![22, 3, 1];
    record.extend((handshake.len() as u16).to_be_bytes());
    record.extend(handshake);
    record
}

fn closes(stream: &mut TcpStream) -> Vec<u8> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => answer,
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => answer,
        Err(error) => panic!("not closed: {error}"),
    }
}

#[test]
fn silence_is_turned_away_and_one_address_gets_so_many() {
    let mut far = Host::new();
    let most = drivers_uring::limits::UNPROVEN_PER_ADDRESS_MAX;
    let start = Instant::now();
    let connect = |_| TcpStream::connect(("127.0.0.1", far.machine.found().listening[0].port())).unwrap();
    let _silent: Vec<_> = (0..=most).map(connect).collect();
    let why = until(&mut [&mut far], "one too many", |hosts| turned(hosts[0]));
    assert_eq!(why, (None, LinkError::Exhausted));
    assert!(start.elapsed() < Duration::from_secs(5));
    until(&mut [&mut far], "the others time out", |hosts| {
        let late = |event: &&Event| {
            matches!(
                event,
                Event::Turned {
                    why: LinkError::TimedOut,
                    ..
                }
            )
        };
        (hosts[0].log.iter().filter(late).count() == most).then_some(())
    });
    let waited = start.elapsed();
    assert!((9..15).contains(&waited.as_secs()), "{waited:?}");
}
