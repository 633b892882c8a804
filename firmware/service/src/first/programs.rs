//! The vendor's own programs: started when the daemon is ready, started again when they end, told to stop before it is.
//!
//! A line is a program's path and its arguments, with blanks between. They run as root, with no environment.

use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitStatus, kill_process};

use super::{ending, say, spawn};

/// A program that ended is started again after this time, doubled each time it ends early, up to the second.
const DELAY_MIN: Duration = Duration::from_secs(1);
const DELAY_MAX: Duration = Duration::from_secs(60);

/// One that ran for so long did not end early.
const EARLY: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Program {
    line: String,
    running: Option<Pid>,
    started: Instant,
    delay: Duration,
    due: Option<Instant>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Programs {
    all: Vec<Program>,
    begun: bool,
}

impl Programs {
    /// Those of an image; none is started yet.
    pub(super) fn new(lines: &[String]) -> Programs {
        let program = |line: &String| Program {
            line: line.clone(),
            running: None,
            started: Instant::now(),
            delay: DELAY_MIN,
            due: None,
        };
        Programs {
            all: lines.iter().map(program).collect(),
            begun: false,
        }
    }

    /// The daemon is ready. After a crash of the daemon they are still running.
    pub(super) fn start_all(&mut self) {
        if !std::mem::replace(&mut self.begun, true) {
            self.all.iter_mut().for_each(Program::start);
        }
    }

    /// Starts again whose time has come.
    pub(super) fn restart_due(&mut self, now: Instant) {
        let due = self
            .all
            .iter_mut()
            .filter(|program| program.due.is_some_and(|due| due <= now));
        due.for_each(Program::start);
    }

    /// A child ended: one of them, or an orphan.
    pub(super) fn ended(&mut self, pid: Pid, status: WaitStatus, now: Instant) {
        let Some(program) = self.all.iter_mut().find(|program| program.running == Some(pid)) else {
            return;
        };
        program.running = None;
        let ran_well = now.duration_since(program.started) >= EARLY;
        program.delay = if ran_well {
            DELAY_MIN
        } else {
            (program.delay * 2).min(DELAY_MAX)
        };
        program.due = Some(now + program.delay);
        say(&format!(
            "{} ended ({}), it is started again in {} s",
            program.line,
            ending(status),
            program.delay.as_secs()
        ));
    }

    /// Tells them to stop.
    pub(super) fn stop_all(&mut self) {
        for pid in self.all.iter().filter_map(|program| program.running) {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}

impl Program {
    fn start(&mut self) {
        self.due = None;
        self.started = Instant::now();
        let mut words = self.line.split_whitespace();
        let Some(path) = words.next() else { return };
        match spawn(Command::new(path).env_clear().args(words)) {
            Ok(child) => {
                self.running = Some(child);
                say(&format!("{} started", self.line));
            }
            Err(error) => say(&format!("{} cannot be started: {error}", self.line)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{WaitOptions, waitpid};

    #[test]
    fn a_program_that_ends_early_is_started_later_and_later() {
        let mut programs = Programs::new(&["/bin/true".into(), "/no/such/program".into()]);
        programs.start_all();
        let now = Instant::now();
        let mut delays = Vec::new();
        for turn in 0..8 {
            let pid = programs.all[0].running.expect("it was started");
            let (_, status) = waitpid(Some(pid), WaitOptions::empty()).expect("a child").expect("it ends");
            programs.ended(pid, status, now);
            delays.push(programs.all[0].delay.as_secs());
            programs.restart_due(now + programs.all[0].delay - Duration::from_millis(1));
            assert!(programs.all[0].running.is_none(), "not before its time, turn {turn}");
            programs.restart_due(now + programs.all[0].delay);
        }
        assert_eq!(delays, [2, 4, 8, 16, 32, 60, 60, 60]);
        assert!(programs.all[1].running.is_none());
    }
}
