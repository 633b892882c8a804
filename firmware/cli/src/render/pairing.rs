//! Peers, grants and tokens.

use blockhaul_core::control::types::{GrantCreate, GrantCreated, GrantInfo, Peer};
use hal::Route;

use super::Look;
use super::table::Table;
use super::tenant;

/// A route as people write it.
pub fn route(route: &Route) -> String {
    let host = if route.host.contains(':') {
        format!("[{}]", route.host)
    } else {
        route.host.clone()
    };
    let nic = route.nic.as_ref().map_or(String::new(), |nic| format!("%{nic}"));
    format!("{host}:{}{nic}", route.port)
}

/// One row for each peer.
pub fn peers(peers: &[Peer], look: &Look) -> String {
    let mut table = Table::new(&["PEER", "ROUTES", "KEY"]);
    for peer in peers {
        let routes: Vec<String> = peer.routes.iter().map(route).collect();
        let routes = if routes.is_empty() {
            "calls us".into()
        } else {
            routes.join(", ")
        };
        table.row([peer.name.to_string(), routes, peer.key.to_string()]);
    }
    if table.is_empty() {
        "There is no peer. Add one: blockhaul peer add NAME --route HOST:PORT --key FINGERPRINT\n".into()
    } else {
        table.lines(look)
    }
}

/// One row for each grant.
pub fn grants(grants: &[GrantInfo], look: &Look) -> String {
    let mut table = Table::new(&["GRANT", "PEER", "ARCHIVE", "CAMERAS"]);
    for grant in grants {
        table.row([
            grant.id.clone(),
            grant.peer.to_string(),
            grant.archive.to_string(),
            tenant::reach(&grant.cameras, &grant.tenants),
        ]);
    }
    if table.is_empty() {
        "There is no grant.\n".into()
    } else {
        table.lines(look)
    }
}

/// A new grant: what goes to standard error beside the token, which goes to standard output alone.
pub fn granted(asked: &GrantCreate, created: &GrantCreated) -> String {
    format!(
        "Grant {}: peer {} may append to archive {} (cameras: {}).\n\
         The token is shown this once. Put it into a file on {} that only its operator can read, and there run:\n  \
         blockhaul job create --from ARCHIVE --to THIS-APPLIANCE/{} --mode always --token-file FILE\n",
        super::text::printable(&created.id),
        asked.peer,
        asked.archive,
        tenant::reach(&asked.cameras, &asked.tenants),
        asked.peer,
        asked.archive,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn routes_are_shown_as_they_are_written() {
        for text in ["nvr.example:7440", "[fe80::1]:7440", "10.0.0.1:7440%eth1"] {
            assert_eq!(route(&crate::args::value::route(text).unwrap()), text);
        }
    }

    #[test]
    fn peers_and_grants() {
        let key = "00".repeat(32);
        let peer = Peer {
            name: "cam7".parse().unwrap(),
            routes: Vec::new(),
            key: key.parse().unwrap(),
        };
        assert_eq!(
            peers(&[peer], &sample::plain()),
            format!("PEER  ROUTES    KEY\ncam7  calls us  {key}\n")
        );
        let grant = GrantInfo {
            id: "4f".into(),
            peer: "cam7".parse().unwrap(),
            archive: "main".parse().unwrap(),
            cameras: vec!["lobby".parse().unwrap(), "yard".parse().unwrap()],
            tenants: Vec::new(),
        };
        assert_eq!(
            grants(&[grant], &sample::plain()),
            "GRANT  PEER  ARCHIVE  CAMERAS\n4f     cam7  main     lobby, yard\n"
        );
    }
}
