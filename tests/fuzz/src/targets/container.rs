//! The recorder's look at a stream: what it is, init data, key frames.
//!
//! The first byte says into pieces of which length the stream is cut; what is found must not depend on it.

use blockhaul_core::recorder::container::{Container, INIT_BYTES_MAX, PACKET_BYTES, Scanner, null_packet};

use crate::{Seed, Target, heap};

/// The target.
pub const TARGET: Target = Target {
    name: "container",
    what: "MPEG-TS and fragmented MP4",
    longest: 2048,
    check,
    seeds,
    words: &[
        "ftyp",
        "moov",
        "moof",
        "mdat",
        "\\x00\\x00\\x00\\x08",
        "\\x00\\x00\\x00\\x01",
        "\\x47\\x40\\x00\\x10",
        "\\x47\\x40\\x20\\x10",
    ],
};

fn check(bytes: &[u8]) {
    let Some((&cut, stream)) = bytes.split_first() else { return };
    let whole = look(stream, stream.len().max(1));
    let pieces = look(stream, usize::from(cut) + 1);
    let single = look(stream, 1);
    assert_eq!(whole, pieces, "what is found depends on the pieces");
    assert_eq!(whole, single, "what is found depends on the pieces");
}

/// What is seen in a stream that comes in pieces of a length.
fn look(stream: &[u8], piece_bytes: usize) -> (Scanner, bool) {
    let mut scanner = Scanner::new();
    let mut key_frame = false;
    heap::within(0, stream, || {
        for piece in stream.chunks(piece_bytes) {
            scanner.scan(piece);
            key_frame |= scanner.take_key_frame();
        }
    });
    assert!(scanner.init().len() <= INIT_BYTES_MAX);
    assert!(scanner.whole(stream.len()) <= stream.len());
    match scanner.container() {
        Container::Raw => assert!(scanner.init().is_empty(), "init data of a stream that is not known"),
        Container::MpegTs => {
            assert!(scanner.init().len().is_multiple_of(PACKET_BYTES));
            assert!(scanner.init().chunks(PACKET_BYTES).all(|packet| packet[0] == 0x47));
        }
        Container::Fmp4 => {}
    }
    (scanner, key_frame)
}

/// A packet of one program's table or picture: identifier, begin of a unit, payload.
fn packet(pid: u16, begins: bool, payload: &[u8]) -> Vec<u8> {
    let [high, low] = pid.to_be_bytes();
    let mut packet = vec![0x47, high | if begins { 0x40 } else { 0 }, low, 0x10];
    packet.extend_from_slice(payload);
    packet.resize(PACKET_BYTES, 0xff);
    packet
}

/// A section with its length and CRC, behind a pointer.
fn section(table: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() + 4) as u16 | 0xb000;
    let mut section = vec![table];
    section.extend_from_slice(&length.to_be_bytes());
    section.extend_from_slice(body);
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_MPEG_2).checksum(&section);
    section.extend_from_slice(&crc.to_be_bytes());
    [&[0][..], &section].concat()
}

fn transport(stream_type: u8, nal: u8) -> Vec<u8> {
    let pat = section(0, &[0, 1, 0xc1, 0, 0, 0, 1, 0xe0, 0x20]);
    let pmt = section(2, &[0, 1, 0xc1, 0, 0, 0xe0, 0x21, 0xf0, 0, stream_type, 0xe0, 0x21, 0xf0, 0]);
    let picture = [0, 0, 1, 0xe0, 0, 0, 0x80, 0, 0, 0, 0, 0, 1, nal, 0x88];
    [
        packet(0, true, &pat),
        packet(0x20, true, &pmt),
        packet(0x21, true, &picture),
        packet(0x21, false, &[1; 20]),
        null_packet().to_vec(),
    ]
    .concat()
}

fn fragments() -> Vec<u8> {
    let part = |kind: &[u8; 4], body: &[u8]| [&(8 + body.len() as u32).to_be_bytes()[..], kind, body].concat();
    let long = [&[0, 0, 0, 1][..], b"mdat", &20u64.to_be_bytes(), &[5; 4]].concat();
    [
        part(b"ftyp", b"iso5\0\0\0\0"),
        part(b"moov", &[1; 30]),
        part(b"moof", &[2; 12]),
        part(b"mdat", &[3; 20]),
        part(b"moof", &[4; 12]),
        long,
    ]
    .concat()
}

fn seeds() -> Vec<Seed> {
    let cut = |length: u8, stream: &[u8]| [&[length][..], stream].concat();
    let plain = [&[0, 0, 0, 12][..], b"ftypmp42", &[0, 0, 0, 12], b"mdatabcd"].concat();
    let damaged = [&fragments()[..60], &[0xee; 9], &fragments()[60..]].concat();
    vec![
        ("transport-h264".to_owned(), cut(99, &transport(0x1b, 0x65))),
        ("transport-h265".to_owned(), cut(187, &transport(0x24, 0x26))),
        (
            "transport-out-of-step".to_owned(),
            cut(7, &[&transport(0x1b, 0x65)[..], b"lost", &transport(0x1b, 0x65)].concat()),
        ),
        ("fragments".to_owned(), cut(3, &fragments())),
        ("fragments-damaged".to_owned(), cut(15, &damaged)),
        ("plain-mp4".to_owned(), cut(0, &plain)),
        ("raw".to_owned(), cut(0, b"nothing that is known")),
    ]
}
