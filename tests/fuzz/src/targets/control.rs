//! Calls of control clients, to a real appliance.
//!
//! An input is messages that end with NUL, as on the control socket, each behind a byte: bits 0 and 1 are the role of the
//! client, 2 and 3 its number, bit 6 lets it leave first, bit 7 lets time pass afterwards. The digits `0` to `>` are calls and
//! nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use blockhaul_core::control::types::Call;
use hal::{ClientId, Role};
use serde_json::{Value, json};

use crate::desk::{BLOCK_BYTES, VOLUME, begin};
use crate::{Seed, Target, heap};

/// The target.
pub const TARGET: Target = Target {
    name: "control",
    what: "calls of control clients, to a real appliance",
    longest: 1024,
    check: |input| {
        // Made before anything is counted.
        begin();
        heap::of_appliance(|| check(input));
    },
    seeds,
    words: &[
        "{\\x22method\\x22:\\x22io.blockhaul.",
        "\\x22parameters\\x22:{",
        "\\x22more\\x22:true",
        "\\x22oneway\\x22:true",
        "\\x22upgrade\\x22:true",
        "Appliance.",
        "Archive.",
        "Device.List",
        "Recorder.",
        "Peer.",
        "Grant.",
        "Job.",
        "Mark.",
        "Tag.",
        "Set",
        "Unset",
        "Scrub",
        "Compare",
        "Exists",
        "Statistics",
        "Restore",
        "Status",
        "Doctor",
        "Events",
        "Stop",
        "Create",
        "List",
        "Info",
        "Verify",
        "Export",
        "Gaps",
        "Record",
        "Remove",
        "Add",
        "Revoke",
        "Show",
        "Wait",
        "Run",
        "Enable",
        "Disable",
        "Kick",
        "Release",
        "Guard",
        "Retention.",
        "Set",
        "Delete",
        "Macro.",
        "Test",
        "Config.",
        "Apply",
        "Service.",
        "Switch",
        "\\x22name\\x22:",
        "\\x22yard\\x22",
        "\\x22gate\\x22",
        "\\x22north\\x22",
        "\\x22up\\x22",
        "\\x22archive\\x22:",
        "\\x22camera\\x22:",
        "\\x22kind\\x22:",
        "\\x22volume\\x22:",
        "\\x22size_bytes\\x22:",
        "\\x22block_bytes\\x22:",
        "\\x22mode\\x22:",
        "\\x22destroy\\x22:",
        "\\x22dry_run\\x22:",
        "\\x22timeout_ms\\x22:",
        "\\x22wait_for\\x22:",
        "\\x22flush_after_ms\\x22:",
        "\\x22from_utc_ns\\x22:",
        "\\x22to_utc_ns\\x22:",
        "\\x22since\\x22:",
        "\\x22follow\\x22:",
        "18446744073709551615",
        "-9223372036854775808",
    ],
};

/// What passes when time does.
const WHILE: Duration = Duration::from_secs(3);
/// Calls of one input: more would only make it slow.
const CALLS_MAX: usize = 16;

fn check(input: &[u8]) {
    let (mut desk, _) = begin();
    let mut due: BTreeMap<ClientId, usize> = BTreeMap::new();
    let mut answers: BTreeMap<ClientId, usize> = BTreeMap::new();
    for piece in input.split(|byte| *byte == 0).take(CALLS_MAX) {
        let Some((&how, message)) = piece.split_first() else {
            continue;
        };
        let client = ClientId(u64::from(how >> 2 & 3));
        let role = match how & 3 {
            0 => Role::Read,
            1 => Role::Operate,
            _ => Role::Admin,
        };
        if how & 0x40 != 0 {
            desk.leave(client);
        }
        *due.entry(client).or_default() += answers_due(message);
        desk.call(client, role, message);
        if how & 0x80 != 0 {
            desk.pass(WHILE);
        }
        count(&desk.replies, &mut answers);
        desk.replies.clear();
    }
    desk.pass(WHILE);
    count(&desk.replies, &mut answers);
    for (client, answers) in answers {
        let due = due.get(&client).copied().unwrap_or(0);
        assert!(answers <= due, "{answers} last answers where {due} were due to one client");
    }
}

/// Last answers that a call may have: an export is answered when it begins, and again when it ends; who wants none gets none, unless
/// the connection is handed over.
fn answers_due(message: &[u8]) -> usize {
    match serde_json::from_slice::<Call>(message) {
        Ok(call) if call.oneway && !call.upgrade => 0,
        Ok(call) if call.method == "io.blockhaul.Archive.Export" => 2,
        Ok(_) | Err(_) => 1,
    }
}

/// Answers that are the last to a call; each must be one as clients know it.
fn count(replies: &[(ClientId, Value)], answers: &mut BTreeMap<ClientId, usize>) {
    for (client, reply) in replies {
        assert!(reply["parameters"].is_object(), "an answer without parameters: {reply}");
        if let Some(error) = reply.get("error") {
            let error = error.as_str().unwrap_or_default();
            assert!(
                error.starts_with("io.blockhaul.") || error.starts_with("org.varlink.service."),
                "{reply}"
            );
        }
        if error_of_ours(reply) {
            let sentence = |key: &str| reply["parameters"][key].as_str().is_some_and(|text| !text.is_empty());
            assert!(sentence("sentence") && sentence("next"), "an error without words: {reply}");
        }
        if reply["continues"] != true {
            *answers.entry(*client).or_default() += 1;
        }
    }
}

fn error_of_ours(reply: &Value) -> bool {
    reply["error"]
        .as_str()
        .is_some_and(|error| error.starts_with("io.blockhaul."))
}

/// One call of each method, with parameters that make sense here.
fn calls() -> Vec<(&'static str, Value)> {
    let yard = || json!({ "name": "yard" });
    let up = || json!({ "name": "up" });
    vec![
        ("Appliance.Identity", json!({})),
        ("Appliance.Status", json!({})),
        ("Appliance.Doctor", json!({})),
        ("Appliance.Events", json!({ "follow": true, "since": 1 })),
        ("Appliance.Stop", json!({ "drain": [""], "timeout_ms": 1000 })),
        ("Device.List", json!({})),
        (
            "Archive.Create",
            json!({ "name": "vault", "volume": VOLUME, "block_bytes": BLOCK_BYTES, "mode": "ring", "destroy": "yard", "dry_run": false }),
        ),
        (
            "Archive.Open",
            json!({ "name": "found", "volume": VOLUME, "read_only": true }),
        ),
        ("Archive.List", json!({})),
        ("Archive.Info", yard()),
        ("Archive.Verify", yard()),
        (
            "Archive.Export",
            json!({ "archive": "yard", "camera": "gate", "from_utc_ns": 1, "to_utc_ns": i64::MAX }),
        ),
        ("Archive.Gaps", json!({ "archive": "yard", "camera": "gate" })),
        (
            "Archive.Exists",
            json!({ "archive": "yard", "camera": "gate", "from_utc_ns": 1, "to_utc_ns": 2 }),
        ),
        ("Archive.Statistics", json!({ "archive": "yard" })),
        ("Archive.Compare", json!({ "name": "yard", "with": "attic" })),
        ("Archive.Scrub", json!({ "name": "yard", "rate_bytes": 1_000_000 })),
        (
            "Tag.Set",
            json!({ "archive": "yard", "camera": "gate", "tag": "north", "from": 0, "to": 9 }),
        ),
        (
            "Tag.Unset",
            json!({ "archive": "yard", "camera": "gate", "tag": "north", "from_utc_ns": 1 }),
        ),
        ("Tag.List", json!({ "archive": "yard" })),
        ("Mark.Create", json!({ "archive": "yard", "name": "north" })),
        ("Mark.List", json!({ "archive": "yard" })),
        ("Mark.Wait", json!({ "archive": "yard", "name": "north", "timeout_ms": 1 })),
        ("Mark.Remove", json!({ "archive": "yard", "name": "north" })),
        (
            "Mark.Restore",
            json!({ "archive": "yard", "name": "north", "into": "attic", "dry_run": true }),
        ),
        (
            "Recorder.Create",
            json!({ "name": "hall", "archive": "yard", "camera": "hall", "kind": "audio", "listen": "/run/hall", "flush_after_ms": 1000 }),
        ),
        ("Recorder.List", json!({})),
        ("Recorder.Remove", json!({ "name": "gate" })),
        ("Recorder.Record", json!({ "archive": "yard", "camera": "hall" })),
        (
            "Peer.Add",
            json!({ "name": "west", "key": "b3".repeat(32), "routes": [{ "host": "west", "port": 7411, "nic": "eth0" }] }),
        ),
        ("Peer.List", json!({})),
        ("Peer.Remove", json!({ "name": "south" })),
        (
            "Grant.Create",
            json!({ "peer": "south", "archive": "yard", "cameras": ["gate"] }),
        ),
        ("Grant.List", json!({})),
        ("Grant.Revoke", json!({ "id": "1" })),
        (
            "Job.Create",
            json!({ "name": "west", "from": "yard", "peer": "south", "archive": "vault", "cameras": ["gate"], "mode": "on-demand", "token": "07".repeat(32) }),
        ),
        ("Job.List", json!({})),
        ("Job.Show", up()),
        ("Job.Run", json!({ "name": "up", "wait": true, "timeout_ms": 1000 })),
        (
            "Job.Wait",
            json!({ "name": "up", "wait_for": "caught-up", "timeout_ms": 1000 }),
        ),
        ("Job.Enable", up()),
        ("Job.Disable", up()),
        ("Job.Kick", up()),
        ("Job.Release", json!({ "name": "up", "dry_run": false })),
        ("Job.Guard", up()),
        ("Retention.Show", json!({ "archive": "yard" })),
        (
            "Retention.Set",
            json!({
                "archive": "yard", "dry_run": false,
                "retention": { "remove_after_success": true, "protect": true, "count": "only", "jobs": ["up"], "min_bytes": 65536 },
            }),
        ),
        ("Job.Delete", up()),
        (
            "Macro.Create",
            json!({ "name": "up", "on": "run-started", "subject": "up", "steps": ["run up last 1h", "if yard/gate there last 1h", "start beep", "wait 1s", "disable up"] }),
        ),
        ("Macro.List", json!({})),
        ("Macro.Test", json!({ "name": "up", "event": 1 })),
        ("Macro.Enable", up()),
        ("Macro.Disable", up()),
        ("Macro.Remove", up()),
        ("Config.Export", json!({ "secrets": true })),
        ("Config.Apply", json!({ "document": "version = 1\nhauling = false\n" })),
        ("Service.Switch", json!({ "on": false })),
        ("Service.Show", json!({})),
    ]
}

fn message(method: &str, parameters: &Value) -> Vec<u8> {
    let mut call = json!({ "method": format!("io.blockhaul.{method}"), "parameters": parameters });
    match method {
        "Appliance.Events" | "Archive.Verify" => call["more"] = json!(true),
        "Recorder.Record" | "Archive.Export" => call["upgrade"] = json!(true),
        _ => {}
    }
    call.to_string().into_bytes()
}

fn seeds() -> Vec<Seed> {
    let calls = calls();
    let admin = |message: &[u8]| [b"2", message].concat();
    let mut seeds: Vec<Seed> = calls
        .iter()
        .map(|(method, parameters)| (method.to_lowercase(), admin(&message(method, parameters))))
        .collect();
    let several = |methods: &[&str]| {
        let messages = methods.iter().zip(b"26:>".iter().cycle()).map(|(method, who)| {
            let parameters = calls
                .iter()
                .find(|(name, _)| name == method)
                .map(|(_, parameters)| parameters);
            [&[*who | 0x80][..], &message(method, parameters.unwrap_or(&Value::Null)), &[0]].concat()
        });
        messages.flatten().collect::<Vec<u8>>()
    };
    seeds.push((
        "remove-everything".to_owned(),
        several(&["Job.Delete", "Recorder.Remove", "Peer.Remove", "Archive.List"]),
    ));
    let kick = message("Job.Kick", &json!({ "name": "up" }));
    let unheard = [br#"{"oneway":true,"#, &kick[1..]].concat();
    seeds.push(("oneway".to_owned(), admin(&unheard)));
    seeds.push((
        "record-and-stop".to_owned(),
        several(&["Recorder.Record", "Archive.Verify", "Appliance.Stop"]),
    ));
    seeds.push((
        "export-and-leave".to_owned(),
        [several(&["Archive.Export"]), b"B{}".to_vec()].concat(),
    ));
    let description = r#"{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"io.blockhaul.Job"}}"#;
    seeds.push(("varlink-description".to_owned(), admin(description.as_bytes())));
    seeds.push((
        "varlink-info".to_owned(),
        admin(br#"{"method":"org.varlink.service.GetInfo"}"#),
    ));
    seeds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wants_no_answer_gets_none_and_is_obeyed() {
        let me = ClientId(1);
        let unheard = |method: &str, parameters: &Value| {
            let mut call: Value = serde_json::from_slice(&message(method, parameters)).expect("a call is JSON");
            call["oneway"] = json!(true);
            call.as_object_mut().expect("a call is an object").remove("upgrade");
            call.to_string().into_bytes()
        };
        for (method, parameters) in calls() {
            let (mut desk, _) = begin();
            for role in [Role::Read, Role::Admin] {
                desk.call(me, role, &unheard(method, &parameters));
                desk.pass(WHILE);
            }
            assert!(desk.replies.is_empty(), "{method} is answered: {:?}", desk.replies);
        }
        let (mut desk, _) = begin();
        desk.call(me, Role::Admin, &unheard("Recorder.Remove", &json!({ "name": "gate" })));
        desk.pass(WHILE);
        desk.call(me, Role::Admin, &message("Recorder.List", &json!({})));
        assert_eq!(desk.replies.len(), 1, "{:?}", desk.replies);
        assert_eq!(desk.replies[0].1["parameters"]["recorders"], json!([]));
    }

    #[test]
    fn the_calls_to_begin_with_make_sense() {
        for (method, parameters) in calls() {
            let (mut desk, _) = begin();
            desk.call(ClientId(1), Role::Admin, &message(method, &parameters));
            desk.pass(WHILE);
            desk.leave(ClientId(1));
            desk.pass(WHILE);
            let errors = desk.replies.iter().filter_map(|(_, reply)| reply["error"].as_str());
            let senseless: Vec<&str> = errors
                .filter(|error| error.ends_with("Usage") || error.contains("varlink"))
                .collect();
            assert!(senseless.is_empty(), "{method}: {:?}", desk.replies);
            let hears_later = method == "Recorder.Record";
            assert!(hears_later || !desk.replies.is_empty(), "{method} is not answered");
        }
    }
}
