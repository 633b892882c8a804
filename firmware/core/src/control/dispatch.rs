//! Finds the interface and method of a call and checks the role; each interface has a file with its methods, which check the
//! parameters, and do it or start it.

mod appliance;
mod archive;
mod card;
mod config;
mod device;
mod grant;
mod job;
mod macros;
mod mark;
mod peer;
mod recorder;
mod retention;
mod service;
mod shown;
mod tag;
mod tenant;

pub(super) use recorder::check_door;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;
use hal::{ClientId, Role};
use serde::de::DeserializeOwned;

use super::types::{Call, Refusal, RefusalCode};
use super::waiting::What;
use super::{NOBODY, refuse, reply, varlink_error, wants_answer};
use crate::Name;
use crate::appliance::Parts;
use crate::archive::creation::refusal;
use crate::context::Context;

/// How long a call waits for an archive that is being opened.
const OPENING_WITHIN: Duration = Duration::from_secs(20);

/// One interface of the control socket.
struct Interface {
    name: &'static str,
    description: &'static str,
    /// Methods, and the least role for each.
    methods: &'static [(&'static str, Role)],
    call: fn(&mut Parts, ClientId, &str, &Call, &mut Context) -> Done,
}

/// What all interfaces share: errors.
const COMMON: (&str, &str) = ("io.blockhaul", include_str!("io.blockhaul.varlink"));

/// All interfaces that have methods.
static INTERFACES: [Interface; 15] = [
    Interface {
        name: "io.blockhaul.Appliance",
        description: include_str!("io.blockhaul.Appliance.varlink"),
        methods: appliance::METHODS,
        call: Parts::call_appliance,
    },
    Interface {
        name: "io.blockhaul.Archive",
        description: include_str!("io.blockhaul.Archive.varlink"),
        methods: archive::METHODS,
        call: Parts::call_archive,
    },
    Interface {
        name: "io.blockhaul.Card",
        description: include_str!("io.blockhaul.Card.varlink"),
        methods: card::METHODS,
        call: Parts::call_card,
    },
    Interface {
        name: "io.blockhaul.Config",
        description: include_str!("io.blockhaul.Config.varlink"),
        methods: config::METHODS,
        call: Parts::call_config,
    },
    Interface {
        name: "io.blockhaul.Device",
        description: include_str!("io.blockhaul.Device.varlink"),
        methods: device::METHODS,
        call: Parts::call_device,
    },
    Interface {
        name: "io.blockhaul.Grant",
        description: include_str!("io.blockhaul.Grant.varlink"),
        methods: grant::METHODS,
        call: Parts::call_grant,
    },
    Interface {
        name: "io.blockhaul.Job",
        description: include_str!("io.blockhaul.Job.varlink"),
        methods: job::METHODS,
        call: Parts::call_job,
    },
    Interface {
        name: "io.blockhaul.Macro",
        description: include_str!("io.blockhaul.Macro.varlink"),
        methods: macros::METHODS,
        call: Parts::call_macro,
    },
    Interface {
        name: "io.blockhaul.Mark",
        description: include_str!("io.blockhaul.Mark.varlink"),
        methods: mark::METHODS,
        call: Parts::call_mark,
    },
    Interface {
        name: "io.blockhaul.Peer",
        description: include_str!("io.blockhaul.Peer.varlink"),
        methods: peer::METHODS,
        call: Parts::call_peer,
    },
    Interface {
        name: "io.blockhaul.Recorder",
        description: include_str!("io.blockhaul.Recorder.varlink"),
        methods: recorder::METHODS,
        call: Parts::call_recorder,
    },
    Interface {
        name: "io.blockhaul.Retention",
        description: include_str!("io.blockhaul.Retention.varlink"),
        methods: retention::METHODS,
        call: Parts::call_retention,
    },
    Interface {
        name: "io.blockhaul.Service",
        description: include_str!("io.blockhaul.Service.varlink"),
        methods: service::METHODS,
        call: Parts::call_service,
    },
    Interface {
        name: "io.blockhaul.Tag",
        description: include_str!("io.blockhaul.Tag.varlink"),
        methods: tag::METHODS,
        call: Parts::call_tag,
    },
    Interface {
        name: "io.blockhaul.Tenant",
        description: include_str!("io.blockhaul.Tenant.varlink"),
        methods: tenant::METHODS,
        call: Parts::call_tenant,
    },
];

/// Why a call is not done.
enum Outcome {
    /// It cannot be.
    Refused(Refusal),
    /// The parameters cannot be read.
    BadParameters(String),
    /// The archive in this place is being opened; it can be asked again when that has ended.
    Opening(usize),
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Outcome {
        Outcome::Refused(refusal)
    }
}

type Done = Result<(), Outcome>;

/// The interface and the method that a call names.
fn split(method: &str) -> Option<(&'static Interface, &str)> {
    let (interface, method) = method.rsplit_once('.')?;
    let interface = INTERFACES.iter().find(|one| one.name == interface)?;
    Some((interface, method))
}

/// The least role for a method; none if there is no such method.
fn role_for(method: &str) -> Option<Role> {
    let (interface, method) = split(method)?;
    let (_, least) = interface.methods.iter().find(|(name, _)| *name == method)?;
    Some(*least)
}

fn no_such_method() -> Outcome {
    Outcome::BadParameters("no such method".to_string())
}

fn parse<T: DeserializeOwned>(call: &Call) -> Result<T, Outcome> {
    let parameters = if call.parameters.is_null() {
        serde_json::json!({})
    } else {
        call.parameters.clone()
    };
    serde_json::from_value(parameters).map_err(|error| Outcome::BadParameters(error.to_string()))
}

fn no_such(what: &str, name: &Name) -> Outcome {
    let next = format!("See what there is: blockhaul {what} list");
    Outcome::Refused(refusal(RefusalCode::NotFound, format!("There is no {what} {name}."), next))
}

/// A long call of this client is on, and this is another.
fn one_at_a_time() -> Outcome {
    let sentence = "This connection has a call that is not answered yet.";
    Outcome::Refused(refusal(RefusalCode::Busy, sentence, "Open another connection."))
}

impl Parts {
    /// A call has come.
    pub fn on_call(&mut self, client: ClientId, role: Role, uid: u32, message: &[u8], context: &mut Context) {
        let call: Call = match serde_json::from_slice(message) {
            Ok(call) => call,
            Err(_) => {
                return varlink_error(
                    client,
                    "InvalidParameter",
                    "parameter",
                    "the message is not a Varlink call",
                    context,
                );
            }
        };
        let mut call = call;
        let mut client = client;
        // Who hands the connection over waits for an answer.
        if call.oneway && !call.upgrade {
            if wants_answer(&call.method) {
                return;
            }
            call.more = false;
            client = NOBODY;
        }
        if call.method.starts_with("org.varlink.service.") {
            return self.on_service_call(client, &call, context);
        }
        let Some(least) = role_for(&call.method) else {
            return varlink_error(client, "MethodNotFound", "method", &call.method, context);
        };
        if role < least {
            let sentence = format!("User {uid} may not call {}.", call.method);
            let next = "Ask root, or have the user added to the operators' group of the daemon.";
            return refuse(client, &refusal(RefusalCode::Refused, sentence, next), context);
        }
        self.answer_call(client, call, context);
    }

    /// Does a call that its caller may make, now or when the archive that it needs is open.
    pub(super) fn answer_call(&mut self, client: ClientId, call: Call, context: &mut Context) {
        match self.do_call(client, &call, context) {
            Ok(()) => {}
            Err(Outcome::Opening(archive)) => {
                let until = context.now.at + OPENING_WITHIN;
                let call = Box::new(call);
                self.wait(client, What::Opened { archive, call }, Some(until), context);
            }
            Err(Outcome::Refused(refusal)) => refuse(client, &refusal, context),
            Err(Outcome::BadParameters(why)) => {
                refuse(
                    client,
                    &refusal(
                        RefusalCode::Usage,
                        format!("{}: {why}.", call.method),
                        "See docs/control.md for its parameters.",
                    ),
                    context,
                );
            }
        }
    }

    fn on_service_call(&mut self, client: ClientId, call: &Call, context: &mut Context) {
        match call.method.as_str() {
            "org.varlink.service.GetInfo" => {
                let names: Vec<&str> = ["org.varlink.service"]
                    .into_iter()
                    .chain([COMMON.0])
                    .chain(INTERFACES.iter().map(|interface| interface.name))
                    .collect();
                let info = serde_json::json!({
                    "vendor": "blockhaul", "product": "blockhaul", "version": self.version,
                    "url": "https://blockhaul.invalid", "interfaces": names
                });
                reply(client, &info, false, context);
            }
            "org.varlink.service.GetInterfaceDescription" => {
                let wanted = call
                    .parameters
                    .get("interface")
                    .and_then(|name| name.as_str())
                    .unwrap_or_default();
                let described = INTERFACES.iter().map(|interface| (interface.name, interface.description));
                match described.chain([COMMON]).find(|(name, _)| *name == wanted) {
                    Some((_, description)) => reply(client, &serde_json::json!({ "description": description }), false, context),
                    None => varlink_error(client, "InterfaceNotFound", "interface", wanted, context),
                }
            }
            other => varlink_error(client, "MethodNotFound", "method", other, context),
        }
    }

    fn do_call(&mut self, client: ClientId, call: &Call, context: &mut Context) -> Done {
        let (interface, method) = split(&call.method).ok_or_else(no_such_method)?;
        (interface.call)(self, client, method, call, context)
    }
}
