//! What a job shows of itself: state, why, what to do, lag, backlog.
//!
//! Reads only.

use super::*;

impl Job {
    /// For `status`.
    pub fn status(&self, from: &crate::Name, archive: Option<&Archive>, now: hal::Moment) -> JobStatus {
        let backlog = archive.map_or((0, 0), |archive| self.backlog(archive, now));
        let block_bytes = archive.map_or(0, |archive| u64::from(archive.superblock.block_bytes));
        let (state, why, action) = self.state(archive, now);
        let route = if self.routes.is_empty() { None } else { Some(self.route()) };
        JobStatus {
            name: self.setting.name.clone(),
            from: from.clone(),
            to: format!("{}/{}", self.setting.peer, self.setting.archive),
            cameras: self.setting.cameras.clone(),
            tenants: self.setting.tenants.clone(),
            mode: self.setting.mode,
            plan: self.setting.plan.clone(),
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
            full: self.full_run(),
            gaps: self.stats.gaps,
            filtered: self.stats.filtered,
            retries: self.stats.connections.saturating_sub(1),
            run: self.run.number,
            run_id: self.run.id,
            run_total_blocks: self.run.total_blocks.unwrap_or(0),
            run_blocks: self.run.blocks(&self.stats),
            next_run_utc_ns: self.next_run_utc_ns(now),
        }
    }

    /// Whether only a person can make it go on.
    pub fn has_failed(&self, archive: Option<&Archive>, now: Moment) -> bool {
        let (state, _, _) = self.state(archive, now);
        matches!(state, JobState::Failed | JobState::Diverged | JobState::NeedsDecision)
    }

    pub(crate) fn state(&self, archive: Option<&Archive>, now: Moment) -> (JobState, String, String) {
        if !self.setting.enabled {
            let action = format!("blockhaul job enable {}", self.setting.name);
            return (JobState::Disabled, "switched off".to_string(), action);
        }
        if self.held {
            let why = "the replication service is off".to_string();
            return (JobState::Held, why, "blockhaul service on".to_string());
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
            let why = match self.setting.mode {
                JobMode::Schedule if now.quality == hal::ClockQuality::Unset && self.next_utc_ns.is_none() => {
                    "the wall clock is not set, and the schedule hangs on it"
                }
                JobMode::Schedule => "waits for its next time",
                JobMode::OnDemand => "on demand, and not running",
                JobMode::Always => return (JobState::Waiting, "it begins".to_string(), String::new()),
            };
            return (JobState::Idle, why.to_string(), action);
        }
        if self.setting.plan.frozen {
            let action = format!("blockhaul job thaw {}", self.setting.name);
            return (JobState::Held, "frozen: nothing leaves".to_string(), action);
        }
        match &self.link {
            Link::Live(session) if session.held_until_utc_ns.is_some() => {
                let left_ns = session.held_until_utc_ns.unwrap_or_default().saturating_sub(now.utc_ns);
                let why = format!("delayed: the next block leaves in {} s", left_ns.max(0) / 1_000_000_000);
                let action = format!("blockhaul job release {} --now", self.setting.name);
                (JobState::Held, why, action)
            }
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

    /// Blocks of a track that the run that is on leaves out, behind what the target has.
    fn passed(&self, archive: &Archive, key: &TrackKey) -> u64 {
        match &self.link {
            Link::Live(session) => archive.catalog.find(key).map_or(0, |track| session.passed(track)),
            _ => 0,
        }
    }

    /// Blocks not known to be durable there, and the age of the oldest in milliseconds.
    pub(super) fn backlog(&self, archive: &Archive, now: hal::Moment) -> (u64, u64) {
        let behind = archive.catalog.tracks().iter().filter(|track| self.wants(&track.tip.key));
        let mut blocks = 0;
        let mut oldest: Option<i64> = None;
        for track in behind {
            let acked = self.acked.get(&track.tip.key).copied().unwrap_or(0).max(track.first);
            let left = track
                .durable_next
                .saturating_sub(acked)
                .saturating_sub(self.passed(archive, &track.tip.key));
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
