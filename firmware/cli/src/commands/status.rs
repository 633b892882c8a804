//! `status`: live on a terminal, once elsewhere.

use std::io::IsTerminal;
use std::sync::mpsc;
use std::thread;

use blockhaul_core::control::types::{Nothing, Status as Reply};

use super::screen::{Screen, Seen};
use super::{Context, understood};
use crate::args::appliance::Status;
use crate::client::{Client, Style};
use crate::failure::{Exit, Failure};
use crate::render::status;

const METHOD: &str = "io.blockhaul.Appliance.Status";

/// `blockhaul status`
pub fn run(context: &Context, options: &Status) -> Result<Exit, Failure> {
    let terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    match (options.once, options.watch, terminal && !context.json) {
        (false, _, true) => live(context),
        (false, true, false) => follow(context),
        _ => context.ask(METHOD, Nothing {}, status::screen),
    }
}

/// One dump at each change.
fn follow(context: &Context) -> Result<Exit, Failure> {
    let mut client = context.connect()?;
    client.send(METHOD, Nothing {}, Style::More)?;
    while let Some(answer) = client.receive(None)? {
        context.show(METHOD, answer.parameters, |reply: &Reply, look| {
            status::screen(reply, look) + "\n"
        })?;
        if !answer.continues {
            break;
        }
    }
    Ok(Exit::Done)
}

/// One screen that changes until somebody has seen enough.
fn live(context: &Context) -> Result<Exit, Failure> {
    let mut client = context.connect()?;
    client.send(METHOD, Nothing {}, Style::More)?;
    let (tell, told) = mpsc::channel();
    let screen = Screen::open(tell.clone()).map_err(|error| Failure::output(&error))?;
    thread::spawn(move || feed(&mut client, &tell));
    let mut last = String::new();
    let ended = loop {
        // The key thread and the feeding thread hold the other end, so there is always something to come.
        match told.recv() {
            Ok(Seen::Change(reply)) => {
                last = status::screen(&reply, &context.look);
                if let Err(error) = screen.show(&last) {
                    break Err(Failure::output(&error));
                }
            }
            Ok(Seen::Ended(failure)) => break Err(failure),
            Ok(Seen::Enough) | Err(_) => break Ok(Exit::Done),
        }
    };
    drop(screen);
    // What was seen last stays above the prompt.
    context.print(&last)?;
    ended
}

/// Hands on one status after the other.
fn feed(client: &mut Client, tell: &mpsc::Sender<Seen>) {
    loop {
        let next = client.receive(None).and_then(|answer| match answer {
            Some(answer) => Ok((understood(METHOD, &answer.parameters)?, answer.continues)),
            None => Err(Failure::not_understood(METHOD, "it is empty")),
        });
        let (seen, more) = match next {
            Ok((reply, more)) => (Seen::Change(Box::new(reply)), more),
            Err(failure) => (Seen::Ended(failure), false),
        };
        if tell.send(seen).is_err() || !more {
            return;
        }
    }
}
