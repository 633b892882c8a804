//! The settings document: one TOML text with everything that was configured, and nothing that can be found out from the logs.
//!
//! What is set live is written here first and takes effect once it is durable. Unknown keys are refused, so that a typo does not
//! pass for a setting.

pub mod tenants;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use hal::{Digest, Uuid};
use serde::{Deserialize, Serialize};

use crate::Name;
use crate::card::profile::CardSetting;
use crate::control::types::{JobMode, JobPlan, NicRate, Peer, RecorderCreate, Retention};
use crate::format::TrackKey;
use crate::macros::Macro;
use tenants::{Reach, Tenant};

/// Version of the document.
pub const SETTINGS_VERSION: u32 = 1;

/// Everything that is configured.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// [`SETTINGS_VERSION`].
    pub version: u32,
    /// Whether the replication service as a whole is on.
    #[serde(default = "on", skip_serializing_if = "is_on")]
    pub hauling: bool,
    /// Archives.
    #[serde(default, rename = "archive", skip_serializing_if = "Vec::is_empty")]
    pub archives: Vec<ArchiveSetting>,
    /// Tenants.
    #[serde(default, rename = "tenant", skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<Tenant>,
    /// Recorders.
    #[serde(default, rename = "recorder", skip_serializing_if = "Vec::is_empty")]
    pub recorders: Vec<RecorderCreate>,
    /// Peers.
    #[serde(default, rename = "peer", skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<Peer>,
    /// Grants.
    #[serde(default, rename = "grant", skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<GrantSetting>,
    /// Rates of network interfaces.
    #[serde(default, rename = "nic", skip_serializing_if = "Vec::is_empty")]
    pub nics: Vec<NicRate>,
    /// Jobs.
    #[serde(default, rename = "job", skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<JobSetting>,
    /// Cards of cameras.
    #[serde(default, rename = "card", skip_serializing_if = "Vec::is_empty")]
    pub cards: Vec<CardSetting>,
    /// Macros.
    #[serde(default, rename = "macro", skip_serializing_if = "Vec::is_empty")]
    pub macros: Vec<Macro>,
}

/// Stands for a token that was left out.
fn no_token() -> Digest {
    Digest([0; 32])
}

fn is_no_token(token: &Digest) -> bool {
    *token == no_token()
}

fn on() -> bool {
    true
}

fn is_on(flag: &bool) -> bool {
    *flag
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            version: SETTINGS_VERSION,
            hauling: true,
            archives: Vec::new(),
            tenants: Vec::new(),
            recorders: Vec::new(),
            peers: Vec::new(),
            grants: Vec::new(),
            nics: Vec::new(),
            jobs: Vec::new(),
            cards: Vec::new(),
            macros: Vec::new(),
        }
    }
}

/// An archive that belongs to this appliance.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveSetting {
    /// Name here.
    pub name: Name,
    /// Identity; another archive on the volume is not touched.
    pub uuid: Uuid,
    /// Path of the volume.
    pub volume: String,
    /// Nothing is ever written to it: it belongs to another appliance, whose blocks are read here.
    #[serde(default, skip_serializing_if = "is_default")]
    pub read_only: bool,
    /// How long blocks are kept.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retention: Retention,
    /// How it is read for damage in the background; not at all if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scrub: Option<ScrubSetting>,
}

impl ArchiveSetting {
    /// An archive that keeps its blocks as long as there is room, and is not read for damage.
    pub fn new(name: Name, uuid: Uuid, volume: String, read_only: bool) -> ArchiveSetting {
        ArchiveSetting {
            name,
            uuid,
            volume,
            read_only,
            retention: Retention::default(),
            scrub: None,
        }
    }
}

/// How an archive is read for damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScrubSetting {
    /// Bytes a second at most.
    pub rate_bytes: u64,
    /// Time between the end of a pass and the next one.
    pub pause_ms: u64,
}

/// A right that a peer's token carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantSetting {
    /// Short and public.
    pub id: String,
    /// Peer that may use it.
    pub peer: Name,
    /// Archive it may append to.
    pub archive: Name,
    /// Cameras; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cameras: Vec<Name>,
    /// Only cameras of these tenants; of all and of none if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<Name>,
    /// BLAKE3 of the token. The token itself is nowhere.
    pub token_hash: Digest,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobSetting {
    /// Name.
    pub name: Name,
    /// Archive it hauls from.
    pub from: Name,
    /// Peer it hauls to.
    pub peer: Name,
    /// The peer's name of the archive.
    pub archive: Name,
    /// Cameras; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cameras: Vec<Name>,
    /// Only cameras of these tenants; of all and of none if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<Name>,
    /// What both together reach; worked out, and not written.
    #[serde(skip)]
    pub reach: Reach,
    /// When it runs.
    pub mode: JobMode,
    /// Every run compares everything and sends what is missing or damaged at the target.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub full: bool,
    /// The target's token; left out of a document for other eyes.
    #[serde(default = "no_token", skip_serializing_if = "is_no_token")]
    pub token: Digest,
    /// Whether it is switched on.
    pub enabled: bool,
    /// When it was created: since then it guards its archive.
    #[serde(default)]
    pub created_utc_ns: i64,
    /// It guards nothing any more.
    #[serde(default, skip_serializing_if = "is_default")]
    pub released: bool,
    /// Identity of the target's archive, once it was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Uuid>,
    /// What it takes, when, and how fast.
    #[serde(default, skip_serializing_if = "JobPlan::is_plain")]
    pub plan: JobPlan,
}

impl JobSetting {
    /// Whether the job takes blocks of a track at all.
    pub fn wants(&self, key: &TrackKey) -> bool {
        let kinds = &self.plan.filter.kinds;
        self.reach.has(&key.camera) && (kinds.is_empty() || kinds.contains(&key.kind))
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Settings {
    /// From a document with everything in it. The error is a sentence.
    pub fn parse(document: &[u8]) -> Result<Settings, String> {
        let settings = Settings::read(document)?;
        match settings.jobs.iter().find(|job| is_no_token(&job.token)) {
            Some(job) => Err(format!("job {} has no token", job.name)),
            None => Ok(settings),
        }
    }

    /// From a document that may leave out the tokens of jobs. The error is a sentence.
    pub fn read(document: &[u8]) -> Result<Settings, String> {
        let text = core::str::from_utf8(document).map_err(|_| "the settings are not UTF-8 text".to_string())?;
        let mut settings: Settings = toml::from_str(text).map_err(|error| format!("the settings cannot be used: {error}"))?;
        if settings.version != SETTINGS_VERSION {
            return Err(format!(
                "the settings are of version {}, and this program knows version {SETTINGS_VERSION}",
                settings.version
            ));
        }
        settings.check()?;
        settings.resolve();
        Ok(settings)
    }

    /// What a document may leave out, from the settings that are: tokens and learned targets of jobs that go where they went.
    pub fn fill(&mut self, from: &Settings) {
        for job in &mut self.jobs {
            let same = |old: &&JobSetting| old.name == job.name && old.peer == job.peer && old.archive == job.archive;
            if let Some(old) = from.jobs.iter().find(same) {
                if is_no_token(&job.token) {
                    job.token = old.token;
                }
                job.target = job.target.or(old.target);
            }
        }
    }

    /// Without what is secret.
    pub fn without_secrets(mut self) -> Settings {
        for job in &mut self.jobs {
            job.token = no_token();
        }
        self
    }

    /// As a document.
    pub fn document(&self) -> Vec<u8> {
        let text = toml::to_string(self).expect("settings are plain tables");
        text.into_bytes()
    }

    /// Names are there once, and what is named is there.
    fn check(&self) -> Result<(), String> {
        let twice = |what: &str, names: &mut dyn Iterator<Item = &Name>| {
            let mut seen: Vec<&Name> = names.collect();
            seen.sort();
            match seen.windows(2).find(|pair| pair[0] == pair[1]) {
                Some(pair) => Err(format!("the settings name the {what} {} twice", pair[0])),
                None => Ok(()),
            }
        };
        twice("archive", &mut self.archives.iter().map(|archive| &archive.name))?;
        twice("recorder", &mut self.recorders.iter().map(|recorder| &recorder.name))?;
        twice("peer", &mut self.peers.iter().map(|peer| &peer.name))?;
        twice("card", &mut self.cards.iter().map(|card| &card.name))?;
        twice("macro", &mut self.macros.iter().map(|rule| &rule.name))?;
        twice("tenant", &mut self.tenants.iter().map(|tenant| &tenant.name))?;
        self.check_tenants()?;
        twice("job", &mut self.jobs.iter().map(|job| &job.name))?;
        let archive = |name: &Name| self.archives.iter().any(|archive| archive.name == *name);
        let peer = |name: &Name| self.peers.iter().any(|peer| peer.name == *name);
        for recorder in &self.recorders {
            if !archive(&recorder.archive) {
                return Err(format!(
                    "recorder {} names the archive {}, which is not there",
                    recorder.name, recorder.archive
                ));
            }
        }
        for card in &self.cards {
            card.check()
                .map_err(|refusal| format!("card {}: {}", card.name, refusal.sentence))?;
            if !archive(&card.archive) {
                return Err(format!(
                    "card {} names the archive {}, which is not there",
                    card.name, card.archive
                ));
            }
        }
        for job in &self.jobs {
            job.plan
                .check(job.mode)
                .map_err(|refusal| format!("job {}: {}", job.name, refusal.sentence))?;
            if !archive(&job.from) || !peer(&job.peer) {
                return Err(format!(
                    "job {} names the archive {} and the peer {}; one is not there",
                    job.name, job.from, job.peer
                ));
            }
        }
        for archive in &self.archives {
            crate::control::changes::retention::check(self, &archive.name, &archive.retention)
                .map_err(|refusal| format!("the settings cannot be used: {}", refusal.sentence))?;
        }
        for rule in &self.macros {
            rule.check(self).map_err(|refusal| refusal.sentence)?;
        }
        for grant in &self.grants {
            if !archive(&grant.archive) || !peer(&grant.peer) {
                return Err(format!(
                    "grant {} names the archive {} and the peer {}; one is not there",
                    grant.id, grant.archive, grant.peer
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_there_and_back_and_refuses_what_it_does_not_know() {
        let settings = Settings {
            archives: alloc::vec![ArchiveSetting {
                name: "card".parse().unwrap(),
                uuid: Uuid([1; 16]),
                volume: "/dev/x".to_string(),
                read_only: true,
                retention: Retention {
                    protect: true,
                    min_age_ms: Some(5),
                    ..Retention::default()
                },
                scrub: Some(ScrubSetting {
                    rate_bytes: 1,
                    pause_ms: 2
                }),
            }],
            ..Settings::default()
        };
        assert_eq!(Settings::parse(&settings.document()), Ok(settings.clone()));
        for bad in [
            &b"version = 1\ncolour = 3\n"[..],
            b"version = 2\n",
            b"\xff",
            b"version = 1\n[[recorder]]\nname='r'\narchive='a'\ncamera='c'\nlisten='/x'\n",
            b"version = 1\n[[peer]]\nname='P'\nkey='00'\n",
        ] {
            assert!(
                Settings::parse(bad).is_err(),
                "{}",
                alloc::string::String::from_utf8_lossy(bad)
            );
        }
    }
}
