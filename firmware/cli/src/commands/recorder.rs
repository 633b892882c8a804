//! `recorder …`

use blockhaul_core::control::types::{Named, Nothing, RecorderCreate, Recorders};

use super::Context;
use crate::args::recorder::{Create, Recorder};
use crate::args::value;
use crate::failure::{Exit, Failure};
use crate::render::recorder;

/// `blockhaul recorder …`
pub fn run(context: &Context, recorder: Recorder) -> Result<Exit, Failure> {
    match recorder {
        Recorder::Create(create) => self::create(context, create),
        Recorder::List => {
            let render = |all: &Recorders, look: &_| recorder::table(&all.recorders, look);
            context.ask("io.blockhaul.Recorder.List", Nothing {}, render)
        }
        Recorder::Remove(named) => {
            let done = format!("Recorder {} is removed; what it recorded stays.", named.name);
            context.order("io.blockhaul.Recorder.Remove", Named { name: named.name }, &done)
        }
    }
}

fn create(context: &Context, create: Create) -> Result<Exit, Failure> {
    let listen = value::absolute(&create.listen).map_err(|told| Failure::usage(told, "Name the socket by a plain path."))?;
    let done = format!("Recorder {} takes one stream at {listen}.", create.name);
    let parameters = RecorderCreate {
        name: create.name,
        archive: create.archive,
        camera: create.camera,
        kind: create.kind.into(),
        listen,
        flush_after_ms: create.flush_after,
    };
    context.order(
        "io.blockhaul.Recorder.Create",
        parameters,
        &crate::render::text::printable(&done),
    )
}
