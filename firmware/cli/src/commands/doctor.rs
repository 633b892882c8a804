//! `doctor`: what can be seen of this machine from here, and what the daemon says.
//!
//! Works without the daemon: then the machine is all there is to look at, and the exit code says so.

use std::fs;
use std::path::Path;

use blockhaul_core::control::types::{Check, Doctor, Nothing};
use serde_json::json;

use super::{Context, understood};
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::render::{appliance, text, units};

const METHOD: &str = "io.blockhaul.Appliance.Doctor";

/// Older kernels lack a part of io_uring that is used.
const KERNEL_MIN: (u32, u32) = (5, 15);
/// The smallest block memory that makes sense, which must be lockable.
const LOCKED_BYTES_MIN: u64 = 64 << 20;
/// Seconds since 1970 at the begin of 2026: no clock that was ever set is before it.
const CLOCK_SET_S: i64 = 1_767_225_600;

/// `blockhaul doctor`
pub fn run(context: &Context) -> Result<Exit, Failure> {
    let mut checks = machine(Path::new("/"), jiff::Timestamp::now().as_second());
    let asked = Client::connect(&context.socket).and_then(|mut client| {
        let answer = client.call(METHOD, Nothing {})?;
        understood::<Doctor>(METHOD, &answer)
    });
    checks.push(socket(&context.socket, asked.as_ref().err()));
    let exit = match asked {
        Ok(daemon) => {
            // Of the same thing the daemon knows better: it is about its own process.
            checks.retain(|local| daemon.checks.iter().all(|check| check.what != local.what));
            checks.extend(daemon.checks);
            if checks.iter().all(|check| check.right) {
                Exit::Done
            } else {
                Exit::Failed
            }
        }
        Err(failure) => failure.exit,
    };
    if context.json {
        context.print_object(&json!({ "checks": checks }))?;
    } else {
        context.print(&appliance::doctor(&checks, &context.look))?;
    }
    Ok(exit)
}

fn socket(path: &Path, failure: Option<&Failure>) -> Check {
    let shown = text::printable(&path.to_string_lossy());
    match failure {
        None => check("daemon", true, format!("answers at {shown}"), ""),
        Some(failure) => check("daemon", false, failure.sentence.clone(), &failure.next),
    }
}

fn check(what: &str, right: bool, found: impl Into<String>, action: &str) -> Check {
    Check {
        what: what.into(),
        right,
        found: found.into(),
        action: if right { String::new() } else { action.into() },
    }
}

/// What the machine whose root folder is `root` shows of itself.
fn machine(root: &Path, now_s: i64) -> Vec<Check> {
    let read = |path: &str| fs::read_to_string(root.join(path)).ok().map(|text| text.trim().to_owned());
    vec![
        kernel(read("proc/sys/kernel/osrelease")),
        io_uring(read("proc/sys/kernel/io_uring_disabled").as_deref()),
        locked_memory(read("proc/self/limits").as_deref()),
        huge_pages(read("sys/kernel/mm/transparent_hugepage/enabled").as_deref()),
        clock(now_s, root.join("run/systemd/timesync/synchronized").exists()),
    ]
}

fn kernel(release: Option<String>) -> Check {
    let Some(release) = release else {
        return check("kernel", false, "its version cannot be read", "Mount /proc.");
    };
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let (major, minor) = KERNEL_MIN;
    check(
        "kernel",
        version >= KERNEL_MIN,
        format!("Linux {release}"),
        &format!("Use Linux {major}.{minor} or newer."),
    )
}

fn io_uring(disabled: Option<&str>) -> Check {
    let (right, found) = match disabled {
        None | Some("0") => (true, "allowed to everybody"),
        Some("1") => (false, "allowed to root and the group kernel.io_uring_group only"),
        Some(_) => (false, "switched off (kernel.io_uring_disabled = 2)"),
    };
    check(
        "io_uring",
        right,
        found,
        "Run `sysctl kernel.io_uring_disabled=0`, or put the daemon's group into kernel.io_uring_group.",
    )
}

fn locked_memory(limits: Option<&str>) -> Check {
    let what = "locked memory";
    let line = limits.and_then(|limits| limits.lines().find_map(|line| line.strip_prefix("Max locked memory")));
    let Some(soft) = line.and_then(|line| line.split_whitespace().next()) else {
        return check(what, false, "its limit cannot be read", "Mount /proc.");
    };
    let (right, found) = match soft.parse::<u64>() {
        Ok(bytes) => (bytes >= LOCKED_BYTES_MIN, units::size(bytes)),
        Err(_) => (soft == "unlimited", soft.to_owned()),
    };
    let found = format!("{found} for programs started from here");
    check(
        what,
        right,
        found,
        "Raise it for the daemon: LimitMEMLOCK=infinity in its unit, or `ulimit -l unlimited` before its start.",
    )
}

fn huge_pages(modes: Option<&str>) -> Check {
    let chosen = modes
        .and_then(|modes| modes.split_once('[')?.1.split_once(']'))
        .map(|(mode, _)| mode);
    let (right, found) = match chosen {
        Some("always" | "madvise") => (true, chosen.unwrap_or_default()),
        Some(mode) => (false, mode),
        None => (false, "not in this kernel"),
    };
    check(
        "huge pages",
        right,
        found,
        "Write `madvise` into /sys/kernel/mm/transparent_hugepage/enabled; without them more CPU time is used.",
    )
}

fn clock(now_s: i64, kept: bool) -> Check {
    let found = match (now_s >= CLOCK_SET_S, kept) {
        (false, _) => "not set",
        (true, true) => "kept by systemd-timesyncd",
        (true, false) => "set; whether something keeps it cannot be seen from here",
    };
    check(
        "clock",
        now_s >= CLOCK_SET_S,
        found,
        "Set it, and run a time service: recordings are found by time.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_in_order_and_one_that_is_not() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
        put("proc/sys/kernel/io_uring_disabled", "0\n");
        put(
            "proc/self/limits",
            "Limit   Soft Limit\nMax locked memory         unlimited            unlimited            bytes\n",
        );
        put("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
        put("run/systemd/timesync/synchronized", "");
        let wrong = |now_s| -> Vec<String> {
            machine(root.path(), now_s)
                .into_iter()
                .filter(|check| !check.right)
                .map(|check| check.what)
                .collect()
        };
        assert_eq!(wrong(CLOCK_SET_S), Vec::<String>::new());

        put("proc/sys/kernel/osrelease", "5.10.0\n");
        put("proc/sys/kernel/io_uring_disabled", "2\n");
        put(
            "proc/self/limits",
            "Max locked memory         65536                65536                bytes\n",
        );
        put("sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n");
        assert_eq!(wrong(1_000), ["kernel", "io_uring", "locked memory", "huge pages", "clock"]);
        assert!(
            machine(root.path(), 0)
                .iter()
                .all(|check| check.right == check.action.is_empty())
        );
    }
}
