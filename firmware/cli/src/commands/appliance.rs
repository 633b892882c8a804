//! `identity`, `device`, `events`, `stop`.

use blockhaul_core::control::types::{EventRecord, EventsCall, Jobs, NicRate, Nothing, StopCall};

use super::{Context, understood};
use crate::args::appliance::{Device, Events, Stop};
use crate::args::plan;
use crate::client::Style;
use crate::failure::{Exit, Failure};
use crate::render::{appliance, job};

/// `blockhaul identity`
pub fn identity(context: &Context) -> Result<Exit, Failure> {
    context.ask("io.blockhaul.Appliance.Identity", Nothing {}, appliance::identity)
}

/// `blockhaul device …`
pub fn device(context: &Context, device: &Device) -> Result<Exit, Failure> {
    match device {
        Device::List => context.ask("io.blockhaul.Device.List", Nothing {}, appliance::devices),
        Device::Rate(rate) => {
            let rates = plan::rates(&rate.rates, &rate.tz)
                .map_err(|why| Failure::usage(format!("{why}."), "See `blockhaul device rate --help` for how it is written."))?;
            let done = match rates.is_empty() {
                true => format!("Jobs send over {} as fast as they can.", rate.name),
                false => format!("Jobs send over {} at the rates given, together.", rate.name),
            };
            let name = rate.name.clone();
            context.order("io.blockhaul.Device.SetRate", NicRate { name, rates }, &done)
        }
    }
}

/// `blockhaul stop`
pub fn stop(context: &Context, stop: Stop) -> Result<Exit, Failure> {
    let method = "io.blockhaul.Appliance.Stop";
    let all = |name: String| if name == "all" { String::new() } else { name };
    let call = StopCall {
        now: stop.now,
        drain: stop.drain.into_iter().map(all).collect(),
        timeout_ms: stop.timeout,
    };
    if call.drain.is_empty() {
        return context.order(method, call, "The daemon is stopping.");
    }
    let mut client = context.connect()?;
    client.send(method, call, Style::Once)?;
    let mut progress = context.progress();
    let mut watcher = None;
    client.wait(None, || {
        if context.json || context.quiet {
            return;
        }
        // Progress is a courtesy: a watcher that fails is made anew the next time.
        let mut seen = watcher.take().map_or_else(|| context.connect(), Ok);
        if let Ok(client) = &mut seen
            && let Ok(answer) = client.call("io.blockhaul.Job.List", Nothing {})
            && let Ok(all) = understood::<Jobs>("io.blockhaul.Job.List", &answer)
        {
            progress.note(|| job::left(&all.jobs));
            watcher = seen.ok();
        }
    })?;
    if context.json {
        context.print_object(&Nothing {})?
    } else {
        context.print("All caught up; the daemon is stopping.\n")?
    }
    Ok(Exit::Done)
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
    loop {
        let answer = match client.receive(None) {
            // Nothing new since then is nothing wrong.
            Err(failure) if failure.exit == Exit::NotFound => break,
            answer => answer?,
        };
        let Some(answer) = answer else { break };
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
