//! Control calls to simulated appliances: the same JSON as over the socket.

use drivers_sim::{Brain, SiteId, World};
use hal::Role;
use serde_json::{Value, json};

/// A call is answered in this time, faults or not.
const PATIENCE_NS: u64 = 30_000_000_000;

/// Calls a method of an appliance and returns the parameters of its reply.
pub fn ask<B: Brain>(world: &mut World<B>, site: SiteId, method: &str, parameters: Value) -> Result<Value, String> {
    let call = json!({ "method": format!("io.blockhaul.{method}"), "parameters": parameters }).to_string();
    let caller = world.machines.connect_and_call(site, Role::Admin, &call);
    world.run_until(PATIENCE_NS, |world| {
        world.machines.replies(caller) > 0 || world.machines.is_gone(caller)
    });
    let name = world.machines.site(site).name.clone();
    let reply = world
        .machines
        .take_reply(caller)
        .ok_or_else(|| format!("{name} does not answer {method}"))?;
    world.machines.leave(caller);
    let mut reply: Value =
        serde_json::from_slice(&reply).map_err(|error| format!("{name} answers {method} with no JSON: {error}"))?;
    match reply.get("error") {
        Some(error) => Err(format!("{name} refuses {method}: {error} {}", reply["parameters"])),
        None => Ok(reply["parameters"].take()),
    }
}
