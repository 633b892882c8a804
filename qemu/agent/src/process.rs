//! The daemon as the kernel sees it.

use std::fs;

use rustix::process::Pid;
use serde_json::{Value, json};

/// The program that is the daemon, and process 1 too.
const PROGRAM: &str = "/init";

/// The daemon: the child of the first process that is the same program.
pub fn daemon() -> Option<Pid> {
    let entries = fs::read_dir("/proc").ok()?;
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let mut daemons = numbers.filter(|number| *number != 1).filter(|number| {
        let program = fs::read_link(format!("/proc/{number}/exe"));
        program.is_ok_and(|path| path.as_os_str() == PROGRAM)
    });
    daemons.next().and_then(Pid::from_raw)
}

/// What daemon and first process have in memory, and what the machine has left.
pub fn memory() -> Result<Value, String> {
    let daemon = daemon().ok_or("no daemon is running")?.as_raw_nonzero().get();
    let resident = |number: i32| field(&format!("/proc/{number}/status"), "VmRSS:");
    Ok(json!({
        "daemon_bytes": resident(daemon)?,
        "first_bytes": resident(1)?,
        "available_bytes": field("/proc/meminfo", "MemAvailable:")?,
        "up_ms": up_ms()?,
    }))
}

fn field(path: &str, name: &str) -> Result<u64, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    kib(&text, name)
        .map(|kib| kib * 1024)
        .ok_or_else(|| format!("{path} has no {name}"))
}

fn kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn up_ms() -> Result<u64, String> {
    let text = fs::read_to_string("/proc/uptime").map_err(|error| error.to_string())?;
    let seconds: Option<f64> = text.split_whitespace().next().and_then(|word| word.parse().ok());
    seconds
        .map(|seconds| (seconds * 1000.0) as u64)
        .ok_or_else(|| format!("/proc/uptime says {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_in_kib() {
        assert_eq!(kib("VmPeak:\t 9 kB\nVmRSS:\t  1234 kB\n", "VmRSS:"), Some(1234));
        assert_eq!(kib("VmRSS:\n", "VmRSS:"), None);
        assert!(up_ms().unwrap() > 0);
    }
}
