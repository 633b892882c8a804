//! `topology`: put together from what the daemon says of itself, its peers and its grants.

use blockhaul_core::control::types::{Grants, Identity, Nothing, Peers, Status};
use serde_json::json;

use super::{Context, understood};
use crate::args::appliance::Topology;
use crate::failure::{Exit, Failure};
use crate::render::topology::{Site, dot, text};

/// `blockhaul topology`
pub fn run(context: &Context, options: &Topology) -> Result<Exit, Failure> {
    let mut client = context.connect()?;
    let mut ask = |noun: &str| client.call(&format!("io.blockhaul.{noun}"), Nothing {});
    let (identity, status) = (ask("Appliance.Identity")?, ask("Appliance.Status")?);
    let (peers, grants) = (ask("Peer.List")?, ask("Grant.List")?);
    if context.json {
        let all = json!({
            "identity": identity,
            "hauling": status["hauling"],
            "archives": status["archives"],
            "peers": peers["peers"],
            "jobs": status["jobs"],
            "grants": grants["grants"],
            "incoming": status["incoming"],
        });
        context.print_object(&all)?;
        return Ok(Exit::Done);
    }
    let identity: Identity = understood("io.blockhaul.Appliance.Identity", &identity)?;
    let status: Status = understood("io.blockhaul.Appliance.Status", &status)?;
    let peers: Peers = understood("io.blockhaul.Peer.List", &peers)?;
    let grants: Grants = understood("io.blockhaul.Grant.List", &grants)?;
    let site = Site {
        identity: &identity,
        status: &status,
        peers: &peers.peers,
        grants: &grants.grants,
    };
    context.print(&if options.dot { dot(&site) } else { text(&site, &context.look) })?;
    Ok(Exit::Done)
}
