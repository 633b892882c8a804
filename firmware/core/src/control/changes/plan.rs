//! From the settings that are to those of a document: what differs, and the changes that lead there.
//!
//! Pure. The changes are those that people make one by one, so each is checked as theirs are; what comes out must be the document,
//! or the document is refused. So nothing is passed over that this version cannot change.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Change;
use crate::archive::creation::refusal;
use crate::control::types::{ConfigDifference, Differs, NicRate, Refusal, RefusalCode};
use crate::macros::Macro;
use crate::settings::{ArchiveSetting, GrantSetting, JobSetting, Settings};

/// Longest value that is shown in a difference.
const SHOWN_MAX: usize = 60;
/// Fields whose values nobody is shown.
const SECRET: [&str; 2] = ["token", "token_hash"];

/// How to get from one configuration to another.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What differs, for people.
    pub differences: Vec<ConfigDifference>,
    /// What somebody should know.
    pub notes: Vec<String>,
    /// The settings afterwards.
    pub settings: Settings,
    /// The changes, in order.
    pub steps: Vec<Change>,
}

/// Says which settings these are.
pub fn base(settings: &Settings) -> String {
    blake3::hash(&settings.document()).to_hex()[..16].to_string()
}

impl Plan {
    /// The way from `from` to what a document says.
    pub fn new(document: &Settings, from: &Settings) -> Result<Plan, Refusal> {
        let mut to = document.clone();
        to.fill(from);
        let document = to.document();
        Settings::parse(&document).map_err(|why| {
            let next = "Say token = \"…\" there: the target\'s, from `blockhaul grant create`.";
            refusal(RefusalCode::Usage, format!("The document cannot be used: {why}."), next)
        })?;
        let mut notes = Vec::new();
        let steps = steps(from, &to, &mut notes)?;
        let mut settings = from.clone();
        for step in &steps {
            step.apply(&mut settings)?;
        }
        if let Some(left) = differences(&settings, &to).first() {
            let sentence = format!("A document cannot change {}: {}.", left.what, left.detail);
            let next = "Put it into the document as it is (`blockhaul config export`), and change it by its own command.";
            return Err(refusal(RefusalCode::Refused, sentence, next));
        }
        Ok(Plan {
            differences: differences(from, &to),
            notes,
            settings: to,
            steps,
        })
    }
}

/// The ones that are only here, by name.
fn only<'a, T: PartialEq, K: PartialEq>(here: &'a [T], there: &'a [T], key: fn(&T) -> &K) -> impl Iterator<Item = &'a T> {
    here.iter()
        .filter(move |one| !there.iter().any(|other| key(other) == key(one)))
}

fn steps(from: &Settings, to: &Settings, notes: &mut Vec<String>) -> Result<Vec<Change>, Refusal> {
    // How long an archive keeps its blocks and how it is read for damage may change; nothing else of it.
    let as_it_is = |archive: &ArchiveSetting| {
        let mut there = to.archives.iter().find(|other| other.name == archive.name)?.clone();
        there.retention = archive.retention.clone();
        there.scrub = archive.scrub;
        (there == *archive).then_some(())
    };
    if let Some(lost) = from.archives.iter().find(|archive| as_it_is(archive).is_none()) {
        let sentence = format!(
            "The document leaves out archive {} ({} on {}), or has it otherwise; a document gives up or changes no archive.",
            lost.name, lost.uuid, lost.volume
        );
        let next = "Put it into the document as `blockhaul config export` shows it.";
        return Err(refusal(RefusalCode::Refused, sentence, next));
    }
    // Whatever uses a peer that is not as it was is made anew with it.
    let peer_same = |name: &crate::Name| {
        let of = |settings: &Settings| settings.peers.iter().find(|peer| peer.name == *name).cloned();
        of(from) == of(to)
    };
    let job_same = |job: &&JobSetting| to.jobs.contains(job) && peer_same(&job.peer);
    // What can be done to a job that goes on.
    let switched = |job: &JobSetting| {
        let new = to.jobs.iter().find(|new| new.name == job.name)?;
        let rest = JobSetting {
            enabled: job.enabled,
            mode: job.mode,
            plan: job.plan.clone(),
            released: job.released,
            reach: job.reach.clone(),
            ..new.clone()
        };
        (rest == *job && peer_same(&job.peer)).then_some(new)
    };
    let grant_same = |grant: &&GrantSetting| to.grants.contains(grant) && peer_same(&grant.peer);
    // Macros name jobs, so they leave first and come back last.
    let job_lost = from.jobs.iter().any(|job| !job_same(&job) && switched(job).is_none());
    let macro_stays = |rule: &&Macro| to.macros.contains(rule) && from.macros.contains(rule) && !job_lost;
    let mut steps = Vec::new();
    for rule in from.macros.iter().filter(|rule| !macro_stays(rule)) {
        steps.push(Change::RemoveMacro(rule.name.clone()));
    }
    for job in from.jobs.iter().filter(|job| !job_same(job)) {
        if let Some(new) = switched(job) {
            if (new.mode, &new.plan) != (job.mode, &job.plan) {
                steps.push(Change::SwitchJob(job.name.clone(), Some(new.mode), Some(new.plan.clone())));
            }
            if new.released != job.released {
                steps.push(Change::GuardJob(job.name.clone(), !new.released));
            }
            if new.enabled != job.enabled {
                steps.push(Change::EnableJob(job.name.clone(), new.enabled));
            }
        } else {
            steps.push(Change::EnableJob(job.name.clone(), false));
            steps.push(Change::DeleteJob(job.name.clone()));
        }
    }
    for grant in from.grants.iter().filter(|grant| !grant_same(grant)) {
        steps.push(Change::RevokeGrant(grant.id.clone()));
    }
    for tenant in &from.tenants {
        let cameras = to
            .tenants
            .iter()
            .find(|other| other.name == tenant.name)
            .map(|other| &other.cameras);
        let stays = |camera: &&crate::Name| cameras.is_some_and(|cameras| cameras.contains(camera));
        let drop: Vec<_> = tenant.cameras.iter().filter(|camera| !stays(camera)).cloned().collect();
        match cameras {
            None => steps.push(Change::RemoveTenant(tenant.name.clone())),
            Some(_) if !drop.is_empty() => steps.push(Change::AlterTenant(tenant.name.clone(), Vec::new(), drop)),
            Some(_) => {}
        }
    }
    for tenant in &to.tenants {
        let Some(was) = from.tenants.iter().find(|other| other.name == tenant.name) else {
            steps.push(Change::AddTenant(tenant.clone()));
            continue;
        };
        let add: Vec<_> = tenant
            .cameras
            .iter()
            .filter(|camera| !was.cameras.contains(camera))
            .cloned()
            .collect();
        if !add.is_empty() {
            steps.push(Change::AlterTenant(tenant.name.clone(), add, Vec::new()));
        }
    }
    for recorder in from.recorders.iter().filter(|recorder| !to.recorders.contains(recorder)) {
        steps.push(Change::RemoveRecorder(recorder.name.clone()));
    }
    for card in from.cards.iter().filter(|card| !to.cards.contains(card)) {
        steps.push(Change::RemoveCard(card.name.clone()));
    }
    for peer in from.peers.iter().filter(|peer| !to.peers.contains(peer)) {
        steps.push(Change::RemovePeer(peer.name.clone()));
    }
    for archive in only(&to.archives, &from.archives, |archive| &archive.name) {
        notes.push(format!(
            "Archive {} is opened on {} and never formatted: if nothing is there, make it with `blockhaul archive create` first.",
            archive.name, archive.volume
        ));
        steps.push(Change::OpenArchive(archive.clone()));
    }
    for archive in &to.archives {
        let before = from.archives.iter().find(|before| before.name == archive.name);
        if before.is_some_and(|before| before.scrub != archive.scrub) {
            steps.push(Change::SetScrub(archive.name.clone(), archive.scrub));
        }
    }
    for nic in to.nics.iter().filter(|nic| !from.nics.contains(nic)) {
        steps.push(Change::SetNicRate(nic.clone()));
    }
    for nic in only(&from.nics, &to.nics, |nic| &nic.name) {
        let (name, rates) = (nic.name.clone(), Vec::new());
        steps.push(Change::SetNicRate(NicRate { name, rates }));
    }
    for peer in to.peers.iter().filter(|peer| !from.peers.contains(peer)) {
        steps.push(Change::AddPeer(peer.clone()));
    }
    for grant in to
        .grants
        .iter()
        .filter(|grant| !from.grants.contains(grant) || !peer_same(&grant.peer))
    {
        steps.push(Change::RestoreGrant(grant.clone()));
    }
    for recorder in to.recorders.iter().filter(|recorder| !from.recorders.contains(recorder)) {
        steps.push(Change::AddRecorder(recorder.clone()));
    }
    for card in to.cards.iter().filter(|card| !from.cards.contains(card)) {
        steps.push(Change::AddCard(card.clone()));
    }
    for job in &to.jobs {
        let stays = from
            .jobs
            .iter()
            .any(|old| old.name == job.name && (job_same(&old) || switched(old).is_some()));
        if !stays {
            steps.push(Change::AddJob(job.clone()));
        }
    }
    for rule in to.macros.iter().filter(|rule| !macro_stays(rule)) {
        steps.push(Change::AddMacro(rule.clone()));
    }
    for archive in &from.archives {
        let other = to.archives.iter().find(|other| other.name == archive.name);
        if let Some(other) = other.filter(|other| other.retention != archive.retention) {
            steps.push(Change::SetRetention(other.name.clone(), other.retention.clone()));
        }
    }
    if from.hauling != to.hauling {
        steps.push(Change::SwitchService(to.hauling));
    }
    Ok(steps)
}

/// What differs between two settings, whatever kinds of things they hold.
pub fn differences(from: &Settings, to: &Settings) -> Vec<ConfigDifference> {
    let (from, to) = (table(from), table(to));
    let mut found = Vec::new();
    let keys: alloc::collections::BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    for key in keys {
        match (items(from.get(key)), items(to.get(key))) {
            (Some(old), Some(new)) => compare_items(key, &old, &new, &mut found),
            _ => {
                if from.get(key) != to.get(key) {
                    found.push(ConfigDifference {
                        how: Differs::Changed,
                        what: key.clone(),
                        detail: format!("{} → {}", value(key, from.get(key)), value(key, to.get(key))),
                    });
                }
            }
        }
    }
    found
}

fn table(settings: &Settings) -> toml::Table {
    toml::Table::try_from(settings).expect("settings are plain tables")
}

/// The things of a kind, with their names; none if it is a single value. Nothing there is no things.
fn items(value: Option<&toml::Value>) -> Option<Vec<(String, &toml::Table)>> {
    let Some(value) = value else { return Some(Vec::new()) };
    let tables = value.as_array()?.iter().map(|item| {
        let table = item.as_table()?;
        let name = table.get("name").or(table.get("id"))?.as_str()?;
        Some((name.to_string(), table))
    });
    tables.collect()
}

fn compare_items(kind: &str, old: &[(String, &toml::Table)], new: &[(String, &toml::Table)], found: &mut Vec<ConfigDifference>) {
    let mut differs = |how, name: &str, detail| {
        let what = format!("{kind} {name}");
        found.push(ConfigDifference { how, what, detail });
    };
    for (name, was) in old {
        match new.iter().find(|(other, _)| other == name) {
            None => differs(Differs::Removed, name, String::new()),
            Some((_, is)) if is == was => {}
            Some((_, is)) => {
                let fields: alloc::collections::BTreeSet<&String> = was.keys().chain(is.keys()).collect();
                let changed = fields.into_iter().filter(|field| was.get(*field) != is.get(*field));
                let words = changed.map(|field| {
                    if SECRET.contains(&field.as_str()) {
                        return format!("another {field}");
                    }
                    format!("{field} {} → {}", value(field, was.get(field)), value(field, is.get(field)))
                });
                differs(Differs::Changed, name, words.collect::<Vec<_>>().join(", "));
            }
        }
    }
    for (name, _) in new.iter().filter(|(name, _)| !old.iter().any(|(other, _)| other == name)) {
        differs(Differs::Added, name, String::new());
    }
}

/// A value in few words.
fn value(field: &str, value: Option<&toml::Value>) -> String {
    // What is left out is what it is by itself.
    let Some(value) = value else {
        return if field == "hauling" { "true" } else { "none" }.to_string();
    };
    let text = value.to_string();
    let short: String = text.chars().take(SHOWN_MAX).collect();
    if short.len() < text.len() { short + "…" } else { text }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    const BEFORE: &str = r#"
version = 1
[[archive]]
name = "card"
uuid = "11111111-1111-1111-1111-111111111111"
volume = "/dev/card"
[[recorder]]
name = "gate"
archive = "card"
camera = "gate"
kind = "video"
listen = "/run/gate"
flush_after_ms = 10000
[[peer]]
name = "nvr"
key = "2222222222222222222222222222222222222222222222222222222222222222"
routes = [{ host = "nvr", port = 7411 }]
[[grant]]
id = "g1"
peer = "nvr"
archive = "card"
token_hash = "3333333333333333333333333333333333333333333333333333333333333333"
[[job]]
name = "out"
from = "card"
peer = "nvr"
archive = "main"
mode = "always"
token = "4444444444444444444444444444444444444444444444444444444444444444"
enabled = true
target = "55555555-5555-5555-5555-555555555555"
"#;

    fn settings(document: &str) -> Settings {
        Settings::read(document.as_bytes()).unwrap()
    }

    fn plan(replace: &[(&str, &str)]) -> Result<Plan, Refusal> {
        let mut document = BEFORE.to_string();
        for (old, new) in replace {
            assert!(document.contains(old), "{old}");
            document = document.replacen(old, new, 1);
        }
        Plan::new(&settings(&document), &settings(BEFORE))
    }

    fn words(plan: &Plan) -> Vec<String> {
        let words = plan
            .differences
            .iter()
            .map(|one| format!("{:?} {} {}", one.how, one.what, one.detail));
        words.map(|words| words.trim_end().to_string()).collect()
    }

    #[test]
    fn an_exported_document_is_no_difference_with_or_without_secrets() {
        let now = settings(BEFORE);
        for exported in [now.clone(), now.clone().without_secrets()] {
            let document = String::from_utf8(exported.document()).unwrap();
            let plan = Plan::new(&settings(&document), &now).unwrap();
            assert_eq!((plan.differences.as_slice(), plan.steps.len()), (&[][..], 0));
            assert_eq!(plan.settings, now);
        }
        let public = String::from_utf8(now.without_secrets().document()).unwrap();
        assert!(!public.contains("4444"), "{public}");
    }

    #[test]
    fn what_differs_is_told_and_what_comes_out_is_the_document() {
        let plan = plan(&[
            ("version = 1\n", "version = 1\nhauling = false\n"),
            ("flush_after_ms = 10000", "flush_after_ms = 5000"),
            ("port = 7411", "port = 7412"),
            ("mode = \"always\"", "mode = \"on-demand\""),
            ("token = \"4", "token = \"6"),
            (
                "[[recorder]]",
                "[[archive]]\nname = \"new\"\nuuid = \"99999999-1111-1111-1111-111111111111\"\nvolume = \"/dev/new\"\n[[recorder]]",
            ),
        ])
        .unwrap();
        let told = words(&plan);
        assert_eq!(
            told,
            [
                "Added archive new",
                "Changed hauling true → false",
                "Changed job out mode \"always\" → \"on-demand\", another token",
                "Changed peer nvr routes [{ host = \"nvr\", port = 7411 }] → [{ host = \"nvr\", port = 7412 }]",
                "Changed recorder gate flush_after_ms 10000 → 5000",
            ]
        );
        assert!(plan.notes[0].contains("never formatted"), "{:?}", plan.notes);
        assert_eq!(plan.settings.jobs[0].token.0[0], 0x64);
        // The grant of a peer that is made anew is made anew with it.
        let revoked = plan.steps.iter().any(|step| matches!(step, Change::RevokeGrant(_)));
        let restored = plan.steps.iter().any(|step| matches!(step, Change::RestoreGrant(_)));
        assert!(revoked && restored);
    }

    #[test]
    fn a_switch_alone_keeps_the_job() {
        let plan = plan(&[("enabled = true", "enabled = false")]).unwrap();
        assert!(matches!(&plan.steps[..], [Change::EnableJob(name, false)] if name.as_str() == "out"));
    }

    #[test]
    fn what_cannot_be_is_refused_as_a_whole() {
        for (replace, names) in [
            (vec![("volume = \"/dev/card\"", "volume = \"/dev/other\"")], "archive card"),
            (
                vec![
                    (
                        "token = \"4444444444444444444444444444444444444444444444444444444444444444\"",
                        "",
                    ),
                    ("name = \"out\"", "name = \"away\""),
                ],
                "job away has no token",
            ),
            (
                vec![(
                    "[[peer]]",
                    "[[recorder]]\nname = \"two\"\narchive = \"card\"\ncamera = \"gate\"\nkind = \"video\"\nlisten = \"/run/two\"\nflush_after_ms = 1000\n[[peer]]",
                )],
                "Camera gate",
            ),
            (vec![("flush_after_ms = 10000", "flush_after_ms = 5")], "out of range"),
        ] {
            let refusal = plan(&replace).unwrap_err();
            assert!(refusal.sentence.contains(names), "{}", refusal.sentence);
            assert!(!refusal.next.is_empty());
        }
    }
}
