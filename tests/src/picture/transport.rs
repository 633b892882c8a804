//! MPEG transport stream with one program and one video (ISO/IEC 13818-1): tables, PES, clock reference, packets.

use crc::{CRC_32_MPEG_2, Crc};

const PACKET_BYTES: usize = 188;
const PAT_PID: u16 = 0;
const PMT_PID: u16 = 0x1000;
const VIDEO_PID: u16 = 0x100;
const PROGRAM: u16 = 1;
const H264: u8 = 0x1B;
/// Ticks of time stamps in a second.
const TICKS: u64 = 90_000;
/// Time from arrival to decoding: a key frame is large, and a decoder's buffer must have it by then.
const DELAY: u64 = TICKS / 2;
/// Time stamps have 33 bits.
const STAMP_MASK: u64 = (1 << 33) - 1;

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_MPEG_2);

/// Cuts access units into packets.
pub(super) struct Multiplexer {
    frames_per_second: u64,
    pat: Stream,
    pmt: Stream,
    video: Stream,
}

/// The packets of one identifier.
struct Stream {
    pid: u16,
    continuity: u8,
}

impl Stream {
    fn new(pid: u16) -> Stream {
        Stream { pid, continuity: 0 }
    }

    /// One packet with an adaptation field (may be empty) and as much of `payload` as fits. Returns the rest.
    fn packet<'a>(&mut self, out: &mut Vec<u8>, begins: bool, adaptation: &[u8], payload: &'a [u8]) -> &'a [u8] {
        let [high, low] = self.pid.to_be_bytes();
        let field_bytes = if adaptation.is_empty() { 0 } else { 1 + adaptation.len() };
        let room = PACKET_BYTES - 4 - field_bytes;
        let (part, rest) = payload.split_at(payload.len().min(room));
        let stuffing = room - part.len();
        let control = if field_bytes + stuffing > 0 { 0x30 } else { 0x10 };
        out.extend_from_slice(&[0x47, high | u8::from(begins) << 6, low, control | self.continuity]);
        self.continuity = (self.continuity + 1) & 0x0F;
        if field_bytes + stuffing > 0 {
            let mut field = adaptation.to_vec();
            field.resize(field_bytes + stuffing - 1, 0xFF);
            if let (true, Some(flags)) = (adaptation.is_empty(), field.first_mut()) {
                *flags = 0;
            }
            out.push(field.len() as u8);
            out.extend(field);
        }
        out.extend_from_slice(part);
        rest
    }

    /// A section in one packet, which it must fit, followed by filler as sections have it.
    fn section(&mut self, out: &mut Vec<u8>, table_id: u8, number: u16, body: &[u8]) {
        let length = 5 + body.len() as u16 + 4;
        let mut payload = vec![0, table_id];
        payload.extend_from_slice(&(0xB000 | length).to_be_bytes());
        payload.extend_from_slice(&number.to_be_bytes());
        payload.extend_from_slice(&[0xC1, 0, 0]); // version 0, in force; the only section
        payload.extend_from_slice(body);
        payload.extend_from_slice(&CRC.checksum(&payload[1..]).to_be_bytes());
        payload.resize(PACKET_BYTES - 4, 0xFF);
        self.packet(out, true, &[], &payload);
    }
}

impl Multiplexer {
    pub(super) fn new(frames_per_second: u32) -> Multiplexer {
        Multiplexer {
            frames_per_second: u64::from(frames_per_second),
            pat: Stream::new(PAT_PID),
            pmt: Stream::new(PMT_PID),
            video: Stream::new(VIDEO_PID),
        }
    }

    /// The packets of one frame. The tables come with each, so that a player can start at any key frame.
    pub(super) fn multiplex(&mut self, number: u64, key: bool, access_unit: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(access_unit.len() * PACKET_BYTES / 184 + 4 * PACKET_BYTES);
        let [program_high, program_low] = PROGRAM.to_be_bytes();
        let [map_high, map_low] = PMT_PID.to_be_bytes();
        let [video_high, video_low] = VIDEO_PID.to_be_bytes();
        let association = [program_high, program_low, 0xE0 | map_high, map_low];
        self.pat.section(&mut out, 0, 1, &association);
        let clock_on = [0xE0 | video_high, video_low, 0xF0, 0];
        let video = [H264, 0xE0 | video_high, video_low, 0xF0, 0];
        self.pmt.section(&mut out, 2, PROGRAM, &[&clock_on[..], &video].concat());

        let clock = number * TICKS / self.frames_per_second;
        let mut pes = vec![0, 0, 1, 0xE0, 0, 0, 0x84, 0x80, 5]; // length not stated; aligned; a time stamp follows
        pes.extend_from_slice(&presentation_stamp(clock + DELAY));
        pes.extend_from_slice(access_unit);
        let mut rest = self.video.packet(&mut out, true, &clock_reference(clock, key), &pes);
        while !rest.is_empty() {
            rest = self.video.packet(&mut out, false, &[], rest);
        }
        out
    }
}

/// Adaptation field with the clock reference, and the random access indicator with a key frame.
fn clock_reference(clock: u64, key: bool) -> [u8; 7] {
    let base = (clock & STAMP_MASK) << 15 | 0x7E00;
    let [_, _, bytes @ ..] = base.to_be_bytes();
    let [a, b, c, d, e, f] = bytes;
    [0x10 | u8::from(key) << 6, a, b, c, d, e, f]
}

/// Time of presentation, with the marker bits between its three parts.
fn presentation_stamp(stamp: u64) -> [u8; 5] {
    let stamp = stamp & STAMP_MASK;
    let part = |shift: u32| ((stamp >> shift & 0x7FFF) as u16) << 1 | 1;
    let [b, c] = part(15).to_be_bytes();
    let [d, e] = part(0).to_be_bytes();
    [0x21 | ((stamp >> 30) as u8 & 7) << 1, b, c, d, e]
}
