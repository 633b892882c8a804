//! Every bound of the core: name, unit, reason, and how it relates to the others.
//!
//! Bounds of sockets are in the driver, bounds of formats in `format/`.

use core::time::Duration;

use crate::format::Checkpoint;
use crate::format::SECTOR_BYTES;
use crate::format::checkpoint::{ENTRY_BYTES, PART_HEAD_BYTES};
use crate::format::notes::{MARK_BYTES, POINT_BYTES, TAG_BYTES, TAG_NAME_BYTES};
use crate::format::track::TIP_BYTES;

/// Smallest block: below, the header sector costs more than 6 % (`features.md`, A1).
pub const BLOCK_BYTES_MIN: u32 = 64 << 10;
/// Largest block: several must fit the block memory of a small appliance.
pub const BLOCK_BYTES_MAX: u32 = 16 << 20;

/// Log sequences between regular checkpoints: what recovery reads at most is a little more than this many headers (P5).
pub const SEGMENT_BLOCKS_MAX: u32 = 1024;
/// A ring of fewer segments would lose too much of its room to the segment being freed.
pub const SEGMENTS_MIN: u64 = 8;
/// Smallest segment, for the smallest volumes.
pub const SEGMENT_BLOCKS_MIN: u32 = 4;
/// Fewest slots of an archive.
pub const SLOTS_MIN: u64 = SEGMENTS_MIN * SEGMENT_BLOCKS_MIN as u64;

/// Writes of one archive in flight at once at most: 8 fill any disk, more only smooth the flush (`performance.md`).
pub const WRITES_MAX: u32 = 32;
/// Headers that recovery reads at once, and slots whose old content is looked at ahead of writing.
pub const LOOKAHEAD: u32 = 32;
/// A flush is worth its price at that many written bytes (`performance.md`: flush per group).
pub const GROUP_BYTES: u64 = 16 << 20;
/// A written block waits that long for company before it is flushed.
pub const GROUP_WAIT: Duration = Duration::from_millis(20);
/// A group is written again that often after an error; then the volume is read-only (`reliability.md`, F5).
pub const REWRITES_MAX: u32 = 1;
/// A read that fails or does not pass its check is tried that often (D-01, D-07).
pub const READ_TRIES_MAX: u32 = 3;
/// A device that is well has read or written by then (`reliability.md`, 2.1).
pub const TRANSFER_WITHIN: Duration = Duration::from_secs(10);
/// A device that is well has flushed by then; cards are slow at it (`reliability.md`, 2.1).
pub const FLUSH_WITHIN: Duration = Duration::from_secs(60);
/// A read that failed for a cause outside its device is submitted again after this time.
pub const READ_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// Ops in flight are looked at that often.
pub const SILENCE_LOOK: Duration = Duration::from_secs(2);
/// Idle for this long: the superblock tells how far the log is durable (`reliability.md`, 3.2 e).
pub const IDLE_MARK_AFTER: Duration = Duration::from_secs(1);
/// Not more often than this, so that flash is spared.
pub const IDLE_MARK_EVERY: Duration = Duration::from_secs(60);
/// The same on cards, where each of its four small writes may cost a whole erase group.
pub const IDLE_MARK_EVERY_CARD: Duration = Duration::from_secs(600);

/// Slots are discarded in pieces: a device is busy with one for that long at most, and nothing is written there meanwhile.
pub const DISCARD_BYTES_MAX: u64 = 1 << 30;

/// Archives of one appliance.
pub const ARCHIVES_MAX: usize = 64;
/// Bytes of the path of a volume: less than the longest that Linux takes (PATH_MAX, 4096).
pub const VOLUME_PATH_BYTES_MAX: usize = 4_000;
/// Archives that were ever made in one run of an appliance.
pub const ARCHIVE_PLACES_MAX: usize = 1 << 20;
/// Tracks of one archive (`performance.md`, P6).
pub const TRACKS_MAX: usize = 16_384;
/// Gap records kept per archive; older ones leave first.
pub const GAPS_MAX: usize = 10_000;
/// Runs of blocks that were filled in later, kept per archive: no more is filled in than has room here.
pub const FILLS_MAX: usize = 2_048;
/// Tagged ranges per archive; in a ring they leave with their blocks.
pub const TAGS_MAX: usize = 10_000;
/// Different tags per archive.
pub const TAG_NAMES_MAX: usize = 256;
/// Marks per archive.
pub const MARKS_MAX: usize = 256;
/// Points of all marks of an archive: sixteen marks of as many tracks as can be, or more of fewer.
pub const POINTS_MAX: usize = 16 * TRACKS_MAX;
/// Damaged blocks remembered per archive; more are counted only.
pub const QUARANTINE_MAX: usize = 10_000;
/// Records waiting to be written per archive: every track may ask for a lease and a gap at once.
pub const RECORDS_WAITING_MAX: usize = 2 * TRACKS_MAX;

/// Name of a network interface (IFNAMSIZ of Linux, less the zero at its end).
pub const NIC_NAME_BYTES_MAX: usize = 15;
/// Tags that a job asks for, or that its blocks get.
pub const TAGS_OF_JOB_MAX: usize = 16;
/// Blocks that a job has brought over get their tags that often at most while a run is on: each time costs a block of the log.
pub const TAG_DONE_EVERY: Duration = Duration::from_secs(60);
/// Stretches of blocks that a job remembers until then.
pub const DONE_RANGES_MAX: usize = 1_024;

/// Recorders, jobs, peers and grants of one appliance, each.
pub const NAMED_MAX: usize = 4_096;
/// Links that may come in at once.
pub const INCOMING_MAX: usize = 256;

/// Blocks that one reader of an archive reads ahead.
pub const READ_AHEAD: usize = 4;
/// Bytes under way in each stage of a haul, as far as the numbers of blocks below allow: read ahead, waiting to be sent, received and
/// not yet durable. Enough that neither end sleeps for each block (`docs/performance.md`).
pub const HAUL_BYTES: u32 = 8 << 20;
/// Fewest and most blocks of a stage: small blocks need more of them, large ones take memory.
pub const HAUL_BLOCKS_MIN: u32 = 4;
/// See [`HAUL_BLOCKS_MIN`].
pub const HAUL_BLOCKS_MAX: u32 = 16;
/// Slowest reading for damage in the background, bytes a second: a card of 32 GiB takes a week.
pub const SCRUB_RATE_MIN: u64 = 64 << 10;
/// How far reading for damage has come is written into the log that often while it goes on, and at its end.
pub const SCRUB_KEPT_EVERY: Duration = Duration::from_secs(3600);
/// Reading for damage waits that long for recording, and that often at most for one block.
pub const SCRUB_YIELD: Duration = Duration::from_millis(50);
/// Newest blocks that are read after an archive was not closed in order: where the power goes while flash is written, blocks written
/// before may be damaged too.
pub const LOOK_OVER_BYTES: u64 = 64 << 20;
/// They are read that long after the archive is open: recording and hauling begin first.
pub const LOOK_OVER_AFTER: Duration = Duration::from_secs(30);
/// They are read at that rate.
pub const LOOK_OVER_RATE: u64 = 16 << 20;
/// See [`SCRUB_YIELD`].
pub const SCRUB_YIELDS_MAX: u32 = 20;
/// Headers read ahead where payload is not wanted.
pub const HEADERS_AHEAD: usize = 32;
/// Stretches of missing blocks that one call tells; more are counted.
pub const MISSING_MAX: usize = 10_000;
/// Pieces, each of one origin, that an export puts together.
pub const TURNS_MAX: usize = 20_000;
/// Covered stretches of time that one call keeps.
pub const STRETCHES_MAX: usize = 100_000;
/// Rows of statistics, a day of a track each, that one call tells.
pub const DAY_ROWS_MAX: usize = 50_000;

/// A feeder waits that long for room in the block memory; then its bytes are dropped and counted.
pub const FEEDER_WAIT: Duration = Duration::from_millis(500);
/// Range of `flush-after` (`features.md`, A8).
pub const FLUSH_AFTER_MIN: Duration = Duration::from_secs(1);
/// Range of `flush-after` (`features.md`, A8).
pub const FLUSH_AFTER_MAX: Duration = Duration::from_secs(300);

/// Tips that a source awaits at once: more tracks are opened as they come.
pub const OPENS_MAX: usize = 256;
/// Ranges that a source asks a target to compare at once.
pub const COMPARES_MAX: usize = 128;
/// Blocks in all of them together: a little more than an index segment has.
pub const COMPARED_BLOCKS_MAX: usize = 2_048;
/// Messages on their way to a source that does not read; then the link is closed.
pub const UNSENT_MAX: usize = 512;
/// A link that came in must say who it is by then.
pub const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// Failed reads that opening an archive repeats.
pub const OPENING_RETRIES_MAX: u32 = 16;
/// The settings document, in bytes; the driver reads back twice as much.
pub const SETTINGS_BYTES_MAX: usize = 2 << 20;

/// A link says something at least that often.
pub const HEARTBEAT: Duration = Duration::from_secs(5);
/// A link that has said nothing for that long is dead (N-04).
pub const LINK_DEAD_AFTER: Duration = Duration::from_secs(15);
/// First and last step of the back-off between connections (N-04).
pub const RETRY_MIN: Duration = Duration::from_millis(500);
/// First and last step of the back-off between connections (N-04).
pub const RETRY_MAX: Duration = Duration::from_secs(60);
/// Nothing has moved for that long although there is something to move: `stalled`, with one event.
pub const STALLED_AFTER: Duration = Duration::from_secs(120);
/// A lease whose holder is silent for that long may be given to another.
pub const LEASE_TIME: Duration = Duration::from_secs(15);

/// Steps of a macro.
pub const MACRO_STEPS_MAX: usize = 16;
/// Macros under way at once.
pub const MACROS_UNDER_WAY_MAX: usize = 64;
/// Programs that macros have running at once; others wait for their turn.
pub const MACRO_PROGRAMS_MAX: usize = 8;
/// A program of a macro is ended after this long, if the step does not say.
pub const MACRO_PROGRAM_LIMIT: Duration = Duration::from_secs(60);
/// Longest time that a step may say.
pub const MACRO_PROGRAM_LIMIT_MAX: Duration = Duration::from_secs(3_600);
/// Longest wait of a macro.
pub const MACRO_WAIT_MAX: Duration = Duration::from_secs(86_400);
/// Macros that bring each other about, one after the other.
pub const MACRO_DEPTH_MAX: u8 = 4;
/// An event about something that a macro has touched within this time is brought about by it.
pub const MACRO_CAUSE_TIME: Duration = Duration::from_secs(60);
/// How often a macro may begin within [`MACRO_STARTS_TIME`].
pub const MACRO_STARTS_MAX: u32 = 30;
/// See [`MACRO_STARTS_MAX`].
pub const MACRO_STARTS_TIME: Duration = Duration::from_secs(60);

/// A drained stop that was given no time is given up after this long.
pub const DRAIN_WITHIN: Duration = Duration::from_secs(3_600);

/// Range of the time between two runs of a schedule.
pub const EVERY_MS_MIN: u64 = 1_000;
/// Range of the time between two runs of a schedule.
pub const EVERY_MS_MAX: u64 = 365 * 86_400_000;
/// Longest delay of a job.
pub const DELAY_MS_MAX: u64 = 365 * 86_400_000;
/// Rates of a job: one for each hour of a day is more than anybody has asked for.
pub const RATES_MAX: usize = 24;
/// Times that depend on the wall clock are looked at that often, so that a step of the clock is noticed.
pub const CLOCK_LOOK: Duration = Duration::from_secs(60);
/// Runs of the past that are remembered, of all jobs and peers together.
pub const RUNS_MAX: usize = 1_000;

/// Events kept in memory for `events`.
pub const EVENTS_MAX: usize = 1_000;
/// Ops in flight at once: far above what the queues above add up to; reaching it is our own mistake.
pub const OPS_MAX: usize = 1 << 18;

/// Blocks that each stage of a haul may have under way.
pub const fn haul_blocks(block_bytes: u32) -> u32 {
    match HAUL_BYTES / block_bytes {
        few if few < HAUL_BLOCKS_MIN => HAUL_BLOCKS_MIN,
        many if many > HAUL_BLOCKS_MAX => HAUL_BLOCKS_MAX,
        blocks => blocks,
    }
}

/// Bytes of payload that fit a block.
pub const fn payload_capacity_bytes(block_bytes: u32) -> u32 {
    block_bytes - SECTOR_BYTES
}

/// Writes in flight for segments of that size: small archives have small groups.
pub const fn writes_max(segment_blocks: u32) -> u32 {
    if 2 * segment_blocks < WRITES_MAX {
        2 * segment_blocks
    } else {
        WRITES_MAX
    }
}

/// Log sequences that may follow a checkpoint before the next one is durable, beyond one segment.
pub const fn checkpoint_slack(segment_blocks: u32) -> u32 {
    if segment_blocks / 4 > 4 { segment_blocks / 4 } else { 4 }
}

/// Bytes of a checkpoint that tracks, tags and points of marks share: all its parts lie within the headers that recovery looks at.
const fn shared_bytes(block_bytes: u32, segment_blocks: u32) -> usize {
    let share = payload_capacity_bytes(block_bytes) as usize - PART_HEAD_BYTES;
    let content = (checkpoint_slack(segment_blocks) + writes_max(segment_blocks)) as usize * share;
    let notes = TAG_NAMES_MAX * TAG_NAME_BYTES + MARKS_MAX * MARK_BYTES;
    let others = Checkpoint::content_bytes(recovery_window(segment_blocks) as usize, 0, GAPS_MAX, FILLS_MAX, notes);
    content.saturating_sub(others)
}

const fn least(one: usize, other: usize) -> usize {
    if one < other { one } else { other }
}

/// Tracks that an archive may have: five eighths of what is shared.
pub const fn tracks_max(block_bytes: u32, segment_blocks: u32) -> usize {
    least(shared_bytes(block_bytes, segment_blocks) / 8 * 5 / TIP_BYTES, TRACKS_MAX)
}

/// Tagged ranges that an archive may have: an eighth of what is shared.
pub const fn tags_max(block_bytes: u32, segment_blocks: u32) -> usize {
    least(shared_bytes(block_bytes, segment_blocks) / 8 / TAG_BYTES, TAGS_MAX)
}

/// Points that all marks of an archive may have together: a quarter of what is shared.
pub const fn points_max(block_bytes: u32, segment_blocks: u32) -> usize {
    least(shared_bytes(block_bytes, segment_blocks) / 4 / POINT_BYTES, POINTS_MAX)
}

/// Headers that recovery looks at behind a checkpoint.
pub const fn recovery_window(segment_blocks: u32) -> u32 {
    segment_blocks + checkpoint_slack(segment_blocks) + 2 * writes_max(segment_blocks)
}

// P5: recovery reads at most 1,500 headers.
const _: () = assert!(recovery_window(SEGMENT_BLOCKS_MAX) <= 1_500);
// A link that does not read cannot use up the ops.
const _: () = assert!(INCOMING_MAX * UNSENT_MAX < OPS_MAX);
const _: () = assert!(OPENS_MAX < UNSENT_MAX && COMPARES_MAX < UNSENT_MAX);
// Even the smallest archive of the smallest blocks has room for a large site.
const _: () = assert!(tracks_max(BLOCK_BYTES_MIN, SEGMENT_BLOCKS_MIN) >= 1_000);
// And for a mark of as many tracks.
const _: () = assert!(points_max(BLOCK_BYTES_MIN, SEGMENT_BLOCKS_MIN) >= tracks_max(BLOCK_BYTES_MIN, SEGMENT_BLOCKS_MIN));
// The window of the smallest archive fits its ring.
const _: () = assert!((recovery_window(SEGMENT_BLOCKS_MIN) as u64) < SLOTS_MIN);
// All entries of a checkpoint are in part 0, whatever the block size.
const _: () = assert!(
    recovery_window(SEGMENT_BLOCKS_MAX) as usize * ENTRY_BYTES + PART_HEAD_BYTES
        <= payload_capacity_bytes(BLOCK_BYTES_MIN) as usize
);
