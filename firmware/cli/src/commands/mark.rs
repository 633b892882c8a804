//! `mark …`

use std::time::Duration;

use blockhaul_core::control::types::{MarkCreate, MarkInfos, MarkList, MarkRemove, MarkRestore, MarkShown, MarkWait, Restored};

use super::{Context, understood};
use crate::args::mark::{Mark, Restore, Wait};
use crate::client::Style;
use crate::failure::{Exit, Failure};
use crate::render::mark;

/// The daemon says itself when the time is over; this much later it is taken for granted.
const GRACE: Duration = Duration::from_secs(5);

/// `blockhaul mark …`
pub fn run(context: &Context, command: Mark) -> Result<Exit, Failure> {
    match command {
        Mark::Create(create) => {
            let dry_run = create.dry_run;
            let parameters = MarkCreate {
                name: create.name,
                archive: create.archive,
                dry_run,
            };
            context.ask("io.blockhaul.Mark.Create", parameters, |made: &MarkShown, look| {
                let begin = if dry_run { "Nothing was written. It would be:\n" } else { "" };
                format!("{begin}{}", mark::shown(&made.mark, look))
            })
        }
        Mark::List(list) => {
            let parameters = MarkList { archive: list.archive };
            context.ask("io.blockhaul.Mark.List", parameters, |all: &MarkInfos, look| {
                mark::table(&all.marks, look)
            })
        }
        Mark::Remove(remove) => {
            let done = format!("Mark {} is forgotten in archive {}.", remove.name, remove.archive);
            let parameters = MarkRemove {
                name: remove.name,
                archive: remove.archive,
            };
            context.order("io.blockhaul.Mark.Remove", parameters, &done)
        }
        Mark::Wait(wait) => self::wait(context, wait),
        Mark::Restore(restore) => self::restore(context, restore),
    }
}

fn wait(context: &Context, wait: Wait) -> Result<Exit, Failure> {
    let method = "io.blockhaul.Mark.Wait";
    let (name, archive) = (wait.name.clone(), wait.archive.clone());
    let parameters = MarkWait {
        name: wait.name,
        archive: wait.archive,
        timeout_ms: wait.timeout,
    };
    let mut client = context.connect()?;
    client.send(method, parameters, Style::Once)?;
    let mut progress = context.progress();
    let limit = wait.timeout.map(|ms| Duration::from_millis(ms) + GRACE);
    let answer = client.wait(limit, || {
        // Progress is a courtesy: a look that fails is made anew the next time.
        let list = MarkList {
            archive: archive.clone(),
        };
        let seen = context
            .connect()
            .and_then(|mut client| client.call("io.blockhaul.Mark.List", list));
        if let Ok(answer) = seen
            && let Ok(all) = understood::<MarkInfos>(method, &answer)
            && let Some(found) = all.marks.iter().find(|mark| mark.name == name)
        {
            progress.note(|| format!("{name}: {} of {} awaited", found.awaited, found.blocks));
        }
    })?;
    drop(progress);
    let answer = answer.ok_or_else(|| {
        Failure::new(
            Exit::TimedOut,
            format!("Mark {name} was not complete in the time given, and the daemon did not say so."),
            format!("See `blockhaul mark list --archive {archive}`."),
        )
    })?;
    context.show(method, answer, |shown: &MarkShown, look| mark::shown(&shown.mark, look))?;
    Ok(Exit::Done)
}

fn restore(context: &Context, restore: Restore) -> Result<Exit, Failure> {
    let method = "io.blockhaul.Mark.Restore";
    let (name, into, dry_run) = (restore.name.to_string(), restore.into.to_string(), restore.dry_run);
    let parameters = MarkRestore {
        name: restore.name,
        archive: restore.archive,
        into: restore.into,
        dry_run,
    };
    let mut client = context.connect()?;
    client.send(method, parameters, Style::More)?;
    let mut progress = context.progress();
    while let Some(answer) = client.receive(None)? {
        let restored: Restored = understood(method, &answer.parameters)?;
        if context.json {
            context.print_object(&answer.parameters)?;
        }
        if answer.continues {
            progress.note(|| mark::restoring(&restored));
            continue;
        }
        drop(progress);
        if !context.json {
            context.print(&mark::restored(&name, &into, dry_run, &restored))?;
        }
        return Ok(Exit::Done);
    }
    Err(Failure::not_understood(method, "it ended without a last answer"))
}
