//! The numbers in `docs/formats.md` against the golden bytes and the constants of the product.
//!
//! Every row of a byte table is looked up in bytes whose values are known: a row that is missing, misplaced, too long or too short
//! does not fit them.

use std::fs;

use blockhaul_core::format::checkpoint::{ENTRY_BYTES, FILLS_BYTES, GAP_BYTES, NO_TRACK, PART_HEAD_BYTES};
use blockhaul_core::format::header::{INIT_AT, ORIGIN_AT, ORIGIN_END};
use blockhaul_core::format::notes::{MARK_BYTES, MarkHead, POINT_BYTES, TAG_BYTES, TAG_NAME_BYTES};
use blockhaul_core::format::record::{RECORD_BYTES, records_max};
use blockhaul_core::format::scrub::SCRUB_BYTES;
use blockhaul_core::format::superblock::{HISTORY_MAX, NO_CHECKPOINT, copy_offsets};
use blockhaul_core::format::track::{TIP_BYTES, TRACK_KEY_BYTES};
use blockhaul_core::format::{FORMAT_VERSION, Record, SECTOR_BYTES, TrackKey, crc32c};
use blockhaul_core::recorder::container::INIT_BYTES_MAX;
use blockhaul_core::{NAME_BYTES_MAX, limits};
use blockhaul_tests::programs::tree;

use crate::{dump, structures};

fn document() -> String {
    fs::read_to_string(tree().join("docs/formats.md")).expect("docs/formats.md")
}

/// A row of a byte table.
struct Row {
    offset: usize,
    /// Second column: a number, perhaps with `each`, or nothing.
    length: String,
    /// The columns behind.
    cells: Vec<String>,
}

/// The rows of the first table behind a line that begins so.
fn cells(anchor: &str) -> Vec<Vec<String>> {
    let document = document();
    let behind = document.lines().skip_while(|line| !line.starts_with(anchor));
    let rows = behind
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2);
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    let rows: Vec<_> = rows.map(cells).collect();
    assert!(!rows.is_empty(), "docs/formats.md has no table behind the line \"{anchor}\"");
    rows
}

fn table(anchor: &str) -> Vec<Row> {
    let rows = cells(anchor).into_iter().filter(|row| !row[0].is_empty());
    rows.map(|row| Row {
        offset: row[0].parse().unwrap(),
        length: row[1].clone(),
        cells: row[2..].to_vec(),
    })
    .collect()
}

/// What the text of a cell begins with, and the bytes of the field.
type Field = (&'static str, Vec<u8>);

fn number(value: impl Into<u128>, bytes: usize) -> Vec<u8> {
    value.into().to_le_bytes()[..bytes].to_vec()
}

fn time(utc_ns: i64) -> Vec<u8> {
    utc_ns.to_le_bytes().to_vec()
}

fn pair(counter: u64, nonce: u64) -> Vec<u8> {
    [counter.to_le_bytes(), nonce.to_le_bytes()].concat()
}

fn name(text: &str) -> Vec<u8> {
    padded(text.as_bytes(), 64)
}

fn padded(bytes: &[u8], length: usize) -> Vec<u8> {
    let mut padded = bytes.to_vec();
    padded.resize(length, 0);
    padded
}

fn zeros(length: usize) -> Vec<u8> {
    vec![0; length]
}

fn track_key(key: &TrackKey) -> Vec<u8> {
    [&key.origin.0[..], &name(key.camera.as_str()), &[key.kind as u8], &zeros(7)].concat()
}

/// The CRC-32C of a sector with the field of it zero.
fn crc_without_field(sector: &[u8]) -> Vec<u8> {
    let mut plain = sector.to_vec();
    plain[12..16].fill(0);
    number(crc32c(&plain), 4)
}

/// Sees that the rows name the fields, that nothing lies between them but zeros, and that the bytes are those of the fields. `base`
/// is where offset 0 of the table is, `end` where the last row ends.
fn compare(what: &str, rows: &[Row], column: usize, bytes: &[u8], (base, end): (usize, usize), fields: &[Field]) {
    assert_eq!(rows.len(), fields.len(), "{what}: rows of the table, fields of the product");
    let mut reached = rows[0].offset;
    for (row, (begins, expected)) in rows.iter().zip(fields) {
        let cell = &row.cells[column];
        assert!(
            cell.starts_with(begins),
            "{what}, offset {}: \"{cell}\" should begin with \"{begins}\"",
            row.offset
        );
        let zero_between = row.offset >= reached && bytes[base + reached..base + row.offset].iter().all(|byte| *byte == 0);
        assert!(
            zero_between,
            "{what}: {cell} at {} does not follow what ends at {reached}",
            row.offset
        );
        let (length, each) = row.length.split_once(' ').unwrap_or((&row.length, ""));
        match (length, each) {
            ("", "") => {}
            (_, "") => assert_eq!(length.parse(), Ok(expected.len()), "{what}, length of {cell}"),
            (_, _) => assert_eq!(
                expected.len() % length.parse::<usize>().unwrap(),
                0,
                "{what}, length of {cell}"
            ),
        }
        // Zeros are found nearly everywhere: only few fields may be zero, or a wrong offset would not be noticed.
        let may_be_zero = ["zero", "features", "number of this part"]
            .iter()
            .any(|word| cell.starts_with(word));
        assert!(
            may_be_zero || expected.iter().any(|byte| *byte != 0),
            "{what}: the sample of {cell} is zero"
        );
        let there = &bytes[base + row.offset..][..expected.len()];
        assert_eq!(there, expected, "{what}: {cell} at {}", row.offset);
        reached = row.offset + expected.len();
    }
    assert_eq!(reached, end, "{what}: end of the table");
}

#[test]
fn the_table_of_the_superblock() {
    let sector = dump::read("superblock.txt");
    let one = structures::superblock();
    let mut hashed = sector[..4064].to_vec();
    hashed[10] = 0;
    hashed[12..16].fill(0);
    let history = one
        .history
        .iter()
        .flat_map(|(epoch, start)| [pair(epoch.counter, epoch.nonce), number(*start, 8)].concat());
    let fields = [
        ("magic `bhsuper` and a zero byte", b"bhsuper\0".to_vec()),
        ("version, 1", number(FORMAT_VERSION, 2)),
        ("number of this copy", vec![u8::try_from(structures::COPY).unwrap()]),
        ("mode: 1 append, 2 ring", vec![2]),
        ("CRC-32C of the 4,096 bytes with this field zero", crc_without_field(&sector)),
        ("UUID of the archive", one.archive.0.to_vec()),
        ("generation", number(one.generation, 8)),
        ("parent", one.parent.0.to_vec()),
        ("`block_bytes`", number(one.block_bytes, 4)),
        ("logical sector", number(one.logical_sector_bytes, 4)),
        ("size of the volume", number(one.volume_bytes, 8)),
        ("`slots_at_bytes`", number(one.slots_at_bytes, 8)),
        ("`slots`", number(one.slots, 8)),
        ("`segment_blocks`", number(one.segment_blocks, 4)),
        ("features", zeros(4)),
        ("time when the archive was made", time(one.made_utc_ns)),
        (
            "newest epoch: counter `u64`, nonce `u64`",
            pair(one.epoch.counter, one.epoch.nonce),
        ),
        ("first log sequence of that epoch", number(one.epoch_start, 8)),
        ("durable sequence", number(one.durable_sequence, 8)),
        ("log sequence of part 0", number(one.checkpoint_sequence, 8)),
        ("label", name(one.label.as_str())),
        ("entries of the history", number(one.history.len() as u64, 2)),
        ("closed in order", number(u64::from(one.closed), 1)),
        ("zero", zeros(5)),
        ("freed sequence", number(one.freed_sequence, 8)),
        ("released sequence", number(one.released_sequence, 8)),
        ("number of the set of guards", number(one.guard_set, 8)),
        (
            "history, oldest first: epoch counter `u64`, nonce `u64`, first log sequence `u64`",
            history.collect(),
        ),
        (
            "content hash: BLAKE3 of bytes 0 to 4,064",
            blake3::hash(&hashed).as_bytes().to_vec(),
        ),
    ];
    compare(
        "superblock",
        &table("## Superblock"),
        0,
        &sector,
        (0, SECTOR_BYTES as usize),
        &fields,
    );
}

#[test]
fn the_tables_of_the_block_header() {
    let sector = dump::read("header.txt");
    let (placement, origin) = structures::header_parts();
    let fields = [
        ("magic `bhblock` and a zero byte", b"bhblock\0".to_vec()),
        ("version, 1", number(FORMAT_VERSION, 2)),
        ("kind of block: 1 data, 2 system, 3 checkpoint", vec![placement.kind as u8]),
        ("flags: 1 the block is a fill", vec![1]),
        ("CRC-32C of the 4,096 bytes with this field zero", crc_without_field(&sector)),
        ("UUID of the archive", placement.archive.0.to_vec()),
        ("log sequence", number(placement.log_sequence, 8)),
        ("slot", number(placement.slot, 8)),
        (
            "epoch in which it was written",
            pair(placement.epoch.counter, placement.epoch.nonce),
        ),
        ("first log sequence of that epoch", number(placement.epoch_start, 8)),
        ("durable sequence", number(placement.durable_sequence, 8)),
        ("header hash", placement.previous_header.0.to_vec()),
        ("lease", pair(placement.lease.counter, placement.lease.nonce)),
        ("payload length", number(placement.payload_bytes, 4)),
        ("CRC-32C of the payload", number(placement.payload_crc, 4)),
        ("zero", zeros(120)),
    ];
    compare(
        "placement part",
        &table("Placement part:"),
        0,
        &sector,
        (0, ORIGIN_AT),
        &fields,
    );

    let file = origin.file.unwrap();
    let fields = [
        ("UUID of the archive", origin.key.origin.0.to_vec()),
        ("epoch of the origin", pair(origin.epoch.counter, origin.epoch.nonce)),
        ("camera", name(origin.key.camera.as_str())),
        ("kind of track: 1 video, 2 audio, 3 metadata", vec![3]),
        ("container: 0 raw, 1 MPEG-TS, 2 fragmented MP4", vec![2]),
        (
            "how far the wall clock could be trusted: 0 not set, 1 set once, 2 synchronized",
            vec![1],
        ),
        (
            "flags: 1 a random access point begins in the block, 2 sealed early, 4 discontinuity",
            vec![1 | 4],
        ),
        ("payload length", number(origin.payload_bytes, 4)),
        ("track sequence", number(origin.track_sequence, 8)),
        ("time when its first byte came", time(origin.begin_utc_ns)),
        ("time when its last byte came", time(origin.end_utc_ns)),
        ("nanoseconds since", number(origin.begin_boot_ns, 8)),
        ("BLAKE3 of the payload", origin.payload_digest.0.to_vec()),
        ("origin hash of the block before", origin.previous_origin.0.to_vec()),
        (
            "length of the init data, 0 to 3,072",
            number(structures::INIT.len() as u64, 2),
        ),
        ("zero", zeros(6)),
        ("of a block that was taken from a file", number(file.path, 8)),
        ("time when the file began", time(file.begin_ns)),
        ("size of the file", number(file.size_bytes, 8)),
        ("where in the file the payload begins", number(file.at_bytes, 8)),
        ("zero", zeros(16)),
        ("init data, the rest zero", padded(structures::INIT, INIT_BYTES_MAX)),
    ];
    let rows = table("Origin part of a data block:");
    assert_eq!(
        (rows[0].offset, rows.last().map(|row| row.offset)),
        (ORIGIN_AT, Some(INIT_AT))
    );
    compare("origin part", &rows, 0, &sector, (0, ORIGIN_END), &fields);
    assert!(sector[ORIGIN_END..].iter().all(|byte| *byte == 0));
}

#[test]
fn the_tables_of_system_blocks() {
    let payload = dump::read("system.txt");
    let mut head = table("Small records, many to one block");
    let records = head.pop().unwrap();
    assert_eq!((records.offset, records.length), (8, format!("{RECORD_BYTES} each")));
    compare(
        "system block",
        &head,
        0,
        &payload,
        (0, 8),
        &[("number of records", number(8u8, 4)), ("zero", zeros(4))],
    );

    let rows = table("A record of a track:");
    let [
        Record::Lease { key, lease, holder },
        Record::Gap { gap, hash_after, .. },
        Record::Tag { from, to, name, .. },
        _,
        Record::Mark(mark),
        Record::Point { next, hash, .. },
        Record::Unmark(_),
        Record::Scrub(_),
    ] = structures::records()
    else {
        panic!("one of each kind");
    };
    let at = |record: usize| (8 + record * RECORD_BYTES, RECORD_BYTES);
    let fields = [
        ("1", vec![1]),
        ("zero", zeros(1)),
        ("zero", zeros(6)),
        ("track key", track_key(&key)),
        ("lease counter", number(lease.counter, 8)),
        ("lease nonce", number(lease.nonce, 8)),
        ("key of the peer", holder.0.to_vec()),
        ("zero", zeros(16)),
        ("zero", zeros(32)),
    ];
    compare("lease", &rows, 0, &payload, at(0), &fields);
    let fields = [
        ("2", vec![2]),
        (
            "reason: 1 overwritten at the source, 2 damaged at the source, 3 filtered, 4 expired, 5 not retrieved, 6 comes later",
            vec![3],
        ),
        ("zero", zeros(6)),
        ("track key", track_key(&key)),
        ("first missing track sequence", number(gap.from, 8)),
        ("first one behind", number(gap.to, 8)),
        ("origin hash of the block before", hash_after.0.to_vec()),
        ("zero", zeros(16)),
        ("zero", zeros(32)),
    ];
    compare("gap", &rows, 1, &payload, at(1), &fields);
    let name = padded(name.as_bytes(), 80);
    for (record, kind) in [(2, 3), (3, 4)] {
        let fields = [
            ("3 set, 4 unset", vec![kind]),
            ("zero", zeros(1)),
            ("zero", zeros(6)),
            ("track key", track_key(&key)),
            ("first track sequence", number(from, 8)),
            ("first one behind", number(to, 8)),
            ("name of the tag, which takes 64 bytes", name[..32].to_vec()),
            ("its second half", name[32..48].to_vec()),
            ("its last 16 bytes, then zero", name[48..].to_vec()),
        ];
        compare("tag", &rows, 2, &payload, at(record), &fields);
    }
    let fields = [
        ("6", vec![6]),
        ("zero", zeros(1)),
        ("zero", zeros(6)),
        ("track key", track_key(&key)),
        ("track sequence of the first block behind", number(next, 8)),
        ("zero", zeros(8)),
        ("origin hash of the block before", hash.0.to_vec()),
        ("UUID of the mark", mark.mark.0.to_vec()),
        ("zero", zeros(32)),
    ];
    compare("point", &rows, 3, &payload, at(5), &fields);

    let rows = table("A record of the archive.");
    let rest = RECORD_BYTES - 8;
    let fields = |kind: u8, begins, bytes: &[u8]| {
        let fields: [Field; 3] = [("5", vec![kind]), ("zero", zeros(7)), (begins, padded(bytes, rest))];
        fields
    };
    let mark_fields = fields(5, "mark row", &mark_row(&mark));
    compare("mark", &rows, 0, &payload, at(4), &mark_fields);
    let [_, zero, row] = fields(7, "UUID of the mark", &mark.mark.0);
    compare("end of a mark", &rows, 1, &payload, at(6), &[("7", vec![7]), zero, row]);
    let [_, zero, row] = fields(8, "scrub state", &scrub_state());
    compare("scrub", &rows, 2, &payload, at(7), &[("8", vec![8]), zero, row]);
    assert_eq!(widths(&format!("Mark row, {MARK_BYTES} bytes: ")), [16, 64, 16, 8, 4, 4]);
    assert_eq!(widths(&format!("Scrub state, {SCRUB_BYTES} bytes: ")), [8; 7]);
}

fn mark_row(mark: &MarkHead) -> Vec<u8> {
    let row = [
        &mark.mark.0[..],
        &name(mark.name.as_str()),
        &mark.made_in.0,
        &mark.utc_ns.to_le_bytes(),
        &mark.points.to_le_bytes(),
        &[0; 4],
    ];
    row.concat()
}

fn scrub_state() -> Vec<u8> {
    let scrub = structures::scrub();
    let fields = [
        number(scrub.position, 8),
        time(scrub.began_utc_ns),
        number(scrub.damaged, 8),
        time(scrub.ended_utc_ns),
        number(scrub.ended_at, 8),
        number(scrub.ended_blocks, 8),
        number(scrub.ended_damaged, 8),
    ];
    fields.concat()
}

#[test]
fn the_tables_of_checkpoints() {
    let payload = dump::read("checkpoint.txt");
    let one = structures::checkpoint();
    let mut head = table("Payload of a part:");
    assert_eq!(head.pop().map(|row| row.offset), Some(PART_HEAD_BYTES), "the content");
    let fields = [
        ("number of this part", zeros(4)),
        ("parts in all", number(1u8, 4)),
        ("log sequence of part 0", number(structures::CHECKPOINT_SEQUENCE, 8)),
        ("log sequence of the first entry", number(one.from_sequence, 8)),
        ("entries in all", number(one.entries.len() as u64, 4)),
        ("tips in all", number(one.tips.len() as u64, 4)),
        ("gaps in all", number(one.gaps.len() as u64, 4)),
        ("runs of fills in all", number(one.fills.len() as u64, 4)),
        ("track sequence at which a track begins", number(one.new_tracks_begin, 8)),
        ("names of tags in all", number(one.notes.tag_names.len() as u64, 4)),
        ("tags in all", number(one.notes.tags.len() as u64, 4)),
        ("marks in all", number(one.notes.marks.len() as u64, 4)),
        ("points in all", number(one.notes.points.len() as u64, 4)),
        ("scrub state", scrub_state()),
    ];
    compare("part", &head, 0, &payload, (0, PART_HEAD_BYTES), &fields);

    let rows = table("Entry, 32 bytes");
    for (place, entry) in one.entries.iter().enumerate().filter(|(_, entry)| entry.track != NO_TRACK) {
        let fields = [
            ("place of the track", number(entry.track, 4)),
            ("first four bytes of the BLAKE3", number(entry.track_check, 4)),
            (
                "track sequence; 2^63 is added in the entry of a fill",
                number(entry.track_sequence | u64::from(entry.fill) << 63, 8),
            ),
            ("time when its first byte came", time(entry.begin_utc_ns)),
            ("first eight bytes of its origin hash", number(entry.hash_prefix, 8)),
        ];
        compare(
            "entry",
            &rows,
            0,
            &payload,
            (PART_HEAD_BYTES + place * ENTRY_BYTES, ENTRY_BYTES),
            &fields,
        );
    }

    let tips_at = PART_HEAD_BYTES + one.entries.len() * ENTRY_BYTES;
    let tip = &one.tips[0];
    let fields = [
        ("track key", track_key(&tip.key)),
        ("next track sequence", number(tip.next, 8)),
        ("origin hash of the block before", tip.hash.0.to_vec()),
        ("log sequence of the newest block", number(tip.last_log_sequence, 8)),
        ("time when the last byte", time(tip.last_utc_ns)),
        (
            "newest lease: counter `u64`, nonce `u64`",
            pair(tip.lease.counter, tip.lease.nonce),
        ),
        ("key of the peer", tip.holder.0.to_vec()),
        ("zero", zeros(16)),
    ];
    compare("tip", &table("Tip, 208 bytes"), 0, &payload, (tips_at, TIP_BYTES), &fields);

    let gaps_at = tips_at + one.tips.len() * TIP_BYTES;
    let (track, gap) = one.gaps[0];
    let expected = [number(track, 4), vec![4], zeros(3), number(gap.from, 8), number(gap.to, 8)].concat();
    let fills_at = gaps_at + GAP_BYTES;
    assert_eq!(payload[gaps_at..fills_at], expected);
    let (track, run) = one.fills[0];
    let numbers = [run.from, run.to, run.log_from, run.log_to];
    let numbers = numbers.map(|one| number(one, 8)).concat();
    let notes_at = fills_at + FILLS_BYTES;
    assert_eq!(payload[fills_at..notes_at], [number(track, 4), zeros(4), numbers].concat());
    assert_eq!(widths(&format!("Run of fills, {FILLS_BYTES} bytes: ")), [4, 4, 8, 8, 8, 8]);
    let notes = &one.notes;
    let (tag, point) = (&notes.tags[0], &notes.points[0]);
    let expected: Vec<u8> = [
        notes.tag_names.iter().flat_map(|tag| name(tag.as_str())).collect(),
        number(tag.track, 4),
        number(tag.name, 4),
        number(tag.from, 8),
        number(tag.to, 8),
        number(tag.log_sequence, 8),
        notes.marks.iter().flat_map(mark_row).collect(),
        number(point.mark, 4),
        number(point.track, 4),
        number(point.next, 8),
        point.hash.0.to_vec(),
    ]
    .concat();
    assert_eq!(payload[notes_at..], expected, "notes");
    assert_eq!(
        widths(&format!("Name of a tag: {TAG_NAME_BYTES} bytes. Tag, {TAG_BYTES} bytes: ")),
        [4, 4, 8, 8, 8]
    );
    assert_eq!(widths(&format!("Point, {POINT_BYTES} bytes: ")), [4, 4, 8, 32]);
    assert_eq!(widths("Gap, 24 bytes: "), [4, 1, 3, 8, 8]);
    assert_eq!(widths(&format!("Track key, {TRACK_KEY_BYTES} bytes: ")), [16, 64, 1, 7]);
}

/// The numbers at the ends of a list of fields in a sentence.
fn widths(begins: &str) -> Vec<usize> {
    let document = document();
    let sentence = document
        .split_once(begins)
        .unwrap_or_else(|| panic!("docs/formats.md has no \"{begins}\""))
        .1;
    let sentence = sentence.split('.').next().unwrap_or_default();
    let width = |field: &str| field.split_whitespace().find_map(|word| word.parse().ok());
    sentence
        .split(", ")
        .map(|field| width(field).unwrap_or_else(|| panic!("{begins}: {field}")))
        .collect()
}

/// A number as the document writes it.
fn spelled(number: impl Into<u64>) -> String {
    let digits = number.into().to_string();
    let groups: Vec<_> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| String::from_utf8_lossy(group))
        .collect();
    groups.join(",")
}

#[test]
fn the_places_of_the_superblock_copies() {
    const MIB: f64 = 1_048_576.0;
    let rows = cells("## The volume");
    let volume_bytes = (100 << 20) + 5000;
    let end = volume_bytes / 4096 * 4096;
    for (copy, offset) in copy_offsets(volume_bytes).into_iter().enumerate() {
        let row = rows
            .iter()
            .find(|row| row[1].ends_with(&format!("copy {copy}")))
            .expect("a row for each copy");
        let mib = |text: &str| (text.trim_end_matches(" MiB").parse::<f64>().unwrap() * MIB) as u64;
        let documented = match row[0].strip_prefix("`end` - ") {
            Some(before) => end - mib(before),
            None => mib(&row[0]),
        };
        assert_eq!(documented, offset, "copy {copy}");
    }
}

#[test]
fn the_bounds_in_sentences() {
    let (least, most) = (spelled(limits::BLOCK_BYTES_MIN), spelled(limits::BLOCK_BYTES_MAX));
    let sector = spelled(SECTOR_BYTES);
    let sentences = [
        format!(" Version {FORMAT_VERSION}."),
        format!("A *sector* here is {sector} bytes"),
        format!("\"123456789\" gives 0x{:X}", crc32c(b"123456789")),
        format!("1 to {NAME_BYTES_MAX} of `a-z 0-9 -`"),
        format!("a power of two, {least} to {most} |"),
        format!("a power of two, at most {} |", spelled(limits::SEGMENT_BLOCKS_MAX)),
        format!("entries of the history, 0 to {HISTORY_MAX} |"),
        format!("more than {HISTORY_MAX} push the oldest out"),
        format!("0x{NO_CHECKPOINT:X} if there is none"),
        format!("0x{NO_TRACK:X} if the block belongs to no track"),
        format!("length of the init data, 0 to {} |", spelled(INIT_BYTES_MAX as u64)),
        format!(
            "**Origin hash**: BLAKE3 of bytes {ORIGIN_AT} to {}.",
            spelled(ORIGIN_END as u64)
        ),
        format!("Entry, {ENTRY_BYTES} bytes"),
        format!("Tip, {TIP_BYTES} bytes"),
        format!("At most {} are kept", spelled(limits::GAPS_MAX as u64)),
        format!("There are {} at most", spelled(limits::FILLS_MAX as u64)),
        format!("Every part but the last has a full payload of `block_bytes` - {sector}."),
        "`W = min(2 * segment_blocks, 32)`".into(),
        "`segment_blocks + max(segment_blocks / 4, 4) + 2 * W`".into(),
    ];
    let document = document().split_whitespace().collect::<Vec<_>>().join(" ");
    let missing: Vec<_> = sentences.iter().filter(|sentence| !document.contains(*sentence)).collect();
    assert!(missing.is_empty(), "docs/formats.md does not say: {missing:#?}");
    for segment in (0..)
        .map(|power| 1 << power)
        .take_while(|segment| *segment <= limits::SEGMENT_BLOCKS_MAX)
    {
        let w = (2 * segment).min(32);
        assert_eq!(limits::writes_max(segment), w);
        assert_eq!(limits::recovery_window(segment), segment + (segment / 4).max(4) + 2 * w);
    }
    assert_eq!(limits::payload_capacity_bytes(1 << 20), (1 << 20) - SECTOR_BYTES);
    assert_eq!(records_max(SECTOR_BYTES), (4096 - 8) / RECORD_BYTES);
}
