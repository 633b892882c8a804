//! Somebody at the command line during a hauling history: jobs are switched, frozen, slowed down, run, stopped.
//!
//! Not the faults. Invariant: at the end every job is always on, without delay or limit, so that everything must drain.

use drivers_sim::SiteId;
use hal::Role;
use serde_json::{Value, json};

use super::play::Play;

/// A call that somebody makes, whose answer nobody waits for.
pub fn meddle(play: &mut Play, site: SiteId, job: &str) {
    if !play.world.machines.site(site).is_running() {
        return;
    }
    let named = json!({ "name": job });
    let (method, parameters) = match play.draw(9) {
        0 => ("Freeze", named),
        1 => ("Thaw", named),
        2 => ("Stop", named),
        3 => ("ReleaseHeld", named),
        4 => ("Kick", named),
        5 => {
            let blocks = 1 + play.draw(20);
            ("Run", json!({ "name": job, "bounds": { "blocks": blocks } }))
        }
        _ => ("Switch", switch(play, job)),
    };
    let call = json!({ "method": format!("io.blockhaul.Job.{method}"), "parameters": parameters });
    play.world.machines.connect_and_call(site, Role::Admin, &call.to_string());
}

/// Another mode and plan. Nothing is left out by it: what a target must have in the end stays the same.
fn switch(play: &mut Play, job: &str) -> Value {
    let mode = play.pick(&["always", "on-demand", "schedule"]);
    let delay_ms = play.pick(&[0, 0, 500, 5_000, 60_000]);
    let rate = play.pick(&[0, 0, 20_000, 500_000, 5_000_000]);
    let mut plan = json!({ "delay_ms": delay_ms });
    if rate > 0 {
        plan["rate"] = json!([{ "bytes_a_second": rate }]);
    }
    if mode == "schedule" {
        let every_ms = play.pick(&[1_000, 7_000, 30_000]);
        plan["schedule"] = json!({ "every_ms": every_ms });
    }
    json!({ "name": job, "mode": mode, "plan": plan })
}

/// Everything is always on again.
pub fn settle(play: &mut Play, site: SiteId, job: &str) -> Result<(), String> {
    let plain = json!({ "name": job, "mode": "always", "plan": {} });
    play.ask(site, "Job.Switch", plain).map(|_| ())
}
