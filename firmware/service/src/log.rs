//! The log: lines for people on standard error. What must be kept is an event of the core, not a line here.
//!
//! Whoever reads standard error (a journal, a serial console, a file on a full disk) may be slow or stand still, and no recorder
//! may wait for that: a thread of its own writes the lines.
//!
//! Invariants: writing a line never blocks; at most [`LINES_WAITING_MAX`] lines wait, and what was left out is said as soon as
//! there is room again.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait for a slow reader; about 150 KiB.
const LINES_WAITING_MAX: usize = 1024;
/// At the end the reader gets so long for what waits.
const LAST_LINES_WITHIN: Duration = Duration::from_secs(1);

static LEFT_OUT: AtomicU64 = AtomicU64::new(0);

/// What the thread is told.
enum Mail {
    Line(Vec<u8>),
    /// All lines before this one have been written.
    Mark(SyncSender<()>),
}

/// A way to the thread that writes.
#[derive(Clone)]
pub struct Log(Option<SyncSender<Mail>>);

/// Starts it.
pub fn start() -> Log {
    let (sender, mail) = sync_channel(LINES_WAITING_MAX);
    let thread = thread::Builder::new()
        .name("log".into())
        .spawn(move || write_all(&mail, &mut io::stderr()));
    // Without a thread there is no log, and everything else still works.
    let log = Log(thread.is_ok().then_some(sender));
    tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .with_max_level(LevelFilter::INFO)
        .init();
    log
}

impl Log {
    /// Waits until everything said so far has been written, for a moment at most.
    pub fn finish(&self) {
        let (mark, reached) = sync_channel(1);
        if let Some(sender) = &self.0
            && sender.try_send(Mail::Mark(mark)).is_ok()
        {
            // A reader that stands still gets no more than that.
            let _ = reached.recv_timeout(LAST_LINES_WITHIN);
        }
    }
}

/// A line on its way to the thread.
pub struct Line<'a> {
    log: &'a Log,
    text: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let Some(sender) = &self.log.0 else { return };
        let mail = Mail::Line(std::mem::take(&mut self.text));
        if let Err(TrySendError::Full(_)) = sender.try_send(mail) {
            LEFT_OUT.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            log: self,
            text: Vec::new(),
        }
    }
}

/// Writes lines as long as somebody may still say something. A reader that is gone is no reason to end.
fn write_all(mail: &Receiver<Mail>, out: &mut impl Write) {
    while let Ok(mail) = mail.recv() {
        match mail {
            Mail::Line(line) => {
                let _ = out.write_all(&line);
                let left_out = LEFT_OUT.swap(0, Ordering::Relaxed);
                if left_out > 0 {
                    let _ = writeln!(out, "{left_out} lines were left out: nobody took them in time");
                }
            }
            Mail::Mark(reached) => {
                let _ = reached.try_send(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    /// A reader that stands still until it is let go.
    struct Stuck(Receiver<()>, Vec<u8>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            self.1.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stands_still_holds_nobody_up_and_hears_what_it_missed() {
        let (sender, mail) = sync_channel(2);
        let log = Log(Some(sender));
        let (go, wait) = channel();
        let writer = thread::spawn(move || {
            let mut out = Stuck(wait, Vec::new());
            write_all(&mail, &mut out);
            String::from_utf8(out.1).unwrap()
        });
        for number in 0..10 {
            writeln!(log.make_writer(), "line {number}").unwrap();
        }
        drop(go);
        log.finish();
        drop(log);
        let said = writer.join().unwrap();
        assert!(said.starts_with("line 0\n"), "{said}");
        assert!(said.contains(" lines were left out"), "{said}");
    }
}
