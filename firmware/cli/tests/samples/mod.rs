//! A sample of the parameters and the reply of every method, made of the types that go over the wire.
#![allow(clippy::unwrap_used)]

mod archives;
mod cards;
mod notes;
mod presence;

use blockhaul_core::calendar::Timetable;
mod operating;

use blockhaul_core::control::types::*;
use blockhaul_core::{Kind, Name};
use hal::{ClockQuality, DeviceFacts, Digest, FlushClass, NicFacts, Route, Uuid, VolumeFacts, VolumeForm};
use serde::Serialize;
use serde_json::{Value, json};

mod retention;
mod tenants;

/// One method.
pub struct Sample {
    /// Its full name.
    pub method: &'static str,
    /// All parameters.
    pub full: Value,
    /// Only those that must be there.
    pub least: Value,
    /// Its replies: together they have all fields.
    pub replies: Vec<Value>,
}

fn name() -> Name {
    "lobby".parse().unwrap()
}

fn value(of: impl Serialize) -> Value {
    serde_json::to_value(of).unwrap()
}

/// A method whose parameters are all needed.
fn plain(method: &'static str, parameters: impl Serialize, reply: impl Serialize) -> Sample {
    let parameters = value(parameters);
    Sample {
        method,
        full: parameters.clone(),
        least: parameters,
        replies: vec![value(reply)],
    }
}

/// A method with parameters that may be left out; the least must be understood by the type.
fn with_least<P: Serialize + serde::de::DeserializeOwned>(
    method: &'static str,
    full: P,
    least: Value,
    reply: impl Serialize,
) -> Sample {
    let understood = serde_json::from_value::<P>(least.clone());
    assert!(understood.is_ok(), "{method}: {:?}", understood.err());
    Sample {
        method,
        full: value(full),
        least,
        replies: vec![value(reply)],
    }
}

fn archive() -> ArchiveStatus {
    ArchiveStatus {
        name: name(),
        uuid: Uuid::default(),
        volume: "/dev/sda".into(),
        state: VolumeState::ReadOnly,
        why: String::new(),
        action: String::new(),
        mode: Mode::Ring,
        block_bytes: 1 << 20,
        slots: 9,
        oldest: 0,
        head: 1,
        durable: 1,
        epoch: 1,
        tracks: 1,
        quarantined: 0,
        tail_discarded: 0,
    }
}

fn info() -> ArchiveInfo {
    let volume = VolumeFacts {
        form: VolumeForm::Partition,
        size_bytes: 1 << 30,
        logical_sector_bytes: 512,
        physical_sector_bytes: 4096,
        alignment_bytes: 512,
        flush: FlushClass::WriteBack,
        fua: true,
        discard_bytes: 0,
        removable: true,
        erase_bytes: 4 << 20,
        starts_at_bytes: 0,
        serial: "S1".into(),
        same_as: 7,
    };
    let track = |tip| TrackInfo {
        origin: Uuid::default(),
        camera: name(),
        kind: Kind::Audio,
        next: 1,
        tip,
        last_utc_ns: 0,
        back_filled: 0,
    };
    ArchiveInfo {
        archive: archive(),
        volume: Some(volume),
        tracks: vec![track(None), track(Some(Digest::default()))],
        scrub: ScrubInfo {
            rate_bytes: Some(1),
            ..ScrubInfo::default()
        },
    }
}

fn recorder() -> RecorderStatus {
    RecorderStatus {
        name: name(),
        archive: name(),
        camera: name(),
        kind: Kind::Metadata,
        listen: "/run/lobby.sock".into(),
        why: String::new(),
        blocks: 1,
        bytes: 1,
        dropped_bytes: 0,
        drops: 0,
    }
}

fn plan() -> JobPlan {
    let hours: Timetable = serde_json::from_value(json!({ "week": "mon-fri 08:00-18:00", "zone": "Europe/Berlin" })).unwrap();
    JobPlan {
        schedule: Some(Schedule {
            every_ms: None,
            cron: Some(serde_json::from_value(json!({ "expression": "0 2 * * *", "zone": "UTC" })).unwrap()),
        }),
        filter: Filter {
            kinds: vec![Kind::Video],
            from_utc_ns: Some(1),
            to_utc_ns: Some(2),
            key_frames: true,
            has: vec![name()],
            lacks: vec!["done".parse().unwrap()],
        },
        after: After {
            tag: vec![name()],
            untag: vec![name()],
        },
        period: Period::Timetable { hours: hours.clone() },
        delay_ms: 1,
        frozen: true,
        rates: vec![Rate {
            bytes_a_second: 1,
            hours: Some(hours),
        }],
    }
}

fn run() -> RunRecord {
    RunRecord {
        run: Uuid([1; 16]),
        of: name(),
        to: "nvr/main".into(),
        incoming: false,
        begun_utc_ns: 1,
        ended_utc_ns: 2,
        result: RunResult::Completed,
        blocks: 1,
        bytes: 1,
        duplicates: 0,
        gaps: 0,
        retries: 0,
    }
}

fn job() -> JobStatus {
    JobStatus {
        name: name(),
        from: name(),
        to: "nvr/main".into(),
        cameras: vec![name()],
        tenants: vec![name()],
        mode: JobMode::OnDemand,
        plan: plan(),
        state: JobState::CatchingUp,
        why: String::new(),
        action: String::new(),
        link: LinkState::Active,
        route: "nvr:7440".into(),
        lag_ms: 1,
        backlog_blocks: 1,
        backlog_bytes: 1,
        overrun_ms: Some(1),
        rate_bytes: 1,
        blocks: 1,
        bytes: 1,
        duplicates: 0,
        back_filled: 1,
        full: Some(FullRun::default()),
        gaps: 0,
        filtered: 0,
        retries: 0,
        run: 1,
        run_id: Some(Uuid([1; 16])),
        run_total_blocks: 1,
        run_blocks: 1,
        next_run_utc_ns: Some(1),
    }
}

fn appliance() -> Vec<Sample> {
    let identity = Identity {
        fingerprint: "ab".repeat(32).parse().unwrap(),
        version: "0.1.0".into(),
        protocol: 1,
        listening: vec!["0.0.0.0:7440".into()],
    };
    let status = Status {
        utc_ns: 1,
        clock: ClockQuality::Synchronized,
        up_ms: 1,
        memory_bytes: 1,
        memory_used_bytes: 1,
        hauling: true,
        archives: vec![archive()],
        recorders: vec![recorder()],
        jobs: vec![
            job(),
            JobStatus {
                overrun_ms: None,
                full: None,
                ..job()
            },
        ],
        incoming: vec![IncomingStatus {
            peer: name(),
            archive: "main".into(),
            address: "1.2.3.4:5".into(),
            blocks: 1,
            bytes: 1,
            back_filled: 1,
        }],
        guards: vec![retention::guard()],
    };
    let event = EventRecord {
        number: 1,
        utc_ns: 1,
        code: "gap".into(),
        severity: Severity::Critical,
        subject: "lobby".into(),
        sentence: "Something is missing.".into(),
        run: Some(Box::new(run())),
    };
    let check = Check {
        what: "clock".into(),
        right: true,
        found: "synchronized".into(),
        action: String::new(),
    };
    let events = EventsCall { follow: true, since: 3 };
    let stop = StopCall {
        now: true,
        drain: vec!["lobby".into()],
        timeout_ms: Some(1),
    };
    vec![
        plain("io.blockhaul.Appliance.Identity", Nothing {}, identity),
        plain("io.blockhaul.Appliance.Status", Nothing {}, status),
        plain("io.blockhaul.Appliance.Doctor", Nothing {}, Doctor { checks: vec![check] }),
        with_least("io.blockhaul.Appliance.Events", events, json!({}), event),
        with_least("io.blockhaul.Appliance.Stop", stop, json!({}), Nothing {}),
    ]
}

fn device() -> Vec<Sample> {
    let disk = DeviceFacts {
        path: "/dev/sda".into(),
        form: VolumeForm::Disk,
        model: "ACME".into(),
        serial: "S1".into(),
        size_bytes: 1,
        logical_sector_bytes: 512,
        physical_sector_bytes: 512,
        flush: FlushClass::Unknown,
        fua: false,
        discard_bytes: 0,
        removable: true,
        read_only: false,
        held_by: String::new(),
        health: String::new(),
    };
    let nic = NicFacts {
        name: "eth0".into(),
        up: true,
        speed_mbit: 1_000,
        mtu_bytes: 1_500,
        addresses: vec!["10.0.0.1/24".into()],
        hardware: String::new(),
        received_bytes: 1,
        sent_bytes: 1,
        errors: 0,
    };
    let rate = NicRate {
        name: "eth0".into(),
        rates: plan().rates,
    };
    let listed = Devices {
        disks: vec![disk],
        nics: vec![nic],
        rates: vec![rate.clone()],
    };
    vec![
        plain("io.blockhaul.Device.List", Nothing {}, listed),
        with_least("io.blockhaul.Device.SetRate", rate, json!({ "name": "eth0" }), Nothing {}),
    ]
}

fn recorders() -> Vec<Sample> {
    let create = RecorderCreate {
        name: name(),
        archive: name(),
        camera: name(),
        kind: Kind::Video,
        listen: "/run/lobby.sock".into(),
        flush_after_ms: 10_000,
    };
    let record = RecordCall {
        archive: name(),
        camera: name(),
        kind: Kind::Video,
        flush_after_ms: 10_000,
    };
    let least = json!({ "name": "r1", "archive": "card", "camera": "lobby", "listen": "/run/lobby.sock" });
    let least_record = json!({ "archive": "card", "camera": "lobby" });
    vec![
        with_least("io.blockhaul.Recorder.Create", create, least, Nothing {}),
        plain(
            "io.blockhaul.Recorder.List",
            Nothing {},
            Recorders {
                recorders: vec![recorder()],
            },
        ),
        plain("io.blockhaul.Recorder.Remove", Named { name: name() }, Nothing {}),
        with_least("io.blockhaul.Recorder.Record", record, least_record, Recorded::default()),
    ]
}

fn pairing() -> Vec<Sample> {
    let key = "ab".repeat(32);
    let routes = vec![
        Route {
            host: "nvr".into(),
            port: 7440,
            nic: None,
        },
        Route {
            host: "::1".into(),
            port: 7440,
            nic: Some("eth0".into()),
        },
    ];
    let peer = Peer {
        name: name(),
        routes,
        key: key.parse().unwrap(),
    };
    let least_peer = json!({ "name": "nvr", "key": key });
    let create = GrantCreate {
        peer: name(),
        archive: name(),
        cameras: vec![name()],
        tenants: vec![name()],
    };
    let grant = GrantInfo {
        id: "4f".into(),
        peer: name(),
        archive: name(),
        cameras: vec![name()],
        tenants: vec![name()],
    };
    let created = GrantCreated {
        id: "4f".into(),
        token: "5a".repeat(32),
    };
    vec![
        with_least("io.blockhaul.Peer.Add", peer.clone(), least_peer, Nothing {}),
        plain("io.blockhaul.Peer.List", Nothing {}, Peers { peers: vec![peer] }),
        plain("io.blockhaul.Peer.Remove", Named { name: name() }, Nothing {}),
        with_least(
            "io.blockhaul.Grant.Create",
            create,
            json!({ "peer": "nvr", "archive": "main" }),
            created,
        ),
        plain("io.blockhaul.Grant.List", Nothing {}, Grants { grants: vec![grant] }),
        plain("io.blockhaul.Grant.Revoke", GrantRevoke { id: "4f".into() }, Nothing {}),
    ]
}

fn jobs() -> Vec<Sample> {
    let create = JobCreate {
        name: Some(name()),
        from: name(),
        peer: name(),
        archive: name(),
        cameras: vec![name()],
        tenants: vec![name()],
        mode: JobMode::Always,
        plan: plan(),
        full: true,
        token: "5a".repeat(32),
    };
    let least = json!({ "from": "card", "peer": "nvr", "archive": "main", "mode": "always", "token": "5a".repeat(32) });
    let order = JobRun {
        name: name(),
        full: true,
        dry_run: true,
        wait: true,
        timeout_ms: Some(1),
        period: Some(Period::Last {
            duration_ms: 1,
            offset_ms: 1,
        }),
        bounds: Bounds {
            blocks: Some(1),
            below: Some(1),
            event: Some("gap".into()),
            mark: Some(name()),
        },
    };
    let switch = JobSwitch {
        name: name(),
        mode: Some(JobMode::Always),
        plan: Some(plan()),
    };
    let history = History { runs: vec![run()] };
    let started = RunStarted {
        run: 1,
        joined: false,
        result: Some(RunResult::Partial),
        full: Some(FullRun::default()),
    };
    let wait = JobWait {
        name: name(),
        wait_for: WaitFor::CaughtUp,
        timeout_ms: Some(1),
    };
    let least_wait = json!({ "name": "lobby", "wait_for": "idle" });
    let named = || Named { name: name() };
    vec![
        with_least("io.blockhaul.Job.Create", create, least, JobShown { job: job() }),
        plain("io.blockhaul.Job.List", Nothing {}, Jobs { jobs: vec![job()] }),
        plain("io.blockhaul.Job.Show", named(), JobShown { job: job() }),
        with_least("io.blockhaul.Job.Run", order, json!({ "name": "lobby" }), started),
        with_least("io.blockhaul.Job.Wait", wait, least_wait, Nothing {}),
        plain("io.blockhaul.Job.Stop", named(), Nothing {}),
        with_least(
            "io.blockhaul.Job.History",
            HistoryCall { name: Some(name()) },
            json!({}),
            history,
        ),
        with_least(
            "io.blockhaul.Job.Switch",
            switch,
            json!({ "name": "lobby" }),
            JobShown { job: job() },
        ),
        plain("io.blockhaul.Job.Freeze", named(), JobShown { job: job() }),
        plain("io.blockhaul.Job.Thaw", named(), JobShown { job: job() }),
        plain("io.blockhaul.Job.ReleaseHeld", named(), Nothing {}),
        plain("io.blockhaul.Job.Enable", named(), Nothing {}),
        plain("io.blockhaul.Job.Disable", named(), Nothing {}),
        plain("io.blockhaul.Job.Delete", named(), Nothing {}),
        plain("io.blockhaul.Job.Kick", named(), Nothing {}),
    ]
}

/// All methods.
pub fn samples() -> Vec<Sample> {
    [
        appliance(),
        device(),
        archives::samples(),
        cards::samples(),
        recorders(),
        pairing(),
        jobs(),
        operating::configuration(),
        operating::macros(),
        operating::service(),
        retention::retention(),
        notes::tags(),
        notes::marks(),
        presence::samples(),
        tenants::samples(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
