//! What a client sends to the control socket, cut apart into calls.
//!
//! The first byte is the size of the pieces in which the bytes come, the second the longest call that is allowed.

use crate::calls::{Calls, TooLong};
use crate::{Seed, Target, heap};

/// The target.
pub const TARGET: Target = Target {
    name: "calls",
    what: "messages on the control socket",
    longest: 2048,
    check,
    seeds,
    words: &["{\\x22method\\x22:\\x22io.blockhaul.Appliance.Status\\x22}\\x00"],
};

/// What is held, each call once, and what is read at once: a vector doubles.
const TIMES: usize = 64;

fn check(bytes: &[u8]) {
    let [piece_bytes, longest_bytes, stream @ ..] = bytes else {
        return;
    };
    let longest_bytes = usize::from(*longest_bytes);
    let (found, end) = heap::within(TIMES, bytes, || cut(stream, usize::from(*piece_bytes).max(1), longest_bytes));
    let mut expected: Vec<&[u8]> = stream.split(|byte| *byte == 0).collect();
    let whole = expected.iter().take_while(|call| call.len() <= longest_bytes).count();
    let is_too_long = whole < expected.len();
    // What no NUL ends is no call yet.
    expected.truncate(whole.min(expected.len() - 1));
    assert_eq!(found, expected, "the calls");
    match end {
        Err(TooLong) => assert!(is_too_long, "too long, and nothing was"),
        Ok(rest) => {
            assert!(!is_too_long, "a call that is too long is waited for");
            assert!(
                stream.ends_with(&rest) && rest.len() <= longest_bytes,
                "what is left is the end"
            );
        }
    }
}

/// Every call of a stream that comes in pieces, and what is left behind them.
fn cut(stream: &[u8], piece_bytes: usize, longest_bytes: usize) -> (Vec<Vec<u8>>, Result<Vec<u8>, TooLong>) {
    let mut calls = Calls::new(longest_bytes);
    let mut found = Vec::new();
    for piece in stream.chunks(piece_bytes) {
        calls.room().extend_from_slice(piece);
        loop {
            match calls.take() {
                Ok(Some(call)) => found.push(call),
                Ok(None) => break,
                Err(why) => return (found, Err(why)),
            }
        }
    }
    (found, Ok(calls.into_rest()))
}

fn seeds() -> Vec<Seed> {
    let status = b"{\"method\":\"io.blockhaul.Appliance.Status\"}\0";
    vec![
        ("one".to_owned(), [&[255, 255][..], status].concat()),
        ("two-in-pieces".to_owned(), [&[7, 255][..], status, status].concat()),
        ("too-long".to_owned(), [&[64, 20][..], b"a\0", status].concat()),
        ("no-end".to_owned(), [&[3, 10][..], b"\0\0ab\0never"].concat()),
    ]
}
