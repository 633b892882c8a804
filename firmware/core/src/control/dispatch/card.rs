//! `io.blockhaul.Card`: cards of cameras, known ones and what may become one.

use hal::{ClientId, Role};

use super::{Done, no_such_method, parse};
use crate::appliance::Parts;
use crate::card::probe::Question;
use crate::context::Context;
use crate::control::changes::Change;
use crate::control::reply;
use crate::control::types::{Call, CardAdd, CardCheckCall, CardInfoCall, Cards, Named};

/// Methods, and the least role for each.
pub(super) const METHODS: &[(&str, Role)] = &[
    ("Add", Role::Admin),
    ("Check", Role::Operate),
    ("CheckByWriting", Role::Admin),
    ("Info", Role::Operate),
    ("List", Role::Read),
    ("Remove", Role::Admin),
];

impl Parts {
    pub(super) fn call_card(&mut self, client: ClientId, method: &str, call: &Call, context: &mut Context) -> Done {
        match method {
            "Add" => {
                let add: CardAdd = parse(call)?;
                let path = add.path.clone();
                self.probe(path, Question::Add(client, add), context)?;
            }
            "Check" | "CheckByWriting" => {
                let check: CardCheckCall = parse(call)?;
                let writes = method == "CheckByWriting";
                self.begin_check((client, call.more), check.path, writes, context)?;
            }
            "Info" => {
                let info: CardInfoCall = parse(call)?;
                let path = info.path.clone();
                self.probe(path, Question::Info(client, info.patterns), context)?;
            }
            "List" => {
                let cards = Cards {
                    cards: self.card_statuses(),
                };
                reply(client, &cards, false, context);
            }
            "Remove" => {
                let named: Named = parse(call)?;
                self.change(Some(client), Change::RemoveCard(named.name), context);
            }
            _ => return Err(no_such_method()),
        }
        Ok(())
    }
}
