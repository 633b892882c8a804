//! `io.blockhaul.Config`: the whole configuration as one document.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use hal::{ClientId, Role};

use super::{Done, no_such_method, parse};
use crate::appliance::Parts;
use crate::archive::creation::refusal;
use crate::context::Context;
use crate::control::changes::{Change, Plan, base};
use crate::control::reply;
use crate::control::types::{Call, ConfigApplied, ConfigApply, ConfigExport, ConfigExported, RefusalCode};
use crate::settings::Settings;

/// Methods, and the least role for each.
pub(super) const METHODS: &[(&str, Role)] = &[("Export", Role::Admin), ("Apply", Role::Admin)];

/// What stands in front of an exported document.
const WITHOUT: &str = "# Configuration of a blockhaul appliance, without the tokens of its jobs.\n";
const WITH: &str = "# Configuration of a blockhaul appliance, with the tokens of its jobs: keep it secret.\n";

impl Parts {
    pub(super) fn call_config(&mut self, client: ClientId, method: &str, call: &Call, context: &mut Context) -> Done {
        match method {
            "Export" => {
                let ConfigExport { secrets } = parse(call)?;
                let settings = self.settings.clone();
                let (head, settings) = if secrets {
                    (WITH, settings)
                } else {
                    (WITHOUT, settings.without_secrets())
                };
                let document = String::from_utf8_lossy(&settings.document()).into_owned();
                let document = format!("{head}{document}");
                reply(client, &ConfigExported { document }, false, context);
            }
            "Apply" => self.apply_document(client, parse(call)?, context)?,
            _ => return Err(no_such_method()),
        }
        Ok(())
    }

    fn apply_document(&mut self, client: ClientId, call: ConfigApply, context: &mut Context) -> Done {
        let settings = Settings::read(call.document.as_bytes()).map_err(|why| {
            let next = "Mend the document; `blockhaul config export` shows one that is right.";
            refusal(RefusalCode::Usage, format!("The document cannot be used: {why}."), next)
        })?;
        if let Some(peer) = settings.peers.iter().find(|peer| peer.key == self.fingerprint) {
            let sentence = format!("Peer {} has this appliance\'s own key.", peer.name);
            return Err(refusal(RefusalCode::Usage, sentence, "Ask the peer: blockhaul identity").into());
        }
        let now = base(&self.settings);
        if call.base.is_some_and(|base| base != now) {
            let sentence = "The configuration was changed meanwhile.";
            return Err(refusal(RefusalCode::Busy, sentence, "Look at the difference again.").into());
        }
        let plan = Plan::new(&settings, &self.settings)?;
        if call.dry_run || plan.differences.is_empty() {
            let answer = ConfigApplied {
                applied: false,
                differences: plan.differences,
                notes: plan.notes,
                base: now,
            };
            reply(client, &answer, false, context);
        } else {
            self.change(Some(client), Change::Replace(Box::new(settings)), context);
        }
        Ok(())
    }
}
