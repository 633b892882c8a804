//! The product's core opens an image in this process, on a simulated disk: quick enough for thousands of images.

use blockhaul_tests::Result;
use blockhaul_tests::site::{MEMORY_BYTES, Product, VOLUME, boot};
use drivers_sim::{DiskId, DiskModel, SiteId, World};
use hal::Role;
use serde_json::{Value, json};

use crate::stage::VAULT;

const SECOND_NS: u64 = 1_000_000_000;

/// A machine with [`VAULT`] on its disk, switched off. Clones share what neither has changed.
#[derive(Clone)]
pub struct Machine {
    world: World<Product>,
    site: SiteId,
    disk: DiskId,
}

impl Machine {
    /// With a blank disk of that size; `uuid` is what the settings expect on it.
    pub fn new(bytes: u64, uuid: &str) -> Machine {
        let mut world = World::new(1);
        let site = world.machines.add_site("store", MEMORY_BYTES);
        let disk = world.machines.add_disk(site, VOLUME, DiskModel::disk(bytes, "REPLAYED"));
        let settings = format!("version = 1\n[[archive]]\nname = \"{VAULT}\"\nuuid = \"{uuid}\"\nvolume = \"{VOLUME}\"\n");
        world.machines.site_mut(site).state.settings = Some(settings.into_bytes());
        Machine { world, site, disk }
    }

    /// Puts bytes on the disk.
    pub fn put(&mut self, at_bytes: u64, bytes: &[u8]) {
        self.world.machines.disk_mut(self.disk).overwrite(at_bytes, bytes);
    }

    /// Bytes of the disk.
    pub fn bytes(&self, at_bytes: u64, length: usize) -> Vec<u8> {
        self.world.machines.disk(self.disk).current().bytes(at_bytes, length)
    }

    /// Switches on, waits for the end of the search for the end of the log, and asks for the archive.
    pub fn open(&mut self) -> Result<Value> {
        boot(&mut self.world, self.site);
        for _ in 0..100 {
            self.world.run_for(SECOND_NS / 5);
            let info = self.info()?;
            if info["archive"]["state"] != "indexing" {
                return Ok(info);
            }
        }
        Err("the archive is not open after 20 s of its own time".into())
    }

    fn info(&mut self) -> Result<Value> {
        let call = json!({ "method": "io.blockhaul.Archive.Info", "parameters": { "name": VAULT } }).to_string();
        let machines = &mut self.world.machines;
        let caller = machines.connect_and_call(self.site, Role::Admin, &call);
        self.world.run_until(SECOND_NS, |world| world.machines.replies(caller) > 0);
        let reply = self.world.machines.take_reply(caller).ok_or("no answer")?;
        self.world.machines.leave(caller);
        let mut reply: Value = serde_json::from_slice(&reply).map_err(|error| error.to_string())?;
        Ok(reply["parameters"].take())
    }
}
