//! `io.blockhaul.Device`: what the machine has.

use hal::{ClientId, Op, Role};

use super::{Done, no_such_method};
use crate::appliance::Parts;
use crate::context::Context;
use crate::control::types::Call;
use crate::purpose::Purpose;

/// Methods, and the least role for each.
pub(super) const METHODS: &[(&str, Role)] = &[("List", Role::Read)];

impl Parts {
    pub(super) fn call_device(&mut self, client: ClientId, method: &str, _: &Call, context: &mut Context) -> Done {
        match method {
            "List" => {
                let tag = context.tag(Purpose::Devices(client));
                context.submit(Op::ListDevices { tag });
            }
            _ => return Err(no_such_method()),
        }
        Ok(())
    }
}
