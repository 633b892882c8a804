//! MPEG transport stream (ISO/IEC 13818-1): finds packets, keeps the newest whole PAT and PMT, sees key frames.
//!
//! Follows the first program of the PAT only: a camera has one. Tables count only when whole and right by their CRC, so
//! garbage never becomes init data.

use super::{INIT_BYTES_MAX, Init};

/// Size of a packet.
pub const PACKET_BYTES: usize = 188;
/// First byte of every packet.
pub(super) const SYNC_BYTE: u8 = 0x47;
/// Packet identifier of the program association table.
const PAT_PID: u16 = 0;
/// Packet identifier of packets that mean nothing.
const NULL_PID: u16 = 0x1FFF;
/// Longest section of a PAT or PMT, with its first three bytes.
const SECTION_BYTES_MAX: usize = 1024;
/// Packets that a longest section takes when its first packet holds as little of it as can be used (its length).
const TABLE_PACKETS_MAX: usize = 7;
const TABLE_BYTES_MAX: usize = TABLE_PACKETS_MAX * PACKET_BYTES;
const _: () = assert!(TABLE_BYTES_MAX >= SECTION_BYTES_MAX + TABLE_PACKETS_MAX * 5);
const _: () = assert!(2 * TABLE_BYTES_MAX <= INIT_BYTES_MAX);

const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_MPEG_2);

/// A packet that a decoder skips, to fill a hole when exporting.
pub fn null_packet() -> [u8; PACKET_BYTES] {
    let mut packet = [0xFF; PACKET_BYTES];
    let [high, low] = NULL_PID.to_be_bytes();
    packet[..4].copy_from_slice(&[SYNC_BYTE, high, low, 0x10]);
    packet
}

/// A transport stream that is being looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Transport {
    /// Bytes from a packet's first on, one packet and the next one's sync byte at most.
    partial: heapless::Vec<u8, { PACKET_BYTES + 1 }>,
    /// Packets follow each other; if not, a sync byte counts only with another one a packet later.
    in_step: bool,
    pat: Table,
    pmt: Table,
    /// The followed program: its number and where its map is.
    program: Option<(u16, u16)>,
    /// The followed program's video.
    video: Option<Video>,
    init: Init,
}

/// The stream whose key frames count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Video {
    pid: u16,
    coding: Coding,
}

/// How far into a video stream can be looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Coding {
    H264,
    H265,
    Other,
}

impl Transport {
    pub(super) fn new() -> Transport {
        Transport {
            partial: heapless::Vec::new(),
            in_step: true,
            pat: Table::default(),
            pmt: Table::default(),
            program: None,
            video: None,
            init: Init::new(),
        }
    }

    pub(super) fn init(&self) -> &[u8] {
        &self.init
    }

    /// Sets `key_frame` if one begins in a packet that ends in `bytes`.
    pub(super) fn scan(&mut self, mut bytes: &[u8], key_frame: &mut bool) {
        while !bytes.is_empty() {
            if self.in_step && self.partial.is_empty() {
                // The usual case: whole packets, not copied.
                while let Some((packet, rest)) = bytes.split_first_chunk::<PACKET_BYTES>() {
                    if packet[0] != SYNC_BYTE {
                        break;
                    }
                    self.packet(packet, key_frame);
                    bytes = rest;
                }
            }
            let wanted = if self.in_step { PACKET_BYTES } else { PACKET_BYTES + 1 };
            let (some, rest) = bytes.split_at(bytes.len().min(wanted - self.partial.len()));
            // It fits: `some` was cut to what is wanted.
            let _ = self.partial.extend_from_slice(some);
            bytes = rest;
            self.settle(key_frame);
        }
    }

    /// Takes a whole packet out of `partial`, or throws away what cannot begin one.
    fn settle(&mut self, key_frame: &mut bool) {
        if self.partial.first().is_some_and(|&byte| byte != SYNC_BYTE) {
            self.in_step = false;
            self.drop_to_sync(0);
        }
        if self.in_step && self.partial.len() == PACKET_BYTES {
            self.take_packet(key_frame);
        }
        while !self.in_step && self.partial.len() > PACKET_BYTES {
            if self.partial[PACKET_BYTES] == SYNC_BYTE {
                self.in_step = true;
                self.take_packet(key_frame);
            } else {
                self.drop_to_sync(1);
            }
        }
    }

    fn take_packet(&mut self, key_frame: &mut bool) {
        if let Some(packet) = self.partial.first_chunk::<PACKET_BYTES>().copied() {
            self.packet(&packet, key_frame);
            self.keep_from(PACKET_BYTES);
        }
    }

    /// Throws away bytes up to the first sync byte at `from` or behind.
    fn drop_to_sync(&mut self, from: usize) {
        let behind = self.partial.iter().skip(from).position(|&byte| byte == SYNC_BYTE);
        self.keep_from(behind.map_or(self.partial.len(), |at| from + at));
    }

    fn keep_from(&mut self, from: usize) {
        let kept = self.partial.len() - from;
        self.partial.copy_within(from.., 0);
        self.partial.truncate(kept);
    }

    fn packet(&mut self, packet: &[u8; PACKET_BYTES], key_frame: &mut bool) {
        let damaged = packet[1] & 0x80 != 0;
        let scrambled = packet[3] & 0xC0 != 0;
        if damaged || scrambled {
            return;
        }
        let pid = u16::from_be_bytes([packet[1] & 0x1F, packet[2]]);
        if pid == PAT_PID {
            if let Some(section) = self.pat.take(packet) {
                self.associate(section.bytes());
            }
        } else if self.program.is_some_and(|(_, map)| map == pid) {
            if let Some(section) = self.pmt.take(packet) {
                self.map(section.bytes());
            }
        } else if let Some(video) = self.video
            && video.pid == pid
        {
            *key_frame |= begins_key_frame(packet, video.coding);
        }
    }

    /// A program association table that is right: which program is followed, and where is its map?
    fn associate(&mut self, section: &[u8]) {
        const TABLE_ID: u8 = 0;
        if section[0] != TABLE_ID || section[5] & 1 == 0 {
            return;
        }
        let programs = section[8..section.len() - 4].as_chunks::<4>().0;
        let found = programs.iter().find_map(|&[a, b, c, d]| {
            let number = u16::from_be_bytes([a, b]);
            (number != 0).then(|| (number, u16::from_be_bytes([c & 0x1F, d])))
        });
        // A later section of a table of several does not name the first program again.
        if found.is_none() || section[6] != 0 {
            return;
        }
        self.pat.keep();
        if found != self.program {
            self.program = found;
            self.pmt = Table::default();
            self.video = None;
        }
        self.renew();
    }

    /// A program map table that is right: which stream is the video?
    fn map(&mut self, section: &[u8]) {
        const TABLE_ID: u8 = 2;
        let number = u16::from_be_bytes([section[3], section[4]]);
        let followed = self.program.is_some_and(|(program, _)| program == number);
        if section[0] != TABLE_ID || section[5] & 1 == 0 || !followed || section.len() < 16 {
            return;
        }
        self.pmt.keep();
        let streams = section.len() - 4;
        let mut at = 12 + length_12(section[10], section[11]);
        self.video = None;
        while at + 5 <= streams && self.video.is_none() {
            let pid = u16::from_be_bytes([section[at + 1] & 0x1F, section[at + 2]]);
            self.video = coding(section[at]).map(|coding| Video { pid, coding });
            at += 5 + length_12(section[at + 3], section[at + 4]);
        }
        self.renew();
    }

    /// Init data is both tables or nothing.
    fn renew(&mut self) {
        self.init.clear();
        if !self.pat.whole.is_empty() && !self.pmt.whole.is_empty() {
            // Both fit: see the assertion above.
            let _ = self.init.extend_from_slice(&self.pat.whole);
            let _ = self.init.extend_from_slice(&self.pmt.whole);
        }
    }
}

fn length_12(high: u8, low: u8) -> usize {
    usize::from(u16::from_be_bytes([high & 0x0F, low]))
}

/// What a stream type is, if it is a video.
fn coding(stream_type: u8) -> Option<Coding> {
    match stream_type {
        0x1B => Some(Coding::H264),
        0x24 => Some(Coding::H265),
        // MPEG-1, -2 and -4 video, JPEG 2000, H.266, AVS, Dirac, VC-1.
        0x01 | 0x02 | 0x10 | 0x21 | 0x33 | 0x42 | 0xD1 | 0xEA => Some(Coding::Other),
        _ => None,
    }
}

/// The adaptation field's flags, if it has any, and the payload.
fn parts(packet: &[u8; PACKET_BYTES]) -> (u8, &[u8]) {
    let has_adaptation = packet[3] & 0x20 != 0;
    let has_payload = packet[3] & 0x10 != 0;
    let (flags, begin) = match (has_adaptation, usize::from(packet[4])) {
        (false, _) => (0, 4),
        (true, 0) => (0, 5),
        (true, length) => (packet[5], 5 + length),
    };
    (
        flags,
        if has_payload {
            packet.get(begin..).unwrap_or(&[])
        } else {
            &[]
        },
    )
}

fn begins_unit(packet: &[u8; PACKET_BYTES]) -> bool {
    packet[1] & 0x40 != 0
}

/// By the random access indicator; where a multiplexer does not set it, by the first NAL units of the frame.
fn begins_key_frame(packet: &[u8; PACKET_BYTES], coding: Coding) -> bool {
    const RANDOM_ACCESS: u8 = 0x40;
    let (flags, payload) = parts(packet);
    if flags & RANDOM_ACCESS != 0 {
        return true;
    }
    if !begins_unit(packet) || !payload.starts_with(&[0, 0, 1]) {
        return false;
    }
    let header_bytes = payload.get(8).map_or(payload.len(), |&more| 9 + usize::from(more));
    let nal_units = payload.get(header_bytes..).unwrap_or(&[]);
    nal_units.windows(4).any(|window| match (window, coding) {
        (&[0, 0, 1, first], Coding::H264) => matches!(first & 0x1F, 5 | 7),
        (&[0, 0, 1, first], Coding::H265) => matches!(first >> 1 & 0x3F, 16..=21 | 32 | 33),
        _ => false,
    })
}

/// One table: the packets of its newest whole section, and of the one that is coming.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Table {
    coming: heapless::Vec<u8, TABLE_BYTES_MAX>,
    whole: heapless::Vec<u8, TABLE_BYTES_MAX>,
}

/// A section that is whole and right by its CRC. At least 12 bytes: its header, and its CRC.
struct Section {
    bytes: heapless::Vec<u8, SECTION_BYTES_MAX>,
}

impl Section {
    const BYTES_MIN: usize = 12;

    fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Table {
    /// Adds a packet of the table; the section, if it is whole now.
    fn take(&mut self, packet: &[u8; PACKET_BYTES]) -> Option<Section> {
        if begins_unit(packet) {
            self.coming.clear();
        } else if self.coming.is_empty() {
            return None;
        }
        if parts(packet).1.is_empty() {
            return None;
        }
        if self.coming.extend_from_slice(packet).is_err() {
            self.coming.clear();
            return None;
        }
        match self.section() {
            Ok(section) => section,
            Err(Unusable) => {
                self.coming.clear();
                None
            }
        }
    }

    /// Puts the packets of `coming` together; none if more are needed.
    fn section(&self) -> Result<Option<Section>, Unusable> {
        let mut bytes = heapless::Vec::<u8, SECTION_BYTES_MAX>::new();
        let mut length = None;
        for (index, packet) in self.coming.as_chunks::<PACKET_BYTES>().0.iter().enumerate() {
            let mut payload = parts(packet).1;
            if index == 0 {
                let pointer = usize::from(*payload.first().ok_or(Unusable)?);
                payload = payload.get(1 + pointer..).ok_or(Unusable)?;
                let &[_, high, low, ..] = payload else { return Err(Unusable) };
                let total = 3 + length_12(high, low);
                if !(Section::BYTES_MIN..=SECTION_BYTES_MAX).contains(&total) {
                    return Err(Unusable);
                }
                length = Some(total);
            }
            let missing = length.map_or(0, |total| total - bytes.len());
            let some = payload.get(..missing).unwrap_or(payload);
            // It fits: never more than `length`.
            let _ = bytes.extend_from_slice(some);
        }
        if length != Some(bytes.len()) {
            return Ok(None);
        }
        // Over a section and its CRC the CRC is zero.
        if CRC.checksum(&bytes) == 0 {
            Ok(Some(Section { bytes }))
        } else {
            Err(Unusable)
        }
    }

    /// The section that became whole is a table that counts.
    fn keep(&mut self) {
        core::mem::swap(&mut self.whole, &mut self.coming);
        self.coming.clear();
    }
}

/// Packets that are not a section as tables have it.
struct Unusable;
