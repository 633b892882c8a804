//! Samples of what concerns the whole appliance: macros, configuration, the replication service.

use blockhaul_core::control::types::*;
use serde_json::json;

use super::{Sample, name, plain, with_least};

pub fn macros() -> Vec<Sample> {
    let named = || Named { name: name() };
    let steps = || vec!["kick lobby".parse().unwrap()];
    let create = MacroCreate {
        name: name(),
        on: "stalled".into(),
        subject: Some("lobby".into()),
        steps: steps(),
        dry_run: true,
    };
    let rule = blockhaul_core::macros::Macro {
        name: name(),
        on: "stalled".into(),
        subject: None,
        steps: steps(),
        enabled: true,
    };
    let tested = MacroTested {
        begins: true,
        why: "It fits.".into(),
        steps: vec![MacroWould {
            step: "kick lobby".into(),
            would: "would".into(),
        }],
    };
    let test = MacroTest { name: name(), event: 1 };
    let least = json!({ "name": "lobby", "on": "stalled", "steps": ["kick lobby"] });
    vec![
        with_least("io.blockhaul.Macro.Create", create, least, Nothing {}),
        plain("io.blockhaul.Macro.List", Nothing {}, MacroList { macros: vec![rule] }),
        plain("io.blockhaul.Macro.Test", test, tested),
        plain("io.blockhaul.Macro.Remove", named(), Nothing {}),
        plain("io.blockhaul.Macro.Enable", named(), Nothing {}),
        plain("io.blockhaul.Macro.Disable", named(), Nothing {}),
    ]
}

pub fn configuration() -> Vec<Sample> {
    let exported = ConfigExported {
        document: "version = 1".into(),
    };
    let apply = ConfigApply {
        document: "version = 1".into(),
        dry_run: true,
        base: Some("ab".into()),
    };
    let difference = ConfigDifference {
        how: Differs::Changed,
        what: "job lobby".into(),
        detail: "mode".into(),
    };
    let applied = ConfigApplied {
        applied: true,
        differences: vec![difference],
        notes: vec!["Look.".into()],
        base: "ab".into(),
    };
    let export = ConfigExport { secrets: true };
    vec![
        with_least("io.blockhaul.Config.Export", export, json!({}), exported),
        with_least(
            "io.blockhaul.Config.Apply",
            apply,
            json!({ "document": "version = 1" }),
            applied,
        ),
    ]
}

pub fn service() -> Vec<Sample> {
    let shown = ServiceShown {
        on: true,
        jobs: 1,
        outgoing: 1,
        incoming: 0,
    };
    vec![
        plain("io.blockhaul.Service.Switch", ServiceSwitch { on: true }, Nothing {}),
        plain("io.blockhaul.Service.Show", Nothing {}, shown),
    ]
}
