//! `io.blockhaul.Service`: the replication service on and off, as a whole.
//!
//! Off closes every link and keeps every job: runs wait, guards stay, recorders go on.

use hal::{ClientId, Role};

use super::{Done, no_such_method, parse};
use crate::appliance::Parts;
use crate::context::Context;
use crate::control::changes::Change;
use crate::control::reply;
use crate::control::types::{Call, Nothing, ServiceShown, ServiceSwitch};

/// Methods, and the least role for each.
pub(super) const METHODS: &[(&str, Role)] = &[("Switch", Role::Operate), ("Show", Role::Read)];

impl Parts {
    pub(super) fn call_service(&mut self, client: ClientId, method: &str, call: &Call, context: &mut Context) -> Done {
        match method {
            "Switch" => {
                let ServiceSwitch { on } = parse(call)?;
                if on == self.settings.hauling && !self.changes.is_saving() {
                    reply(client, &Nothing {}, false, context);
                } else {
                    self.change(Some(client), Change::SwitchService(on), context);
                }
            }
            "Show" => {
                let jobs = self.live_jobs().filter(|job| job.setting.enabled).count();
                let outgoing = self.live_jobs().filter(|job| job.link_id().is_some()).count();
                let shown = ServiceShown {
                    on: self.settings.hauling,
                    jobs: jobs as u64,
                    outgoing: outgoing as u64,
                    incoming: self.incoming.len() as u64,
                };
                reply(client, &shown, false, context);
            }
            _ => return Err(no_such_method()),
        }
        Ok(())
    }

    /// The switch is durable: links go down, or jobs dial again.
    pub(in crate::control) fn switch_service(&mut self, on: bool, context: &mut Context) {
        for job in self.jobs.iter_mut().flatten().filter(|job| !job.deleted) {
            job.hold(!on, context);
        }
        if !on {
            for incoming in self.incoming.values_mut() {
                incoming.hang_up(context);
            }
        }
    }
}
