//! What people are told of a card.

use alloc::format;
use alloc::string::{String, ToString};

use super::{Card, State};
use crate::Name;
use crate::archive::NotAccepted;
use crate::control::types::{CardState, CardStatus};

impl Card {
    /// For `card list`.
    pub fn status(&self, archive: &Name) -> CardStatus {
        let (state, why, action) = match (&self.state, self.blocked) {
            (State::Away | State::Opening(_), _) => (CardState::Away, String::new(), String::new()),
            (_, Some(NotAccepted::TooMany)) => (
                CardState::Blocked,
                format!("archive {archive} has no room for more cameras"),
                "Use an archive with larger blocks or more of them.".to_string(),
            ),
            (_, Some(_)) => (
                CardState::Blocked,
                format!("archive {archive} takes no blocks"),
                format!("blockhaul archive info {archive}"),
            ),
            (State::Arrived | State::Surveying(_) | State::Listing | State::Reading, _) if !self.listed => {
                (CardState::Looking, String::new(), String::new())
            }
            _ if self.import.is_some() || !self.queue.is_empty() || self.under_way > 0 => {
                (CardState::Taking, String::new(), String::new())
            }
            (State::Arrived | State::Surveying(_) | State::Reading, _) => (CardState::Looking, String::new(), String::new()),
            _ => (CardState::Taken, String::new(), String::new()),
        };
        let current = self.import.as_ref().map(|import| (&import.wanted.file, import.taken_bytes()));
        let current_left = current.map_or(0, |(file, at)| file.size_bytes - at);
        CardStatus {
            name: self.setting.name.clone(),
            archive: archive.clone(),
            origin: self.setting.origin,
            state,
            why,
            action,
            path: self.path().unwrap_or_default().to_string(),
            volume_id: self.setting.volume_id.clone(),
            file: current.map_or(String::new(), |(file, _)| file.path.clone()),
            files_left: self.queue.len() as u64 + u64::from(current.is_some()),
            bytes_left: self.queue.iter().map(|one| one.file.size_bytes).sum::<u64>() + current_left,
            files_waiting: self.waiting,
            files: self.files,
            bytes: self.bytes,
            files_lost: self.lost,
            files_unreadable: self.unreadable,
        }
    }
}
