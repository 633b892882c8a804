//! Tenants: whose cameras are whose, and which cameras a job or a grant reaches.
//!
//! Each appliance keeps its own table: a source's decides what its jobs take, a target's what its grants let in, and neither
//! believes the other.
//!
//! Invariants: a camera belongs to one tenant at most; a reach that was not worked out yet reaches nothing.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use super::Settings;
use crate::Name;

/// Somebody to whom cameras belong.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// Name.
    pub name: Name,
    /// Cameras that belong to it, and to no other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cameras: Vec<Name>,
}

/// The cameras that a job or a grant reaches: those that it names, as far as they belong to the tenants that it names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reach {
    /// Sorted; every camera if none.
    cameras: Option<Vec<Name>>,
}

impl Default for Reach {
    fn default() -> Self {
        Reach {
            cameras: Some(Vec::new()),
        }
    }
}

impl Reach {
    /// Whether it reaches a camera.
    pub fn has(&self, camera: &Name) -> bool {
        self.cameras
            .as_ref()
            .is_none_or(|cameras| cameras.binary_search(camera).is_ok())
    }

    /// The cameras, if it is not every one.
    pub fn cameras(&self) -> Option<&[Name]> {
        self.cameras.as_deref()
    }

    /// Whether both may reach a camera.
    pub fn meets(&self, other: &Reach) -> bool {
        match (&self.cameras, &other.cameras) {
            (Some(one), Some(_)) => one.iter().any(|camera| other.has(camera)),
            _ => true,
        }
    }
}

impl Settings {
    /// What cameras and tenants together reach. None named of a kind leaves that kind open.
    pub fn reach(&self, cameras: &[Name], tenants: &[Name]) -> Reach {
        if cameras.is_empty() && tenants.is_empty() {
            return Reach { cameras: None };
        }
        let mut reached: Vec<Name> = if tenants.is_empty() {
            cameras.to_vec()
        } else {
            let named = self.tenants.iter().filter(|tenant| tenants.contains(&tenant.name));
            let theirs = named.flat_map(|tenant| &tenant.cameras);
            theirs
                .filter(|camera| cameras.is_empty() || cameras.contains(camera))
                .cloned()
                .collect()
        };
        reached.sort();
        reached.dedup();
        Reach { cameras: Some(reached) }
    }

    /// Works out what each job reaches.
    pub fn resolve(&mut self) {
        let reaches: Vec<Reach> = self.jobs.iter().map(|job| self.reach(&job.cameras, &job.tenants)).collect();
        for (job, reach) in self.jobs.iter_mut().zip(reaches) {
            job.reach = reach;
        }
    }

    /// Whose a camera is.
    pub fn tenant_of(&self, camera: &Name) -> Option<&Tenant> {
        self.tenants.iter().find(|tenant| tenant.cameras.contains(camera))
    }

    /// A camera belongs to one tenant, and those that are named are there.
    pub(super) fn check_tenants(&self) -> Result<(), String> {
        let cameras = self
            .tenants
            .iter()
            .flat_map(|tenant| tenant.cameras.iter().map(move |camera| (camera, &tenant.name)));
        let mut cameras: Vec<(&Name, &Name)> = cameras.collect();
        cameras.sort();
        if let Some(pair) = cameras.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(format!(
                "camera {} belongs to the tenant {} and to {}",
                pair[0].0, pair[0].1, pair[1].1
            ));
        }
        let lost = |tenants: &[Name]| {
            let mut lost = tenants
                .iter()
                .filter(|name| self.tenants.iter().all(|tenant| tenant.name != **name));
            lost.next().cloned()
        };
        for job in &self.jobs {
            if let Some(name) = lost(&job.tenants) {
                return Err(format!("job {} names the tenant {name}, which is not there", job.name));
            }
        }
        for grant in &self.grants {
            if let Some(name) = lost(&grant.tenants) {
                return Err(format!("grant {} names the tenant {name}, which is not there", grant.id));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(words: &str) -> Vec<Name> {
        words.split_whitespace().map(|word| word.parse().unwrap()).collect()
    }

    fn settings() -> Settings {
        let tenant = |name: &str, cameras| Tenant {
            name: name.parse().unwrap(),
            cameras: names(cameras),
        };
        Settings {
            tenants: alloc::vec![tenant("acme", "lobby gate"), tenant("bank", "vault")],
            ..Settings::default()
        }
    }

    #[test]
    fn cameras_and_tenants_are_both_asked() {
        let settings = settings();
        let all = settings.reach(&[], &[]);
        let acme = settings.reach(&[], &names("acme"));
        let both = settings.reach(&names("gate vault"), &names("acme"));
        let named = settings.reach(&names("vault gate"), &[]);
        let reached =
            |reach: &Reach| -> Vec<bool> { names("lobby gate vault yard").iter().map(|name| reach.has(name)).collect() };
        assert_eq!(reached(&all), [true; 4]);
        assert_eq!(reached(&acme), [true, true, false, false]);
        assert_eq!(reached(&both), [false, true, false, false]);
        assert_eq!(reached(&named), [false, true, true, false]);
        assert_eq!(reached(&Reach::default()), [false; 4]);
        assert!(all.meets(&both) && acme.meets(&both) && !acme.meets(&settings.reach(&[], &names("bank"))));
    }

    #[test]
    fn a_camera_of_two_tenants_and_a_tenant_that_is_not_there_are_told() {
        let mut settings = settings();
        assert_eq!(settings.check_tenants(), Ok(()));
        settings.tenants[1].cameras.extend(names("gate"));
        let told = settings.check_tenants().unwrap_err();
        assert_eq!(told, "camera gate belongs to the tenant acme and to bank");
        settings.tenants.remove(0);
        settings.tenants[0].name = "acme".parse().unwrap();
        assert_eq!(settings.check_tenants(), Ok(()));
    }
}
