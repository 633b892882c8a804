//! What was written to a disk and when it became durable, in order: the material of crash states.
//!
//! Not a fault: a disk that is recorded behaves as any other. Invariants: a write stands in the record before anything that
//! follows from it; [`Logged::Flushed`] covers the writes that had completed before its [`Logged::FlushAsked`], no others.

use std::sync::Arc;

use crate::{DiskId, Image, IoKind, Machines};

/// One line of the record. Operations are told apart by number.
#[derive(Clone, Debug)]
pub enum Logged {
    /// A write was submitted: from now on any part of it may be on the disk.
    Written {
        /// Operation.
        number: u64,
        /// Offset of its first byte.
        at_bytes: u64,
        /// Its bytes.
        bytes: Arc<[u8]>,
    },
    /// A write has completed without an error.
    Completed {
        /// Operation.
        number: u64,
    },
    /// A flush was submitted.
    FlushAsked {
        /// Operation.
        number: u64,
    },
    /// A flush has completed without an error.
    Flushed {
        /// Operation.
        number: u64,
    },
    /// Power was lost; this is what was left.
    PowerLost {
        /// All bytes.
        image: Image,
    },
}

impl Machines {
    /// Records the writes of a disk from now on. Its appliance must not be killed with operations in flight.
    pub fn record_writes(&mut self, id: DiskId) {
        self.disks[id.0].log = Some(Vec::new());
    }

    /// Notes an operation that was submitted.
    pub(crate) fn log_submitted(&mut self, id: DiskId, number: u64, kind: IoKind) {
        if self.disks[id.0].log.is_none() {
            return;
        }
        let flying = &self.disks[id.0].flying[&number];
        let line = match kind {
            IoKind::Write => Logged::Written {
                number,
                at_bytes: flying.at_bytes,
                bytes: crate::volume::written(flying, &self.sites[flying.site.0].memory),
            },
            IoKind::Flush => Logged::FlushAsked { number },
            IoKind::Read | IoKind::Discard => return,
        };
        self.disks[id.0].log.get_or_insert_default().push(line);
    }
}

impl crate::Disk {
    /// What was recorded since [`Machines::record_writes`].
    pub fn log(&self) -> &[Logged] {
        self.log.as_deref().unwrap_or_default()
    }

    /// Takes other bytes, durably.
    pub fn load(&mut self, image: &Image) {
        self.restore(&crate::Snapshot::of(image));
    }

    /// Notes an operation that has completed without an error.
    pub(crate) fn log_completed(&mut self, number: u64, kind: IoKind) {
        let Some(log) = &mut self.log else { return };
        match kind {
            IoKind::Write => log.push(Logged::Completed { number }),
            IoKind::Flush => log.push(Logged::Flushed { number }),
            IoKind::Read | IoKind::Discard => {}
        }
    }
}
