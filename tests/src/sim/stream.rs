//! What the cameras send: packets that say which they are, so that a piece of a stream can be placed wherever it is found.
//!
//! Half of the streams look like MPEG-TS (sync byte, 188 bytes), half like nothing known.

use std::cmp::Reverse;

use drivers_sim::Random;

/// Bytes of a packet.
pub const PACKET_BYTES: usize = 188;
/// Packets of a chunk: what a feeder writes at once.
const CHUNK_PACKETS: u64 = 40;
/// Behind sync byte and identifiers.
const MARK: &[u8; 4] = b"sim!";
const MARK_AT: usize = 4;
const HEAD_BYTES: usize = 20;

/// Chunk number `number` of a stream.
pub fn chunk(stream: u32, number: u64) -> Vec<u8> {
    (number * CHUNK_PACKETS..(number + 1) * CHUNK_PACKETS)
        .flat_map(|number| packet(stream, number))
        .collect()
}

fn packet(stream: u32, number: u64) -> [u8; PACKET_BYTES] {
    let mut packet = [0; PACKET_BYTES];
    packet[0] = if stream.is_multiple_of(2) { 0x47 } else { 0x52 };
    packet[1..4].copy_from_slice(&[0x01, 0x00, 0x10]);
    packet[MARK_AT..MARK_AT + 4].copy_from_slice(MARK);
    packet[8..12].copy_from_slice(&stream.to_le_bytes());
    packet[12..HEAD_BYTES].copy_from_slice(&number.to_le_bytes());
    let mut random = Random::new(number ^ u64::from(stream) << 40);
    for word in packet[HEAD_BYTES..].chunks_mut(8) {
        word.copy_from_slice(&random.bits().to_le_bytes()[..word.len()]);
    }
    packet
}

/// A stretch of stream bytes, from the first to the first behind.
pub type Run = std::ops::Range<u64>;

/// Places the bytes of a payload in their stream: whole runs, in the order in which they stand. `expected` is where they should
/// begin, `starts` where they may begin besides. The error is where bytes of no stream begin.
pub fn place(stream: u32, payload: &[u8], expected: u64, starts: &[u64]) -> Result<Vec<Run>, usize> {
    let mut runs: Vec<Run> = Vec::new();
    let mut at = 0;
    let mut next = expected;
    while at < payload.len() {
        let rest = &payload[at..];
        let candidates = [Some(next), located(stream, rest)]
            .into_iter()
            .flatten()
            .chain(starts.iter().copied());
        // A byte or two may stand in several places: the earlier candidate is the likelier one.
        let best = (0_u64..)
            .zip(candidates)
            .map(|(rank, from)| (common(stream, from, rest), Reverse(rank), from))
            .max();
        let (length, _, from) = best.filter(|(length, ..)| *length > 0).ok_or(at)?;
        next = from + length as u64;
        match runs.last_mut() {
            Some(last) if last.end == from => last.end = next,
            Some(_) | None => runs.push(from..next),
        }
        at += length;
    }
    Ok(runs)
}

/// Where the stream has these bytes, if a packet begins soon enough to tell.
fn located(stream: u32, bytes: &[u8]) -> Option<u64> {
    let windows = bytes.windows(HEAD_BYTES).take(PACKET_BYTES).enumerate();
    windows
        .filter(|(_, head)| head[MARK_AT..MARK_AT + 4] == *MARK && head[8..12] == stream.to_le_bytes())
        .find_map(|(before, head)| {
            let number = u64::from_le_bytes(head[12..HEAD_BYTES].try_into().ok()?);
            number.checked_mul(PACKET_BYTES as u64)?.checked_sub(before as u64)
        })
}

/// How many bytes agree with the stream from a position on.
fn common(stream: u32, from: u64, bytes: &[u8]) -> usize {
    let mut length = 0;
    while length < bytes.len() {
        let at = from + length as u64;
        let packet = packet(stream, at / PACKET_BYTES as u64);
        let rest = &packet[(at % PACKET_BYTES as u64) as usize..];
        let same = rest.iter().zip(&bytes[length..]).take_while(|(a, b)| a == b).count();
        length += same;
        if same < rest.len() {
            break;
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "one piece, not its numbers")]
    fn pieces_are_found_where_they_were_cut_out() {
        let stream: Vec<u8> = (0..4).flat_map(|number| chunk(6, number)).collect();
        assert_eq!(place(6, &stream[100..9000], 100, &[]), Ok(vec![100..9000]));
        assert_eq!(place(6, &stream[5000..9000], 77, &[]), Ok(vec![5000..9000]), "by its packets");
        assert_eq!(
            place(6, &stream[5000..5003], 77, &[12, 5000]),
            Ok(vec![5000..5003]),
            "by what may be"
        );
        assert_eq!(
            place(6, &stream[188..189], 188, &[0, 376]),
            Ok(vec![188..189]),
            "where it should be, as every packet begins like that"
        );
        let jump = [&stream[0..150], &stream[8000..9000]].concat();
        assert_eq!(place(6, &jump, 0, &[]), Ok(vec![0..150, 8000..9000]));
    }

    #[test]
    fn foreign_bytes_are_not_found() {
        let mut stream = chunk(6, 0);
        stream[1000] ^= 1;
        assert_eq!(place(6, &stream, 0, &[]), Err(1000));
        assert_eq!(place(5, &chunk(6, 0), 0, &[]), Err(0));
    }
}
