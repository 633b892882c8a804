//! Running other programs, and saying in a sentence which package brings one that is missing.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::process::{Command, Output};

use crate::Result;

/// Runs `command` to its end and returns what it printed; `package` is the Debian package that holds the program.
pub fn output(command: &mut Command, package: &str) -> Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| cannot_start(&name, package, &error))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let tail: Vec<&str> = said.lines().rev().take(8).collect();
    let tail: Vec<&str> = tail.into_iter().rev().collect();
    Err(format!(
        "`{}` failed ({}):\n{}",
        line(command),
        output.status,
        tail.join("\n")
    ))
}

/// Runs `command` to its end with its output on this terminal.
pub fn run(command: &mut Command, package: &str) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().map_err(|error| cannot_start(&name, package, &error))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{}` failed ({status}). The reason is above.", line(command)))
    }
}

fn cannot_start(name: &str, package: &str, error: &std::io::Error) -> String {
    if error.kind() == ErrorKind::NotFound {
        format!("The program {name} is missing. Install it: apt-get install {package}")
    } else {
        format!("The program {name} cannot be started: {error}.")
    }
}

/// The command as one would type it.
fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_names_its_package() {
        let error = output(&mut Command::new("no-such-program-here"), "the-package").unwrap_err();
        assert!(error.contains("apt-get install the-package"), "{error}");
    }

    #[test]
    fn a_failing_program_is_quoted() {
        let error = output(Command::new("sh").args(["-c", "echo the reason >&2; exit 3"]), "dash").unwrap_err();
        assert!(error.contains("the reason") && error.contains('3'), "{error}");
    }
}
