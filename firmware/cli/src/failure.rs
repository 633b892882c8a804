//! How a command ends: exit codes, and the two sentences of a command that failed.
//!
//! The codes are part of the interface (`docs/control.md`): they never change, new ones are only added.

use std::fmt::Write as _;
use std::io;

use blockhaul_core::control::types::{Refusal, RefusalCode};
use serde_json::{Value, json};

use crate::render::text;

/// Exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Tried, and it did not work.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// Done in part: something is missing or was left out.
    Partial = 3,
    /// There is nothing of that name.
    NotFound = 10,
    /// Somebody else holds it, or its state does not allow it now.
    Busy = 11,
    /// Not allowed.
    Refused = 12,
    /// The daemon does not answer.
    Unreachable = 13,
    /// What is on the volume is damaged.
    Damaged = 14,
    /// The time given was over first.
    TimedOut = 124,
}

/// Why a command was not done: what is wrong, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Exit code.
    pub exit: Exit,
    /// A sentence that names the thing; empty if there is nothing to say (the reader of our output has gone).
    pub sentence: String,
    /// What to do next; may be empty.
    pub next: String,
}

impl Failure {
    /// A failure with both sentences.
    pub fn new(exit: Exit, sentence: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            exit,
            sentence: sentence.into(),
            next: next.into(),
        }
    }

    /// The command line makes no sense.
    pub fn usage(sentence: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(Exit::Usage, sentence, next)
    }

    /// Whoever reads our output has gone: nothing is said, and nothing went wrong.
    pub fn unread() -> Self {
        Self::new(Exit::Done, "", "")
    }

    /// Our own output could not be written.
    pub fn output(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::unread();
        }
        Self::new(
            Exit::Failed,
            format!("The output could not be written: {error}."),
            "See where standard output leads to.",
        )
    }

    /// An answer that is not what `docs/control.md` says.
    pub fn not_understood(method: &str, detail: impl std::fmt::Display) -> Self {
        Self::new(
            Exit::Failed,
            format!("The daemon's answer to {method} is not understood: {detail}."),
            "Compare `blockhaul --version` with `blockhaul identity`; both should be of the same version.",
        )
    }

    /// The error that an answer carries. `method` is what was called.
    pub fn from_answer(method: &str, error: &str, parameters: Value) -> Self {
        let named = |key: &str| parameters.get(key).and_then(Value::as_str).unwrap_or("?").to_owned();
        match error.strip_prefix("org.varlink.service.") {
            Some("InvalidParameter") => Self::usage(
                format!(
                    "The daemon does not accept the parameter {:?} of {method}.",
                    named("parameter")
                ),
                "See the command's --help for what it should look like.",
            ),
            Some("PermissionDenied") => Self::new(
                Exit::Refused,
                format!("You may not call {method}."),
                "Ask somebody whose role on this appliance allows it.",
            ),
            Some("MethodNotFound" | "InterfaceNotFound" | "MethodNotImplemented") => Self::new(
                Exit::Failed,
                format!("This daemon does not know {method}."),
                "Compare `blockhaul --version` with `blockhaul identity`; the daemon may be the older one.",
            ),
            Some(other) => Self::new(Exit::Failed, format!("The daemon answered {method} with {other}."), ""),
            None => match serde_json::from_value::<Refusal>(parameters) {
                Ok(refusal) => Self::new(exit_of(refusal.code), refusal.sentence, refusal.next),
                Err(_) => Self::new(Exit::Failed, format!("The daemon answered {method} with {error}."), ""),
            },
        }
    }

    /// What goes to standard error.
    pub fn lines(&self) -> String {
        let mut lines = String::new();
        if !self.sentence.is_empty() {
            let _ = writeln!(lines, "blockhaul: {}", text::printable(&self.sentence));
        }
        if !self.next.is_empty() {
            let _ = writeln!(lines, "next: {}", text::printable(&self.next));
        }
        lines
    }

    /// What `--json` prints instead.
    pub fn object(&self) -> Value {
        json!({ "error": {
            "code": format!("{:?}", self.exit),
            "exit": self.exit as u8,
            "sentence": self.sentence,
            "next": self.next,
        }})
    }
}

/// The exit code of a refusal.
fn exit_of(code: RefusalCode) -> Exit {
    match code {
        RefusalCode::Failed => Exit::Failed,
        RefusalCode::Usage => Exit::Usage,
        RefusalCode::NotFound => Exit::NotFound,
        RefusalCode::Busy => Exit::Busy,
        RefusalCode::Refused => Exit::Refused,
        RefusalCode::Damaged => Exit::Damaged,
        RefusalCode::TimedOut => Exit::TimedOut,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_keep_their_sentences() {
        let parameters = json!({ "code": "NotFound", "sentence": "There is no job \"x\".", "next": "See `blockhaul job list`." });
        let failure = Failure::from_answer("io.blockhaul.Job.Show", "io.blockhaul.NotFound", parameters);
        assert_eq!(failure.exit as u8, 10);
        assert_eq!(
            failure.lines(),
            "blockhaul: There is no job \"x\".\nnext: See `blockhaul job list`.\n"
        );
        assert_eq!(failure.object()["error"]["code"], "NotFound");
    }

    #[test]
    fn errors_of_the_service_interface() {
        let failure =
            |name: &str| Failure::from_answer("io.blockhaul.Job.Fly", &format!("org.varlink.service.{name}"), json!({}));
        assert_eq!(failure("MethodNotFound").exit, Exit::Failed);
        assert_eq!(failure("InvalidParameter").exit, Exit::Usage);
        assert_eq!(failure("PermissionDenied").exit, Exit::Refused);
        assert_eq!(
            Failure::from_answer("m", "io.example.Odd", json!({"a": 1})).exit,
            Exit::Failed
        );
    }

    #[test]
    fn a_reader_that_left_is_no_failure() {
        let failure = Failure::output(&io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((failure.exit, failure.lines().as_str()), (Exit::Done, ""));
    }

    #[test]
    fn a_sentence_cannot_drive_the_terminal() {
        let failure = Failure::new(Exit::Failed, "a\u{1b}[2Jb\nc", "");
        assert_eq!(failure.lines(), "blockhaul: a\\u{1b}[2Jb\\nc\n");
    }
}
