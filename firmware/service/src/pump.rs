//! The pump: events of a machine into the core, ops of the core into the machine. The same for every machine; no decision.

use blockhaul_core::{Appliance, Board, StartError};
use hal::{Event, Machine, Ops};

use crate::pulse::Pulse;

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// In good order, as the core wanted.
    Stopped,
    /// Asked a second time: without waiting.
    Forced,
}

/// Runs the core on a machine until it has stopped. `first` is the settings document of a first start.
pub fn run(
    machine: &mut impl Machine,
    board: Board,
    first: Option<&[u8]>,
    pulse: &mut Pulse,
    ready: impl FnOnce(),
) -> Result<End, StartError> {
    let mut ops = Ops::new();
    let mut appliance = Appliance::start(board, machine.now(), &mut ops)?;
    if let Some(document) = first {
        let now = machine.now();
        appliance.adopt(document, now, machine.memory(), &mut ops)?;
    }
    ready();
    pulse.ready();
    let mut asked = false;
    loop {
        ops.drain(..).for_each(|op| machine.submit(op));
        if appliance.stopped() {
            return Ok(End::Stopped);
        }
        let due = appliance.deadline();
        let event = machine.next(pulse.earlier(due));
        let now = machine.now();
        pulse.beat(now.at);
        match event {
            Event::StopAsked if std::mem::replace(&mut asked, true) => return Ok(End::Forced),
            // A tick for the pulse alone.
            Event::Tick if due.is_none_or(|due| now.at < due) => continue,
            event => appliance.step(now, event, machine.memory(), &mut ops),
        }
    }
}
