//! `blockhauld`, the daemon: reads its few options, gets the machine, hands it to the core, and ends in good order.
//!
//! It decides nothing that the core could decide. As the first process of a machine it does the duties of
//! that, and the daemon is its child. Order of the start: options,
//! protection, machine (state folder and identity, block memory, rings, sockets), core, pump.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod arguments;
mod first;
mod formats;
mod log;
mod protection;
mod pulse;
mod pump;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use drivers_uring::{Setup, UringMachine};

use arguments::{Arguments, Request, USAGE};
use pulse::Pulse;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Wrong options, as everywhere.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    first::run_if_first();
    end_on_panic();
    let log = log::start();
    let code = daemon(std::env::args_os().skip(1).collect());
    log.finish();
    // Not by returning: the runtime would wait for a thread that asks a name server or a hung device.
    std::process::exit(code.into())
}

/// A panic in any thread is the end, so that nothing goes on with half a state. Where a card is read that is damaged, it is an error.
fn end_on_panic() {
    let say = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !drivers_uring::reads_damaged_card() {
            say(panic);
            std::process::abort();
        }
    }));
}

fn daemon(given: Vec<OsString>) -> u8 {
    let arguments = match arguments::parse(given) {
        Ok(Request::Run(arguments)) => arguments,
        Ok(Request::Help) => {
            print!("{USAGE}");
            return 0;
        }
        Ok(Request::Version) => {
            print!("blockhauld {VERSION}\n{}", formats::KNOWN);
            return 0;
        }
        Err(sentence) => {
            eprint!("blockhauld: {sentence}\n\n{USAGE}");
            return EXIT_USAGE;
        }
    };
    match run(arguments) {
        Ok(()) => 0,
        Err(sentence) => {
            tracing::error!("{sentence}");
            1
        }
    }
}

/// The document that a first start takes its settings from.
fn first_settings(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|error| {
        let file = file.display();
        format!("the settings {file} of this first start cannot be read: {error}; mend that, or start without --settings")
    })
}

fn run(arguments: Arguments) -> Result<(), String> {
    protection::apply()?;
    let memory_bytes = arguments.memory_bytes;
    let setup = Setup {
        state: arguments.state,
        socket: arguments.socket,
        listen: arguments.listen,
        memory_bytes,
        programs: arguments.programs,
        operators_gid: arguments.operators_gid,
    };
    let first = arguments.settings;
    let mut machine = UringMachine::start(setup).map_err(|error| error.to_string())?;
    let found = machine.found().clone();
    let mut seed = [0; 32];
    rustix::rand::getrandom(&mut seed, rustix::rand::GetRandomFlags::empty())
        .map_err(|error| format!("the kernel has no random numbers: {error}; try again when it has started fully"))?;
    let listening: Vec<String> = found.listening.iter().map(ToString::to_string).collect();
    let first = match (&found.settings, first) {
        (None, Some(file)) => Some(first_settings(&file)?),
        _ => None,
    };
    let board = blockhaul_core::Board {
        fingerprint: found.fingerprint,
        version: VERSION,
        listening: listening.clone(),
        seed,
        settings: found.settings,
        kept_events: found.kept_events,
        memory_bytes,
    };
    let mut pulse = Pulse::new();
    let ready = || {
        let doors = if listening.is_empty() {
            "no listener for peers".to_owned()
        } else {
            format!("listening on {}", listening.join(", "))
        };
        tracing::info!("ready: {}; {doors}; fingerprint {}", found.memory, found.fingerprint);
    };
    let end = pump::run(&mut machine, board, first.as_deref(), &mut pulse, ready).map_err(|error| error.to_string())?;
    pulse.stopping();
    match end {
        pump::End::Stopped => machine.finish(),
        pump::End::Forced => tracing::warn!("asked to stop a second time: stopped at once"),
    }
    tracing::info!("stopped");
    // Leaving drops the machine, which would wait for a hung device.
    if end == pump::End::Forced {
        std::mem::forget(machine);
    }
    Ok(())
}
