//! Words that people and documents write: names, UUIDs, keys, tokens, time zones.

use std::fmt::Display;
use std::str::FromStr;

use blockhaul_core::calendar::Zone;
use blockhaul_core::{NAME_BYTES_MAX, Name};
use hal::{Digest, Fingerprint, Uuid};

use crate::{Seed, Target, heap};

/// The target.
pub const TARGET: Target = Target {
    name: "words",
    what: "names, UUIDs, keys, tokens, time zones",
    longest: 128,
    check,
    seeds,
    words: &["SHA256:", "sha256:", "Europe/", "UTC", "-"],
};

/// A word is kept once or twice.
const TIMES: usize = 16;

fn check(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Some(name) = same_again::<Name>(text) {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        assert!(!name.as_str().is_empty() && name.as_str().len() <= NAME_BYTES_MAX && name.as_str().bytes().all(plain));
    }
    same_again::<Uuid>(text);
    same_again::<Fingerprint>(text);
    same_again::<Digest>(text);
    same_again::<Zone>(text);
}

/// What is understood is written so that it is understood again.
fn same_again<T: FromStr + Display + PartialEq>(text: &str) -> Option<T> {
    let word: T = heap::within(TIMES, text.as_bytes(), || text.parse().ok())?;
    let again = word.to_string().parse();
    assert!(again.is_ok_and(|again: T| again == word), "{text:?} is written as {word}");
    Some(word)
}

fn seeds() -> Vec<Seed> {
    let seed = |name: &str, text: String| (name.to_owned(), text.into_bytes());
    vec![
        seed("name", "lobby-1".to_owned()),
        seed("uuid", Uuid([0xa1; 16]).to_string()),
        seed("key", Fingerprint([0xb2; 32]).to_string()),
        seed("token", Digest([7; 32]).to_string()),
        seed("zone", "Europe/Berlin".to_owned()),
    ]
}
