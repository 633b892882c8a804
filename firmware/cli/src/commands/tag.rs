//! `tag …`

use blockhaul_core::control::types::{TagChange, TagChanged, TagList};

use super::Context;
use crate::args::tag::{Change, Tag};
use crate::failure::{Exit, Failure};
use crate::render::tag;

/// `blockhaul tag …`
pub fn run(context: &Context, command: Tag) -> Result<Exit, Failure> {
    match command {
        Tag::Set(change) => self::change(context, change, true),
        Tag::Unset(change) => self::change(context, change, false),
        Tag::List(list) => {
            let parameters = TagList {
                archive: list.archive,
                camera: list.camera,
            };
            context.ask("io.blockhaul.Tag.List", parameters, tag::table)
        }
    }
}

fn change(context: &Context, change: Change, set: bool) -> Result<Exit, Failure> {
    let method = if set {
        "io.blockhaul.Tag.Set"
    } else {
        "io.blockhaul.Tag.Unset"
    };
    let (name, dry_run) = (change.tag.to_string(), change.dry_run);
    let parameters = TagChange {
        archive: change.archive,
        camera: change.camera,
        tag: change.tag,
        kind: change.kind.map(Into::into),
        origin: change.origin,
        from_utc_ns: change.from,
        to_utc_ns: change.to,
        from: change.blocks.map(|blocks| blocks.0),
        to: change.blocks.map(|blocks| blocks.1),
        dry_run,
    };
    let answer = context.connect()?.call_patiently(method, parameters)?;
    context.show(method, answer, |changed: &TagChanged, _| {
        tag::changed(&name, set, dry_run, changed)
    })?;
    Ok(Exit::Done)
}
