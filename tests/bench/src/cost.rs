//! What work cost: processor time, wake-ups and memory, as the kernel counts them. Not how fast it was.
//!
//! A daemon is read while it lives, thread by thread; a program that has ended is counted by the kernel when it is waited for.

use std::fs;
use std::ops::Sub;
use std::time::Duration;

use blockhaul_tests::Result;
use nix::sys::resource::{UsageWho, getrusage};

/// Processor time and wake-ups so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// User and system time.
    pub cpu: Duration,
    /// Voluntary context switches: how often something waited and was woken.
    pub wakeups: u64,
}

impl Sub for Cost {
    type Output = Cost;

    fn sub(self, before: Cost) -> Cost {
        Cost {
            cpu: self.cpu.saturating_sub(before.cpu),
            wakeups: self.wakeups.saturating_sub(before.wakeups),
        }
    }
}

impl Cost {
    /// All threads of a process that is alive.
    pub fn of_process(pid: u32) -> Cost {
        let mut cost = Cost::default();
        for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let read = |name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default();
            let ran_ns = read("schedstat")
                .split(' ')
                .next()
                .and_then(|ns| ns.parse().ok())
                .unwrap_or(0);
            cost.cpu += Duration::from_nanos(ran_ns);
            cost.wakeups += field(&read("status"), "voluntary_ctxt_switches:");
        }
        cost
    }

    /// All programs that were started by this one and have been waited for.
    pub fn of_children() -> Result<Cost> {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| format!("the kernel tells no usage: {error}"))?;
        let time = |value: nix::sys::time::TimeVal| {
            let seconds = u64::try_from(value.tv_sec()).unwrap_or(0);
            let micros = u64::try_from(value.tv_usec()).unwrap_or(0);
            Duration::from_secs(seconds) + Duration::from_micros(micros)
        };
        Ok(Cost {
            cpu: time(usage.user_time()) + time(usage.system_time()),
            wakeups: u64::try_from(usage.voluntary_context_switches()).unwrap_or(0),
        })
    }
}

/// Processor time so far of the kernel's workers, which do the work of loop devices. All of the machine's, so an upper bound.
pub fn kernel_workers() -> Duration {
    let mut sum_ns = 0;
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let read = |name: &str| fs::read_to_string(process.path().join(name)).unwrap_or_default();
        if read("comm").starts_with("kworker/") {
            let ran = read("schedstat");
            sum_ns += ran.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    Duration::from_nanos(sum_ns)
}

/// Memory of a process that is alive, in bytes: now, and at most so far.
pub fn resident_bytes(pid: u32) -> (u64, u64) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    (field(&status, "VmRSS:") << 10, field(&status, "VmHWM:") << 10)
}

/// The first number of a line that begins with a word.
fn field(text: &str, word: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(word));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
