//! One or several real machines in one test, turned by hand: each gets its turn, and what it says is collected.
#![allow(dead_code)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use drivers_uring::{Setup, UringMachine};
use hal::{Event, Fingerprint, LinkId, Machine, Message, Op, Route, Span};

pub const MEMORY_BYTES: u32 = 8 << 20;
const TURN: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(20);

/// A machine, its folder, and everything that it said.
pub struct Host {
    pub machine: UringMachine,
    pub folder: tempfile::TempDir,
    pub log: Vec<Event>,
}

pub fn setup(folder: &std::path::Path) -> Setup {
    Setup {
        state: folder.join("state"),
        socket: folder.join("control.sock"),
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        memory_bytes: MEMORY_BYTES,
        programs: folder.join("programs"),
        operators_gid: None,
    }
}

impl Host {
    pub fn new() -> Host {
        let folder = tempfile::tempdir().unwrap();
        let machine = UringMachine::start(setup(folder.path())).unwrap();
        Host {
            machine,
            folder,
            log: Vec::new(),
        }
    }

    pub fn key(&self) -> Fingerprint {
        self.machine.found().fingerprint
    }

    pub fn port(&self) -> u16 {
        self.machine.found().listening[0].port()
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("control.sock")
    }

    pub fn submit(&mut self, op: Op) {
        self.machine.submit(op);
    }

    pub fn dial(&mut self, link: u64, port: u16, expect: Fingerprint) {
        let route = Route {
            host: "127.0.0.1".into(),
            port,
            nic: None,
        };
        self.submit(Op::Dial {
            link: LinkId(link),
            route,
            expect,
        });
    }

    pub fn send(&mut self, tag: u64, link: LinkId, message: &[u8], body: Option<Span>) {
        let message = Message::from_slice(message).unwrap();
        self.submit(Op::Send {
            tag: hal::Tag(tag),
            link,
            message,
            body,
        });
    }

    /// Takes what there is.
    pub fn turn(&mut self) {
        loop {
            let deadline = self.machine.now().at + TURN;
            match self.machine.next(Some(deadline)) {
                Event::Tick => return,
                event => self.log.push(event),
            }
        }
    }

    /// Turns until something was said, and returns it with its place in the log.
    pub fn expect<T>(&mut self, what: &str, found: impl Fn(&Event) -> Option<T>) -> T {
        until(&mut [self], what, |hosts| hosts[0].find(&found))
    }

    pub fn find<T>(&self, found: impl Fn(&Event) -> Option<T>) -> Option<T> {
        self.log.iter().find_map(found)
    }

    pub fn fill(&mut self, span: Span, with: impl Fn(usize) -> u8) {
        for (index, byte) in self.machine.memory().bytes_mut(span).iter_mut().enumerate() {
            *byte = with(index);
        }
    }
}

/// Turns all hosts until something is so.
pub fn until<T>(hosts: &mut [&mut Host], what: &str, mut so: impl FnMut(&[&mut Host]) -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = so(hosts) {
            return found;
        }
        if start.elapsed() > PATIENCE {
            for (index, host) in hosts.iter().enumerate() {
                eprintln!("host {index} said: {:#?}", host.log);
            }
            panic!("waited in vain for: {what}");
        }
        for host in hosts.iter_mut() {
            host.turn();
        }
    }
}

/// Two hosts with a link: the dialled name at the first, the accepted one at the second.
pub fn linked() -> (Host, Host, LinkId, LinkId) {
    let (mut near, mut far) = (Host::new(), Host::new());
    far.submit(Op::TrustKeys { keys: vec![near.key()] });
    near.dial(2, far.port(), far.key());
    let (here, there) = until(&mut [&mut near, &mut far], "a link", |hosts| {
        Some((up(hosts[0])?.0, up(hosts[1])?.0))
    });
    (near, far, here, there)
}

pub fn up(host: &Host) -> Option<(LinkId, Fingerprint)> {
    host.find(|event| match event {
        Event::LinkUp { link, peer, .. } => Some((*link, *peer)),
        _ => None,
    })
}

pub fn down(host: &Host, id: LinkId) -> Option<hal::LinkError> {
    host.find(|event| match event {
        Event::LinkDown { link, why } if *link == id => Some(*why),
        _ => None,
    })
}

pub fn span(offset_bytes: u32, length_bytes: u32) -> Span {
    Span {
        offset_bytes,
        length_bytes,
    }
}
