//! `io.blockhaul.Macro`: rules on events.

use alloc::collections::btree_map::Entry;
use alloc::format;
use alloc::string::String;
use hal::{ClientId, Op, Role};

use super::{Done, no_such, no_such_method, parse};
use crate::appliance::Parts;
use crate::archive::creation::refusal;
use crate::context::Context;
use crate::control::changes::Change;
use crate::control::types::{
    Call, MacroCreate, MacroList, MacroTest, MacroTested, MacroWould, Named, Nothing, Refusal, RefusalCode,
};
use crate::control::{refuse, reply};
use crate::macros::Macro;
use crate::purpose::Purpose;

/// Methods, and the least role for each.
pub(super) const METHODS: &[(&str, Role)] = &[
    ("Create", Role::Admin),
    ("List", Role::Read),
    ("Remove", Role::Admin),
    ("Enable", Role::Operate),
    ("Disable", Role::Operate),
    ("Test", Role::Read),
];

impl Parts {
    pub(super) fn call_macro(&mut self, client: ClientId, method: &str, call: &Call, context: &mut Context) -> Done {
        let name = || parse::<Named>(call).map(|named| named.name);
        match method {
            "Create" => self.create_macro(client, parse(call)?, context)?,
            "List" => {
                let macros = self.settings.macros.clone();
                reply(client, &MacroList { macros }, false, context);
            }
            "Remove" => self.change(Some(client), Change::RemoveMacro(name()?), context),
            "Enable" => self.change(Some(client), Change::EnableMacro(name()?, true), context),
            "Disable" => self.change(Some(client), Change::EnableMacro(name()?, false), context),
            "Test" => self.test_macro(client, &parse(call)?, context)?,
            _ => return Err(no_such_method()),
        }
        Ok(())
    }

    fn create_macro(&mut self, client: ClientId, call: MacroCreate, context: &mut Context) -> Done {
        let rule = Macro {
            name: call.name,
            on: call.on,
            subject: call.subject,
            steps: call.steps,
            enabled: true,
        };
        rule.check(&self.settings)?;
        if rule.programs().next().is_none() {
            self.save_macro(client, rule, call.dry_run, context)?;
            return Ok(());
        }
        let Entry::Vacant(place) = self.macros.looked_up.entry(client) else {
            return Err(super::one_at_a_time());
        };
        place.insert((rule, call.dry_run));
        let tag = context.tag(Purpose::Programs(client));
        context.submit(Op::ListPrograms { tag });
        Ok(())
    }

    /// The programs that there are, for a rule that names some.
    pub(crate) fn on_programs(&mut self, client: ClientId, names: &[String], context: &mut Context) {
        let Some((rule, dry_run)) = self.macros.looked_up.remove(&client) else {
            return;
        };
        let saved = rule
            .check_programs(names)
            .and_then(|()| self.save_macro(client, rule, dry_run, context));
        if let Err(refusal) = saved {
            refuse(client, &refusal, context);
        }
    }

    fn save_macro(&mut self, client: ClientId, rule: Macro, dry_run: bool, context: &mut Context) -> Result<(), Refusal> {
        if !dry_run {
            self.change(Some(client), Change::AddMacro(rule), context);
            return Ok(());
        }
        Change::AddMacro(rule).apply(&mut self.settings.clone())?;
        reply(client, &Nothing {}, false, context);
        Ok(())
    }

    fn test_macro(&mut self, client: ClientId, call: &MacroTest, context: &mut Context) -> Done {
        let rule = self.settings.macros.iter().find(|rule| rule.name == call.name);
        let rule = rule.ok_or_else(|| no_such("macro", &call.name))?;
        let event = context.shared.journal.since(call.event).next().cloned();
        let Some(event) = event.filter(|event| event.number == call.event) else {
            let sentence = format!("There is no event {} among those that are remembered.", call.event);
            return Err(refusal(RefusalCode::NotFound, sentence, "blockhaul events").into());
        };
        let about = format!("event {} is {} about {}", event.number, event.code, event.subject);
        let begins = rule.fits(&event);
        let why = match (begins, rule.enabled) {
            (true, true) => format!("{about}."),
            (true, false) => format!("{about}; the macro is disabled."),
            (false, _) => format!("{about}, and the macro is on {}.", rule.on),
        };
        let steps = if begins {
            self.would(rule, &event)
        } else {
            alloc::vec::Vec::new()
        };
        let steps = steps.into_iter().map(|(step, would)| MacroWould { step, would });
        let tested = MacroTested {
            begins: begins && rule.enabled,
            why,
            steps: steps.collect(),
        };
        reply(client, &tested, false, context);
        Ok(())
    }
}
