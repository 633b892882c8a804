//! The bytes of `record` and `export`, the lines of `events`, and what happens when one side ends early.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod canned;

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::{Duration, Instant};

use canned::{Ended, Script, Server, refusal};
use serde_json::{Value, json};

fn media() -> Vec<u8> {
    (0..1_000_000u32)
        .map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

/// What an export answers: an empty answer, the media in chunks, and the last answer.
fn chunks(media: &[u8], last: &Value) -> Vec<u8> {
    let mut bytes = b"{\"parameters\":{}}\0".to_vec();
    for chunk in media.chunks(65_537) {
        bytes.extend(u32::try_from(chunk.len()).unwrap().to_le_bytes());
        bytes.extend(chunk);
    }
    bytes.extend(0u32.to_le_bytes());
    bytes.extend(serde_json::to_vec(last).unwrap());
    bytes.push(0);
    bytes
}

fn exported(missing: u64, damaged: u64) -> Value {
    json!({ "parameters": { "blocks": 16, "bytes": 1_000_000, "missing": missing, "damaged": damaged } })
}

#[test]
fn record_sends_every_byte_of_a_file_and_of_a_pipe() {
    let recorded = json!({ "parameters": { "blocks": 1, "bytes": 1_000_000, "dropped_bytes": 0 } });
    let server = Server::start(move |_, _| Script::Take(recorded.clone()));
    std::fs::write(server.path("film.ts"), media()).unwrap();
    let ended = server.run("record --archive card --camera lobby --input film.ts --flush-after 5s");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(
        ended.out,
        "Recorded 976.6 KiB of camera lobby in 1 block of archive card; all of it is durable.\n"
    );
    assert!(*server.seen.bytes.lock().unwrap() == media());
    let parameters = json!({ "archive": "card", "camera": "lobby", "kind": "video", "flush_after_ms": 5_000 });
    assert_eq!(
        server.call(),
        json!({ "method": "io.blockhaul.Recorder.Record", "parameters": parameters, "upgrade": true })
    );

    server.seen.bytes.lock().unwrap().clear();
    let ended = server.run_with("record --archive card --camera lobby --json", &media());
    assert_eq!((ended.code, ended.object()["blocks"].as_u64()), (0, Some(1)));
    assert!(*server.seen.bytes.lock().unwrap() == media());
}

#[test]
fn a_recording_that_dropped_something_is_3() {
    let recorded = json!({ "parameters": { "blocks": 1, "bytes": 10, "dropped_bytes": 4096 } });
    let server = Server::start(move |_, _| Script::Take(recorded.clone()));
    let ended = server.run_with("record --archive card --camera lobby", b"0123456789");
    assert_eq!(ended.code, 3);
    assert!(ended.out.contains("4.0 KiB were dropped"), "{ended:?}");
}

#[test]
fn an_early_refusal_ends_a_recording_whose_input_goes_on() {
    let server = Server::start(|_, _| Script::Answers(vec![refusal("NotFound")]));
    // Standard input stays open and says nothing.
    let mut child = server
        .command("record --archive card --camera lobby")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let open = child.stdin.take();
    let begun = Instant::now();
    let ended = Ended::from(child.wait_with_output().unwrap());
    drop(open);
    assert_eq!(ended.code, 10, "{ended:?}");
    assert!(begun.elapsed() < Duration::from_secs(10));
    // And one that is full of bytes.
    assert_eq!(server.run_with("record --archive card --camera lobby", &media()).code, 10);
}

#[test]
fn a_recording_without_input_asks_the_daemon_for_nothing() {
    let server = Server::always(json!({}));
    let ended = server.run("record --archive card --camera lobby --input nowhere.ts");
    assert_eq!(ended.code, 10);
    assert!(ended.err.contains("nowhere.ts cannot be read"), "{ended:?}");
    assert!(server.seen.calls.lock().unwrap().is_empty());
}

#[test]
fn an_export_is_the_same_bytes_in_a_file_and_in_a_pipe() {
    let server = Server::start(|_, _| Script::Raw(chunks(&media(), &exported(0, 0))));
    let ended =
        server.run("export --archive main --camera lobby --from 2026-11-21T10:00:00Z --to 2026-11-21T11:00:00Z -o out.ts");
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (0, "Exported 976.6 KiB of camera lobby (16 blocks) to out.ts.\n"),
        "{ended:?}"
    );
    assert!(std::fs::read(server.path("out.ts")).unwrap() == media());
    assert!(!server.path("out.ts.part").exists());
    let call = server.call();
    assert_eq!(call["upgrade"], true);
    let parameters = &call["parameters"];
    assert_eq!(
        parameters["to_utc_ns"].as_i64().unwrap() - parameters["from_utc_ns"].as_i64().unwrap(),
        3_600_000_000_000
    );

    let output = server.command("export --archive main --camera lobby").output().unwrap();
    assert!(output.status.success() && output.stdout == media());
    let output = server
        .command("export --archive main --camera lobby --json")
        .output()
        .unwrap();
    assert!(output.stdout == media());
    let told: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(told["blocks"], 16);
}

#[test]
fn an_export_replaces_nothing_unless_it_is_told_to() {
    let server = Server::start(|_, _| Script::Raw(chunks(&media(), &exported(0, 0))));
    std::fs::write(server.path("out.ts"), "precious").unwrap();
    let ended = server.run("export --archive main --camera lobby -o out.ts");
    assert_eq!(ended.code, 12);
    assert!(ended.err.contains("out.ts exists"), "{ended:?}");
    assert_eq!(std::fs::read(server.path("out.ts")).unwrap(), b"precious");
    assert!(server.seen.calls.lock().unwrap().is_empty());
    assert_eq!(server.run("export --archive main --camera lobby -o out.ts --force").code, 0);
    assert!(std::fs::read(server.path("out.ts")).unwrap() == media());
}

#[test]
fn an_export_with_holes_is_3_and_keeps_what_there_is() {
    for (missing, damaged) in [(1, 0), (0, 1)] {
        let server = Server::start(move |_, _| Script::Raw(chunks(&media(), &exported(missing, damaged))));
        let ended = server.run("export --archive main --camera lobby -o out.ts");
        assert_eq!(ended.code, 3, "{ended:?}");
        assert!(server.path("out.ts").exists());
    }
}

#[test]
fn an_export_that_fails_leaves_no_file() {
    let cut = || chunks(&media(), &exported(0, 0))[..500_000].to_vec();
    let late = || chunks(&media(), &refusal("Damaged"));
    // No chunk at all, and the last answer without the end of chunks before it.
    let bare = || {
        [
            b"{\"parameters\":{}}\0".to_vec(),
            serde_json::to_vec(&refusal("Busy")).unwrap(),
            vec![0],
        ]
        .concat()
    };
    let early = || [serde_json::to_vec(&refusal("NotFound")).unwrap(), vec![0]].concat();
    let mad = || [b"{\"parameters\":{}}\0".to_vec(), vec![0xff; 8]].concat();
    for (bytes, exit) in [(late(), 14), (bare(), 11), (early(), 10), (mad(), 1)] {
        let server = Server::start(move |_, _| Script::Raw(bytes.clone()));
        let ended = server.run("export --archive main --camera lobby -o out.ts");
        assert_eq!(ended.code, exit, "{ended:?}");
        assert_eq!(
            std::fs::read_dir(server.folder.path()).unwrap().count(),
            1,
            "only the socket is there"
        );
    }
    // The connection is lost in the middle of a chunk.
    let folder = tempfile::tempdir().unwrap();
    let listener = std::os::unix::net::UnixListener::bind(folder.path().join("control.sock")).unwrap();
    let lost = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        BufReader::new(stream.try_clone().unwrap())
            .read_until(0, &mut Vec::new())
            .unwrap();
        std::io::Write::write_all(&mut stream, &cut()).unwrap();
    });
    let mut command = canned::blockhaul("export --archive main --camera lobby -o out.ts --socket control.sock");
    let ended = Ended::from(command.current_dir(folder.path()).output().unwrap());
    lost.join().unwrap();
    assert_eq!(ended.code, 13, "{ended:?}");
    assert!(!folder.path().join("out.ts").exists() && !folder.path().join("out.ts.part").exists());
}

#[test]
fn an_export_of_nothing_is_an_empty_file() {
    let server = Server::start(|_, _| {
        let last = json!({ "parameters": { "blocks": 0, "bytes": 0, "missing": 0, "damaged": 0 } });
        Script::Raw(chunks(&[], &last))
    });
    assert_eq!(server.run("export --archive main --camera lobby -o out.ts").code, 0);
    assert_eq!(std::fs::metadata(server.path("out.ts")).unwrap().len(), 0);
}

fn event(number: u64) -> Value {
    json!({
        "number": number, "utc_ns": 1_795_255_203_000_000_000i64, "code": "gap", "severity": "critical",
        "subject": "lobby", "sentence": "track sequences 4 to 8 are missing\u{1b}[2J",
    })
}

#[test]
fn events_come_line_by_line() {
    let answers = vec![
        json!({ "continues": true, "parameters": event(1) }),
        json!({ "parameters": event(2) }),
    ];
    let server = Server::start(move |_, _| Script::Answers(answers.clone()));
    let ended = server.run("events --since 1");
    assert_eq!(ended.code, 0);
    let second = "2026-11-21 10:00:03      2  critical  lobby: track sequences 4 to 8 are missing\\u{1b}[2J";
    assert_eq!(ended.out.lines().nth(1), Some(second));
    let call = json!({ "method": "io.blockhaul.Appliance.Events", "parameters": { "follow": false, "since": 1 }, "more": true });
    assert_eq!(server.call(), call);

    let ended = server.run("events --json");
    let lines: Vec<Value> = ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, [event(1), event(2)]);
}

#[test]
fn a_reader_that_leaves_ends_the_command_quietly() {
    let answers: Vec<Value> = (1..20_000)
        .map(|number| json!({ "continues": true, "parameters": event(number) }))
        .collect();
    let server = Server::start(move |_, _| Script::Answers(answers.clone()));
    let mut child = server
        .command("events --follow")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!((child.wait().unwrap().code(), told.as_str()), (Some(0), ""));
    assert!(first.contains("critical"));
}
