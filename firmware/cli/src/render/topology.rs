//! Who hauls what where, seen from one appliance: as text that fits 80 columns, and as a graph.
//!
//! Whoever dials is responsible: for a job here it is this appliance, for what comes in it is the peer.

use blockhaul_core::control::types::{GrantInfo, Identity, IncomingStatus, JobStatus, LinkState, Peer, Status};

use super::text::printable;
use super::{Look, Tone, archive, job};

/// What is known.
pub struct Site<'a> {
    /// This appliance.
    pub identity: &'a Identity,
    /// How it is.
    pub status: &'a Status,
    /// Whom it knows.
    pub peers: &'a [Peer],
    /// What they may do here.
    pub grants: &'a [GrantInfo],
}

/// Widest line.
const COLUMNS: usize = 80;

impl Site<'_> {
    /// Jobs here that haul to a peer, with the peer's archive.
    fn out<'a>(&'a self, peer: &'a str) -> impl Iterator<Item = (&'a JobStatus, &'a str)> {
        self.status.jobs.iter().filter_map(move |job| {
            let (to, archive) = job.to.split_once('/')?;
            (to == peer).then_some((job, archive))
        })
    }

    fn links<'a>(&'a self, peer: &'a str) -> impl Iterator<Item = &'a IncomingStatus> {
        self.status.incoming.iter().filter(move |link| link.peer.as_str() == peer)
    }
}

fn link(state: LinkState) -> (&'static str, Tone) {
    match state {
        LinkState::None => ("no link", Tone::Quiet),
        LinkState::Connecting => ("connecting", Tone::Watch),
        LinkState::Active => ("link up", Tone::Good),
        LinkState::Retrying => ("link down", Tone::Watch),
        LinkState::Refused => ("refused", Tone::Bad),
    }
}

/// A line that fits.
fn line(told: &str) -> String {
    let told = printable(told);
    if told.chars().count() <= COLUMNS {
        return told + "\n";
    }
    told.chars().take(COLUMNS - 1).collect::<String>() + "…\n"
}

/// As text.
pub fn text(site: &Site, look: &Look) -> String {
    let id = &site.identity.fingerprint.to_string()[..8];
    let mut told = look.paint(Tone::Head, line(&format!("this appliance ({id}…)")).trim_end()) + "\n";
    let listening = if site.identity.listening.is_empty() {
        "nowhere: no peer can call".to_owned()
    } else {
        site.identity.listening.join(", ")
    };
    told += &line(&format!("  listens on {listening}"));
    if !site.status.hauling {
        told += &(look.paint(Tone::Watch, "  replication service off (do: blockhaul service on)") + "\n");
    }
    for one in &site.status.archives {
        let (word, _) = archive::state(one.state);
        told += &line(&format!(
            "  archive {}: {word}, {} tracks, {}",
            one.name, one.tracks, one.volume
        ));
    }
    if site.peers.is_empty() {
        told += "\nIt knows no peer. Add one: blockhaul peer add --help\n";
    }
    for peer in site.peers {
        let name = peer.name.as_str();
        told += &format!("\n{}\n", look.paint(Tone::Head, &format!("peer {name}")));
        let used: Vec<&str> = site
            .out(name)
            .filter(|(job, _)| job.link == LinkState::Active)
            .map(|(job, _)| job.route.as_str())
            .collect();
        for route in &peer.routes {
            let shown = format!("{}:{}", route.host, route.port);
            let mark = if used.contains(&shown.as_str()) { "*" } else { " " };
            let nic = route.nic.as_ref().map_or(String::new(), |nic| format!(" by {nic}"));
            told += &line(&format!(" {mark}route {shown}{nic}"));
        }
        if peer.routes.is_empty() {
            told += "  no route: it calls us\n";
        }
        for (one, there) in site.out(name) {
            let (word, tone) = link(one.link);
            let (state, _) = job::state(one.state);
            let head = line(&format!(
                "  out {} -> {name}/{there}: job {}, {state}, {word}",
                one.from, one.name
            ));
            told += &(look.paint(tone, head.trim_end()) + "\n");
        }
        for grant in site.grants.iter().filter(|grant| grant.peer == peer.name) {
            let up = site.links(name).any(|link| link.archive == grant.archive.as_str());
            let (word, tone) = if up {
                ("link up", Tone::Good)
            } else {
                ("no link", Tone::Quiet)
            };
            let head = line(&format!(
                "  in  {name} -> {}: grant {}, it dials, {word}",
                grant.archive, grant.id
            ));
            told += &(look.paint(tone, head.trim_end()) + "\n");
        }
    }
    told
}

/// A name in a graph.
fn quoted(name: &str) -> String {
    format!("\"{}\"", printable(name).replace('\\', "\\\\").replace('"', "\\\""))
}

/// As a graph in the language of Graphviz: archives in the appliances they are on, jobs between them.
pub fn dot(site: &Site) -> String {
    let mut told = "digraph blockhaul {\n  rankdir=LR;\n  node [shape=box];\n".to_owned();
    let group = |number: usize, label: &str, archives: &[String]| {
        let inside: String = archives.iter().map(|one| format!("    {};\n", quoted(one))).collect();
        format!("  subgraph cluster_{number} {{\n    label={};\n{inside}  }}\n", quoted(label))
    };
    let here: Vec<String> = site.status.archives.iter().map(|one| one.name.to_string()).collect();
    told += &group(0, "this appliance", &here);
    for (number, peer) in site.peers.iter().enumerate() {
        let name = peer.name.as_str();
        let mut archives: Vec<String> = site.out(name).map(|(_, there)| format!("{name}/{there}")).collect();
        if site.grants.iter().any(|grant| grant.peer == peer.name) {
            archives.push(name.to_owned());
        }
        archives.sort();
        archives.dedup();
        told += &group(number + 1, name, &archives);
        for (one, there) in site.out(name) {
            let (word, _) = link(one.link);
            let label = quoted(&format!("{} ({word}, {})", one.name, one.route));
            let (from, to) = (quoted(one.from.as_str()), quoted(&format!("{name}/{there}")));
            told += &format!("  {from} -> {to} [label={label}];\n");
        }
        for grant in site.grants.iter().filter(|grant| grant.peer == peer.name) {
            let (from, to) = (quoted(name), quoted(grant.archive.as_str()));
            told += &format!("  {from} -> {to} [style=dashed, label={}];\n", quoted(&grant.id));
        }
    }
    told + "}\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{archive, sample};

    fn identity() -> Identity {
        Identity {
            fingerprint: "ab".repeat(32).parse().unwrap(),
            version: "0.1.0".into(),
            protocol: 1,
            listening: vec!["0.0.0.0:7411".into()],
        }
    }

    fn with<R>(look: impl FnOnce(&Site) -> R) -> R {
        let route = |host: &str, nic: Option<&str>| hal::Route {
            host: host.into(),
            port: 7440,
            nic: nic.map(Into::into),
        };
        let peers = [Peer {
            name: "nvr2".parse().unwrap(),
            routes: vec![route("10.0.0.2", None), route("a".repeat(90).as_str(), Some("eth1"))],
            key: "cd".repeat(32).parse().unwrap(),
        }];
        let grants = [GrantInfo {
            id: "4f".into(),
            peer: "nvr2".parse().unwrap(),
            archive: "card".parse().unwrap(),
            cameras: Vec::new(),
            tenants: Vec::new(),
        }];
        let status = Status {
            archives: vec![archive::tests::card()],
            jobs: vec![job::tests::lobby()],
            ..crate::render::status::tests::status()
        };
        look(&Site {
            identity: &identity(),
            status: &status,
            peers: &peers,
            grants: &grants,
        })
    }

    #[test]
    fn text_fits_a_terminal_and_marks_the_route_in_use() {
        let told = with(|site| text(site, &sample::plain()));
        assert!(told.lines().all(|line| line.chars().count() <= COLUMNS), "{told}");
        for part in [
            "this appliance (abababab…)\n  listens on 0.0.0.0:7411\n  archive card: ready, 2 tracks, /dev/mmcblk1\n",
            "\npeer nvr2\n *route 10.0.0.2:7440\n  route aaa",
            "  out card -> nvr2/main: job lobby, catching-up, link up\n",
            "  in  nvr2 -> card: grant 4f, it dials, no link\n",
        ] {
            assert!(told.contains(part), "{part:?} is not in\n{told}");
        }
    }

    #[test]
    fn a_graph_has_both_ends_of_every_job() {
        let told = with(dot);
        for part in [
            "label=\"this appliance\";\n    \"card\";",
            "\"card\" -> \"nvr2/main\" [label=\"lobby (link up, 10.0.0.2:7440)\"];",
            "\"nvr2\" -> \"card\" [style=dashed, label=\"4f\"];",
        ] {
            assert!(told.contains(part), "{part:?} is not in\n{told}");
        }
        assert_eq!(told.matches('{').count(), told.matches('}').count());
        assert_eq!(quoted("a\"b\\"), "\"a\\\"b\\\\\"");
    }
}
