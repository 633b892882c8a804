//! `io.blockhaul.Appliance`: identity, status, events, checks, stop.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use hal::{ClientId, Role};

use super::{Done, no_such_method, parse};
use crate::Name;
use crate::appliance::Parts;
use crate::archive::creation::refusal;
use crate::context::Context;
use crate::control::reply;
use crate::control::types::{Call, EventsCall, Identity, Nothing, RefusalCode, StopCall};
use crate::control::waiting::What;
use crate::haul::wire::PROTOCOL;
use crate::limits::DRAIN_WITHIN;

/// Methods, and the least role for each.
pub(super) const METHODS: &[(&str, Role)] = &[
    ("Identity", Role::Read),
    ("Status", Role::Read),
    ("Doctor", Role::Read),
    ("Events", Role::Read),
    ("Stop", Role::Admin),
];

impl Parts {
    pub(super) fn call_appliance(&mut self, client: ClientId, method: &str, call: &Call, context: &mut Context) -> Done {
        match method {
            "Identity" => {
                let identity = Identity {
                    fingerprint: self.fingerprint,
                    version: self.version.to_string(),
                    protocol: PROTOCOL,
                    listening: self.listening.clone(),
                };
                reply(client, &identity, false, context);
            }
            "Status" => {
                let status = self.status(context);
                reply(client, &status, call.more, context);
                if call.more {
                    self.wait(client, What::Status { sent_at: context.now.at }, None, context);
                }
            }
            "Doctor" => {
                let doctor = self.doctor(context);
                reply(client, &doctor, false, context);
            }
            "Events" => self.events(client, call, context)?,
            "Stop" => {
                let stop: StopCall = parse(call)?;
                if stop.drain.is_empty() {
                    reply(client, &Nothing {}, false, context);
                    if stop.now {
                        self.stop_at_once(context);
                    } else {
                        self.begin_stop(context);
                    }
                } else {
                    self.drain(client, &stop, context)?;
                }
            }
            _ => return Err(no_such_method()),
        }
        Ok(())
    }

    /// A stop that waits for jobs first.
    fn drain(&mut self, client: ClientId, stop: &StopCall, context: &mut Context) -> Done {
        let refused = |code, sentence: String, next: &str| Err(refusal(code, sentence, next).into());
        if stop.now {
            let sentence = "A stop is either at once or drained.".to_string();
            return refused(RefusalCode::Usage, sentence, "Leave out --now or --drain.");
        }
        if self.is_draining() {
            let sentence = "A drained stop is under way.".to_string();
            return refused(
                RefusalCode::Busy,
                sentence,
                "Wait for it, or interrupt the command that asked for it.",
            );
        }
        if !self.settings.hauling {
            let sentence = "The replication service is off, so no job can catch up.".to_string();
            return refused(RefusalCode::Busy, sentence, "blockhaul service on");
        }
        let mut jobs: Vec<Name> = Vec::new();
        for named in &stop.drain {
            let found: Vec<_> = self
                .live_jobs()
                .filter(|job| job.setting.name.as_str() == named || (named.is_empty() && job.setting.enabled))
                .collect();
            if let Some(off) = found.iter().find(|job| !job.setting.enabled) {
                let name = &off.setting.name;
                let sentence = format!("Job {name} is switched off, so it cannot catch up.");
                return refused(RefusalCode::Busy, sentence, &format!("blockhaul job enable {name}"));
            }
            if found.is_empty() && !named.is_empty() {
                let sentence = format!("There is no job {named}.");
                return refused(RefusalCode::NotFound, sentence, "See what there is: blockhaul job list");
            }
            jobs.extend(found.iter().map(|job| job.setting.name.clone()));
        }
        let timeout = stop.timeout_ms.map_or(DRAIN_WITHIN, core::time::Duration::from_millis);
        self.begin_drain(client, jobs, context.now.at + timeout, context);
        Ok(())
    }

    fn events(&mut self, client: ClientId, call: &Call, context: &mut Context) -> Done {
        let wanted: EventsCall = parse(call)?;
        if !call.more {
            let sentence = "Events are a stream.";
            return Err(refusal(RefusalCode::Usage, sentence, "Make the call with `more`.").into());
        }
        let records: Vec<_> = context.shared.journal.since(wanted.since).cloned().collect();
        let (last, first) = if wanted.follow {
            (None, &records[..])
        } else {
            records
                .split_last()
                .map_or((None, &records[..]), |(last, first)| (Some(last), first))
        };
        for record in first {
            reply(client, record, true, context);
        }
        if wanted.follow {
            let since = context.shared.journal.next();
            self.wait(client, What::Events { since }, None, context);
        } else {
            match last {
                Some(record) => reply(client, record, false, context),
                None => {
                    let sentence = format!("There is no event with number {} or a higher one.", wanted.since);
                    return Err(refusal(RefusalCode::NotFound, sentence, "Leave --since out to see all.").into());
                }
            }
        }
        Ok(())
    }
}
