//! The folder of programs: what may be started from it, and starting it.
//!
//! A program gets what is meant for it on its standard input, and nothing else: no arguments, an empty environment but for `PATH`,
//! no other files; what it prints is not read. It is the head of a process group of its own, which is ended as a whole.
//!
//! Invariant: nothing is started that somebody other than us or root could have written.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hal::{IoError, ProgramEnd};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::errno;

/// How often is looked whether a program has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Where a program finds others.
const SEARCH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// Longest list: a folder with more is not one of programs.
const LIST_MAX: usize = 1_000;

/// The programs of a folder that may be started, in order; none if there is no such folder.
pub(crate) fn list(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(LIST_MAX);
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| check(folder, name).is_ok()).collect();
    names.sort();
    names
}

/// Whether a program may be started.
fn check(folder: &Path, name: &str) -> Result<(), IoError> {
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
        return Err(IoError::Refused);
    }
    let own_uid = rustix::process::geteuid().as_raw();
    let kept = |facts: &fs::Metadata| (facts.uid() == 0 || facts.uid() == own_uid) && facts.mode() & 0o022 == 0;
    let of = |path: &Path| fs::symlink_metadata(path).map_err(|error| errno::of_local(&error));
    let (above, program) = (of(folder)?, of(&folder.join(name))?);
    if kept(&above) && kept(&program) && program.is_file() && program.mode() & 0o111 != 0 {
        Ok(())
    } else {
        Err(IoError::Refused)
    }
}

/// Runs a program to its end, which takes `limit` and a little more at most.
pub(crate) fn run(folder: &Path, name: &str, input: &[u8], limit: Duration) -> Result<ProgramEnd, IoError> {
    check(folder, name)?;
    let until = Instant::now() + limit;
    let mut child = Command::new(folder.join(name))
        .env_clear()
        .env("PATH", SEARCH)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| errno::of_local(&error))?;
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_vec();
        // A program need not read; one that does not must not hold us up.
        thread::spawn(move || drop(stdin.write_all(&input)));
    }
    match wait(&mut child, until) {
        Ok(Some(status)) => Ok(end(status)),
        Ok(None) => {
            let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
            let _ = child.wait();
            Ok(ProgramEnd::OverTime)
        }
        // Whoever collects the children of a first process was faster: how it ended is not known.
        Err(_) => Err(IoError::Gone),
    }
}

fn wait(child: &mut Child, until: Instant) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= until {
            return Ok(None);
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn end(status: ExitStatus) -> ProgramEnd {
    match (status.code(), status.signal()) {
        (Some(code), _) => ProgramEnd::Exited(code),
        (None, Some(signal)) => ProgramEnd::Killed(signal),
        (None, None) => ProgramEnd::Exited(-1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn folder(programs: &[(&str, &str, u32)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for (name, text, mode) in programs {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
        }
        folder
    }

    const LONG: Duration = Duration::from_secs(10);

    #[test]
    fn only_what_nobody_else_could_have_written() {
        let programs = [
            ("good", "#!/bin/sh\n", 0o755),
            ("open", "#!/bin/sh\n", 0o775),
            ("text", "hello", 0o644),
            (".hidden", "#!/bin/sh\n", 0o755),
        ];
        let folder = folder(&programs);
        std::os::unix::fs::symlink("/bin/sh", folder.path().join("link")).unwrap();
        assert_eq!(list(folder.path()), ["good"]);
        for name in ["open", "text", ".hidden", "link", "../good", ""] {
            assert_eq!(run(folder.path(), name, b"", LONG), Err(IoError::Refused), "{name}");
        }
        assert_eq!(run(folder.path(), "none", b"", LONG), Err(IoError::NotFound));
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(list(folder.path()), Vec::<String>::new());
        assert_eq!(list(Path::new("/nowhere")), Vec::<String>::new());
    }

    #[test]
    fn it_gets_its_input_and_nothing_else() {
        let out = tempfile::tempdir().unwrap();
        let out = out.path().join("out");
        let text = format!("#!/bin/sh\ncat > {0}\nenv >> {0}\necho $# >> {0}\nexit 7\n", out.display());
        let folder = folder(&[("tell", &text, 0o755)]);
        assert_eq!(run(folder.path(), "tell", b"{}\n", LONG), Ok(ProgramEnd::Exited(7)));
        let told = fs::read_to_string(out).unwrap();
        assert!(told.starts_with("{}\n") && told.ends_with("\n0\n"), "{told}");
        assert!(!told.contains("HOME=") && !told.contains("CARGO"), "{told}");
    }

    #[test]
    fn one_that_does_not_end_is_ended_with_its_children() {
        let folder = folder(&[
            ("hang", "#!/bin/sh\nsleep 60 & sleep 60\n", 0o755),
            ("die", "#!/bin/sh\nkill -9 $$\n", 0o755),
        ]);
        let begun = Instant::now();
        let end = run(folder.path(), "hang", &[b'x'; 1 << 20], Duration::from_millis(200));
        assert_eq!(end, Ok(ProgramEnd::OverTime));
        assert!(begun.elapsed() < LONG);
        assert_eq!(run(folder.path(), "die", b"", LONG), Ok(ProgramEnd::Killed(9)));
    }
}
