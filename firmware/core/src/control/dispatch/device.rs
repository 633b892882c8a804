//! `io.blockhaul.Device`: what the machine has.

use hal::{ClientId, Op, Role};

use super::{Done, no_such_method, parse};
use crate::appliance::Parts;
use crate::context::Context;
use crate::control::changes::Change;
use crate::control::types::Call;
use crate::purpose::Purpose;

/// Methods, and the least role for each.
pub(super) const METHODS: &[(&str, Role)] = &[("List", Role::Read), ("SetRate", Role::Admin)];

impl Parts {
    pub(super) fn call_device(&mut self, client: ClientId, method: &str, call: &Call, context: &mut Context) -> Done {
        match method {
            "List" => {
                let tag = context.tag(Purpose::Devices(client));
                context.submit(Op::ListDevices { tag });
            }
            "SetRate" => self.change(Some(client), Change::SetNicRate(parse(call)?), context),
            _ => return Err(no_such_method()),
        }
        Ok(())
    }
}
