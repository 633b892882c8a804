//! Progress on standard error: a line that moves on a terminal, a plain line now and then elsewhere, or nothing.
//!
//! Invariant: shown at most once a second, and never more than the whole.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::units::{duration, percent, rate, size};

/// Between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Between two changes of the moving line.
const MOVE_EVERY: Duration = Duration::from_millis(250);

/// How progress is shown.
enum Shown {
    Nothing,
    Lines,
    Bar(ProgressBar),
}

/// Progress of one thing.
pub struct Progress {
    shown: Shown,
    begun: Instant,
    next: Instant,
}

impl Progress {
    /// Progress as standard error allows it; none at all if `quiet`.
    pub fn new(quiet: bool) -> Self {
        let shown = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Shown::Nothing,
            (false, false) => Shown::Lines,
            (false, true) => {
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
                bar.set_style(
                    ProgressStyle::with_template("{spinner} {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
                );
                Shown::Bar(bar)
            }
        };
        let now = Instant::now();
        let next = if matches!(shown, Shown::Lines) {
            now + LINE_EVERY
        } else {
            now
        };
        Self { shown, begun: now, next }
    }

    /// So many bytes are done, of so many if that is known.
    pub fn bytes(&mut self, what: &str, done: u64, whole: Option<u64>) {
        let begun = self.begun;
        self.note(|| amount(what, done, whole, begun.elapsed()));
    }

    /// Shows a line if it is time for one.
    pub fn note(&mut self, line: impl FnOnce() -> String) {
        let now = Instant::now();
        if now < self.next {
            return;
        }
        match &self.shown {
            Shown::Nothing => {}
            Shown::Lines => {
                // Progress that nobody can see is not worth an error.
                let _ = writeln!(std::io::stderr(), "{}", line());
                self.next = now + LINE_EVERY;
            }
            Shown::Bar(bar) => {
                bar.set_message(line());
                bar.tick();
                self.next = now + MOVE_EVERY;
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

/// An amount of bytes, its rate, and the time left.
fn amount(what: &str, done: u64, whole: Option<u64>, taken: Duration) -> String {
    let ms = u64::try_from(taken.as_millis()).unwrap_or(u64::MAX).max(1);
    let speed = u64::try_from(u128::from(done) * 1_000 / u128::from(ms)).unwrap_or(u64::MAX);
    let Some(whole) = whole.filter(|whole| *whole > 0) else {
        return format!("{what}: {}, {}", size(done), rate(speed));
    };
    let mut told = format!(
        "{what}: {} of {}, {} %, {}",
        size(done),
        size(whole),
        percent(done, whole),
        rate(speed)
    );
    let left = whole.saturating_sub(done);
    if left > 0 && speed > 0 {
        told += &format!(", about {} left", duration(left.saturating_mul(1_000) / speed));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_in_words() {
        let taken = Duration::from_secs(2);
        assert_eq!(amount("lobby", 4 << 20, None, taken), "lobby: 4.0 MiB, 2.0 MiB/s");
        assert_eq!(
            amount("lobby", 4 << 20, Some(16 << 20), taken),
            "lobby: 4.0 MiB of 16.0 MiB, 25 %, 2.0 MiB/s, about 6.0s left"
        );
        assert_eq!(
            amount("lobby", 9, Some(4), Duration::ZERO),
            "lobby: 9 B of 4 B, 100 %, 8.8 KiB/s"
        );
    }
}
