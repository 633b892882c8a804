//! Stories of macros: one that works, one whose program fails, two that would chase each other for ever, one that is cut short.

use std::time::Duration;

use blockhaul_tests::sim::all_codes;
use blockhaul_tests::stage::{Pair, Stage, pair};
use drivers_sim::{Program, SiteId};
use hal::ProgramEnd;
use serde_json::{Value, json};

fn make(stage: &mut Stage, site: SiteId, name: &str, on: &str, steps: &[&str]) {
    stage.ask(site, "Macro.Create", json!({ "name": name, "on": on, "steps": steps }));
}

/// A job on demand, a program that is well and one that is not.
fn begin() -> Pair {
    let mut pair = pair(64, &[], "on-demand", None);
    let programs = [
        ("beep", 1, ProgramEnd::Exited(0)),
        ("break", 1, ProgramEnd::Exited(3)),
        ("hang", 3_000, ProgramEnd::Exited(0)),
    ];
    for (name, seconds, ends) in programs {
        let takes = Duration::from_secs(seconds);
        let here = pair.stage.world.machines.site_mut(pair.lobby);
        here.programs.insert(name.into(), Program { takes, ends });
    }
    pair
}

/// The sentences of events with that code, as far as they were kept.
fn sentences(stage: &Stage, site: SiteId, code: &str) -> Vec<String> {
    let kept = stage.world.machines.site(site).state.kept();
    let events = kept.iter().map(|line| serde_json::from_slice::<Value>(line).unwrap());
    let told = events.filter(|event| event["code"] == code);
    told.map(|event| event["sentence"].as_str().unwrap().to_owned()).collect()
}

pub fn works_and_fails() -> Stage {
    let Pair { mut stage, lobby, .. } = begin();
    // A rule can be on whatever is said, but on what rules say.
    for code in all_codes().filter(|code| !code.starts_with("macro-")) {
        let rule = json!({ "name": "any", "on": code, "steps": ["kick out"], "dry_run": true });
        stage.ask(lobby, "Macro.Create", rule);
    }
    // When a run has ended: a program is told, and after a while the job runs again, of the last hour only if there is something.
    make(
        &mut stage,
        lobby,
        "after",
        "run-completed",
        &["start beep", "wait 10s", "if lobby/gate there last 1h", "run out last 1h"],
    );
    make(
        &mut stage,
        lobby,
        "broken",
        "run-completed",
        &["start break within 5s", "kick out"],
    );
    make(&mut stage, lobby, "slow", "run-started", &["start hang within 2s"]);
    stage.record(lobby, 2);
    stage.ask(lobby, "Job.Run", json!({ "name": "out" }));
    stage.pass(8);
    let runs = stage.times(lobby, "run-started");
    assert_eq!(runs, 1);
    stage.pass(8);
    assert_eq!(stage.times(lobby, "run-started"), 2, "the macro did not run the job again");
    let started = &stage.world.machines.site(lobby).started;
    let (name, input) = started.iter().find(|(name, _)| name == "beep").unwrap();
    let event: Value = serde_json::from_slice(input).unwrap();
    assert_eq!(
        (name.as_str(), &event["code"], &event["subject"]),
        ("beep", &"run-completed".into(), &"out".into())
    );
    let failed = sentences(&stage, lobby, "macro-failed");
    assert!(failed.iter().any(|one| one.contains("code 3")), "{failed:?}");
    assert!(failed.iter().any(|one| one.contains("time was over")), "{failed:?}");
    stage
}

pub fn chase() -> Stage {
    let Pair { mut stage, lobby, .. } = begin();
    // Each change of the settings brings the other about.
    make(&mut stage, lobby, "off", "configured", &["disable out"]);
    make(&mut stage, lobby, "on", "configured", &["enable out"]);
    make(&mut stage, lobby, "again", "run-completed", &["run out"]);
    stage.record(lobby, 1);
    stage.ask(lobby, "Job.Enable", json!({ "name": "out" }));
    stage.ask(lobby, "Job.Run", json!({ "name": "out" }));
    // As the wall clock steps, too: what bounds them is not the wall clock.
    for step_ns in [-3_600_000_000_000_i64, 86_400_000_000_000, -7] {
        stage.world.machines.site_mut(lobby).clock_error_ns += step_ns;
        stage.pass(100);
    }
    let stopped = sentences(&stage, lobby, "macro-stopped");
    assert!(stopped.iter().any(|one| one.contains("one after the other")), "{stopped:?}");
    // They came to rest, and nothing is under way.
    let begun = stage.times(lobby, "macro-begun");
    stage.pass(600);
    assert_eq!(stage.times(lobby, "macro-begun"), begun, "they go on for ever");
    assert!(begun < 60, "{begun} times");
    stage
}

pub fn cut() -> Stage {
    let Pair { mut stage, lobby, .. } = begin();
    make(&mut stage, lobby, "long", "run-completed", &["wait 1h", "run out"]);
    stage.record(lobby, 1);
    stage.ask(lobby, "Job.Run", json!({ "name": "out" }));
    stage.pass(10);
    stage.power_cut(lobby);
    stage.boot(lobby);
    let told = sentences(&stage, lobby, "macro-cut");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("long"), "{told:?}");
    stage.power_cut(lobby);
    stage.boot(lobby);
    for line in stage.world.machines.site(lobby).state.kept() {
        eprintln!("{}", String::from_utf8_lossy(&line));
    }
    assert_eq!(sentences(&stage, lobby, "macro-cut").len(), 1, "it is told once");
    stage.pass(7_200);
    assert_eq!(stage.times(lobby, "run-started"), 1, "it was resumed");
    stage
}
