//! The product on simulated machines: what runs there, and control calls to it. For tests that tell one story by hand; histories
//! drawn from a seed are in `sim/`.
//!
//! Whatever goes wrong here is a failed test: it panics with a sentence.

use blockhaul_core::{Appliance, Board};
use drivers_sim::{Brain, SiteId, World};
use hal::{Event, Instant, Memory, Moment, Ops, Role};
use serde_json::{Value, json};

pub use crate::reader::superblock_copies;

/// A call is answered in this virtual time.
const PATIENCE_NS: u64 = 60_000_000_000;
/// Block memory of a site.
pub const MEMORY_BYTES: u32 = 8 << 20;
/// Path of the volume of a site.
pub const VOLUME: &str = "/dev/sim0";

/// One appliance.
#[derive(Clone, Debug)]
pub struct Product(Appliance);

impl Brain for Product {
    // A function of its own, so that what it costs can be counted (`tests/bench`).
    #[inline(never)]
    fn step(&mut self, now: Moment, event: Event, memory: &mut dyn Memory, ops: &mut Ops) {
        self.0.step(now, event, memory, ops);
    }

    fn deadline(&self) -> Option<Instant> {
        self.0.deadline()
    }

    fn stopped(&self) -> bool {
        self.0.stopped()
    }
}

/// Switches a site on and starts the product there.
pub fn boot(world: &mut World<Product>, site: SiteId) {
    world.boot(site, |board, _, ops| {
        let now = board.now;
        let board = Board {
            fingerprint: board.fingerprint,
            version: "golden",
            listening: board.listening,
            seed: board.seed,
            settings: board.settings,
            kept_events: board.kept_events,
            memory_bytes: board.memory_bytes,
        };
        Product(Appliance::start(board, now, ops).expect("its settings are good"))
    });
}

/// Calls a method and returns the parameters of its reply.
pub fn ask(world: &mut World<Product>, site: SiteId, method: &str, parameters: Value) -> Value {
    let mut reply = reply(world, site, method, parameters);
    assert_eq!(reply.get("error"), None, "{method} is refused: {}", reply["parameters"]);
    reply["parameters"].take()
}

/// Calls a method, which must be refused. The sentence that says why.
pub fn refused(world: &mut World<Product>, site: SiteId, method: &str, parameters: Value) -> String {
    let reply = reply(world, site, method, parameters);
    assert_ne!(reply.get("error"), None, "{method} is not refused: {}", reply["parameters"]);
    reply["parameters"]["sentence"].as_str().expect("a sentence").to_owned()
}

fn reply(world: &mut World<Product>, site: SiteId, method: &str, parameters: Value) -> Value {
    let call = json!({ "method": format!("io.blockhaul.{method}"), "parameters": parameters }).to_string();
    let caller = world.machines.connect_and_call(site, Role::Admin, &call);
    world.run_until(PATIENCE_NS, |world| {
        world.machines.replies(caller) > 0 || world.machines.is_gone(caller)
    });
    let reply = world
        .machines
        .take_reply(caller)
        .unwrap_or_else(|| panic!("{method} is not answered"));
    world.machines.leave(caller);
    serde_json::from_slice(&reply).expect("a reply is JSON")
}

/// The bytes of the volume of a site as they read now.
pub fn volume(world: &World<Product>, site: SiteId) -> Vec<u8> {
    let disk = world
        .machines
        .disk(world.machines.disk_at(site, VOLUME).expect("it has a volume"));
    disk.current().bytes(
        0,
        usize::try_from(disk.model.size_bytes).expect("a volume for tests fits memory"),
    )
}
