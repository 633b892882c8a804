//! The replication service as a sentence.

use blockhaul_core::control::types::ServiceShown;

use super::{Look, Tone};

/// `blockhaul service status`
pub fn shown(service: ServiceShown, look: &Look) -> String {
    if service.on {
        format!(
            "The replication service is on: {} jobs enabled, {} links out, {} links in.\n",
            service.jobs, service.outgoing, service.incoming
        )
    } else {
        let off = format!("The replication service is off: {} jobs are held.", service.jobs);
        format!("{}\n  do: blockhaul service on\n", look.paint(Tone::Watch, &off))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn on_and_off() {
        let service = ServiceShown {
            on: true,
            jobs: 2,
            outgoing: 1,
            incoming: 0,
        };
        assert_eq!(
            shown(service, &sample::plain()),
            "The replication service is on: 2 jobs enabled, 1 links out, 0 links in.\n"
        );
        let off = shown(ServiceShown { on: false, ..service }, &sample::plain());
        assert_eq!(
            off,
            "The replication service is off: 2 jobs are held.\n  do: blockhaul service on\n"
        );
    }
}
