//! The terminal as one screen that is drawn anew: the second screen buffer, no cursor, keys one by one.
//!
//! Invariant: the terminal is as it was before when the screen is dropped. Ctrl-C is a key here, so it is dropped then too.

use std::io::{self, Read, Write};
use std::sync::mpsc::Sender;
use std::thread;

use blockhaul_core::control::types::Status;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr};

use crate::failure::Failure;

/// Second buffer, no cursor, no wrapping.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
/// The opposite.
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";
/// Lines that are taken as there if nobody says.
const LINES: usize = 24;

/// What the one who draws is told.
pub enum Seen {
    /// Something has changed.
    Change(Box<Status>),
    /// Nothing more will come.
    Ended(Failure),
    /// The reader has seen enough.
    Enough,
}

/// The screen.
pub struct Screen {
    before: Termios,
}

impl Screen {
    /// Takes the terminal. A key that ends it is told as [`Seen::Enough`].
    pub fn open(tell: Sender<Seen>) -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut keys = before.clone();
        keys.local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
        keys.special_codes[SpecialCodeIndex::VMIN] = 1;
        keys.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Now, &keys)?;
        let screen = Self { before };
        write(ENTER)?;
        thread::spawn(move || {
            let enough = |key: &u8| matches!(key, b'q' | b'Q' | 0x03 | 0x04 | 0x1b);
            if io::stdin().lock().bytes().map_while(Result::ok).any(|key| enough(&key)) {
                // Nobody listens any more if the screen has gone already.
                let _ = tell.send(Seen::Enough);
            }
        });
        Ok(screen)
    }

    /// Draws a text, as much of it as there are lines, and below how to leave.
    pub fn show(&self, text: &str) -> io::Result<()> {
        let told = tcgetwinsize(io::stdout()).map_or(0, |size| usize::from(size.ws_row));
        write(&frame(text, if told < 2 { LINES } else { told }))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that has gone cannot be put back.
        let _ = write(LEAVE);
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// One picture of `height` lines: no flicker, because lines are cleared behind what is drawn, not before.
fn frame(text: &str, height: usize) -> String {
    let whole = text.lines().count();
    let room = height - 1;
    let mut frame = String::from("\x1b[H");
    for line in text.lines().take(room) {
        frame += line;
        frame += "\x1b[K\n";
    }
    frame += "\x1b[J";
    match whole.saturating_sub(room) {
        0 => frame += "q to leave",
        hidden => frame += &format!("{hidden} more lines; see all with `blockhaul status --once`; q to leave"),
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_fits_the_screen() {
        assert_eq!(frame("a\nb\n", 4), "\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[Jq to leave");
        let cut = frame("a\nb\nc\nd\n", 3);
        assert_eq!(cut.lines().count(), 3);
        assert!(cut.contains("2 more lines"));
    }
}
