//! What a job shows of itself: state, why, what to do, lag, backlog.
//!
//! Reads only.

use super::*;
use crate::control::types::FullRun;

impl Job {
    /// For `status`.
    pub fn status(&self, from: &crate::Name, archive: Option<&Archive>, now: hal::Moment) -> JobStatus {
        let backlog = archive.map_or((0, 0), |archive| self.backlog(archive, now));
        let block_bytes = archive.map_or(0, |archive| u64::from(archive.superblock.block_bytes));
        let (state, why, action) = self.state(archive);
        let route = if self.routes.is_empty() { None } else { Some(self.route()) };
        JobStatus {
            name: self.setting.name.clone(),
            from: from.clone(),
            to: format!("{}/{}", self.setting.peer, self.setting.archive),
            cameras: self.setting.cameras.clone(),
            mode: self.setting.mode,
            state,
            why,
            action,
            link: match &self.link {
                Link::None => LinkState::None,
                Link::Waiting(_) if matches!(&self.trouble, Some(trouble) if trouble.state == JobState::Failed) => {
                    LinkState::Refused
                }
                Link::Waiting(_) | Link::Closing(_) => LinkState::Retrying,
                Link::Dialling(_) | Link::Greeting { .. } => LinkState::Connecting,
                Link::Live(_) => LinkState::Active,
            },
            route: route
                .map(|route| format!("{}:{}", route.host, route.port))
                .unwrap_or_default(),
            lag_ms: backlog.1,
            backlog_blocks: backlog.0,
            backlog_bytes: backlog.0 * block_bytes,
            overrun_ms: archive
                .filter(|_| backlog.0 > 0)
                .and_then(|archive| archive.overrun(self.position(archive), now))
                .map(|left| left.as_millis() as u64),
            rate_bytes: self.stats.rate_bytes(now.at),
            blocks: self.stats.blocks,
            bytes: self.stats.bytes,
            duplicates: self.stats.duplicates,
            back_filled: self.stats.back_filled,
            full: self.stats.full.map(|full| {
                let (at, total) = full.progress();
                FullRun {
                    at,
                    total,
                    compared: full.compared,
                    sent: full.sent,
                    lost: full.lost,
                    done: full.done,
                }
            }),
            gaps: self.stats.gaps,
            retries: self.stats.connections.saturating_sub(1),
            run: self.run.number,
        }
    }

    pub(super) fn state(&self, archive: Option<&Archive>) -> (JobState, String, String) {
        if !self.setting.enabled {
            let action = format!("blockhaul job enable {}", self.setting.name);
            return (JobState::Disabled, "switched off".to_string(), action);
        }
        if let Some(archive) = archive.filter(|archive| !archive.gives()) {
            let (_, why, action) = archive.state();
            return (
                JobState::Waiting,
                format!("its source archive {} cannot be read: {why}", archive.name),
                action,
            );
        }
        if let Some(trouble) = &self.trouble {
            let state = if self.stalled && trouble.state == JobState::Waiting {
                JobState::Stalled
            } else {
                trouble.state
            };
            return (state, trouble.why.clone(), trouble.action.clone());
        }
        if !self.run.on {
            let action = format!("blockhaul job run {}", self.setting.name);
            return (JobState::Idle, "on demand, and not running".to_string(), action);
        }
        match &self.link {
            Link::Live(session) if session.caught_up => (JobState::CaughtUp, String::new(), String::new()),
            Link::Live(_) => (JobState::CatchingUp, String::new(), String::new()),
            _ => (JobState::Waiting, "the link is being made".to_string(), String::new()),
        }
    }

    /// Log sequence up to which everything wanted is known to be durable at the target.
    pub fn position(&self, archive: &Archive) -> u64 {
        match &self.link {
            Link::Live(session) => session.position(archive),
            _ => self.position.unwrap_or(archive.log.durable),
        }
    }

    /// Blocks not known to be durable there, and the age of the oldest in milliseconds.
    pub(super) fn backlog(&self, archive: &Archive, now: hal::Moment) -> (u64, u64) {
        let wanted = |key: &TrackKey| {
            (self.setting.cameras.is_empty() || self.setting.cameras.contains(&key.camera))
                && Some(key.origin) != self.setting.target
        };
        let behind = archive.catalog.tracks().iter().filter(|track| wanted(&track.tip.key));
        let mut blocks = 0;
        let mut oldest: Option<i64> = None;
        for track in behind {
            let acked = self.acked.get(&track.tip.key).copied().unwrap_or(0);
            let left = track.durable_next.saturating_sub(acked);
            blocks += left;
            if left > 0 {
                let since = archive.begin_of(&track.tip.key, acked).unwrap_or(track.tip.last_utc_ns);
                oldest = Some(oldest.map_or(since, |before| before.min(since)));
            }
        }
        let lag = oldest.map_or(0, |since| now.utc_ns.saturating_sub(since).max(0) as u64 / 1_000_000);
        (blocks, lag)
    }
}
