//! The daemon's few options. Everything else is settings, which are made through the control socket.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What `--help` prints.
pub const USAGE: &str = "\
Usage: blockhauld [OPTION]...

  --state DIR          folder for identity, settings and kept events [/var/lib/blockhaul]
  --socket PATH        control socket [/run/blockhaul/control.sock]
  --listen ADDR:PORT   let peers in at this address; may be given several times [nowhere]
  --memory SIZE        block memory, for example 64MiB or 1GiB [64MiB]
  --operators GROUP    members of this group may run and stop jobs [nobody]
  --settings FILE      settings of a first start: used if the state folder has none yet
  --version            print the version
  --help               print this
";

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Request {
    /// Run with these.
    Run(Arguments),
    /// Print the usage.
    Help,
    /// Print the version.
    Version,
}

/// How to run.
#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    /// The state folder.
    pub state: PathBuf,
    /// The control socket.
    pub socket: PathBuf,
    /// Where peers may come in.
    pub listen: Vec<SocketAddr>,
    /// Size of the block memory.
    pub memory_bytes: u32,
    /// The settings of a first start.
    pub settings: Option<PathBuf>,
    /// The group of the operators.
    pub operators_gid: Option<u32>,
}

/// Reads options, without the program's name. An error is a sentence.
pub fn parse(given: impl IntoIterator<Item = OsString>) -> Result<Request, String> {
    let mut arguments = Arguments {
        state: "/var/lib/blockhaul".into(),
        socket: "/run/blockhaul/control.sock".into(),
        listen: Vec::new(),
        memory_bytes: 64 << 20,
        settings: None,
        operators_gid: None,
    };
    let mut given = given.into_iter();
    while let Some(option) = given.next() {
        let option = option
            .into_string()
            .map_err(|option| format!("{} is not text", option.display()))?;
        let (name, mut attached) = match option.split_once('=') {
            Some((name, value)) => (name, Some(OsString::from(value))),
            None => (option.as_str(), None),
        };
        let mut value = || {
            attached
                .take()
                .or_else(|| given.next())
                .ok_or_else(|| format!("{name} needs a value"))
        };
        match name {
            "--state" => arguments.state = value()?.into(),
            "--socket" => arguments.socket = value()?.into(),
            "--listen" => arguments.listen.push(address(&text(name, value()?)?)?),
            "--memory" => arguments.memory_bytes = size(&text(name, value()?)?)?,
            "--settings" => arguments.settings = Some(value()?.into()),
            "--operators" => arguments.operators_gid = Some(group(&text(name, value()?)?)?),
            "--help" | "-h" => return Ok(Request::Help),
            "--version" | "-V" => return Ok(Request::Version),
            _ => return Err(format!("there is no option {name}")),
        }
        if attached.is_some() {
            return Err(format!("{name} takes no value"));
        }
    }
    for path in [&arguments.state, &arguments.socket] {
        if !path.is_absolute() {
            return Err(format!("{} is not an absolute path", path.display()));
        }
    }
    Ok(Request::Run(arguments))
}

fn text(name: &str, value: OsString) -> Result<String, String> {
    value
        .into_string()
        .map_err(|value| format!("{name} {} is not text", value.display()))
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("--listen {text} is no address with a port: write for example 192.0.2.7:7440, 0.0.0.0:7440 or [::]:7440")
    })
}

/// A whole number with a binary unit.
fn size(text: &str) -> Result<u32, String> {
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let shift = match &text[digits.len()..] {
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return Err(format!("--memory {text} has no unit: write for example 64MiB")),
    };
    let bytes = digits.parse::<u32>().ok().and_then(|count| count.checked_mul(1 << shift));
    bytes
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| format!("--memory {text} is not between 1KiB and less than 4GiB"))
}

fn group(name: &str) -> Result<u32, String> {
    match nix::unistd::Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        Ok(None) => Err(format!(
            "there is no group {name} on this machine: make it with `groupadd --system {name}`"
        )),
        Err(error) => Err(format!("the group {name} cannot be looked up: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<Request, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn all_of_them() {
        let line = "--state /s --socket=/c --listen 127.0.0.1:7440 --listen [::]:7441 --memory 128MiB --operators root --settings site.toml";
        let expected = Arguments {
            state: "/s".into(),
            socket: "/c".into(),
            listen: vec!["127.0.0.1:7440".parse().unwrap(), "[::]:7441".parse().unwrap()],
            memory_bytes: 128 << 20,
            settings: Some("site.toml".into()),
            operators_gid: Some(0),
        };
        assert_eq!(of(line), Ok(Request::Run(expected)));
    }

    #[test]
    fn nothing_is_open_by_default() {
        let Ok(Request::Run(arguments)) = of("") else { panic!() };
        assert_eq!(arguments.listen, []);
        assert_eq!(arguments.operators_gid, None);
        assert_eq!(arguments.memory_bytes, 64 << 20);
    }

    #[test]
    fn mistakes_are_named() {
        for (line, part) in [
            ("--speed 9", "no option --speed"),
            ("run", "no option run"),
            ("--state", "--state needs a value"),
            ("--state relative", "relative is not an absolute path"),
            ("--listen 7440", "--listen 7440 is no address"),
            ("--memory 64", "has no unit"),
            ("--memory 64MB", "has no unit"),
            ("--memory 4GiB", "less than 4GiB"),
            ("--memory 0MiB", "--memory 0MiB"),
            ("--memory MiB", "--memory MiB"),
            ("--operators nobody-has-this", "no group nobody-has-this"),
        ] {
            let sentence = of(line).unwrap_err();
            assert!(sentence.contains(part), "{line}: {sentence}");
        }
    }

    #[test]
    fn help_and_version_come_before_other_mistakes() {
        assert_eq!(of("--help --speed"), Ok(Request::Help));
        assert_eq!(of("--version"), Ok(Request::Version));
    }

    #[test]
    fn every_option_is_in_the_usage() {
        for option in [
            "--state",
            "--socket",
            "--listen",
            "--memory",
            "--operators",
            "--settings",
            "--version",
            "--help",
        ] {
            assert!(USAGE.contains(option));
        }
    }
}
