//! `service …`

use blockhaul_core::control::types::{Nothing, ServiceShown, ServiceSwitch};

use super::Context;
use crate::args::service::Service;
use crate::failure::{Exit, Failure};
use crate::render::service;

/// `blockhaul service …`
pub fn run(context: &Context, service: Service) -> Result<Exit, Failure> {
    let switch = |on: bool, done: &str| context.order("io.blockhaul.Service.Switch", ServiceSwitch { on }, done);
    match service {
        Service::On => switch(true, "The replication service is on."),
        Service::Off => switch(
            false,
            "The replication service is off: no job dials, and no peer is served. Recorders go on.",
        ),
        Service::Status => context.ask("io.blockhaul.Service.Show", Nothing {}, |shown: &ServiceShown, look| {
            service::shown(*shown, look)
        }),
    }
}
