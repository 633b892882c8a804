//! What an op in flight is for: how its completion finds its owner.

use core::time::Duration;
use hal::{ClientId, LinkId, VolumeId};

use crate::archive::Task;
use crate::archive::walk::Reader;
use crate::limits::{FLUSH_WITHIN, TRANSFER_WITHIN};

/// What an op is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// An archive's own work; the place of the archive, and what.
    Archive(usize, Task),
    /// Making an archive that will have this place.
    Creation(usize, crate::archive::creation::Task),
    /// Taking in the archive that is on this volume.
    Taking(VolumeId, crate::archive::taking::Task),
    /// A block for a reader: archive and log sequence.
    Walk(Reader, usize, u64),
    /// A checkpoint part for a reader: archive and log sequence.
    Seek(Reader, usize, u64),
    /// A frame on a link; with the block memory that comes back, as (offset, length).
    Send(LinkId, Option<(u32, u32)>),
    /// A chunk for a control client, as (offset, length).
    Deliver(ClientId, (u32, u32)),
    /// The settings document.
    Settings,
    /// The list of devices for a control client.
    Devices(ClientId),
    /// The list of programs, for a macro that a control client makes.
    Programs(ClientId),
    /// A program of a macro that is under way.
    Program(u64),
    /// A card, by its place.
    Card(usize, CardTask),
    /// A look at something that may be a card, by its number.
    Probe(u64, CardTask),
    /// The list of devices, to look for cards.
    FindCards,
    /// A check of a card, by its number.
    Check(u64, crate::card::check::Task),
}

/// What an op of a card is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CardTask {
    /// Opening it.
    Open,
    /// Listing its files.
    List,
    /// Looking at a file, or reading it.
    Import,
    /// Letting go of it.
    Close,
}

impl Purpose {
    /// Which archive's device answers this op, and in how long it must have done so.
    pub fn patience(&self) -> Option<(usize, Duration)> {
        match *self {
            Purpose::Archive(archive, Task::Flush | Task::SuperFlush | Task::Settle) => Some((archive, FLUSH_WITHIN)),
            // What opens, discards or closes waits for the kernel too, and for others who hold the device.
            Purpose::Archive(_, Task::Open | Task::Discard | Task::Close) => None,
            Purpose::Archive(archive, _) | Purpose::Walk(_, archive, _) | Purpose::Seek(_, archive, _) => {
                Some((archive, TRANSFER_WITHIN))
            }
            Purpose::Creation(..)
            | Purpose::Taking(..)
            | Purpose::Send(..)
            | Purpose::Deliver(..)
            | Purpose::Settings
            | Purpose::Devices(_) => None,
            Purpose::Programs(_) | Purpose::Program(_) | Purpose::Card(..) | Purpose::Probe(..) | Purpose::FindCards => None,
            // A card that is checked may be as slow as it is.
            Purpose::Check(..) => None,
        }
    }
}
