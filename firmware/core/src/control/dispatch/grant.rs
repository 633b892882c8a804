//! `io.blockhaul.Grant`: what peers may do here.

use hal::{ClientId, Role};

use super::{Done, no_such_method, parse};
use crate::appliance::Parts;
use crate::context::Context;
use crate::control::changes::Change;
use crate::control::reply;
use crate::control::types::{Call, GrantCreate, GrantInfo, GrantRevoke, Grants};

/// Methods, and the least role for each.
pub(super) const METHODS: &[(&str, Role)] = &[("Create", Role::Admin), ("List", Role::Read), ("Revoke", Role::Admin)];

impl Parts {
    pub(super) fn call_grant(&mut self, client: ClientId, method: &str, call: &Call, context: &mut Context) -> Done {
        match method {
            "Create" => {
                let grant: GrantCreate = parse(call)?;
                self.check_not_recorded(&grant)?;
                let token = context.shared.entropy.bytes();
                self.change(Some(client), Change::AddGrant(grant, token), context);
            }
            "List" => {
                let grants = self.settings.grants.iter().map(|grant| GrantInfo {
                    id: grant.id.clone(),
                    peer: grant.peer.clone(),
                    archive: grant.archive.clone(),
                    cameras: grant.cameras.clone(),
                    tenants: grant.tenants.clone(),
                });
                let grants = Grants {
                    grants: grants.collect(),
                };
                reply(client, &grants, false, context);
            }
            "Revoke" => {
                let revoke: GrantRevoke = parse(call)?;
                self.change(Some(client), Change::RevokeGrant(revoke.id), context);
            }
            _ => return Err(no_such_method()),
        }
        Ok(())
    }
}
