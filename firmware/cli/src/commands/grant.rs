//! `grant …`
//!
//! A token goes to standard output alone, so that it can be put into a file; what to do with it goes beside.

use blockhaul_core::control::types::{GrantCreate, GrantCreated, GrantRevoke, Grants, Nothing};

use super::{Context, understood};
use crate::args::grant::{Create, Grant};
use crate::failure::{Exit, Failure};
use crate::render::{pairing, text};

/// `blockhaul grant …`
pub fn run(context: &Context, grant: Grant) -> Result<Exit, Failure> {
    match grant {
        Grant::Create(create) => self::create(context, create),
        Grant::List => context.ask("io.blockhaul.Grant.List", Nothing {}, |all: &Grants, look| {
            pairing::grants(&all.grants, look)
        }),
        Grant::Revoke(revoke) => {
            let done = format!(
                "Grant {} is revoked; its token is worth nothing now.",
                text::printable(&revoke.id)
            );
            context.order("io.blockhaul.Grant.Revoke", GrantRevoke { id: revoke.id }, &done)
        }
    }
}

fn create(context: &Context, create: Create) -> Result<Exit, Failure> {
    let method = "io.blockhaul.Grant.Create";
    let asked = GrantCreate {
        peer: create.peer,
        archive: create.archive,
        cameras: create.cameras,
        tenants: create.tenants,
    };
    let answer = context.connect()?.call(method, &asked)?;
    if context.json {
        context.print_object(&answer)?;
        return Ok(Exit::Done);
    }
    let created: GrantCreated = understood(method, &answer)?;
    context.tell(&pairing::granted(&asked, &created));
    context.print(&format!("{}\n", text::printable(&created.token)))?;
    Ok(Exit::Done)
}
