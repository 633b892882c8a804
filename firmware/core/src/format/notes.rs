//! What a checkpoint says beside tracks and gaps: tags on ranges of tracks, and marks.
//!
//! Plain tables of fixed rows; what they mean together is the archive's business (`archive/tagged.rs`, `archive/marks.rs`).

use alloc::vec::Vec;
use hal::{Digest, Uuid};

use super::FormatError;
use super::bytes::{all_zero, array_at, count_at, i64_at, put, u32_at};
use super::track::{CAMERA_BYTES, camera_at};
use crate::Name;

/// Bytes of an encoded name of a tag.
pub const TAG_NAME_BYTES: usize = CAMERA_BYTES;
/// Bytes of an encoded [`TagRange`].
pub const TAG_BYTES: usize = 32;
/// Bytes of an encoded [`MarkHead`].
pub const MARK_BYTES: usize = 112;
/// Bytes of an encoded [`MarkPoint`].
pub const POINT_BYTES: usize = 48;
/// Tables, each with a number of rows in the head of a part.
pub const TABLES: usize = 4;

/// A tag on a range of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TagRange {
    /// Place of the track among the tips.
    pub track: u32,
    /// Place of the tag among the names.
    pub name: u32,
    /// First track sequence that has it.
    pub from: u64,
    /// First behind that has not.
    pub to: u64,
    /// Log sequence of the record that set it last: the blocks lie before it.
    pub log_sequence: u64,
}

/// A mark, without its points.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MarkHead {
    /// Identity, the same in every archive that has the mark.
    pub mark: Uuid,
    /// Its name.
    pub name: Name,
    /// Archive in which it was made.
    pub made_in: Uuid,
    /// When it was made.
    pub utc_ns: i64,
    /// How many points it has when it is whole.
    pub points: u32,
}

/// Where a mark stands in one track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MarkPoint {
    /// Place of the mark among the marks.
    pub mark: u32,
    /// Place of the track among the tips.
    pub track: u32,
    /// Track sequence of the first block behind the mark.
    pub next: u64,
    /// Origin hash of the block before that one; zero if there is none or it is not known.
    pub hash: Digest,
}

/// All four tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Notes {
    /// Names of tags.
    pub tag_names: Vec<Name>,
    /// Tagged ranges.
    pub tags: Vec<TagRange>,
    /// Marks, oldest first.
    pub marks: Vec<MarkHead>,
    /// Their points.
    pub points: Vec<MarkPoint>,
}

/// Bytes of tables with that many rows. More than an address holds on small machines, if the counts lie.
pub fn notes_bytes(rows: [u32; TABLES]) -> u64 {
    let each = [TAG_NAME_BYTES, TAG_BYTES, MARK_BYTES, POINT_BYTES];
    rows.iter().zip(each).map(|(rows, each)| u64::from(*rows) * each as u64).sum()
}

impl MarkHead {
    /// Mark 16, name 64, archive 16, time 8, points 4, zero 4.
    pub fn encode(&self, into: &mut [u8]) {
        into[..MARK_BYTES].fill(0);
        put(into, 0, &self.mark.0);
        put(into, 16, self.name.as_bytes());
        put(into, 80, &self.made_in.0);
        put(into, 96, &self.utc_ns.to_le_bytes());
        put(into, 104, &self.points.to_le_bytes());
    }

    /// The reverse of [`MarkHead::encode`].
    pub fn decode(bytes: &[u8]) -> Result<MarkHead, FormatError> {
        if !all_zero(&bytes[108..MARK_BYTES]) {
            return Err(FormatError::Field);
        }
        Ok(MarkHead {
            mark: Uuid(array_at(bytes, 0)),
            name: camera_at(&bytes[16..80])?,
            made_in: Uuid(array_at(bytes, 80)),
            utc_ns: i64_at(bytes, 96),
            points: u32_at(bytes, 104),
        })
    }
}

impl TagRange {
    fn encode(&self, into: &mut [u8]) {
        put(into, 0, &self.track.to_le_bytes());
        put(into, 4, &self.name.to_le_bytes());
        put(into, 8, &self.from.to_le_bytes());
        put(into, 16, &self.to.to_le_bytes());
        put(into, 24, &self.log_sequence.to_le_bytes());
    }

    fn decode(bytes: &[u8], tips: usize, names: usize) -> Result<TagRange, FormatError> {
        let range = TagRange {
            track: u32_at(bytes, 0),
            name: u32_at(bytes, 4),
            from: count_at(bytes, 8)?,
            to: count_at(bytes, 16)?,
            log_sequence: count_at(bytes, 24)?,
        };
        if range.from < range.to && (range.track as usize) < tips && (range.name as usize) < names {
            Ok(range)
        } else {
            Err(FormatError::Field)
        }
    }
}

impl MarkPoint {
    fn encode(&self, into: &mut [u8]) {
        put(into, 0, &self.mark.to_le_bytes());
        put(into, 4, &self.track.to_le_bytes());
        put(into, 8, &self.next.to_le_bytes());
        put(into, 16, &self.hash.0);
    }

    fn decode(bytes: &[u8], tips: usize, marks: usize) -> Result<MarkPoint, FormatError> {
        let point = MarkPoint {
            mark: u32_at(bytes, 0),
            track: u32_at(bytes, 4),
            next: count_at(bytes, 8)?,
            hash: Digest(array_at(bytes, 16)),
        };
        if (point.track as usize) < tips && (point.mark as usize) < marks {
            Ok(point)
        } else {
            Err(FormatError::Field)
        }
    }
}

impl Notes {
    /// Rows of each table.
    pub fn rows(&self) -> [u32; TABLES] {
        [self.tag_names.len(), self.tags.len(), self.marks.len(), self.points.len()].map(|rows| rows as u32)
    }

    /// Writes all tables, one behind the other.
    pub fn encode(&self, into: &mut [u8]) {
        let (names, rest) = into.split_at_mut(self.tag_names.len() * TAG_NAME_BYTES);
        let (tags, rest) = rest.split_at_mut(self.tags.len() * TAG_BYTES);
        let (marks, points) = rest.split_at_mut(self.marks.len() * MARK_BYTES);
        for (name, into) in self.tag_names.iter().zip(names.chunks_exact_mut(TAG_NAME_BYTES)) {
            into.fill(0);
            put(into, 0, name.as_bytes());
        }
        for (range, into) in self.tags.iter().zip(tags.chunks_exact_mut(TAG_BYTES)) {
            range.encode(into);
        }
        for (mark, into) in self.marks.iter().zip(marks.chunks_exact_mut(MARK_BYTES)) {
            mark.encode(into);
        }
        for (point, into) in self.points.iter().zip(points.chunks_exact_mut(POINT_BYTES)) {
            point.encode(into);
        }
    }

    /// The reverse of [`Notes::encode`]; `bytes` are exactly those of `rows`.
    pub fn decode(bytes: &[u8], rows: [u32; TABLES], tips: usize) -> Result<Notes, FormatError> {
        if bytes.len() as u64 != notes_bytes(rows) {
            return Err(FormatError::Field);
        }
        let [names, tags, marks, _] = rows.map(|rows| rows as usize);
        let (name_rows, rest) = bytes.split_at(names * TAG_NAME_BYTES);
        let (tag_rows, rest) = rest.split_at(tags * TAG_BYTES);
        let (mark_rows, point_rows) = rest.split_at(marks * MARK_BYTES);
        Ok(Notes {
            tag_names: name_rows
                .chunks_exact(TAG_NAME_BYTES)
                .map(camera_at)
                .collect::<Result<_, _>>()?,
            tags: tag_rows
                .chunks_exact(TAG_BYTES)
                .map(|row| TagRange::decode(row, tips, names))
                .collect::<Result<_, _>>()?,
            marks: mark_rows
                .chunks_exact(MARK_BYTES)
                .map(MarkHead::decode)
                .collect::<Result<_, _>>()?,
            points: point_rows
                .chunks_exact(POINT_BYTES)
                .map(|row| MarkPoint::decode(row, tips, marks))
                .collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// One row of each, every field another value.
    pub fn sample() -> Notes {
        Notes {
            tag_names: alloc::vec!["motion".parse().unwrap(), "court".parse().unwrap()],
            tags: alloc::vec![TagRange {
                track: 2,
                name: 1,
                from: 3,
                to: 9,
                log_sequence: 77,
            }],
            marks: alloc::vec![MarkHead {
                mark: Uuid([4; 16]),
                name: "before-update".parse().unwrap(),
                made_in: Uuid([5; 16]),
                utc_ns: -6,
                points: 1,
            }],
            points: alloc::vec![MarkPoint {
                mark: 0,
                track: 1,
                next: 8,
                hash: Digest([9; 32]),
            }],
        }
    }

    #[test]
    fn goes_there_and_back_and_refuses_what_points_nowhere() {
        let notes = sample();
        let mut bytes = alloc::vec![0xff; notes_bytes(notes.rows()) as usize];
        notes.encode(&mut bytes);
        assert_eq!(Notes::decode(&bytes, notes.rows(), 3), Ok(notes.clone()));
        assert!(
            Notes::decode(&bytes, notes.rows(), 2).is_err(),
            "a tag on a track that is not there"
        );
        assert!(Notes::decode(&bytes[1..], notes.rows(), 3).is_err());
        let empty = Notes {
            tags: alloc::vec![TagRange { to: 3, ..notes.tags[0] }],
            ..notes
        };
        empty.encode(&mut bytes);
        assert!(Notes::decode(&bytes, empty.rows(), 3).is_err(), "an empty range");
    }
}
