//! The list of scenarios with what each must have done: the guard against scenarios that vanish without anybody noticing.

use std::time::Duration;

use image::Result;
use image::tree::Tree;
use serde::Deserialize;

use crate::scenario;

/// `qemu/manifest.toml`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Manifest {
    /// All scenarios, in the order in which they are played.
    pub scenarios: Vec<Entry>,
}

/// One scenario.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Entry {
    /// What it is called on the command line.
    pub name: String,
    /// What it shows.
    pub summary: String,
    /// Whether it belongs to the quick set.
    pub quick: bool,
    /// The wall time it may take, in seconds, on a machine that has nothing else to do.
    limit_s: u64,
    /// So many checks it makes.
    pub checks: usize,
}

impl Entry {
    /// The wall time it may take here. A machine of a test service is shared with others, and gets four times as much.
    pub fn limit(&self) -> Duration {
        let factor = if std::env::var_os("CI").is_some() { 4 } else { 1 };
        Duration::from_secs(self.limit_s * factor)
    }
}

impl Manifest {
    /// Reads the list and compares it with the scenarios in this program.
    pub fn load(tree: &Tree) -> Result<Manifest> {
        let path = tree.root.join("qemu/manifest.toml");
        let text = String::from_utf8_lossy(&image::tree::read(&path)?).into_owned();
        Manifest::parse(&text).map_err(|error| format!("{} is not right: {error}", tree.show(&path)))
    }

    fn parse(text: &str) -> Result<Manifest> {
        let manifest: Manifest = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut listed: Vec<&str> = manifest.scenarios.iter().map(|entry| entry.name.as_str()).collect();
        let mut known: Vec<&str> = scenario::names().collect();
        listed.sort_unstable();
        known.sort_unstable();
        if listed == known {
            return Ok(manifest);
        }
        Err(format!(
            "it lists {listed:?}, and the program has {known:?}. They must be the same."
        ))
    }

    /// The scenarios that `choose` picks.
    pub fn select(&self, choose: impl Fn(&Entry) -> bool) -> Vec<&Entry> {
        self.scenarios.iter().filter(|entry| choose(entry)).collect()
    }

    /// The scenarios called `names`.
    pub fn named(&self, names: &[String]) -> Result<Vec<&Entry>> {
        let find = |name: &String| {
            let entry = self.scenarios.iter().find(|entry| entry.name == *name);
            entry.ok_or_else(|| format!("There is no scenario {name}. See them with: cargo qemu list"))
        };
        names.iter().map(find).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_and_the_program_are_the_same() {
        let text = include_str!("../manifest.toml");
        let manifest = Manifest::parse(text).unwrap();
        assert!(manifest.scenarios.iter().all(|entry| entry.checks > 0));
        assert!(manifest.named(&["smoke".to_owned()]).is_ok());
        assert!(manifest.named(&["none".to_owned()]).unwrap_err().contains("cargo qemu list"));
        let other = text.replace("\"smoke\"", "\"fume\"");
        assert!(Manifest::parse(&other).unwrap_err().contains("must be the same"));
        assert!(Manifest::parse("scenarios = []").unwrap_err().contains("must be the same"));
    }
}
