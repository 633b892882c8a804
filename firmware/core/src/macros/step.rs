//! One step of a macro, as people write it: `run JOB last 2h`, `start notify.sh within 30s`, `wait 5m`.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::Name;
use crate::limits::{MACRO_PROGRAM_LIMIT, MACRO_PROGRAM_LIMIT_MAX, MACRO_WAIT_MAX};

/// What a step can look like.
const FORMS: &str = "a step is `run JOB [last TIME]`, `enable JOB`, `disable JOB`, `kick JOB`, `start PROGRAM [within TIME]`, \
                     `wait TIME`, `tag TAG ARCHIVE/CAMERA last TIME`, `untag TAG ARCHIVE/CAMERA last TIME`, or \
                     `if ARCHIVE/CAMERA there|partly|missing last TIME`";

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Step {
    /// Begin a run of a job, or join the one that is on.
    Run {
        /// Job.
        job: Name,
        /// Only blocks of so much time before; those of the job's own period if none is given.
        last: Option<Duration>,
    },
    /// Switch a job on.
    Enable(Name),
    /// Switch a job off.
    Disable(Name),
    /// Let a job try again now.
    Kick(Name),
    /// Start a program of the appliance's folder of programs.
    Start {
        /// Its name there.
        program: String,
        /// It is ended after that long.
        within: Duration,
    },
    /// Let time pass.
    Wait(Duration),
    /// Put a tag on the newest blocks of a camera, or take it away.
    Tag {
        /// Whether it is put there.
        set: bool,
        /// The tag.
        tag: Name,
        /// Archive.
        archive: Name,
        /// Camera.
        camera: Name,
        /// Of how much time before the event.
        last: Duration,
    },
    /// Go on only if blocks of a camera are there, in part or not at all, among the newest of an archive.
    If {
        /// Archive.
        archive: Name,
        /// Camera.
        camera: Name,
        /// What must be so.
        is: Presence,
        /// Of how much time before the event.
        last: Duration,
    },
}

/// How much of a stretch of time an archive has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Presence {
    /// Blocks, and nothing missing between them.
    There,
    /// Blocks, and something missing between them.
    Partly,
    /// No block.
    Missing,
}

impl Presence {
    fn word(self) -> &'static str {
        match self {
            Presence::There => "there",
            Presence::Partly => "partly",
            Presence::Missing => "missing",
        }
    }
}

impl Step {
    /// The job that it names.
    pub fn job(&self) -> Option<&Name> {
        match self {
            Step::Run { job, .. } | Step::Enable(job) | Step::Disable(job) | Step::Kick(job) => Some(job),
            Step::Start { .. } | Step::Wait(_) | Step::If { .. } | Step::Tag { .. } => None,
        }
    }

    /// The archive that it names.
    pub fn archive(&self) -> Option<&Name> {
        match self {
            Step::If { archive, .. } | Step::Tag { archive, .. } => Some(archive),
            _ => None,
        }
    }

    /// The archive that it names.
    pub fn archive_mut(&mut self) -> Option<&mut Name> {
        match self {
            Step::If { archive, .. } | Step::Tag { archive, .. } => Some(archive),
            _ => None,
        }
    }
}

/// A time as people write it: `90s`, `1h 30m`.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a time; write it with a unit, like 90s or 1h 30m");
    let time = text.parse::<SignedDuration>().map_err(|_| wrong())?;
    Duration::try_from(time).ok().filter(|time| !time.is_zero()).ok_or_else(wrong)
}

fn written(time: Duration) -> String {
    SignedDuration::try_from(time).map_or_else(|_| format!("{}s", time.as_secs()), |time| format!("{time:#}"))
}

/// A name in the folder of programs: no path, nothing hidden.
fn program(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if !text.is_empty() && text.len() <= 63 && !text.starts_with(['.', '-']) && text.bytes().all(plain) {
        return Ok(text.to_string());
    }
    Err(format!(
        "{text:?} is not the name of a program; it is a name in the folder of programs: letters, digits, '.', '-' and '_', no path"
    ))
}

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Step, String> {
        let trimmed = text.trim();
        let (verb, rest) = trimmed.split_once(char::is_whitespace).unwrap_or((trimmed, ""));
        let rest = rest.trim();
        let (first, more) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let more = more.trim();
        let wrong = || format!("{trimmed:?} is not a step; {FORMS}");
        let job = || first.parse::<Name>().map_err(|_| wrong());
        // `last 2h`, `within 30s`.
        let behind = |word: &str, text: &str| match text.strip_prefix(word) {
            Some(text) if text.starts_with(char::is_whitespace) => time(text.trim()),
            _ => Err(wrong()),
        };
        let alone = |step: Step| if more.is_empty() { Ok(step) } else { Err(wrong()) };
        match verb {
            "run" if more.is_empty() => Ok(Step::Run { job: job()?, last: None }),
            "run" => Ok(Step::Run {
                job: job()?,
                last: Some(behind("last", more)?),
            }),
            "enable" => alone(Step::Enable(job()?)),
            "disable" => alone(Step::Disable(job()?)),
            "kick" => alone(Step::Kick(job()?)),
            "start" => {
                let program = program(first)?;
                let within = if more.is_empty() {
                    MACRO_PROGRAM_LIMIT
                } else {
                    behind("within", more)?
                };
                if within > MACRO_PROGRAM_LIMIT_MAX {
                    return Err(format!("{trimmed:?}: a program may run for one hour at most"));
                }
                Ok(Step::Start { program, within })
            }
            "wait" => match time(rest)? {
                time if time > MACRO_WAIT_MAX => Err(format!("{trimmed:?}: a macro waits for one day at most")),
                time => Ok(Step::Wait(time)),
            },
            "tag" | "untag" => {
                let (place, rest) = more.split_once(char::is_whitespace).ok_or_else(wrong)?;
                let (archive, camera) = place.split_once('/').ok_or_else(wrong)?;
                Ok(Step::Tag {
                    set: verb == "tag",
                    tag: first.parse().map_err(|_| wrong())?,
                    archive: archive.parse().map_err(|_| wrong())?,
                    camera: camera.parse().map_err(|_| wrong())?,
                    last: behind("last", rest.trim())?,
                })
            }
            "if" => {
                let (archive, camera) = first.split_once('/').ok_or_else(wrong)?;
                let (word, last) = more.split_once(char::is_whitespace).ok_or_else(wrong)?;
                let known = [Presence::There, Presence::Partly, Presence::Missing];
                let is = known.into_iter().find(|one| one.word() == word).ok_or_else(wrong)?;
                Ok(Step::If {
                    archive: archive.parse().map_err(|_| wrong())?,
                    camera: camera.parse().map_err(|_| wrong())?,
                    is,
                    last: behind("last", last.trim())?,
                })
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Run { job, last: None } => write!(f, "run {job}"),
            Step::Run { job, last: Some(last) } => write!(f, "run {job} last {}", written(*last)),
            Step::Enable(job) => write!(f, "enable {job}"),
            Step::Disable(job) => write!(f, "disable {job}"),
            Step::Kick(job) => write!(f, "kick {job}"),
            Step::Start { program, within } => write!(f, "start {program} within {}", written(*within)),
            Step::Wait(time) => write!(f, "wait {}", written(*time)),
            Step::Tag {
                set,
                tag,
                archive,
                camera,
                last,
            } => {
                let verb = if *set { "tag" } else { "untag" };
                write!(f, "{verb} {tag} {archive}/{camera} last {}", written(*last))
            }
            Step::If {
                archive,
                camera,
                is,
                last,
            } => write!(f, "if {archive}/{camera} {} last {}", is.word(), written(*last)),
        }
    }
}

impl TryFrom<String> for Step {
    type Error = String;

    fn try_from(text: String) -> Result<Step, String> {
        text.parse()
    }
}

impl From<Step> for String {
    fn from(step: Step) -> String {
        step.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_go_there_and_back() {
        for text in [
            "run out",
            "run out last 2h",
            "enable out",
            "disable out",
            "kick out",
            "start notify.sh within 30s",
            "wait 1h 30m",
            "if card/gate partly last 10m",
            "tag keep card/gate last 10m",
            "untag keep card/gate last 1h",
        ] {
            let step: Step = text.parse().unwrap();
            assert_eq!(step.to_string(), text);
        }
        assert_eq!("start beep".parse::<Step>().unwrap().to_string(), "start beep within 1m");
        assert_eq!("  run   out  ".parse::<Step>().unwrap().to_string(), "run out");
    }

    #[test]
    fn what_is_no_step_is_refused_with_what_it_looks_like() {
        for (text, told) in [
            ("", "a step is"),
            ("fly out", "a step is"),
            ("run", "a step is"),
            ("run Out", "a step is"),
            ("run out now", "a step is"),
            ("run out last", "a step is"),
            ("run out last soon", "not a time"),
            ("kick out twice", "a step is"),
            ("wait", "not a time"),
            ("wait 0s", "not a time"),
            ("wait 25h", "one day"),
            ("start ../beep", "no path"),
            ("start /bin/sh", "no path"),
            ("start .hidden", "no path"),
            ("start beep -x", "a step is"),
            ("start beep within 2h", "one hour"),
            ("if card/gate gone last 1h", "a step is"),
            ("if card there last 1h", "a step is"),
            ("tag keep card last 1h", "a step is"),
            ("tag keep card/gate", "a step is"),
        ] {
            let error = text.parse::<Step>().unwrap_err();
            assert!(error.contains(told), "{text:?}: {error}");
        }
    }
}
