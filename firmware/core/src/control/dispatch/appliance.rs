//! `io.blockhaul.Appliance`: identity, status, events, checks, stop.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use hal::{ClientId, Role};

use super::{Done, no_such_method, parse};
use crate::appliance::Parts;
use crate::archive::creation::refusal;
use crate::context::Context;
use crate::control::reply;
use crate::control::types::{Call, EventsCall, Identity, Nothing, RefusalCode};
use crate::control::waiting::What;
use crate::haul::wire::PROTOCOL;

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
                reply(client, &Nothing {}, false, context);
                self.begin_stop(context);
            }
            _ => return Err(no_such_method()),
        }
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
