//! The control socket as the core sees it: calls in, answers out.
//!
//! `types` is what goes over the wire, `dispatch` finds the method and checks the role, `changes` alters the settings, `waiting`
//! answers calls that take time, `verify` and `export` read archives for people. Framing is the driver's.
//!
//! Invariant: every call is answered exactly once, or with a stream that ends in one last answer, unless the client goes away or wants
//! no answer.

pub mod changes;
mod compare;
mod dispatch;
mod export;
mod noting;
mod reading;
mod restore;
mod survey;
pub mod types;
pub mod verify;
mod waiting;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use hal::{ClientId, IoError, Op};
use serde::Serialize;

pub use changes::{Change, Changes};
use compare::Compare;
use export::{Export, Merged};
use noting::Noting;
use reading::Ask;
use restore::Restore;
use survey::Survey;
use verify::Verify;
use waiting::Waiter;

use crate::archive::Archive;
use crate::archive::creation::refusal;
use crate::archive::seek::Seek;
use crate::archive::walk::Walk;
use crate::context::{Context, Ready};
use types::{Answer, Nothing, Refusal, RefusalCode};

/// Whoever made a call and wants no answer. Machines count from the other end.
const NOBODY: ClientId = ClientId(u64::MAX - 1);

/// Calls that have not been answered.
#[derive(Clone, Debug, Default, Hash)]
pub struct Control {
    readings: BTreeMap<ClientId, Reading>,
    /// Reading for clients that are gone, until it comes to rest.
    retired: BTreeMap<ClientId, (usize, Option<Walk>, Option<Seek>)>,
    waiters: Vec<Waiter>,
    /// Notes that are not durable yet.
    notings: BTreeMap<ClientId, Noting>,
}

/// A call that reads an archive.
#[derive(Clone, Debug, Hash)]
enum Reading {
    Verify {
        verify: alloc::boxed::Box<Verify>,
        more: bool,
    },
    Export(alloc::boxed::Box<Export>),
    Merged(alloc::boxed::Box<Merged>),
    Survey {
        survey: alloc::boxed::Box<Survey>,
        ask: Ask,
    },
    Compare {
        compare: alloc::boxed::Box<Compare>,
        more: bool,
    },
    Restore {
        restore: alloc::boxed::Box<Restore>,
        more: bool,
    },
}

impl Control {
    /// A block for a client has been read.
    pub fn on_read(
        &mut self,
        client: ClientId,
        sequence: u64,
        result: Result<(), IoError>,
        archive: &Archive,
        context: &mut Context,
    ) {
        match self.readings.get_mut(&client) {
            Some(Reading::Verify { verify, .. }) => verify.walk.on_read(sequence, result, archive, context),
            Some(Reading::Export(export)) => {
                if let Some(walk) = &mut export.walk {
                    walk.on_read(sequence, result, archive, context);
                }
            }
            Some(Reading::Merged(merged)) => {
                if let Some(walk) = &mut merged.walk {
                    walk.on_read(sequence, result, archive, context);
                }
            }
            Some(Reading::Survey { survey, .. }) => survey.on_read(sequence, result, archive, context),
            Some(Reading::Compare { compare, .. }) => compare.on_read(sequence, result, archive, context),
            Some(Reading::Restore { restore, .. }) => restore.on_read(sequence, result, archive, context),
            None => {
                if let Some((_, Some(walk), _)) = self.retired.get_mut(&client) {
                    walk.on_read(sequence, result, archive, context);
                }
                self.rest(client, context);
            }
        }
        context.wake(Ready::Reading(client));
    }

    /// A checkpoint part for a client has been read.
    pub fn on_sought(&mut self, client: ClientId, result: Result<(), IoError>, archive: &Archive, context: &mut Context) {
        match self.readings.get_mut(&client) {
            Some(Reading::Export(export)) => export.on_sought(result, archive, context),
            Some(Reading::Merged(merged)) => merged.on_sought(result, archive, context),
            Some(Reading::Survey { survey, .. }) => survey.on_sought(result, archive, context),
            Some(Reading::Verify { .. } | Reading::Compare { .. } | Reading::Restore { .. }) => {}
            None => {
                if let Some((_, None, Some(seek))) = self.retired.remove(&client) {
                    seek.finish(context);
                }
            }
        }
        context.wake(Ready::Reading(client));
    }

    /// A reading that is not wanted any more gives its memory back as soon as it can.
    fn retire(&mut self, client: ClientId, context: &mut Context) {
        let Some(reading) = self.readings.remove(&client) else {
            return;
        };
        let (archive, walk, seek) = match reading {
            Reading::Verify { verify, .. } => (verify.archive, Some(verify.walk), None),
            Reading::Export(export) => (export.archive, export.walk, export.seek),
            Reading::Merged(merged) => (merged.archive, merged.walk, merged.seek),
            Reading::Survey { survey, .. } => (survey.archive, survey.walk, survey.seek),
            Reading::Compare { compare, .. } => (compare.archive(), compare.walk, None),
            Reading::Restore { restore, .. } => (restore.archive, Some(restore.walk), None),
        };
        let seek = match seek {
            Some(seek) if seek.is_quiet() => {
                seek.finish(context);
                None
            }
            seek => seek,
        };
        if walk.is_some() || seek.is_some() {
            self.retired.insert(client, (archive, walk, seek));
            self.rest(client, context);
        }
    }

    fn rest(&mut self, client: ClientId, context: &mut Context) {
        let quiet = |retired: &(usize, Option<Walk>, Option<Seek>)| retired.1.as_ref().is_some_and(Walk::is_quiet);
        if self.retired.get(&client).is_some_and(quiet)
            && let Some((_, Some(walk), _)) = self.retired.remove(&client)
        {
            walk.finish(context);
        }
    }
}

/// Whether a method does nothing but answer, in its own time: without an answer it is nothing.
fn wants_answer(method: &str) -> bool {
    matches!(
        method,
        "io.blockhaul.Archive.Verify"
            | "io.blockhaul.Card.Check"
            | "io.blockhaul.Card.CheckByWriting"
            | "io.blockhaul.Archive.Export"
            | "io.blockhaul.Recorder.Record"
            | "io.blockhaul.Job.Wait"
    )
}

/// Answers a call.
pub(crate) fn reply(client: ClientId, parameters: &impl Serialize, continues: bool, context: &mut Context) {
    let parameters = serde_json::to_value(parameters).unwrap_or_default();
    send(
        client,
        &Answer {
            parameters,
            continues,
            error: None,
        },
        context,
    );
}

/// Answers a call that only does something.
pub fn answer_nothing(client: ClientId, context: &mut Context) {
    reply(client, &Nothing {}, false, context);
}

/// Refuses a call.
pub fn answer_refused(client: ClientId, code: RefusalCode, sentence: String, next: &str, context: &mut Context) {
    refuse(client, &refusal(code, sentence, next), context);
}

/// Answers a call with an error of ours.
pub(crate) fn refuse(client: ClientId, refusal: &Refusal, context: &mut Context) {
    let parameters = serde_json::to_value(refusal).unwrap_or_default();
    let error = Some(alloc::format!("io.blockhaul.{:?}", refusal.code));
    send(
        client,
        &Answer {
            parameters,
            continues: false,
            error,
        },
        context,
    );
}

/// Answers a call with an error of the Varlink service interface.
fn varlink_error(client: ClientId, error: &str, key: &str, value: &str, context: &mut Context) {
    let parameters = serde_json::json!({ key: value });
    let error = Some(alloc::format!("org.varlink.service.{error}"));
    send(
        client,
        &Answer {
            parameters,
            continues: false,
            error,
        },
        context,
    );
}

fn send(client: ClientId, answer: &Answer, context: &mut Context) {
    if client == NOBODY {
        return;
    }
    let message = serde_json::to_vec(answer).unwrap_or_default();
    context.submit(Op::Reply { client, message });
}
