//! Headers of frames, and the stream of frames of a link: a welcome, then header, message and body again and again.
//!
//! The first byte's bit 0 mends the CRC of every header.

use blockhaul_core::haul::wire::Message;
use hal::MESSAGE_BYTES_MAX;

use crate::frame::{HEADER_BYTES, Header};
use crate::limits::BODY_BYTES_MAX;
use crate::sector::{MENDED, crc32c};
use crate::targets::message;
use crate::{Seed, Target, heap};

/// The target.
pub const TARGET: Target = Target {
    name: "frame",
    what: "frames on a link",
    longest: 4096,
    check,
    seeds,
    words: &["BBHL\\x01\\x00"],
};

/// What the CRC of a header is over.
const SUMMED_BYTES: usize = 12;

fn check(bytes: &[u8]) {
    let Some((&flags, mut stream)) = bytes.split_first() else {
        return;
    };
    while let Some((head, rest)) = stream.split_first_chunk::<HEADER_BYTES>() {
        let mut head = *head;
        if flags & MENDED != 0 {
            let crc = crc32c(&head[..SUMMED_BYTES]);
            head[SUMMED_BYTES..].copy_from_slice(&crc.to_le_bytes());
        }
        let Some((message_bytes, body_bytes)) = heap::within(0, bytes, || lengths(&head)) else {
            return;
        };
        if let Some(message) = rest.get(..message_bytes) {
            let _ = heap::within(0, bytes, || Message::decode(message));
        }
        stream = rest.get(message_bytes + body_bytes..).unwrap_or_default();
    }
}

/// The lengths behind a header, if it is one.
fn lengths(head: &[u8; HEADER_BYTES]) -> Option<(usize, usize)> {
    let decoded = Header::of_bytes(head);
    let framed = Header::of_frame(head);
    let crc = crc32c(&head[..SUMMED_BYTES]).to_le_bytes();
    if crc != head[SUMMED_BYTES..] {
        assert!(decoded.is_err(), "a frame was accepted whose checksum is wrong");
    }
    let header = decoded.ok()?;
    assert!(
        usize::from(header.message_bytes) <= MESSAGE_BYTES_MAX,
        "a message longer than the bound"
    );
    assert!(header.body_bytes <= BODY_BYTES_MAX, "a body longer than the bound");
    assert_eq!(framed.is_ok(), header.message_bytes > 0, "a frame without a message");
    assert_eq!(
        header.to_bytes(),
        *head,
        "a header is encoded in another way than it was decoded"
    );
    Some((usize::from(header.message_bytes), header.body_bytes as usize))
}

fn seeds() -> Vec<Seed> {
    let frame = |message: &[u8], body: &[u8]| {
        let header = Header {
            message_bytes: message.len() as u16,
            body_bytes: body.len() as u32,
        };
        [&header.to_bytes()[..], message, body].concat()
    };
    let samples = message::samples();
    let all = samples.iter().flat_map(|(name, message)| {
        let body: &[u8] = if *name == "block" { &[9; 40] } else { &[] };
        frame(&message.encode(), body)
    });
    let stream: Vec<u8> = Header::WELCOME.to_bytes().into_iter().chain(all).collect();
    vec![
        ("welcome".to_owned(), [&[0][..], &Header::WELCOME.to_bytes()].concat()),
        ("stream".to_owned(), [&[0][..], &stream].concat()),
        ("stream-mended".to_owned(), [&[MENDED][..], &stream].concat()),
    ]
}
