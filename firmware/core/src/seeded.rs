//! Bugs on purpose: the list of `reliability.md`, 4.5, as far as the core has the code they would be in, and from 31 on those of what
//! came later. The tests must find each
//! of them (`cargo seeded-bugs`, `docs/testing.md`).
//!
//! Not a part of any product: without the feature `seeded-bugs` every question here is answered by a constant `false`, and the
//! feature does not compile without debug assertions, which releases do not have.
//!
//! Invariant: at most one is switched on in a process, before the first appliance starts.

#[cfg(all(feature = "seeded-bugs", not(debug_assertions)))]
compile_error!("seeded-bugs is for tests: it puts bugs into the product and is refused in a release");

/// A bug that may be switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Bug {
    /// Durable is what was written; the flush comes once nothing is in flight.
    AckBeforeFlush = 1,
    /// The flush is submitted and nobody waits for it.
    FlushForgotten = 2,
    /// After a failed flush only the flush is tried again.
    FlushRetriedAlone = 3,
    /// A write that moved less than it should counts as done.
    ShortWriteTaken = 4,
    /// Opening takes the first bad block for the end of the log.
    StopsAtFirstBadBlock = 5,
    /// Opening takes the highest good header for the end of the log and passes holes before it.
    TrustsHighestHeader = 6,
    /// Opening does not ask in which epoch a block was written.
    NoEpochRule = 7,
    /// Epochs have a counter and no random number.
    EpochWithoutNonce = 8,
    /// Only the first pair of superblock copies is ever written again.
    OneSuperblockPair = 9,
    /// Stale and damaged superblock copies stay as they are.
    NoSuperblockRepair = 10,
    /// The superblock says durable what has not been flushed.
    SuperblockBeforeFlush = 11,
    /// A block's memory is given back when its write is submitted.
    MemoryBackTooEarly = 12,
    /// The target makes the digest fit the bytes that came.
    DigestMadeAnew = 14,
    /// A block that is further on than the next one is taken.
    AheadAccepted = 15,
    /// A block that is there already is told by its number alone.
    DuplicateByNumber = 16,
    /// The source goes on from where it remembers the target to be.
    CursorCached = 17,
    /// An older lease is as good as the newest.
    OldLeaseAccepted = 18,
    /// A lease is in force before it is in the log, where it never comes.
    LeaseNotPersisted = 19,
    /// A gap is taken wherever it is stated.
    GapAnywhere = 20,
    /// A checkpoint is used without looking at its block's digest.
    CheckpointUnchecked = 21,
    /// A ring gives up no slots ahead of the writes that reach them.
    NoGuardBand = 22,
    /// Slots are written without a look at what they hold.
    NoInterlock = 23,
    /// What cannot be read is zeros.
    ErrorsReadAsZeros = 27,
    /// Whatever archive is on the volume is the one that was meant.
    AnyArchiveWillDo = 28,
    /// One segment more is freed than may be.
    FreesOneSegmentMore = 31,
    /// What a job still needs is freed.
    GuardIgnored = 32,
    /// A full run finds nothing whole at the target, so that fills are taken over good blocks.
    FillOverGood = 33,
    /// A fill is acknowledged before it is durable.
    FillBeforeFlush = 34,
    /// A mark is said to be made before it is durable.
    MarkBeforeFlush = 35,
}

impl Bug {
    /// All of them.
    pub const ALL: [Bug; 29] = [
        Bug::AckBeforeFlush,
        Bug::FlushForgotten,
        Bug::FlushRetriedAlone,
        Bug::ShortWriteTaken,
        Bug::StopsAtFirstBadBlock,
        Bug::TrustsHighestHeader,
        Bug::NoEpochRule,
        Bug::EpochWithoutNonce,
        Bug::OneSuperblockPair,
        Bug::NoSuperblockRepair,
        Bug::SuperblockBeforeFlush,
        Bug::MemoryBackTooEarly,
        Bug::DigestMadeAnew,
        Bug::AheadAccepted,
        Bug::DuplicateByNumber,
        Bug::CursorCached,
        Bug::OldLeaseAccepted,
        Bug::LeaseNotPersisted,
        Bug::GapAnywhere,
        Bug::CheckpointUnchecked,
        Bug::NoGuardBand,
        Bug::NoInterlock,
        Bug::ErrorsReadAsZeros,
        Bug::AnyArchiveWillDo,
        Bug::FreesOneSegmentMore,
        Bug::GuardIgnored,
        Bug::FillOverGood,
        Bug::FillBeforeFlush,
        Bug::MarkBeforeFlush,
    ];
}

#[cfg(feature = "seeded-bugs")]
static SEEDED: core::sync::atomic::AtomicU8 = core::sync::atomic::AtomicU8::new(0);

/// Switches one on for the whole process.
#[cfg(feature = "seeded-bugs")]
pub fn seed(bug: Bug) {
    SEEDED.store(bug as u8, core::sync::atomic::Ordering::Relaxed);
}

/// Whether it is switched on.
#[cfg(feature = "seeded-bugs")]
pub(crate) fn has(bug: Bug) -> bool {
    SEEDED.load(core::sync::atomic::Ordering::Relaxed) == bug as u8
}

/// Whether it is switched on: never, here.
#[cfg(not(feature = "seeded-bugs"))]
pub(crate) const fn has(_: Bug) -> bool {
    false
}
