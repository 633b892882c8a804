//! Debian's package tools: finding and fetching packages without touching the system's own settings and lists.
//!
//! Addresses of archives are never written here; they are taken from the machine's own source entries.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tree::{make_folder, write};
use crate::{Result, process};

/// A set of package lists to work with.
#[derive(Debug, Default)]
pub struct Apt {
    options: Vec<String>,
}

impl Apt {
    /// The lists of the system as they are.
    pub fn of_system() -> Apt {
        Apt::default()
    }

    /// Fresh lists in `folder`, made from the Debian entries among the machine's sources; `backports` adds that suite.
    pub fn private(folder: &Path, backports: bool) -> Result<Apt> {
        let codename = codename()?;
        let sources = folder.join("sources");
        for part in [
            &sources,
            &folder.join("lists/partial"),
            &folder.join("cache/archives/partial"),
        ] {
            make_folder(part)?;
        }
        let mut found = false;
        for (index, path) in source_files().iter().enumerate() {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("list");
            let entries = if extension == "sources" {
                debian_stanzas(&text, &codename, backports)
            } else {
                debian_lines(&text, &codename, backports)
            };
            if !entries.is_empty() {
                found = true;
                write(&sources.join(format!("{index}.{extension}")), entries.as_bytes())?;
            }
        }
        if !found {
            return Err(format!(
                "No source of Debian {codename} is configured in /etc/apt. Add one and run this again."
            ));
        }
        let place = |key: &str, path: &Path| format!("{key}={}", path.display());
        let apt = Apt {
            options: vec![
                place("Dir::Etc::sourcelist", Path::new("/dev/null")),
                place("Dir::Etc::sourceparts", &sources),
                place("Dir::State::lists", &folder.join("lists")),
                place("Dir::Cache", &folder.join("cache")),
            ],
        };
        process::output(apt.command("apt-get").args(["-qq", "update"]), "apt")?;
        Ok(apt)
    }

    /// The names of all known packages that match `pattern`, newest first.
    pub fn names(&self, pattern: &str) -> Result<Vec<String>> {
        let prefix = pattern.split('*').next().unwrap_or(pattern);
        let output = process::output(self.command("apt-cache").args(["pkgnames", prefix]), "apt")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut names: Vec<String> = text
            .lines()
            .filter(|name| matches(pattern, name))
            .map(str::to_owned)
            .collect();
        names.sort_by_key(|name| std::cmp::Reverse(natural_order(name)));
        Ok(names)
    }

    /// Fetches the package `name` into `folder`, which is empty, and returns the file.
    pub fn download(&self, name: &str, folder: &Path) -> Result<PathBuf> {
        process::output(
            self.command("apt-get").args(["-qq", "download", name]).current_dir(folder),
            "apt",
        )?;
        let entries = std::fs::read_dir(folder).map_err(|error| format!("{} cannot be read: {error}.", folder.display()))?;
        entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
            .ok_or_else(|| format!("apt-get fetched no file for {name}."))
    }

    /// Installs `packages`; `suite` is preferred where it is given. Needs root.
    pub fn install(&self, packages: &[&str], suite: Option<&str>) -> Result<()> {
        let mut command = self.command("apt-get");
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["-qq", "install", "-y", "--no-install-recommends"]);
        if let Some(suite) = suite {
            command.args(["-t", suite]);
        }
        process::output(command.args(packages), "apt").map(drop)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("LC_ALL", "C").args(["-o", "APT::Sandbox::User=root"]);
        for option in &self.options {
            command.args(["-o", option]);
        }
        command
    }
}

/// The name of this system's Debian release.
pub fn codename() -> Result<String> {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let value = |key: &str| {
        text.lines()
            .find_map(|line| Some(line.strip_prefix(key)?.trim_matches('"').to_owned()))
    };
    match (value("ID="), value("VERSION_CODENAME=")) {
        (Some(id), Some(codename)) if id == "debian" => Ok(codename),
        (id, _) => Err(format!(
            "This needs a Debian system, and this one is {}. Use a Debian container.",
            id.as_deref().unwrap_or("unknown")
        )),
    }
}

/// A key by which `6.12.100` comes after `6.12.99`.
pub fn natural_order(name: &str) -> Vec<(u64, String)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let text_end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (text, after) = rest.split_at(text_end);
        let number_end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (number, after) = after.split_at(number_end);
        parts.push((0, text.to_owned()));
        parts.push((number.parse().unwrap_or(0), String::new()));
        rest = after;
    }
    parts
}

/// Whether `name` matches `pattern`, in which `*` stands for any characters but the hyphen.
pub fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|tail| {
            let reach = tail.find('-').unwrap_or(tail.len());
            (0..=reach)
                .filter(|end| tail.is_char_boundary(*end))
                .any(|end| matches(rest, &tail[end..]))
        }),
    }
}

fn source_files() -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    let parts = std::fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten();
    files.extend(parts.filter_map(|entry| Some(entry.ok()?.path())));
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "list" || extension == "sources")
    });
    files.sort();
    files
}

/// Whether an entry is one of Debian's own, and not that of a vendor who names suites like Debian does.
fn is_debian<'a>(uri: &str, suites: &[&str], mut components: impl Iterator<Item = &'a str>, codename: &str) -> bool {
    let archive = uri.trim_end_matches('/').rsplit('/').next();
    let security = format!("{codename}-security");
    matches!(archive, Some("debian" | "debian-security"))
        && components.any(|component| component == "main")
        && suites.iter().any(|suite| *suite == codename || *suite == security)
}

/// The Debian entries of a `.sources` file.
fn debian_stanzas(text: &str, codename: &str, backports: bool) -> String {
    let mut kept = String::new();
    for stanza in text.split("\n\n") {
        let field = |key: &str| {
            stanza
                .lines()
                .find_map(|line| line.strip_prefix(key))
                .map(str::trim)
                .unwrap_or_default()
        };
        let suites: Vec<&str> = field("Suites:").split_whitespace().collect();
        let uri = field("URIs:").split_whitespace().next().unwrap_or_default();
        if field("Enabled:") == "no" || !is_debian(uri, &suites, field("Components:").split_whitespace(), codename) {
            continue;
        }
        for line in stanza.lines() {
            kept.push_str(line);
            if backports && line.starts_with("Suites:") && suites.contains(&codename) {
                kept.push_str(&format!(" {codename}-backports"));
            }
            kept.push('\n');
        }
        kept.push('\n');
    }
    kept
}

/// The Debian entries of a `.list` file.
fn debian_lines(text: &str, codename: &str, backports: bool) -> String {
    let mut kept = String::new();
    for line in text.lines() {
        let Some(rest) = line.trim().strip_prefix("deb ") else {
            continue;
        };
        let (options, rest) = match rest.trim().strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((options, rest)) => (format!("[{options}] "), rest),
            None => (String::new(), rest),
        };
        let words: Vec<&str> = rest.split_whitespace().collect();
        let [uri, suite, components @ ..] = words.as_slice() else {
            continue;
        };
        let own_suite = suite.strip_suffix("-updates").unwrap_or(suite);
        if !is_debian(uri, &[own_suite], components.iter().copied(), codename) {
            continue;
        }
        let components = components.join(" ");
        kept.push_str(&format!("deb {options}{uri} {suite} {components}\n"));
        if backports && *suite == codename {
            kept.push_str(&format!("deb {options}{uri} {codename}-backports {components}\n"));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stops_at_a_hyphen() {
        let pattern = "linux-image-6.12.*-amd64";
        assert!(matches(pattern, "linux-image-6.12.117+deb12-amd64"));
        for other in [
            "linux-image-6.12.117+deb12-cloud-amd64",
            "linux-image-6.12-amd64",
            "linux-image-6.12.1-amd64-dbg",
            "",
        ] {
            assert!(!matches(pattern, other), "{other}");
        }
    }

    #[test]
    fn numbers_are_ordered_as_numbers() {
        let mut names = ["a-6.12.9+deb12", "a-6.12.117+deb12", "a-6.12.95+deb12"];
        names.sort_by_key(|name| natural_order(name));
        assert_eq!(names, ["a-6.12.9+deb12", "a-6.12.95+deb12", "a-6.12.117+deb12"]);
    }

    #[test]
    fn only_the_stanzas_of_debian_are_taken() {
        let text = "Types: deb\n# a remark\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n\n\
            Types: deb\nURIs: http://mirror.example/debian-security\nSuites: bookworm-security\nComponents: main\n\n\
            Types: deb\nURIs: https://vendor.example/linux/debian\nSuites: bookworm\nComponents: stable\n\n\
            Enabled: no\nTypes: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\n";
        let kept = debian_stanzas(text, "bookworm", true);
        assert_eq!(kept.matches("URIs:").count(), 2);
        assert!(kept.contains("Suites: bookworm bookworm-updates bookworm-backports\n"));
        assert!(kept.contains("Suites: bookworm-security\n"));
        assert!(!debian_stanzas(text, "bookworm", false).contains("backports"));
        assert_eq!(debian_stanzas(text, "trixie", true), "");
    }

    #[test]
    fn only_the_lines_of_debian_are_taken() {
        let text = "# deb http://mirror.example/debian bookworm main\n\
            deb [signed-by=/k.gpg] http://mirror.example/debian/ bookworm main contrib\n\
            deb http://mirror.example/debian bookworm-updates main\n\
            deb https://vendor.example/apt tool-bookworm main\n";
        let expected = "deb [signed-by=/k.gpg] http://mirror.example/debian/ bookworm main contrib\n\
            deb [signed-by=/k.gpg] http://mirror.example/debian/ bookworm-backports main contrib\n\
            deb http://mirror.example/debian bookworm-updates main\n";
        assert_eq!(debian_lines(text, "bookworm", true), expected);
    }
}
