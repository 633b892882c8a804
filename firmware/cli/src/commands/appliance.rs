//! `identity`, `device`, `events`, `stop`.

use blockhaul_core::control::types::{EventRecord, EventsCall, Nothing};

use super::{Context, understood};
use crate::args::appliance::{Device, Events};
use crate::client::Style;
use crate::failure::{Exit, Failure};
use crate::render::appliance;

/// `blockhaul identity`
pub fn identity(context: &Context) -> Result<Exit, Failure> {
    context.ask("io.blockhaul.Appliance.Identity", Nothing {}, appliance::identity)
}

/// `blockhaul device …`
pub fn device(context: &Context, device: &Device) -> Result<Exit, Failure> {
    match device {
        Device::List => context.ask("io.blockhaul.Device.List", Nothing {}, appliance::devices),
    }
}

/// `blockhaul stop`
pub fn stop(context: &Context) -> Result<Exit, Failure> {
    context.order("io.blockhaul.Appliance.Stop", Nothing {}, "The daemon is stopping.")
}

/// `blockhaul events`
pub fn events(context: &Context, events: &Events) -> Result<Exit, Failure> {
    let method = "io.blockhaul.Appliance.Events";
    let mut client = context.connect()?;
    client.send(
        method,
        EventsCall {
            follow: events.follow,
            since: events.since,
        },
        Style::More,
    )?;
    while let Some(answer) = client.receive(None)? {
        if context.json {
            context.print_object(&answer.parameters)?;
        } else {
            let record: EventRecord = understood(method, &answer.parameters)?;
            context.print(&appliance::event(&record, &context.look))?;
        }
        if !answer.continues {
            break;
        }
    }
    Ok(Exit::Done)
}
