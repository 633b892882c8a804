//! The settings document (TOML).

use blockhaul_core::control::types::{CameraRetention, GuardCount, JobMode, JobPlan, Peer, RecorderCreate, Retention};
use blockhaul_core::settings::tenants::{Reach, Tenant};
use blockhaul_core::settings::{ArchiveSetting, GrantSetting, JobSetting, ScrubSetting, Settings};
use blockhaul_core::{Kind, Name};
use hal::{Digest, Fingerprint, Route, Uuid};

use crate::{Seed, Target, heap};

/// The target.
pub const TARGET: Target = Target {
    name: "settings",
    what: "the settings document",
    longest: 4096,
    check,
    seeds,
    words: &[
        "version = 1\\x0a",
        "[[archive]]\\x0a",
        "[[recorder]]\\x0a",
        "[[peer]]\\x0a",
        "[[peer.routes]]\\x0a",
        "[[grant]]\\x0a",
        "[[job]]\\x0a",
        "name = ",
        "uuid = ",
        "volume = ",
        "archive = ",
        "camera = ",
        "kind = ",
        "listen = ",
        "flush_after_ms = ",
        "routes = ",
        "key = ",
        "host = ",
        "port = ",
        "nic = ",
        "id = ",
        "peer = ",
        "cameras = ",
        "token_hash = ",
        "from = ",
        "mode = ",
        "always",
        "on-demand",
        "token = ",
        "enabled = ",
        "target = ",
        "\\x22\\x22\\x22",
        "'''",
        "0x",
        "1979-05-27T07:32:00Z",
    ],
};

/// Values take tens of bytes for each byte of text: `a=[[],[],[]]`. Bounded all the same.
const TIMES: usize = 400;

fn check(document: &[u8]) {
    let settings = match heap::within(TIMES, document, || Settings::parse(document)) {
        Ok(settings) => settings,
        Err(why) => {
            assert!(!why.is_empty(), "refused without a reason");
            return;
        }
    };
    for name in names(&settings) {
        assert!((1..=63).contains(&name.len()));
    }
    let again = settings.document();
    assert_eq!(Settings::parse(&again), Ok(settings), "what is saved is not what was read");
}

fn names(settings: &Settings) -> impl Iterator<Item = &Name> {
    let archives = settings.archives.iter().map(|it| &it.name);
    let recorders = settings.recorders.iter().flat_map(|it| [&it.name, &it.archive, &it.camera]);
    let peers = settings.peers.iter().map(|it| &it.name);
    let grants = settings
        .grants
        .iter()
        .flat_map(|it| [&it.peer, &it.archive].into_iter().chain(&it.cameras).chain(&it.tenants));
    let jobs = settings.jobs.iter().flat_map(|it| {
        [&it.name, &it.from, &it.peer, &it.archive]
            .into_iter()
            .chain(&it.cameras)
            .chain(&it.tenants)
    });
    let tenants = settings
        .tenants
        .iter()
        .flat_map(|it| [&it.name].into_iter().chain(&it.cameras));
    archives
        .chain(recorders)
        .chain(peers)
        .chain(grants)
        .chain(jobs)
        .chain(tenants)
}

/// One of everything.
pub fn sample() -> Settings {
    let name = |text: &str| text.parse::<Name>().expect("a name");
    let mut settings = Settings {
        tenants: vec![Tenant {
            name: name("acme"),
            cameras: vec![name("gate")],
        }],
        archives: vec![ArchiveSetting {
            name: name("yard"),
            uuid: Uuid([0xa1; 16]),
            volume: "/dev/volume".to_owned(),
            read_only: true,
            retention: Retention {
                remove_after_success: true,
                count: GuardCount::Only,
                jobs: vec![name("up")],
                min_age_ms: Some(60_000),
                cameras: vec![CameraRetention {
                    camera: name("gate"),
                    max_age_ms: Some(120_000),
                    max_bytes: None,
                    min_age_ms: None,
                    min_bytes: Some(1 << 20),
                }],
                ..Retention::default()
            },
            scrub: Some(ScrubSetting {
                rate_bytes: 1 << 20,
                pause_ms: 1,
            }),
        }],
        recorders: vec![RecorderCreate {
            name: name("gate"),
            archive: name("yard"),
            camera: name("gate"),
            kind: Kind::Video,
            listen: "/run/gate".to_owned(),
            flush_after_ms: 1000,
        }],
        peers: vec![Peer {
            name: name("north"),
            routes: vec![Route {
                host: "north".to_owned(),
                port: 7411,
                nic: Some("eth0".to_owned()),
            }],
            key: Fingerprint([0xb2; 32]),
        }],
        grants: vec![GrantSetting {
            id: "g1".to_owned(),
            peer: name("north"),
            archive: name("yard"),
            cameras: vec![name("gate"), name("lobby")],
            tenants: vec![name("acme")],
            token_hash: Digest(*blake3::hash(&[7; 32]).as_bytes()),
        }],
        jobs: vec![JobSetting {
            name: name("up"),
            from: name("yard"),
            peer: name("north"),
            archive: name("vault"),
            cameras: vec![name("gate")],
            tenants: vec![name("acme")],
            reach: Reach::default(),
            mode: JobMode::Always,
            full: true,
            token: Digest([7; 32]),
            enabled: true,
            created_utc_ns: 1,
            released: false,
            target: Some(Uuid([0xc3; 16])),
            plan: JobPlan::default(),
        }],
        ..Settings::default()
    };
    settings.resolve();
    settings
}

fn seeds() -> Vec<Seed> {
    let refused = "version = 1\n[[recorder]]\nname='r'\narchive='a'\ncamera='c'\nlisten='/x'\n";
    vec![
        ("empty".to_owned(), Settings::default().document()),
        ("one-of-everything".to_owned(), sample().document()),
        ("archive-missing".to_owned(), refused.as_bytes().to_vec()),
    ]
}
