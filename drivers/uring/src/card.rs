//! Cards that are open: a thread each, which reads the file system of one and answers in order.
//!
//! Not the file systems: `drivers/cards`. Reads block here, so that a card that hangs holds up nobody else. Invariant: the device is
//! opened for reading only, and there is no way from here to open it otherwise.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use drivers_cards::{Bytes, Card};
use hal::{CardFacts, CardId, CardListing, CardLook, IoError};
use rustix::fs::FileType;
use tokio::sync::oneshot;

use crate::disk::open::{Opened, open_to_read};

/// Bytes of one read of the device at most.
const READ_BYTES_MAX: usize = 1 << 20;
/// What direct I/O wants at most.
const ALIGNMENT_BYTES: u64 = 4096;

/// What a card will answer.
pub(crate) type Answer<T> = oneshot::Receiver<Result<T, IoError>>;

enum Ask {
    List(oneshot::Sender<Result<CardListing, IoError>>),
    Look(String, oneshot::Sender<Result<CardLook, IoError>>),
    Read(u64, usize, oneshot::Sender<Result<Vec<u8>, IoError>>),
}

/// All open cards.
#[derive(Default)]
pub(crate) struct Cards(HashMap<CardId, mpsc::Sender<Ask>>);

impl Cards {
    /// Opens a device, image or folder on a thread of its own.
    pub(crate) fn open(&mut self, id: CardId, path: String) -> Answer<CardFacts> {
        let (answer, answered) = oneshot::channel();
        let (asks, asked) = mpsc::channel();
        let thread = thread::Builder::new().name(format!("card-{}", id.0));
        // Without a thread the answer's other end is gone, which says enough.
        if thread.spawn(move || serve(&path, answer, &asked)).is_ok() {
            self.0.insert(id, asks);
        }
        answered
    }

    fn ask<T>(&self, id: CardId, ask: impl FnOnce(oneshot::Sender<Result<T, IoError>>) -> Ask) -> Answer<T> {
        let (answer, answered) = oneshot::channel();
        if let Some(asks) = self.0.get(&id) {
            // A thread that has ended drops the answer with the question.
            let _ = asks.send(ask(answer));
        }
        answered
    }

    pub(crate) fn list(&self, id: CardId) -> Answer<CardListing> {
        self.ask(id, Ask::List)
    }

    pub(crate) fn look(&self, id: CardId, path: String) -> Answer<CardLook> {
        self.ask(id, |answer| Ask::Look(path, answer))
    }

    pub(crate) fn read(&self, id: CardId, at_bytes: u64, length_bytes: usize) -> Answer<Vec<u8>> {
        self.ask(id, |answer| Ask::Read(at_bytes, length_bytes, answer))
    }

    /// Lets go of it; the thread ends after what it was asked.
    pub(crate) fn close(&mut self, id: CardId) {
        self.0.remove(&id);
    }
}

/// The thread of one card. Nobody listens any more if an answer cannot be sent.
fn serve(path: &str, answer: oneshot::Sender<Result<CardFacts, IoError>>, asked: &mpsc::Receiver<Ask>) {
    let (mut card, facts) = match open(path) {
        Ok(opened) => opened,
        Err(error) => {
            let _ = answer.send(Err(error));
            return;
        }
    };
    let _ = answer.send(Ok(facts));
    for ask in asked {
        match ask {
            Ask::List(answer) => {
                let _ = answer.send(card.list());
            }
            Ask::Look(path, answer) => {
                let _ = answer.send(card.look(&path));
            }
            Ask::Read(at_bytes, length_bytes, answer) => {
                let mut bytes = vec![0; length_bytes];
                let result = card.read(at_bytes, &mut bytes);
                let _ = answer.send(result.map(|()| bytes));
            }
        }
    }
}

fn open(path: &str) -> Result<(Box<dyn Card>, CardFacts), IoError> {
    if !path.starts_with('/') {
        return Err(IoError::Unsupported);
    }
    let is_folder = rustix::fs::stat(path).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory);
    if is_folder {
        let card = drivers_cards::open_folder(Path::new(path))?;
        let facts = card.facts().clone();
        return Ok((card, facts));
    }
    let opened = open_to_read(path)?;
    let is_split = opened.is_split();
    let Opened { file, facts: volume, .. } = opened;
    let device = Device {
        file,
        size_bytes: volume.size_bytes,
        buffer: Vec::new(),
    };
    // The kernel gives a device to each partition that it sees: that is the card, and this is not a second one.
    let card = if is_split {
        drivers_cards::open_whole(Box::new(device))?
    } else {
        drivers_cards::open(Box::new(device))?
    };
    let facts = CardFacts {
        serial: volume.serial,
        same_as: volume.same_as,
        ..card.facts().clone()
    };
    Ok((card, facts))
}

/// A device or an image, read past the page cache.
struct Device {
    file: OwnedFd,
    size_bytes: u64,
    /// Longer than what is read by an alignment, so that an aligned part can be used.
    buffer: Vec<u8>,
}

impl Bytes for Device {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read(&mut self, at_bytes: u64, into: &mut [u8]) -> Result<(), IoError> {
        match self.read_at(at_bytes, into) {
            Err(IoError::Media | IoError::Short) if self.is_gone() => Err(IoError::Gone),
            result => result,
        }
    }
}

impl Device {
    /// Whether even its beginning cannot be read any more. A card that was pulled out of a reader fails like one that is worn until
    /// the kernel has noticed, and what is known of a worn one is given up.
    fn is_gone(&mut self) -> bool {
        self.read_at(0, &mut [0]).is_err()
    }

    fn read_at(&mut self, at_bytes: u64, into: &mut [u8]) -> Result<(), IoError> {
        let end = at_bytes.checked_add(into.len() as u64).ok_or(IoError::Short)?;
        if end > self.size_bytes {
            return Err(IoError::Short);
        }
        let mut done = 0;
        while done < into.len() {
            let at = at_bytes + done as u64;
            let from = at - at % ALIGNMENT_BYTES;
            let skip = (at - from) as usize;
            let wanted = (into.len() - done).min(READ_BYTES_MAX - skip);
            let length = (skip + wanted).next_multiple_of(ALIGNMENT_BYTES as usize);
            let alignment = ALIGNMENT_BYTES as usize;
            self.buffer.resize(READ_BYTES_MAX + 2 * alignment, 0);
            let first = self.buffer.as_ptr().align_offset(alignment);
            let part = &mut self.buffer[first..first + length];
            let mut read = 0;
            while read < skip + wanted {
                match rustix::io::pread(&self.file, &mut part[read..], from + read as u64) {
                    Ok(0) => return Err(IoError::Short),
                    Ok(more) => read += more,
                    Err(rustix::io::Errno::INTR) => {}
                    Err(errno) => return Err(crate::disk::meaning(errno)),
                }
            }
            into[done..done + wanted].copy_from_slice(&part[skip..skip + wanted]);
            done += wanted;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_gone_when_its_beginning_is() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(16_384).unwrap();
        let mut device = Device {
            file: file.try_clone().unwrap().into(),
            size_bytes: 16_384,
            buffer: Vec::new(),
        };
        let mut bytes = [1; 100];
        device.read(16_000, &mut bytes).unwrap();
        assert_eq!(bytes, [0; 100]);
        assert_eq!(device.read(16_300, &mut bytes), Err(IoError::Short), "behind the end");
        file.set_len(4096).unwrap();
        assert_eq!(device.read(16_000, &mut bytes), Err(IoError::Short), "only this place");
        file.set_len(0).unwrap();
        assert_eq!(device.read(16_000, &mut bytes), Err(IoError::Gone));
    }
}
