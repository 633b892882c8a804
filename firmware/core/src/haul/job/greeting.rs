//! The two ends of a link: who we are when it comes up, when to try again when it goes down.

use super::*;

impl Job {
    /// The link is up: show who we are.
    pub fn on_up(&mut self, archive: &Archive, context: &mut Context) {
        let Link::Dialling(link) = self.link else { return };
        self.stats.connections += 1;
        let message = Message::Hello {
            protocol: PROTOCOL,
            token: self.setting.token.0,
            source: archive.uuid,
            target: self.setting.archive.clone(),
            block_bytes: archive.superblock.block_bytes,
            utc_ns: context.now.utc_ns,
            run: self.run.id.unwrap_or_default(),
        };
        let tag = context.tag(Purpose::Send(link, None));
        context.submit(Op::Send {
            tag,
            link,
            message: message.encode(),
            body: None,
        });
        self.link = Link::Greeting {
            link,
            heard_at: context.now.at,
        };
        context.wake(Ready::Job(self.index));
    }

    /// The link is down, or never came up.
    pub fn on_down(&mut self, why: LinkError, context: &mut Context) {
        let closing = matches!(self.link, Link::Closing(_));
        self.retire(context);
        self.was_caught_up = false;
        self.caught_up_at = None;
        if !self.setting.enabled || !self.run.on {
            self.link = Link::None;
            context.wake(Ready::Waiting);
            return;
        }
        if !closing || self.trouble.is_none() {
            let route = self.route();
            let (state, action) = match why {
                LinkError::KeyRefused => (
                    JobState::Failed,
                    "Compare both fingerprints (blockhaul identity, peer list) on both appliances.".to_string(),
                ),
                _ => (
                    JobState::Waiting,
                    "Nothing: it is tried again. blockhaul job kick tries at once.".to_string(),
                ),
            };
            self.trouble = Some(Trouble {
                state,
                why: format!("{} at {}:{}: {why}", self.setting.peer, route.host, route.port),
                action,
            });
        }
        // Between half of the step and all of it, so that many sources do not come back at the same instant.
        let step = RETRY_MIN.saturating_mul(1 << self.attempts.min(16)).min(RETRY_MAX);
        let jitter = context.shared.entropy.number() % 1_000;
        let delay = step / 2 + step.mul_f64(jitter as f64 / 2_000.0);
        self.attempts += 1;
        self.link = Link::Waiting(context.now.at + delay);
        context.ask_at(Ready::Job(self.index), Some(context.now.at + delay));
        context.wake(Ready::Waiting);
    }
}
