//! Following the table from cluster to cluster.
//!
//! Invariant: no cluster is in a chain twice. A loop is damage, never a longer file.

use std::collections::BTreeSet;

use hal::IoError;

use super::{Volume, Width};
use crate::bytes::{u16_at, u32_at};
use crate::limits::EXTENTS_MAX;
use crate::window::Window;

/// Bytes that follow each other on the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Extent {
    pub at_bytes: u64,
    pub bytes: u64,
}

/// What the table says of a cluster.
enum Next {
    Cluster(u32),
    End,
    /// Free, bad, or no cluster.
    Nothing,
}

fn next(volume: &Volume, window: &mut Window, cluster: u32) -> Result<Next, IoError> {
    let number = u64::from(cluster);
    let (value, end) = match volume.width {
        Width::Fat12 => {
            let pair = u16_at(&window.array::<2>(volume.table_at + number + number / 2)?, 0);
            let value = if cluster.is_multiple_of(2) { pair & 0xfff } else { pair >> 4 };
            (u32::from(value), 0xff8)
        }
        Width::Fat16 => (
            u32::from(u16_at(&window.array::<2>(volume.table_at + number * 2)?, 0)),
            0xfff8,
        ),
        // The upper four bits are not part of the number.
        Width::Fat32 => (
            u32_at(&window.array::<4>(volume.table_at + number * 4)?, 0) & 0x0fff_ffff,
            0x0fff_fff8,
        ),
        Width::Exfat => (u32_at(&window.array::<4>(volume.table_at + number * 4)?, 0), 0xffff_fff8),
    };
    Ok(if value >= end {
        Next::End
    } else if volume.is_cluster(value) {
        Next::Cluster(value)
    } else {
        Next::Nothing
    })
}

fn push(extents: &mut Vec<Extent>, at_bytes: u64, bytes: u64) {
    match extents.last_mut() {
        Some(last) if last.at_bytes + last.bytes == at_bytes => last.bytes += bytes,
        _ => extents.push(Extent { at_bytes, bytes }),
    }
}

/// The clusters of a folder whose length nobody says, as far as they make sense, and what is wrong with the rest.
pub fn to_end(
    volume: &Volume,
    window: &mut Window,
    first: u32,
    longest_bytes: u64,
) -> Result<(Vec<Extent>, Option<&'static str>), IoError> {
    let mut extents = Vec::new();
    let mut seen = BTreeSet::new();
    let mut cluster = first;
    let mut bytes = 0;
    if !volume.is_cluster(first) {
        return Ok((extents, Some("begins nowhere")));
    }
    loop {
        if !seen.insert(cluster) {
            return Ok((extents, Some("has a loop in its clusters")));
        }
        if bytes >= longest_bytes {
            return Ok((extents, Some("is longer than a folder can be")));
        }
        push(&mut extents, volume.at_bytes(cluster), volume.cluster_bytes);
        bytes += volume.cluster_bytes;
        match next(volume, window, cluster)? {
            Next::Cluster(following) => cluster = following,
            Next::End => return Ok((extents, None)),
            Next::Nothing => return Ok((extents, Some("has clusters that lead nowhere"))),
        }
    }
}

/// The clusters of so many bytes. A chain that goes on behind them is fine: cameras allocate before they write.
pub fn of_size(
    volume: &Volume,
    window: &mut Window,
    first: u32,
    size_bytes: u64,
    contiguous: bool,
) -> Result<Vec<Extent>, IoError> {
    if size_bytes == 0 {
        return Ok(Vec::new());
    }
    let needed = size_bytes.div_ceil(volume.cluster_bytes);
    if !volume.is_cluster(first) || needed > u64::from(volume.clusters) {
        return Err(IoError::Damaged);
    }
    if contiguous {
        if u64::from(first - 2) + needed > u64::from(volume.clusters) {
            return Err(IoError::Damaged);
        }
        return Ok(vec![Extent {
            at_bytes: volume.at_bytes(first),
            bytes: needed * volume.cluster_bytes,
        }]);
    }
    let mut extents: Vec<Extent> = Vec::new();
    let mut cluster = first;
    for number in 1..=needed {
        push(&mut extents, volume.at_bytes(cluster), volume.cluster_bytes);
        if extents.len() > EXTENTS_MAX {
            return Err(IoError::Unsupported);
        }
        if number < needed {
            match next(volume, window, cluster)? {
                Next::Cluster(following) => cluster = following,
                Next::End | Next::Nothing => return Err(IoError::Damaged),
            }
        }
    }
    let mut sorted = extents.clone();
    sorted.sort_unstable();
    if sorted
        .windows(2)
        .any(|pair| pair[0].at_bytes + pair[0].bytes > pair[1].at_bytes)
    {
        return Err(IoError::Damaged);
    }
    Ok(extents)
}
