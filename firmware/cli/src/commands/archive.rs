//! `archive …`.

use blockhaul_core::control::types::{
    ArchiveCreate, ArchiveInfo, ArchiveOpen, Archives, CutOver, Migrated, MoveCall, Named, Nothing, ScrubCall, Verified,
};

use serde_json::Value;

use super::{Context, understood};
use crate::args::archive::{Archive, Create, Move, Open, Scrub};
use crate::args::value;
use crate::client::Style;
use crate::failure::{Exit, Failure};
use crate::render::{archive, migration, text, units};

/// `blockhaul archive …`
pub fn run(context: &Context, archive: Archive) -> Result<Exit, Failure> {
    match archive {
        Archive::Create(create) => self::create(context, create),
        Archive::Open(open) => self::open(context, open),
        Archive::List => {
            let render = |all: &Archives, look: &_| archive::table(&all.archives, look);
            context.ask("io.blockhaul.Archive.List", Nothing {}, render)
        }
        Archive::Info(named) => context.ask("io.blockhaul.Archive.Info", Named { name: named.name }, archive::info),
        Archive::Verify(named) => verify(context, Named { name: named.name }),
        Archive::Compare(compare) => super::compare::run(context, compare),
        Archive::Migrate(it) => {
            let told = it.clone();
            context.ask("io.blockhaul.Archive.Migrate", moving(it), move |done: &Migrated, _| {
                migration::migrated(&told, done)
            })
        }
        Archive::Cutover(it) => {
            let told = it.clone();
            context.ask("io.blockhaul.Archive.CutOver", moving(it), move |done: &CutOver, _| {
                migration::cut_over(&told, done)
            })
        }
        Archive::Remove(named) => {
            let done = format!(
                "Archive {} is not configured any more. Its volume was left as it is.",
                named.name
            );
            context.order("io.blockhaul.Archive.Remove", Named { name: named.name }, &done)
        }
        Archive::Scrub(scrub) => self::scrub(context, scrub),
    }
}

fn moving(it: Move) -> MoveCall {
    MoveCall {
        from: it.from,
        to: it.to,
        dry_run: it.dry_run,
    }
}

fn create(context: &Context, create: Create) -> Result<Exit, Failure> {
    let method = "io.blockhaul.Archive.Create";
    let volume = value::absolute(&create.volume).map_err(|told| Failure::usage(told, "Name the volume by a plain path."))?;
    let parameters = ArchiveCreate {
        name: create.name,
        volume,
        size_bytes: create.size,
        block_bytes: create.block_size,
        mode: create.mode.into(),
        destroy: create.destroy,
        dry_run: create.dry_run,
    };
    let answer = context.connect()?.call_patiently(method, parameters)?;
    // A dry run is answered with a sentence and a few numbers: there is no archive to tell about.
    if let Some(plan) = answer.get("plan").and_then(Value::as_str) {
        if context.json {
            context.print_object(&answer)?;
        } else {
            context.print(&format!("{}\n", text::printable(plan)))?;
        }
        return Ok(Exit::Done);
    }
    context.show(method, answer, |info: &ArchiveInfo, look| {
        format!("Archive {} is made.\n\n{}", info.archive.name, archive::info(info, look))
    })?;
    Ok(Exit::Done)
}

fn open(context: &Context, open: Open) -> Result<Exit, Failure> {
    let method = "io.blockhaul.Archive.Open";
    let volume = value::absolute(&open.volume).map_err(|told| Failure::usage(told, "Name the volume by a plain path."))?;
    let parameters = ArchiveOpen {
        name: open.name,
        volume,
        uuid: open.uuid,
        read_only: open.read_only,
    };
    let answer = context.connect()?.call_patiently(method, parameters)?;
    context.show(method, answer, |info: &ArchiveInfo, look| {
        format!("Archive {} is taken in.\n\n{}", info.archive.name, archive::info(info, look))
    })?;
    Ok(Exit::Done)
}

fn verify(context: &Context, named: Named) -> Result<Exit, Failure> {
    let method = "io.blockhaul.Archive.Verify";
    let name = named.name.to_string();
    let mut client = context.connect()?;
    client.send(method, named, Style::More)?;
    let mut progress = context.progress();
    while let Some(answer) = client.receive(None)? {
        let verified: Verified = understood(method, &answer.parameters)?;
        if context.json {
            context.print_object(&answer.parameters)?;
        }
        if answer.continues {
            progress.note(|| looked_at(&name, &verified));
            continue;
        }
        drop(progress);
        if !context.json {
            context.print(&archive::verified(&name, &verified, &context.look))?;
        }
        return Ok(if verified.damaged_count == 0 {
            Exit::Done
        } else {
            Exit::Damaged
        });
    }
    Err(Failure::not_understood(method, "it ended without a last answer"))
}

/// One line of progress.
fn looked_at(name: &str, verified: &Verified) -> String {
    format!(
        "{name}: {} of {}, {} %, {} damaged",
        units::things(verified.blocks, "block"),
        units::count(verified.total),
        units::percent(verified.blocks, verified.total),
        units::count(verified.damaged_count)
    )
}

fn scrub(context: &Context, scrub: Scrub) -> Result<Exit, Failure> {
    let done = match scrub.rate {
        Some(rate) => format!(
            "Archive {} is read for damage in the background, at {} at most.",
            scrub.name,
            units::rate(rate)
        ),
        None => format!("Archive {} is not read for damage in the background.", scrub.name),
    };
    let parameters = ScrubCall {
        name: scrub.name,
        rate_bytes: scrub.rate,
        pause_ms: scrub.pause,
    };
    context.order("io.blockhaul.Archive.Scrub", parameters, &done)
}
