//! Every bound of the network and control half, with its reason. Not the bounds of the core (`limits.rs` there) or of the disks.

use core::time::Duration;

use hal::MESSAGE_BYTES_MAX;

/// A handshake is two round trips; ten seconds is a very bad line, and an open half of one costs memory.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// Name, TCP and TLS together: what a person waits for before they look at the cable.
pub const DIAL_DEADLINE: Duration = Duration::from_secs(10);
/// A site that comes back at once after a power cut has tens of appliances, not hundreds.
pub const UNPROVEN_MAX: usize = 256;
/// One address behind NAT may be several appliances, never very many at the same moment. For IPv6 an address is its /64.
pub const UNPROVEN_PER_ADDRESS_MAX: usize = 16;
/// Links that were accepted and are up: one for each job of many peers, and few enough for the descriptors of a process.
pub const ACCEPTED_MAX: usize = 1024;
/// Longest flight of a handshake that is read: certificates with one key are under 2 KiB. It is also most of what a stranger can cost.
pub const READ_AHEAD_BYTES: usize = 32 * 1024;
/// All strangers together, read-ahead only. TLS itself takes up to 64 KiB more while a handshake message is being joined.
pub const UNPROVEN_BYTES_MAX: usize = UNPROVEN_MAX * READ_AHEAD_BYTES;
/// A send that does not move for so long is on a dead path; the core's heartbeat gives up at the same age.
pub const SEND_STALL_DEADLINE: Duration = Duration::from_secs(15);
/// Sealed bytes that are handed to the kernel in one call: sixteen records, which stay in the second cache of a core. What counts as a
/// move is any byte of them.
pub const SEND_BATCH_BYTES: usize = 256 * 1024;
/// What is read of a link at once, into one buffer that all links share; it stays in the second cache of a core.
pub const RECEIVE_BYTES: usize = 256 * 1024;
/// TCP asks a silent peer after this.
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
/// And again after this, until [`SEND_STALL_DEADLINE`] is over.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// After close_notify the other side has this long to finish and close.
pub const HANG_UP_DEADLINE: Duration = Duration::from_secs(2);
/// Longest body of a frame: the largest block, 16 MiB.
pub const BODY_BYTES_MAX: u32 = 16 * 1024 * 1024;

/// Control clients at the same time: people and their scripts.
pub const CLIENTS_MAX: usize = 64;
/// Longest call of those who may only look or operate.
pub const CALL_BYTES_MAX: usize = 64 * 1024;
/// Longest call of an administrator: a whole settings document as a JSON string fits.
pub const ADMIN_CALL_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Replies that wait for a client that does not read.
pub const REPLIES_MAX: usize = 1000;
/// Bytes of such replies, except that one reply of any length may always wait.
pub const REPLY_BYTES_MAX: usize = 1024 * 1024;
/// A client that takes no byte for so long is dismissed: it holds block memory.
pub const CLIENT_STALL_DEADLINE: Duration = Duration::from_secs(60);

/// The kept events are put aside at this size, so the folder holds at most twice as much.
pub const EVENTS_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Kept events that the core gets at start.
pub const EVENTS_AT_START_MAX: usize = 1000;
/// Lines that wait to be kept while the state folder is slow; the newest are dropped beyond.
pub const EVENTS_WAITING_MAX: usize = 4096;
/// Largest settings document that is read back; the core's own bound is lower.
pub const SETTINGS_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// After [`hal::Op::Stop`] what is in flight has this long to finish.
pub const STOP_DEADLINE: Duration = Duration::from_secs(5);

const _: () = assert!(MESSAGE_BYTES_MAX <= u16::MAX as usize);
const _: () = assert!(UNPROVEN_PER_ADDRESS_MAX < UNPROVEN_MAX);
const _: () = assert!(UNPROVEN_BYTES_MAX <= 16 * 1024 * 1024);
const _: () = assert!(HANG_UP_DEADLINE.as_millis() < STOP_DEADLINE.as_millis());
const _: () = assert!(CALL_BYTES_MAX < REPLY_BYTES_MAX);
