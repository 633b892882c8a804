//! An open volume: what may be asked of it, what is unfinished on it, and whether its device is still there.
//!
//! Does not know the ring; its slot there is only remembered.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use hal::{Access, IoError, Span, Tag};

use super::ioctl;
use super::open::Opened;
use super::order::{Claim, Order};
use super::sysfs::{self, DeviceNumber, Node};
use super::transfer::{Lane, Transfer};

/// An op on the volume that has not been started.
pub(super) enum Request {
    Transfer(Transfer),
    Discard { tag: Tag, claim: Claim },
}

/// An open volume.
pub(super) struct Volume {
    pub(super) file: Arc<OwnedFd>,
    pub(super) lane: Lane,
    /// Everything unfinished, closing aside.
    pub(super) order: Order<Request>,
    /// Set once it is to be closed: nothing new is taken.
    pub(super) closing: Option<Tag>,
    size_bytes: u64,
    logical_sector_bytes: u32,
    can_discard: bool,
    access: Access,
    device: Option<DeviceNumber>,
    is_file: bool,
}

impl Volume {
    pub(super) fn new(opened: Opened, slot: u32, access: Access) -> Volume {
        let facts = opened.facts;
        Volume {
            file: Arc::new(opened.file),
            lane: Lane {
                slot,
                alignment_bytes: facts.alignment_bytes,
            },
            order: Order::new(),
            closing: None,
            size_bytes: facts.size_bytes,
            logical_sector_bytes: facts.logical_sector_bytes,
            can_discard: facts.discard_bytes > 0,
            access,
            device: opened.device,
            is_file: facts.form == hal::VolumeForm::File,
        }
    }

    /// How to do a read or write, if it may be tried.
    pub(super) fn check_transfer(&self, at_bytes: u64, span: Span) -> Result<Lane, IoError> {
        let aligned = [at_bytes, span.offset_bytes.into(), span.length_bytes.into()]
            .into_iter()
            .all(|bytes| bytes.is_multiple_of(self.lane.alignment_bytes.into()));
        if !aligned {
            return Err(IoError::Unsupported);
        }
        self.check_range(at_bytes, span.length_bytes.into())?;
        Ok(self.lane)
    }

    /// What a discard destroys, if it may be tried.
    pub(super) fn check_discard(&self, at_bytes: u64, length_bytes: u64) -> Result<Claim, IoError> {
        let sector_bytes = u64::from(self.logical_sector_bytes);
        if !self.can_discard || !at_bytes.is_multiple_of(sector_bytes) || !length_bytes.is_multiple_of(sector_bytes) {
            return Err(IoError::Unsupported);
        }
        self.check_range(at_bytes, length_bytes)?;
        Ok(Claim {
            bytes: at_bytes..at_bytes + length_bytes,
            discards: true,
        })
    }

    /// The volume, if it was opened for writing.
    pub(super) fn writable(&mut self) -> Result<&mut Volume, IoError> {
        match self.access {
            Access::Exclusive => Ok(self),
            Access::ExclusiveToRead | Access::ReadOnly => Err(IoError::ReadOnly),
        }
    }

    /// The volume, if nobody else may change it.
    pub(super) fn flushable(&mut self) -> Result<&mut Volume, IoError> {
        match self.access {
            Access::Exclusive | Access::ExclusiveToRead => Ok(self),
            Access::ReadOnly => Err(IoError::ReadOnly),
        }
    }

    fn check_range(&self, at_bytes: u64, length_bytes: u64) -> Result<(), IoError> {
        let end_bytes = at_bytes.checked_add(length_bytes).ok_or(IoError::Unsupported)?;
        if length_bytes == 0 || end_bytes > self.size_bytes {
            Err(IoError::Unsupported)
        } else {
            Ok(())
        }
    }

    /// What an error means: a device that was pulled answers with the same error as a bad sector.
    pub(super) fn explain(&self, error: IoError) -> IoError {
        match error {
            IoError::Media | IoError::Short | IoError::Full | IoError::Unsupported if self.is_gone() => IoError::Gone,
            error => error,
        }
    }

    fn is_gone(&self) -> bool {
        let Some(device) = self.device else { return false };
        let lost_medium = !self.is_file && ioctl::size_bytes(&self.file).is_ok_and(|size_bytes| size_bytes == 0);
        lost_medium || Node::of_number(sysfs::root(), device).is_none()
    }
}
