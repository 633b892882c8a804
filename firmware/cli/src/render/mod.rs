//! Answers as text for people. Every function here is pure: values and a [`Look`] in, text out.
//!
//! Text that comes from the daemon goes through [`text::printable`] before it is shown.

pub mod appliance;
pub mod archive;
pub mod card;
pub mod check;
pub mod config;
pub mod difference;
pub mod job;
pub mod macros;
pub mod mark;
pub mod migration;
pub mod pairing;
pub mod plan;
pub mod presence;
pub mod progress;
pub mod recorder;
pub mod retention;
pub mod run;
pub mod service;
pub mod status;
pub mod table;
pub mod tag;
pub mod tenant;
pub mod text;
pub mod topology;
pub mod units;

use anstyle::{AnsiColor, Style};
use jiff::tz::TimeZone;

/// How output looks: colour or not, and in which zone times are told.
#[derive(Clone, Debug)]
pub struct Look {
    /// Escape sequences are welcome.
    pub color: bool,
    /// Zone of times.
    pub zone: TimeZone,
}

/// What a piece of text says about the thing it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// All is well.
    Good,
    /// Will be a problem if it stays.
    Watch,
    /// Somebody must do something.
    Bad,
    /// Of less interest.
    Quiet,
    /// A heading.
    Head,
}

impl Look {
    /// The text in its tone, if colour is welcome.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        if !self.color || text.is_empty() {
            return text.to_owned();
        }
        let style = match tone {
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Watch => AnsiColor::Yellow.on_default(),
            Tone::Bad => AnsiColor::Red.on_default().bold(),
            Tone::Quiet => Style::new().dimmed(),
            Tone::Head => Style::new().bold(),
        };
        format!("{}{text}{}", style.render(), style.render_reset())
    }
}

#[cfg(test)]
pub mod sample {
    //! A look that is the same on every machine.

    use super::Look;
    use jiff::tz::TimeZone;

    /// No colour, UTC.
    pub fn plain() -> Look {
        Look {
            color: false,
            zone: TimeZone::UTC,
        }
    }
}
