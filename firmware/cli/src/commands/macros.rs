//! `macro …`

use blockhaul_core::Name;
use blockhaul_core::control::types::{MacroCreate, MacroList, MacroTest, MacroTested, Named, Nothing};

use super::Context;
use crate::args::macros::{Create, Macro};
use crate::failure::{Exit, Failure};
use crate::render::macros;

/// `blockhaul macro …`
pub fn run(context: &Context, command: Macro) -> Result<Exit, Failure> {
    let order = |method: &str, name: Name, done: &str| {
        let done = format!("Macro {name} {done}");
        context.order(&format!("io.blockhaul.Macro.{method}"), Named { name }, &done)
    };
    match command {
        Macro::Create(create) => self::create(context, create),
        Macro::List => context.ask("io.blockhaul.Macro.List", Nothing {}, |all: &MacroList, look| {
            macros::table(&all.macros, look)
        }),
        Macro::Test(test) => {
            let parameters = MacroTest {
                name: test.name,
                event: test.event,
            };
            context.ask("io.blockhaul.Macro.Test", parameters, |tested: &MacroTested, look| {
                macros::tested(tested, look)
            })
        }
        Macro::Enable(named) => order("Enable", named.name, "is enabled."),
        Macro::Disable(named) => order("Disable", named.name, "is disabled."),
        Macro::Remove(named) => order("Remove", named.name, "is removed."),
    }
}

fn create(context: &Context, create: Create) -> Result<Exit, Failure> {
    let done = if create.dry_run {
        format!("Macro {} can work. Nothing was made.", create.name)
    } else {
        format!("Macro {} is saved and active.", create.name)
    };
    let parameters = MacroCreate {
        name: create.name,
        on: create.on,
        subject: create.subject,
        steps: create.steps,
        dry_run: create.dry_run,
    };
    context.order("io.blockhaul.Macro.Create", parameters, &done)
}
