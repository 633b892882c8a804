//! What each command asks the daemon for, and how its answer looks in JSON and in words.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod canned;

use canned::{Script, Server, answer};
use serde_json::{Value, json};

fn status() -> Value {
    json!({
        "utc_ns": 1_795_255_203_000_000_000i64, "clock": "synchronized", "up_ms": 5, "memory_bytes": 64 << 20, "memory_used_bytes": 0,
        "archives": [], "recorders": [], "jobs": [], "incoming": [],
    })
}

fn job() -> Value {
    json!({
        "name": "lobby", "from": "card", "to": "nvr/main", "cameras": ["lobby"], "mode": "always", "state": "waiting",
        "why": "nobody answers\u{7}", "action": "", "link": "retrying", "route": "nvr:7440", "lag_ms": 0, "backlog_blocks": 0,
        "backlog_bytes": 0, "overrun_ms": null, "rate_bytes": 0, "blocks": 0, "bytes": 0, "duplicates": 0, "gaps": 0, "retries": 0,
        "run": 0, "plan": {}, "filtered": 0, "run_id": null, "run_total_blocks": 0, "run_blocks": 0, "next_run_utc_ns": null,
    })
}

#[test]
fn orders_name_what_they_are_about() {
    let key = "ab".repeat(32);
    let colons = vec!["AB"; 32].join(":");
    for (words, method, parameters) in [
        ("recorder remove r1".into(), "Recorder.Remove", json!({ "name": "r1" })),
        ("peer remove nvr".into(), "Peer.Remove", json!({ "name": "nvr" })),
        ("grant revoke 4f".into(), "Grant.Revoke", json!({ "id": "4f" })),
        ("job enable lobby".into(), "Job.Enable", json!({ "name": "lobby" })),
        ("job disable lobby".into(), "Job.Disable", json!({ "name": "lobby" })),
        ("job delete lobby".into(), "Job.Delete", json!({ "name": "lobby" })),
        ("job kick lobby".into(), "Job.Kick", json!({ "name": "lobby" })),
        ("stop".into(), "Appliance.Stop", json!({})),
        (
            format!("peer add nvr --route nvr.example:7440%eth1 --route [::1]:1 --key {colons}"),
            "Peer.Add",
            json!({ "name": "nvr", "key": key, "routes": [
                { "host": "nvr.example", "port": 7440, "nic": "eth1" }, { "host": "::1", "port": 1 },
            ]}),
        ),
    ] {
        let server = Server::always(json!({}));
        let ended = server.run(&words);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{words}");
        assert_eq!(ended.out.lines().count(), 1, "{ended:?}");
        assert_eq!(
            server.call(),
            json!({ "method": format!("io.blockhaul.{method}"), "parameters": parameters })
        );
    }
}

#[test]
fn paths_reach_the_daemon_absolute() {
    let server = Server::always(json!({}));
    server.run("archive create card --volume card.img --size 2GiB --mode ring");
    let call = server.call();
    assert_eq!(call["parameters"]["volume"], server.path("card.img").to_str().unwrap());
    assert_eq!(call["parameters"]["size_bytes"], 2u64 << 30);
    assert_eq!(call["parameters"]["block_bytes"], 1 << 20);
    assert_eq!(call["parameters"]["mode"], "ring");

    let server = Server::always(json!({}));
    assert_eq!(
        server
            .run("recorder create r1 --archive card --camera lobby --listen unix:r1.sock")
            .code,
        0
    );
    assert_eq!(
        server.call()["parameters"]["listen"],
        server.path("r1.sock").to_str().unwrap()
    );
}

#[test]
fn a_dry_run_says_what_would_be_made() {
    let plan = json!({ "plan": "Nothing was written. It would be 9 blocks.", "slots": 9, "block_bytes": 1 << 20 });
    let server = Server::always(plan.clone());
    let ended = server.run("archive create card --volume card.img --dry-run");
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (0, "Nothing was written. It would be 9 blocks.\n")
    );
    assert_eq!(server.call()["parameters"]["dry_run"], true);
    let ended = Server::always(plan.clone()).run("archive create card --volume card.img --dry-run --json");
    assert_eq!(ended.object(), plan);
}

#[test]
fn a_token_is_printed_alone_so_that_it_can_be_kept() {
    let token = "5a".repeat(32);
    let server = Server::always(json!({ "id": "4f", "token": token }));
    let ended = server.run("grant create --peer cam7 --archive main --camera lobby");
    assert_eq!((ended.code, ended.out), (0, format!("{token}\n")));
    assert!(
        ended.err.contains("shown this once") && ended.err.contains("--token-file"),
        "{}",
        ended.err
    );
    assert_eq!(
        server.call()["parameters"],
        json!({ "peer": "cam7", "archive": "main", "cameras": ["lobby"] })
    );
}

#[test]
fn a_job_takes_its_token_from_a_file_or_a_pipe_and_never_shows_it() {
    let token = "5a".repeat(32);
    let server = Server::start(|_, _| answer(json!({ "job": job() })));
    let create = "job create --from card --to nvr/main --camera lobby --mode on-demand";

    let ended = server.run(create);
    assert_eq!(ended.code, 2);
    assert!(
        ended.err.contains("grant create") && ended.err.contains("--token-file"),
        "{ended:?}"
    );
    std::fs::write(server.path("token"), "5a5a secret").unwrap();
    let ended = server.run(&format!("{create} --token-file token"));
    assert_eq!((ended.code, ended.err.contains("secret")), (2, false), "{ended:?}");
    assert!(server.seen.calls.lock().unwrap().is_empty());

    let ended = server.run_with(&format!("{create} --token-file -"), format!("{token}\n").as_bytes());
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(!format!("{ended:?}").contains(&token));
    let expected = json!({
        "from": "card", "peer": "nvr", "archive": "main", "cameras": ["lobby"], "mode": "on-demand", "token": token,
    });
    assert_eq!(server.call()["parameters"], expected);
}

#[test]
fn json_is_the_answer_as_it_came() {
    let mut known = status();
    known["something_newer"] = json!({ "a": [1, 2] });
    let server = Server::always(known.clone());
    let ended = server.run("status --json");
    assert_eq!((ended.code, ended.object()), (0, known));

    let server = Server::always(json!({ "jobs": [job()] }));
    let ended = server.run("job list --json");
    assert_eq!(ended.object(), json!({ "jobs": [job()] }));
    assert!(!ended.out.contains('\u{7}'));
}

#[test]
fn a_state_that_is_not_good_has_a_why_and_a_do() {
    let ended = Server::always(json!({ "jobs": [job()] })).run("job list");
    let lines: Vec<&str> = ended.out.lines().collect();
    assert_eq!(lines[2], "  why: nobody answers\\u{7}");
    assert!(
        lines[3].starts_with("  do:  ") && lines[3].contains("blockhaul job kick lobby"),
        "{ended:?}"
    );
}

#[test]
fn colour_only_where_it_is_welcome() {
    let server = Server::always(json!({ "jobs": [job()] }));
    assert!(!server.run("job list").out.contains('\u{1b}'));
    assert!(server.run("job list --color always").out.contains('\u{1b}'));
    assert!(!server.run("job list --color never").out.contains('\u{1b}'));
}

#[test]
fn status_is_one_dump_without_a_terminal_and_many_with_watch() {
    let change = |up_ms: u64, continues: bool| {
        let mut parameters = status();
        parameters["up_ms"] = up_ms.into();
        json!({ "parameters": parameters, "continues": continues })
    };
    let server = Server::always(status());
    let ended = server.run("status");
    assert!(
        ended
            .out
            .starts_with("Nothing is hauled from here: there is no job.\n2026-11-21 10:00:03: up 5ms"),
        "{ended:?}"
    );
    assert_eq!(
        server.call(),
        json!({ "method": "io.blockhaul.Appliance.Status", "parameters": {} })
    );

    let server = Server::start(move |_, _| Script::Answers(vec![change(1, true), change(2, true), change(3, false)]));
    let ended = server.run("status --watch --json");
    assert_eq!((ended.code, ended.out.lines().count()), (0, 3));
    assert_eq!(server.call()["more"], true);
}

#[test]
fn waiting_ends_with_the_job_as_it_is() {
    let server = Server::start(|method, _| match method {
        "io.blockhaul.Job.Wait" => answer(json!({})),
        _ => {
            let mut job = job();
            job["state"] = "caught-up".into();
            answer(json!({ "job": job }))
        }
    });
    let ended = server.run("job wait lobby --for caught-up --timeout 60s");
    assert_eq!((ended.code, ended.out.as_str()), (0, "lobby: caught-up.\n"));
    let calls = server.seen.calls.lock().unwrap().clone();
    let wait = json!({ "name": "lobby", "wait_for": "caught-up", "timeout_ms": 60_000 });
    assert_eq!(calls[0], json!({ "method": "io.blockhaul.Job.Wait", "parameters": wait }));
    assert_eq!(calls[1]["method"], "io.blockhaul.Job.Show");
}
