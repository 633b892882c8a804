//! What an archive says of itself: state, why, what to do; for `status` and whoever asks.
//!
//! Not here: what changes its state (`mod.rs`).

use alloc::format;
use alloc::string::{String, ToString};

use super::creation::refusal;
use super::{Archive, Phase};
use crate::control::types::{ArchiveStatus, Refusal, RefusalCode, VolumeState};

impl Archive {
    /// The state of the volume, why, and what to do.
    pub fn state(&self) -> (VolumeState, String, String) {
        match &self.phase {
            Phase::Opening(_) | Phase::Ready | Phase::ReadOnly { .. } if self.silent_since.is_some() => (
                VolumeState::Degraded,
                format!("the device of {} does not answer", self.path),
                "Check the device, its cable and its power. It goes on by itself when it answers; nothing is given up."
                    .to_string(),
            ),
            Phase::Opening(_) => (
                VolumeState::Indexing,
                "looking for the end of the log".to_string(),
                String::new(),
            ),
            // It does what it is configured to do.
            Phase::ReadOnly { why } if self.is_only_read() => (VolumeState::Ready, why.clone(), String::new()),
            Phase::ReadOnly { why } => (
                VolumeState::ReadOnly,
                why.clone(),
                "Look at the events, check the device, then restart the daemon to open it again.".to_string(),
            ),
            Phase::Offline { state, why, action } => (*state, why.clone(), action.clone()),
            Phase::Ready if self.is_full() => (VolumeState::Full, self.why_full(), self.what_makes_room()),
            Phase::Ready if self.quarantined > 0 => (
                VolumeState::Degraded,
                format!("{} damaged blocks were found", self.quarantined),
                format!("Run `blockhaul archive verify {}` and plan to replace the device.", self.name),
            ),
            Phase::Ready => (VolumeState::Ready, String::new(), String::new()),
        }
    }

    /// Nothing can be appended now: why, and what to do, for whoever wanted to.
    pub fn takes_nothing(&self) -> Refusal {
        let (_, why, mut next) = self.state();
        if self.is_only_read() {
            next = format!(
                "To write to it: `blockhaul archive remove {0}`, then `blockhaul archive open {0}` without --read-only.",
                self.name
            );
        }
        refusal(
            RefusalCode::Busy,
            format!("Archive {} takes no blocks: {why}.", self.name),
            next,
        )
    }

    /// For `status`.
    pub fn status(&self) -> ArchiveStatus {
        let (state, why, action) = self.state();
        ArchiveStatus {
            name: self.name.clone(),
            uuid: self.uuid,
            volume: self.path.clone(),
            state,
            why,
            action,
            mode: self.superblock.mode,
            block_bytes: u64::from(self.superblock.block_bytes),
            slots: self.superblock.slots,
            oldest: self.oldest(),
            head: self.log.next,
            durable: self.log.durable,
            epoch: self.superblock.epoch.counter,
            tracks: self.catalog.tracks().len() as u64,
            quarantined: self.quarantined,
            tail_discarded: self.tail_discarded,
        }
    }

    /// Whether what it can do has changed since the last call.
    pub fn is_changed(&mut self) -> bool {
        let state = self.state().0;
        let changed = self.shown != Some(state);
        self.shown = Some(state);
        changed
    }
}

/// A state as people read it.
pub fn state_word(state: VolumeState) -> &'static str {
    match state {
        VolumeState::Blank => "blank",
        VolumeState::Formatting => "formatting",
        VolumeState::Indexing => "indexing",
        VolumeState::Ready => "ready",
        VolumeState::ReadOnly => "read-only",
        VolumeState::Degraded => "degraded",
        VolumeState::Full => "full",
        VolumeState::Offline => "offline",
        VolumeState::Foreign => "foreign",
    }
}
