//! Text that came from elsewhere, made fit for a terminal.

use serde::Serialize;

/// Whether a terminal would do something else than show it.
fn drives_terminal(character: char) -> bool {
    character.is_control() || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with control characters and changes of direction escaped.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if drives_terminal(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// One line of JSON in which no character can drive a terminal.
pub fn json(value: &impl Serialize) -> String {
    // A value from an answer has string keys and finite numbers, so it can always be written.
    let plain = serde_json::to_string(value).unwrap_or_default();
    let mut shown = String::with_capacity(plain.len());
    for character in plain.chars() {
        if drives_terminal(character) {
            // All of them are below U+10000, and stand within strings.
            shown.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_drives_the_terminal() {
        assert_eq!(
            printable("Türe 1\u{1b}]0;x\u{7}\r\n\u{9b}31m\u{202e}"),
            "Türe 1\\u{1b}]0;x\\u{7}\\r\\n\\u{9b}31m\\u{202e}"
        );
        let line = json(&serde_json::json!({ "a": "\u{1b}\u{9b}\u{7f}\n" }));
        assert_eq!(line, "{\"a\":\"\\u001b\\u009b\\u007f\\n\"}");
    }
}
