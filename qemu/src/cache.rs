//! A disk with a volatile write cache, as an NBD server in this process: what was not flushed is lost when the power goes, in part,
//! in any order and torn. It also fails and hangs on order.
//!
//! Killing an emulator loses nothing that it has written to a file, so power cuts need a disk of our own. A flush takes its time, as
//! it does on a real disk, so that there is something to lose.
//! Invariants: the image holds exactly what was flushed, or written through; a request is answered once, or never while it hangs;
//! nothing that was asked before a power cut happens after it.

mod nbd;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use image::Result;

use crate::dice::Dice;

/// A write is torn at this.
const SECTOR_BYTES: usize = 512;

/// What a flush takes: that of a fair SSD or card.
const FLUSH: Duration = Duration::from_millis(15);

/// One write that is not durable yet.
struct Write {
    at_bytes: u64,
    bytes: Vec<u8>,
}

#[derive(Default)]
struct State {
    /// In the order in which they came.
    pending: Vec<Write>,
    hangs: bool,
    fails_writes: bool,
    /// Power cuts so far.
    cuts: u64,
}

/// The disk.
#[derive(Clone)]
pub struct Cache {
    image: Arc<File>,
    size_bytes: u64,
    state: Arc<(Mutex<State>, Condvar)>,
    /// Power cuts before whoever reads and writes here was connected.
    cuts: u64,
}

/// What a power cut did to what was in the cache.
#[derive(Debug, Default, Clone, Copy)]
pub struct Cut {
    /// Writes that reached the disk.
    pub whole: usize,
    /// Writes of which some sectors did.
    pub torn: usize,
    /// Writes that are gone.
    pub lost: usize,
}

impl Cache {
    /// Serves the image at a Unix socket, until the process ends.
    pub fn serve(image: &Path, socket: &Path) -> Result<Cache> {
        let wrong = |error: std::io::Error| format!("The disk {} cannot be served: {error}.", image.display());
        let file = File::options().read(true).write(true).open(image).map_err(wrong)?;
        let cache = Cache {
            size_bytes: file.metadata().map_err(wrong)?.len(),
            image: Arc::new(file),
            state: Arc::default(),
            cuts: 0,
        };
        let listener = UnixListener::bind(socket).map_err(wrong)?;
        let served = cache.clone();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let served = served.connected();
                // An emulator that was killed just ends its connection.
                thread::spawn(move || nbd::serve(&served, connection));
            }
        });
        Ok(cache)
    }

    /// For somebody who comes now.
    fn connected(&self) -> Cache {
        let cuts = self.lock().cuts;
        Cache { cuts, ..self.clone() }
    }

    /// Stops the disk if there are so many writes in its cache, and says whether it did: what a power cut does first.
    pub fn stop_while_pending(&self, writes: usize) -> bool {
        let mut state = self.lock();
        state.hangs |= state.pending.len() >= writes;
        state.hangs
    }

    /// The power goes: of what was not flushed each write is kept, torn or lost; `mercy` of 0 loses everything, of 4 nothing. The
    /// machine must be off.
    pub fn cut_power(&self, mercy: u64, dice: &mut Dice) -> Result<Cut> {
        let mut state = self.lock();
        state.cuts += 1;
        state.hangs = false;
        self.state.1.notify_all();
        let torn = dice.below(5);
        let mut cut = Cut::default();
        for write in std::mem::take(&mut state.pending) {
            if dice.below(4) >= mercy {
                cut.lost += 1;
            } else if dice.below(4) >= torn {
                cut.whole += 1;
                self.put(&write)?;
            } else {
                cut.torn += 1;
                for (at_bytes, sector) in (write.at_bytes..).step_by(SECTOR_BYTES).zip(write.bytes.chunks(SECTOR_BYTES)) {
                    if dice.below(2) == 0 {
                        self.put(&Write {
                            at_bytes,
                            bytes: sector.to_vec(),
                        })?;
                    }
                }
            }
        }
        Ok(cut)
    }

    /// From now on nothing is answered, or everything again.
    pub fn hang(&self, hangs: bool) {
        self.lock().hangs = hangs;
        self.state.1.notify_all();
    }

    /// From now on writes and flushes fail, or succeed again.
    pub fn fail_writes(&self, fails: bool) {
        self.lock().fails_writes = fails;
    }

    fn read(&self, at_bytes: u64, length: usize) -> std::io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let state = self.awake()?;
        self.image.read_exact_at(&mut bytes, at_bytes)?;
        let end = at_bytes + length as u64;
        for write in &state.pending {
            let from = write.at_bytes.max(at_bytes);
            let to = (write.at_bytes + write.bytes.len() as u64).min(end);
            if from < to {
                let (here, there) = ((from - at_bytes) as usize, (from - write.at_bytes) as usize);
                let length = (to - from) as usize;
                bytes[here..here + length].copy_from_slice(&write.bytes[there..there + length]);
            }
        }
        Ok(bytes)
    }

    fn write(&self, at_bytes: u64, bytes: Vec<u8>, through: bool) -> std::io::Result<()> {
        let mut state = self.awake()?;
        if state.fails_writes {
            return Err(std::io::Error::other("on order"));
        }
        state.pending.push(Write { at_bytes, bytes });
        // Writing through one write alone could put it in front of an older one at the same place.
        if through { self.write_back(&mut state) } else { Ok(()) }
    }

    fn flush(&self) -> std::io::Result<()> {
        thread::sleep(FLUSH);
        let mut state = self.awake()?;
        if state.fails_writes {
            return Err(std::io::Error::other("on order"));
        }
        self.write_back(&mut state)
    }

    fn write_back(&self, state: &mut State) -> std::io::Result<()> {
        for write in std::mem::take(&mut state.pending) {
            self.image.write_all_at(&write.bytes, write.at_bytes)?;
        }
        Ok(())
    }

    fn put(&self, write: &Write) -> Result<()> {
        self.image
            .write_all_at(&write.bytes, write.at_bytes)
            .map_err(|error| format!("The image of a disk cannot be written: {error}."))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, when the disk does not hang any more; an error if the power was cut meanwhile.
    fn awake(&self) -> std::io::Result<MutexGuard<'_, State>> {
        let wait = self.state.1.wait_while(self.lock(), |state| state.hangs);
        let state = wait.unwrap_or_else(PoisonError::into_inner);
        if state.cuts == self.cuts {
            Ok(state)
        } else {
            Err(std::io::Error::other("the power was cut"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_flushed_is_seen_and_then_lost_in_part() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        std::fs::write(&path, vec![0; 64 * 1024]).unwrap();
        let cache = Cache::serve(&path, &folder.path().join("socket")).unwrap();
        cache.write(0, vec![1; 4096], false).unwrap();
        cache.flush().unwrap();
        cache.write(8192, vec![2; 4096], true).unwrap();
        let mut seen = Cut::default();
        for turn in 0..200_u64 {
            let used = cache.connected();
            assert!(!cache.stop_while_pending(1), "there is nothing to lose");
            used.write(16_384, vec![3; 4096], false).unwrap();
            assert_eq!(used.read(18_000, 4).unwrap(), [3; 4], "the cache is read");
            assert!(!cache.stop_while_pending(2) && cache.stop_while_pending(1));
            let cut = cache.cut_power(turn % 5, &mut Dice::new(turn)).unwrap();
            assert!(
                used.write(0, vec![9; 512], true).is_err() && used.flush().is_err(),
                "too late"
            );
            match turn % 5 {
                0 => assert_eq!(cut.lost, 1),
                4 => assert_eq!(cut.lost, 0),
                _ => {}
            }
            let image = std::fs::read(&path).unwrap();
            assert!(
                image[..4096] == [1; 4096] && image[8192..12_288] == [2; 4096],
                "flushed, or written through"
            );
            let kept = image[16_384..20_480].iter().filter(|byte| **byte == 3).count();
            assert!(match (cut.whole, cut.lost) {
                (1, _) => kept == 4096,
                (_, 1) => kept == 0,
                _ => kept % 512 == 0,
            });
            seen = Cut {
                whole: seen.whole + cut.whole,
                torn: seen.torn + cut.torn,
                lost: seen.lost + cut.lost,
            };
            std::fs::write(&path, &image[..16_384]).unwrap();
            File::options().write(true).open(&path).unwrap().set_len(64 * 1024).unwrap();
        }
        assert!(seen.whole > 10 && seen.torn > 10 && seen.lost > 10, "{seen:?}");
        let cache = cache.connected();
        cache.fail_writes(true);
        assert!(cache.write(0, vec![9; 512], false).is_err() && cache.flush().is_err());
    }
}
