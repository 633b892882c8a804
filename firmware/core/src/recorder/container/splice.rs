//! What is put into a transport stream where blocks are missing, so that players go on.
//!
//! A null packet, which every decoder skips, marks the place. Then, for each stream that goes on behind the hole, a packet without
//! payload whose adaptation field says that there is a discontinuity, with the continuity counter from which the next packet of
//! that stream counts on (ISO/IEC 13818-1, 2.4.3.5): nobody takes the jump for lost packets. Never zeros.

use alloc::vec::Vec;

use super::Container;
use super::transport::{PACKET_BYTES, SYNC_BYTE, null_packet};
use crate::format::{Origin, TrackKey};

/// Streams that are told of; a camera has two or three.
const STREAMS_MAX: usize = 20;
/// Packet identifier of packets that mean nothing.
const NULL_PID: u16 = 0x1FFF;
/// An adaptation field and no payload; a payload and no adaptation field is 0x10.
const ADAPTATION_ONLY: u8 = 0x20;
/// First flag of an adaptation field.
const DISCONTINUITY: u8 = 0x80;

/// What of no block comes in front of a block in an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leads {
    /// Its init data, so that a player can start.
    pub init: bool,
    /// Behind that, [`splice`].
    pub splice: bool,
}

/// What comes in front of a block, by the block before it: its track, and the number behind it. Who reads a manifest follows the same
/// rule.
pub fn leads(before: Option<(&TrackKey, u64)>, origin: &Origin, has_init: bool) -> Leads {
    let Some((key, next)) = before else {
        let init = has_init && origin.track_sequence > 0;
        return Leads { init, splice: false };
    };
    let is_other = *key != origin.key;
    // A file brings with it what a player needs.
    let begins_file = origin.file.as_ref().is_some_and(|file| file.at_bytes == 0);
    Leads {
        init: has_init && is_other && !begins_file,
        splice: origin.container == Container::MpegTs && (is_other || next != origin.track_sequence),
    }
}

/// The packets to put in front of a payload that follows a hole, in as many bytes as there is room for.
pub fn splice(payload: &[u8], room_bytes: usize) -> Vec<u8> {
    let mut packets = null_packet().to_vec();
    let mut told: Vec<u16> = Vec::new();
    let whole = payload.chunks_exact(PACKET_BYTES).take_while(|packet| packet[0] == SYNC_BYTE);
    for packet in whole {
        let pid = u16::from_be_bytes([packet[1] & 0x1F, packet[2]]);
        if pid == NULL_PID || told.contains(&pid) {
            continue;
        }
        if told.len() >= STREAMS_MAX || packets.len() + PACKET_BYTES > room_bytes {
            break;
        }
        told.push(pid);
        // A packet with payload counts one on, one without does not.
        let counter = match packet[3] & 0x10 {
            0 => packet[3] & 0x0F,
            _ => packet[3].wrapping_sub(1) & 0x0F,
        };
        let mut jump = [0xFF; PACKET_BYTES];
        jump[..6].copy_from_slice(&[
            SYNC_BYTE,
            packet[1] & 0x1F,
            packet[2],
            ADAPTATION_ONLY | counter,
            (PACKET_BYTES - 5) as u8,
            DISCONTINUITY,
        ]);
        packets.extend_from_slice(&jump);
    }
    packets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(pid: u16, control: u8) -> [u8; PACKET_BYTES] {
        let mut packet = [0; PACKET_BYTES];
        let [high, low] = pid.to_be_bytes();
        packet[..4].copy_from_slice(&[SYNC_BYTE, 0x40 | high, low, control]);
        packet
    }

    #[test]
    fn each_stream_is_told_once_and_counts_on() {
        let payload = [
            packet(0x100, 0x10),
            packet(0x1FFF, 0x10),
            packet(0x101, 0x27),
            packet(0x100, 0x11),
        ]
        .concat();
        let packets = splice(&payload, 4096);
        assert_eq!(packets.len(), 3 * PACKET_BYTES);
        assert_eq!(packets[..PACKET_BYTES], null_packet());
        let video = &packets[PACKET_BYTES..2 * PACKET_BYTES];
        assert_eq!(video[..6], [SYNC_BYTE, 0x01, 0x00, 0x2F, 183, 0x80], "15, then 0");
        assert_eq!(packets[2 * PACKET_BYTES..][..6], [SYNC_BYTE, 0x01, 0x01, 0x27, 183, 0x80]);
        assert!(!packets.chunks(8).any(|bytes| bytes == [0; 8]), "never zeros");
        assert_eq!(
            splice(&payload, 512).len(),
            2 * PACKET_BYTES,
            "no more than there is room for"
        );
        assert_eq!(splice(b"no transport stream", 4096), null_packet());
    }
}
