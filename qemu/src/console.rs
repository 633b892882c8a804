//! The serial console of a virtual machine, as the emulator writes it to a file: waiting for lines, and noticing the bad ones.

use std::path::{Path, PathBuf};

/// Words of the kernel after which nothing good comes.
const FATAL: [&str; 6] = [
    "Kernel panic",
    "BUG:",
    "Oops:",
    "general protection fault",
    "blocked for more than",
    "Call Trace",
];

/// So much of the end is shown when a scenario fails.
const TAIL_LINES: usize = 30;

/// One console.
#[derive(Debug)]
pub struct Console {
    path: PathBuf,
    /// Lines before this one have been matched by an earlier wait.
    next_line: usize,
}

impl Console {
    /// The console that is written to `path`.
    pub fn new(path: PathBuf) -> Console {
        Console { path, next_line: 0 }
    }

    /// Where the log is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Looks for a line with `text` after the one that was found last; returns it.
    pub fn take(&mut self, text: &str) -> Option<String> {
        let lines = self.lines();
        let found = lines
            .iter()
            .enumerate()
            .skip(self.next_line)
            .find(|(_, line)| line.contains(text));
        let (index, line) = found?;
        self.next_line = index + 1;
        Some(line.clone())
    }

    /// Whether a line with `text` is there, wherever.
    pub fn has(&self, text: &str) -> bool {
        self.lines().iter().any(|line| line.contains(text))
    }

    /// A line that says the kernel has failed.
    pub fn fatal(&self) -> Option<String> {
        self.lines()
            .into_iter()
            .find(|line| FATAL.iter().any(|word| line.contains(word)))
    }

    /// The last lines.
    pub fn tail(&self) -> String {
        let lines = self.lines();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }

    /// All whole lines so far.
    fn lines(&self) -> Vec<String> {
        let bytes = std::fs::read(&self.path).unwrap_or_default();
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        String::from_utf8_lossy(&bytes[..whole])
            .lines()
            .map(|line| without_colors(line.trim_end()))
            .collect()
    }
}

/// The console is a terminal, so the daemon's log has colors there: `ESC [ ... m`.
fn without_colors(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_in_order_and_only_when_whole() {
        let path = std::env::temp_dir().join(format!("blockhaul-console-{}", std::process::id()));
        std::fs::write(&path, "one\r\ntwo\r\none again\r\nthr").unwrap();
        let mut console = Console::new(path.clone());
        assert_eq!(console.take("one").as_deref(), Some("one"));
        assert_eq!(console.take("one").as_deref(), Some("one again"));
        assert_eq!(console.take("two"), None);
        assert_eq!(console.take("thr"), None);
        assert_eq!(console.fatal(), None);
        assert_eq!(
            without_colors("\u{1b}[2mtime\u{1b}[0m \u{1b}[32m INFO\u{1b}[0m ready"),
            "time  INFO ready"
        );
        std::fs::write(&path, "one\r\n[    1.0] Kernel panic - not syncing\r\n").unwrap();
        assert!(console.fatal().unwrap().contains("not syncing"));
        assert_eq!(console.tail(), "one\n[    1.0] Kernel panic - not syncing");
        std::fs::remove_file(path).unwrap();
    }
}
