//! Events that were kept in the state folder, one JSON line each, read when an appliance starts.
//!
//! A line that cannot be read is passed over: it must never keep an appliance from starting.

use blockhaul_core::control::types::{EventRecord, Severity};
use hal::{ClientId, Role};
use serde_json::Value;

use crate::desk::Desk;
use crate::{Seed, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "event",
    what: "events kept from before",
    longest: 1024,
    check,
    seeds,
    words: &[
        "{\\x22number\\x22:",
        "\\x22utc_ns\\x22:",
        "\\x22code\\x22:",
        "\\x22severity\\x22:",
        "\\x22info\\x22",
        "\\x22subject\\x22:",
        "\\x22sentence\\x22:",
        "18446744073709551615",
    ],
};

fn check(file: &[u8]) {
    let kept: Vec<Vec<u8>> = file.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let lines = kept.len();
    let mut desk = Desk::with_events(kept);
    desk.call(ClientId(1), Role::Read, br#"{"method":"io.blockhaul.Appliance.Events"}"#);
    let shown = desk
        .replies
        .iter()
        .filter(|(_, reply)| reply["parameters"]["number"].is_u64());
    let shown: Vec<&Value> = shown.map(|(_, reply)| reply).collect();
    // The appliance's own: it is up.
    assert!(shown.len() <= lines + 1, "more events than there were lines");
}

fn line(number: u64, sentence: &str) -> Vec<u8> {
    let record = EventRecord {
        number,
        utc_ns: 1_763_700_000_000_000_000,
        code: "caught-up".to_owned(),
        severity: Severity::Info,
        subject: "up".to_owned(),
        sentence: sentence.to_owned(),
        run: None,
    };
    serde_json::to_vec(&record).expect("a record is JSON")
}

fn seeds() -> Vec<Seed> {
    let torn = [&line(1, "Whole.")[..], b"\n", &line(2, "Torn.")[..30]].concat();
    vec![
        ("one".to_owned(), line(41, "Job up has caught up.")),
        ("two".to_owned(), [line(1, "One."), line(2, "Two.")].join(&b'\n')),
        ("torn".to_owned(), torn),
    ]
}
