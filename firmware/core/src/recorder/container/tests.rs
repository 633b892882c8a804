//! Streams are made here by hand, byte by byte as the standards have them. Real streams of a real encoder come in the tests
//! crate.

#![allow(clippy::unwrap_used)]

use alloc::vec;
use alloc::vec::Vec;

use super::*;

/// Small, seeded, good enough to cut streams in odd places.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

fn packet(pid: u16, begins: bool, adaptation: &[u8], payload: &[u8]) -> Vec<u8> {
    let [high, low] = pid.to_be_bytes();
    let mut packet = vec![SYNC_BYTE, high | if begins { 0x40 } else { 0 }, low, 0x10];
    if !adaptation.is_empty() {
        packet[3] |= 0x20;
        packet.push(u8::try_from(adaptation.len()).unwrap());
        packet.extend_from_slice(adaptation);
    }
    packet.extend_from_slice(payload);
    assert!(packet.len() <= PACKET_BYTES);
    packet.resize(PACKET_BYTES, 0xFF);
    packet
}

/// A section in as many packets as it takes.
fn table(pid: u16, table_id: u8, number: u16, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(5 + body.len() + 4).unwrap();
    let mut section = vec![table_id];
    section.extend_from_slice(&(0xB000 | length).to_be_bytes());
    section.extend_from_slice(&number.to_be_bytes());
    section.extend_from_slice(&[0xC1, 0, 0]);
    section.extend_from_slice(body);
    let sum = crc::Crc::<u32>::new(&crc::CRC_32_MPEG_2).checksum(&section);
    section.extend_from_slice(&sum.to_be_bytes());
    section.insert(0, 0);
    let packets = section
        .chunks(184)
        .enumerate()
        .map(|(index, part)| packet(pid, index == 0, &[], part));
    packets.flatten().collect()
}

fn pat(map_pid: u16) -> Vec<u8> {
    let [high, low] = map_pid.to_be_bytes();
    table(0, 0, 1, &[0, 1, 0xE0 | high, low])
}

/// A map with one video at PID 0x100, and `extra` bytes of descriptors.
fn pmt(map_pid: u16, stream_type: u8, extra: usize) -> Vec<u8> {
    let [high, low] = u16::try_from(extra).unwrap().to_be_bytes();
    let mut body = vec![0xE1, 0x00, 0xF0 | high, low];
    body.resize(4 + extra, 0x05);
    body.extend_from_slice(&[stream_type, 0xE1, 0x00, 0xF0, 0x00]);
    table(map_pid, 2, 1, &body)
}

fn filler(count: usize) -> Vec<u8> {
    (0..count).flat_map(|_| packet(0x100, false, &[], &[0x55; 184])).collect()
}

fn scanned(stream: &[u8]) -> Scanner {
    let mut scanner = Scanner::new();
    scanner.scan(stream);
    scanner
}

#[test]
fn a_transport_stream_is_known_and_its_tables_are_kept() {
    let stream = [pat(0x1000), pmt(0x1000, 0x1B, 0), filler(3)].concat();
    let scanner = scanned(&stream);
    assert_eq!(scanner.container(), Container::MpegTs);
    assert_eq!(scanner.init(), &stream[..2 * PACKET_BYTES]);
    assert_eq!(scanner.whole(1000), 940);
}

#[test]
fn the_newest_tables_win_and_long_ones_are_kept_whole() {
    let long = pmt(0x1000, 0x1B, 1000);
    assert_eq!(long.len(), 6 * PACKET_BYTES);
    let stream = [pat(0x1000), pmt(0x1000, 0x1B, 0), pat(0x1000), long.clone(), filler(1)].concat();
    assert_eq!(scanned(&stream).init(), [pat(0x1000), long].concat());
}

#[test]
fn half_a_table_or_a_wrong_one_does_not_replace_a_whole_one() {
    let tables = [pat(0x1000), pmt(0x1000, 0x1B, 0)].concat();
    let half = &pmt(0x1000, 0x1B, 400)[..PACKET_BYTES];
    let mut wrong = pmt(0x1000, 0x24, 0);
    wrong[20] ^= 1;
    let stream = [&tables, half, &filler(2), &wrong, &filler(2)].concat();
    assert_eq!(scanned(&stream).init(), tables);
}

#[test]
fn a_new_program_makes_the_old_map_worthless() {
    let mut scanner = scanned(&[pat(0x1000), pmt(0x1000, 0x1B, 0), filler(2), pat(0x1100)].concat());
    assert!(scanner.init().is_empty());
    scanner.scan(&pmt(0x1100, 0x1B, 0));
    assert_eq!(scanner.init(), [pat(0x1100), pmt(0x1100, 0x1B, 0)].concat());
}

#[test]
fn key_frames_by_indicator_and_by_what_is_in_them() {
    let pes = [0, 0, 1, 0xE0, 0, 0, 0x80, 0x80, 5, 0x21, 0, 1, 0, 1];
    let frame = |nal_units: &[u8]| packet(0x100, true, &[], &[&pes, nal_units].concat());
    let mut scanner = scanned(&[pat(0x1000), pmt(0x1000, 0x1B, 0), filler(2)].concat());
    assert!(!scanner.take_key_frame());
    scanner.scan(&packet(0x100, true, &[0x40], &pes));
    assert!(scanner.take_key_frame());
    assert!(!scanner.take_key_frame());
    scanner.scan(&frame(&[0, 0, 0, 1, 0x09, 0xF0, 0, 0, 0, 1, 0x67]));
    assert!(scanner.take_key_frame());
    scanner.scan(&frame(&[0, 0, 0, 1, 0x09, 0xF0, 0, 0, 1, 0x41]));
    scanner.scan(&packet(0x101, true, &[0x40], &pes));
    assert!(!scanner.take_key_frame());

    scanner.scan(&pmt(0x1000, 0x24, 0));
    scanner.scan(&frame(&[0, 0, 0, 1, 0x26, 0x01]));
    assert!(scanner.take_key_frame());
    scanner.scan(&frame(&[0, 0, 0, 1, 0x02, 0x01]));
    assert!(!scanner.take_key_frame());
}

#[test]
fn garbage_in_the_middle_costs_only_itself() {
    let mut dice = Dice(7);
    for length in 1..600 {
        let garbage: Vec<u8> = (0..length).map(|_| u8::try_from(dice.roll(256)).unwrap()).collect();
        let tables = [pat(0x1000), pmt(0x1000, 0x1B, 300)].concat();
        let stream = [&pat(0x900)[..], &filler(3), &garbage, &filler(8), &tables, &filler(1)].concat();
        let scanner = scanned(&stream);
        assert_eq!(scanner.init(), tables, "after {length} bytes of garbage");
    }
}

#[test]
fn a_null_packet_is_skipped_by_its_identifier() {
    let packet = null_packet();
    assert_eq!(packet[..4], [0x47, 0x1F, 0xFF, 0x10]);
    assert_eq!(packet.len(), 188);
}

fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&u32::try_from(8 + body.len()).unwrap().to_be_bytes()[..], kind, body].concat()
}

/// The same with the size in eight bytes.
fn long_boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 1][..], kind, &(16 + body.len() as u64).to_be_bytes(), body].concat()
}

fn mp4_init() -> Vec<u8> {
    [boxed(b"ftyp", b"isom0000iso5"), boxed(b"moov", &[3; 1200])].concat()
}

#[test]
fn a_fragmented_mp4_is_known_and_its_init_kept() {
    let mut scanner = scanned(&mp4_init());
    assert_eq!(scanner.container(), Container::Fmp4);
    assert_eq!(scanner.init(), mp4_init());
    assert!(!scanner.take_key_frame());
    scanner.scan(&[boxed(b"moof", &[0; 90]), long_boxed(b"mdat", b"ftypmoov")].concat());
    assert!(scanner.take_key_frame());
    scanner.scan(&boxed(b"moof", &[0; 90])[..9]);
    assert!(scanner.take_key_frame());
    assert_eq!(scanner.init(), mp4_init());
    assert_eq!(scanner.whole(1001), 1001);
}

#[test]
fn init_that_does_not_fit_is_none() {
    let stream = [
        boxed(b"ftyp", b"isom"),
        boxed(b"moov", &[0; INIT_BYTES_MAX]),
        boxed(b"moof", &[]),
    ]
    .concat();
    let mut scanner = scanned(&stream);
    assert_eq!((scanner.container(), scanner.init()), (Container::Fmp4, &[][..]));
    assert!(scanner.take_key_frame());
}

#[test]
fn a_plain_mp4_is_raw() {
    let stream = [mp4_init(), boxed(b"mdat", &[1; 5000])].concat();
    let scanner = scanned(&stream);
    assert_eq!((scanner.container(), scanner.init()), (Container::Raw, &[][..]));
}

#[test]
fn a_feeder_that_starts_anew_within_a_box_is_followed() {
    let cut = &boxed(b"mdat", &[0; 500])[..300];
    let fragment = [boxed(b"moof", &[0; 50]), boxed(b"mdat", &[0; 500])].concat();
    let other_init = [boxed(b"ftyp", b"iso6"), boxed(b"moov", &[9; 700])].concat();
    let again: Vec<u8> = [other_init.clone(), fragment.repeat(3)].concat();
    let mut scanner = scanned(&[&mp4_init(), &fragment, &boxed(b"moof", &[]), cut, &again, &again].concat());
    assert!(scanner.take_key_frame());
    assert_eq!(scanner.init(), other_init);
}

#[test]
fn other_streams_are_raw() {
    for stream in [
        &b""[..],
        b"G",
        b"GIF89a and more",
        &[0x47; 188],
        &[0; 4096],
        b"\x1aE\xdf\xa3 matroska",
    ] {
        let scanner = scanned(stream);
        assert_eq!(scanner.container(), Container::Raw);
        assert!(scanner.init().is_empty());
        assert_eq!(scanner.whole(189), 189);
    }
    let nearly = [SYNC_BYTE; 1].into_iter().chain([0; 400]).collect::<Vec<u8>>();
    assert_eq!(scanned(&nearly).container(), Container::Raw);
}

#[test]
fn numbers_come_back() {
    for container in [Container::Raw, Container::MpegTs, Container::Fmp4] {
        assert_eq!(Container::from_number(container.number()), Some(container));
    }
    assert_eq!(Container::from_number(3), None);
}

/// A stream with a bit of everything that the scanner looks at, and with damage.
fn odd_stream(dice: &mut Dice) -> Vec<u8> {
    let mut stream = match dice.roll(3) {
        0 => mp4_init(),
        1 => [pat(0x1000), pmt(0x1000, 0x1B, 0), filler(1)].concat(),
        _ => Vec::new(),
    };
    for _ in 0..dice.roll(12) {
        let piece = match dice.roll(9) {
            0 => pat(0x1000),
            1 => pmt(0x1000, 0x1B, dice.roll(1000)),
            2 => filler(dice.roll(5)),
            3 => packet(0x100, true, &[0x40], &[0, 0, 1, 0xE0]),
            4 => mp4_init(),
            5 => boxed(b"moof", &[0; 30]),
            6 => long_boxed(b"mdat", &[0x47; 300]),
            7 => vec![SYNC_BYTE; dice.roll(400)],
            _ => (0..dice.roll(400)).map(|_| u8::try_from(dice.roll(256)).unwrap()).collect(),
        };
        stream.extend_from_slice(&piece);
    }
    for _ in 0..dice.roll(4) {
        if !stream.is_empty() {
            let at = dice.roll(stream.len());
            stream[at] = u8::try_from(dice.roll(256)).unwrap();
        }
    }
    stream
}

#[test]
fn the_pieces_do_not_matter_and_nothing_panics() {
    let mut dice = Dice(1);
    let (mut transport, mut fragments) = (0, 0);
    for round in 0..3000 {
        let stream = odd_stream(&mut dice);
        let whole = scanned(&stream);
        let mut pieces = Scanner::new();
        let longest = [1, 7, 188, 1000][dice.roll(4)];
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.len().min(1 + dice.roll(longest)));
            pieces.scan(piece);
            rest = behind;
        }
        assert_eq!(pieces, whole, "round {round}");
        assert_eq!(pieces.init(), whole.init());
        match whole.container() {
            Container::MpegTs => transport += 1,
            Container::Fmp4 => fragments += 1,
            Container::Raw => {}
        }
    }
    assert!(
        transport > 300 && fragments > 300,
        "the test sees both kinds: {transport}, {fragments}"
    );
}
