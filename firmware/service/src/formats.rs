//! The formats that this program writes and reads, as a line that is in the program too: whoever bakes it into an image finds it there.
//!
//! Formats are `docs/formats.md`; what is done with the line is `first/formats.rs`. Invariant: it is the truth about this build.

/// Written as `NAME-VERSION`; `cargo image` looks for the beginning of the line in the program (`image/src/daemon.rs`).
pub const KNOWN: &str = "blockhaul-formats: writes volume-1 settings-1; reads volume-1 settings-1;\n";

#[cfg(test)]
mod tests {
    use blockhaul_core::format::FORMAT_VERSION;
    use blockhaul_core::settings::SETTINGS_VERSION;

    use super::*;

    #[test]
    fn the_line_is_true() {
        let now = format!("volume-{FORMAT_VERSION} settings-{SETTINGS_VERSION}");
        assert!(KNOWN.contains(&format!("writes {now};")), "{KNOWN}");
        let read = KNOWN.split("reads ").nth(1).unwrap_or_default();
        assert!(now.split(' ').all(|format| read.contains(format)), "what is written is read");
    }
}
