//! Exit codes, and what is said beside them, against a server with canned answers.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod canned;

use std::time::{Duration, Instant};

use canned::{Ended, Script, Server, answer, blockhaul, refusal};
use serde_json::json;

#[test]
fn no_socket_is_13_and_says_how_to_start_the_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("control.sock");
    let run = |words: &str| Ended::from(blockhaul(words).arg("--socket").arg(&socket).output().unwrap());
    let ended = run("status");
    assert_eq!((ended.code, ended.out.as_str()), (13, ""));
    assert!(
        ended
            .err
            .starts_with("blockhaul: The daemon cannot be reached: there is no socket at "),
        "{ended:?}"
    );
    assert!(
        ended.err.contains("next: Start it with `blockhauld --state DIR --socket "),
        "{ended:?}"
    );

    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let ended = run("job list");
    assert_eq!(ended.code, 13);
    assert!(ended.err.contains("nobody listens"), "{ended:?}");

    let ended = run("--json job list");
    assert_eq!((ended.code, ended.err.as_str()), (13, ""));
    assert_eq!(ended.object()["error"]["code"], "Unreachable");
}

#[test]
fn every_refusal_has_its_code() {
    for (code, exit) in [
        ("Failed", 1),
        ("Usage", 2),
        ("NotFound", 10),
        ("Busy", 11),
        ("Refused", 12),
        ("Damaged", 14),
        ("TimedOut", 124),
    ] {
        let server = Server::start(move |_, _| Script::Answers(vec![refusal(code)]));
        let ended = server.run("job show lobby");
        assert_eq!((ended.code, ended.out.as_str()), (exit, ""), "{code}");
        assert_eq!(ended.err, format!("blockhaul: It is {code}.\nnext: Do something else.\n"));
        let ended = server.run("job show lobby --json");
        let object = ended.object();
        assert_eq!((ended.code, ended.err.as_str()), (exit, ""));
        assert_eq!(object["error"]["exit"], exit);
        assert_eq!(object["error"]["sentence"], format!("It is {code}."));
    }
}

#[test]
fn a_command_line_that_makes_no_sense_is_2() {
    for words in [
        "fly",
        "archive create Card --volume x",
        "job create --from a --to b --mode always",
        "",
    ] {
        let ended = Ended::from(blockhaul(words).output().unwrap());
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{words}: {ended:?}");
        assert!(!ended.err.is_empty());
    }
    let ended = Ended::from(blockhaul("--json peer add nvr --key 12").output().unwrap());
    assert_eq!((ended.code, ended.err.as_str()), (2, ""));
    let error = &ended.object()["error"];
    assert_eq!(error["code"], "Usage");
    assert!(
        error["sentence"].as_str().unwrap().contains("64 hexadecimal digits"),
        "{error}"
    );
    let ended = Ended::from(blockhaul("--help").output().unwrap());
    assert_eq!(ended.code, 0);
    let ended = Ended::from(blockhaul("--version").output().unwrap());
    assert_eq!((ended.code, ended.out.starts_with("blockhaul ")), (0, true));
}

#[test]
fn a_daemon_that_goes_away_is_13_and_one_that_babbles_is_1() {
    let server = Server::start(|_, _| Script::Close);
    assert_eq!(server.run("archive list").code, 13);
    for bytes in [&b"hello\0"[..], b"{\"parameters\":{}}\0", b"{\"parameters\":7}\0", b"\0"] {
        let server = Server::start(move |_, _| Script::Raw(bytes.to_vec()));
        let ended = server.run("archive list");
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.err.contains("io.blockhaul.Archive.List is not understood"), "{ended:?}");
    }
}

#[test]
fn verify_that_finds_damage_is_14() {
    let damaged = json!({ "log_sequence": 7, "why": "the payload is not the one that was written" });
    let at = |blocks: u64| json!({ "blocks": blocks, "total": 9, "good": blocks - 1, "damaged": [damaged], "damaged_count": 1 });
    let answers = vec![
        json!({ "continues": true, "parameters": at(3) }),
        json!({ "parameters": at(9) }),
    ];
    let server = Server::start(move |_, _| Script::Answers(answers.clone()));
    let ended = server.run("archive verify card");
    assert_eq!(ended.code, 14);
    assert!(
        ended.out.contains("1 block of archive card is damaged; 8 whole."),
        "{ended:?}"
    );
    assert_eq!(
        server.call(),
        json!({ "method": "io.blockhaul.Archive.Verify", "parameters": { "name": "card" }, "more": true })
    );

    let ended = server.run("archive verify card --json");
    assert_eq!((ended.code, ended.out.lines().count()), (14, 2), "{ended:?}");

    let whole = json!({ "blocks": 9, "total": 9, "good": 9, "damaged": [], "damaged_count": 0 });
    assert_eq!(Server::always(whole).run("archive verify card").code, 0);
}

#[test]
fn a_run_that_ends_in_part_is_3() {
    for (result, exit) in [("completed", 0), ("partial", 3), ("aborted", 1)] {
        let server = Server::start(move |method, _| match method {
            "io.blockhaul.Job.Run" => answer(json!({ "run": 4, "joined": true, "result": result })),
            _ => Script::Close,
        });
        let ended = server.run("job run lobby --wait --timeout 5m");
        assert_eq!(
            (ended.code, ended.out),
            (exit, format!("Run 4 of job lobby has ended: {result}.\n"))
        );
        assert_eq!(
            server.call()["parameters"],
            json!({ "name": "lobby", "full": false, "wait": true, "timeout_ms": 300_000 })
        );
    }
    let ended = Server::always(json!({ "run": 4, "joined": false })).run("job run lobby");
    assert_eq!(ended.code, 0);
    assert!(ended.out.starts_with("Run 4 of job lobby has begun."), "{ended:?}");
}

#[test]
fn a_wait_whose_time_is_over_is_124_even_if_the_daemon_does_not_say_so() {
    let server = Server::start(|method, _| match method {
        "io.blockhaul.Job.Wait" => Script::Late(Duration::from_secs(60), json!({ "parameters": {} })),
        _ => Script::Answers(vec![refusal("NotFound")]),
    });
    let begun = Instant::now();
    let ended = server.run("job wait lobby --for caught-up --timeout 1s");
    assert_eq!(ended.code, 124, "{ended:?}");
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn doctor_works_without_the_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("none.sock");
    let ended = Ended::from(blockhaul("doctor").arg("--socket").arg(&socket).output().unwrap());
    assert_eq!(ended.code, 13, "{ended:?}");
    for what in [
        "kernel",
        "io_uring",
        "locked memory",
        "huge pages",
        "clock",
        "daemon",
        "blockhauld --state DIR",
    ] {
        assert!(ended.out.contains(what), "{what}: {ended:?}");
    }
    let wrong = json!({ "what": "clock", "right": false, "found": "12 s off", "action": "Start a time service." });
    let server = Server::always(json!({ "checks": [wrong] }));
    let ended = server.run("doctor --json");
    assert_eq!(ended.code, 1, "{ended:?}");
    let checks = ended.object()["checks"].as_array().unwrap().clone();
    let clocks: Vec<_> = checks.iter().filter(|check| check["what"] == "clock").collect();
    assert_eq!(clocks, [&wrong]);
}

#[test]
fn stop_completions_and_manual() {
    let server = Server::always(json!({}));
    let ended = server.run("stop");
    assert_eq!((ended.code, ended.out.as_str()), (0, "The daemon is stopping.\n"));
    for shell in ["bash", "zsh", "fish"] {
        let ended = server.run(&format!("completions {shell}"));
        assert_eq!(ended.code, 0);
        assert!(ended.out.contains("caught-up") && ended.out.contains("recorder"), "{shell}");
    }
    assert_eq!(server.run("man pages").code, 0);
    let page = std::fs::read_to_string(server.path("pages/blockhaul-archive-create.1")).unwrap();
    assert!(page.contains("destroy"));
}
