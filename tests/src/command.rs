//! What the commands of the benches share: which commit a failure was seen at, what exit codes mean, and a quiet end where nobody reads
//! on.
//!
//! Not what they ask. Invariant: every failure that a bench prints, a panic too, has the line that replays it and the commit.

use std::ffi::OsString;
use std::io::{Write, stderr};
use std::process::{Command, exit};

/// The words of the command line. `cargo NAME -- --option` means the same as `cargo NAME --option`.
pub fn words() -> Vec<OsString> {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    if words.get(1).is_some_and(|word| word == "--") {
        words.remove(1);
    }
    words
}

/// Exit code where whoever read the output has left, as if `SIGPIPE` had ended the command: nothing was judged to the end.
const NOBODY_READS: i32 = 128 + 13;

/// What the help of a command that judges ends with.
pub fn after_help(example: &str) -> String {
    format!(
        "Example: {example}\n\nExit codes: 0 the promise was kept; 1 it was broken; 2 the command line is wrong; {NOBODY_READS} whoever read the \
         output left before the end, and nothing is known."
    )
}

/// Ends the process quietly when its output is read no more, as by `head`. To be called before any other hook is set.
pub fn end_quietly_where_nobody_reads() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // Printing panics where it fails; the runtime of Rust has switched off the signal that would have ended the process.
        let is_unread =
            (panic.payload_as_str()).is_some_and(|why| why.starts_with("failed printing to std") && why.contains("Broken pipe"));
        if is_unread {
            exit(NOBODY_READS);
        }
        before(panic);
    }));
}

/// Prints something that did not hold, or how to see it again, with the commit.
pub fn print_failure(what: &str) {
    // In a panic too, where another one would end everything.
    let _ = writeln!(stderr(), "{what}\nCommit {}.", commit());
}

/// What is checked out, so that a seed or a number means the same later.
fn commit() -> String {
    let output = Command::new("git").args(["describe", "--always", "--dirty"]).output();
    match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_string(),
        Ok(_) | Err(_) => "unknown: git does not tell".into(),
    }
}

/// A number for the command line.
pub fn number(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("it takes a whole number from 0 to {}", u64::MAX))
}

/// A count for the command line: none would be nothing to judge.
pub fn count(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        Ok(_) | Err(_) => Err("it takes a whole number from 1 on".into()),
    }
}
