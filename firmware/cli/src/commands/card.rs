//! `card …`

use std::path::Path;

use blockhaul_core::card::pattern::Pattern;
use blockhaul_core::card::profile::{PROFILES, SidecarForm};
use blockhaul_core::control::types::{
    CardAdd, CardCheckCall, CardChecked, CardInfo, CardInfoCall, Cards, CheckVerdict, Named, Nothing,
};

use super::{Context, understood};
use crate::args::card::{Add, Card, Check, Info};
use crate::args::value;
use crate::client::Style;
use crate::failure::{Exit, Failure};
use crate::render::{card, check};

/// `blockhaul card …`
pub fn run(context: &Context, command: Card) -> Result<Exit, Failure> {
    match command {
        Card::List => {
            let render = |all: &Cards, look: &_| card::table(&all.cards, look);
            context.ask("io.blockhaul.Card.List", Nothing {}, render)
        }
        Card::Info(info) => self::info(context, info),
        Card::Check(check) => self::check(context, check),
        Card::Add(add) => self::add(context, add),
        Card::Remove(named) => {
            let done = format!("Card {} is removed; what was taken stays.", named.name);
            context.order("io.blockhaul.Card.Remove", Named { name: named.name }, &done)
        }
    }
}

fn absolute(path: &Path) -> Result<String, Failure> {
    value::absolute(path).map_err(|told| Failure::usage(told, "Name the card by a plain path."))
}

/// The patterns of a profile.
fn patterns(profile: &str) -> impl Iterator<Item = Pattern> + use<> {
    let found = PROFILES.iter().find(|(name, _)| *name == profile);
    let texts = found.map_or(&[][..], |(_, texts)| texts);
    texts.iter().filter_map(|text| text.parse().ok())
}

fn info(context: &Context, info: Info) -> Result<Exit, Failure> {
    let all = || PROFILES.iter().flat_map(|(name, _)| patterns(name)).collect();
    let parameters = CardInfoCall {
        path: absolute(&info.path)?,
        patterns: if info.patterns.is_empty() { all() } else { info.patterns },
    };
    let render = |found: &CardInfo, look: &_| card::info(found, look);
    context.ask("io.blockhaul.Card.Info", parameters, render)
}

fn check(context: &Context, call: Check) -> Result<Exit, Failure> {
    let method = if call.write {
        "io.blockhaul.Card.CheckByWriting"
    } else {
        "io.blockhaul.Card.Check"
    };
    let path = absolute(&call.path)?;
    let mut client = context.connect()?;
    client.send(method, CardCheckCall { path: path.clone() }, Style::More)?;
    let mut progress = None;
    while let Some(answer) = client.receive(None)? {
        let checked: CardChecked = understood(method, &answer.parameters)?;
        if context.json {
            context.print_object(&answer.parameters)?;
        }
        if answer.continues {
            if progress.is_none() && !context.quiet {
                context.tell(&check::estimate(&path, &checked));
            }
            let progress = progress.get_or_insert_with(|| context.progress());
            progress.note(|| check::progress(&path, &checked));
            continue;
        }
        drop(progress);
        if !context.json {
            context.print(&check::report(&path, &checked, &context.look))?;
        }
        return Ok(match checked.verdict {
            Some(CheckVerdict::Good) => Exit::Done,
            Some(CheckVerdict::Slow) => Exit::Partial,
            Some(CheckVerdict::Gone | CheckVerdict::Stopped) | None => Exit::Failed,
            Some(CheckVerdict::Unreadable | CheckVerdict::NotKept | CheckVerdict::ReadOnly | CheckVerdict::Counterfeit) => {
                Exit::Damaged
            }
        });
    }
    Err(Failure::not_understood(method, "it ended without a last answer"))
}

fn add(context: &Context, add: Add) -> Result<Exit, Failure> {
    let done = format!(
        "Card {} is known; its files go to archive {}. See how far it is: blockhaul card list",
        add.name, add.archive
    );
    let of_profile = add.profile.iter().flat_map(|profile| patterns(profile));
    let parameters = CardAdd {
        name: add.name,
        archive: add.archive,
        path: absolute(&add.path)?,
        patterns: add.patterns.into_iter().chain(of_profile).collect(),
        camera: add.camera,
        kind: add.kind.into(),
        sidecars: add.profile.as_deref().and_then(SidecarForm::of_profile),
        zone: add.zone,
        settle_ms: add.settle,
    };
    context.order("io.blockhaul.Card.Add", parameters, &done)
}
