//! What one archive wrote and what it claimed: kept beside the appliance, compared with the bytes on its disk.
//!
//! Nothing here asks the product anything. Invariants: what was claimed durable is on the disk, whole and unchanged, or the disk
//! broke its word at that very place; a number of a track has one content; what recovery threw away never comes back.

use std::collections::{BTreeMap, BTreeSet};

use drivers_sim::{Cause, Disk, Image, IoKind, Wounds};

use super::oracle::Piece;
use super::play::NUMBERED_MAX;
use crate::reader::{Announced, Geometry, Track, block, superblock_copies};

/// A block as it was written.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What its header says.
    pub says: Announced,
    /// Stream bytes, if it was recorded here.
    pub payload: Vec<u8>,
}

impl Entry {
    /// Whether it is a number of a track, or states it as missing.
    fn holds(&self, track: &Track, number: u64) -> bool {
        match &self.says.piece {
            Some((of, there, ..)) => of == track && *there == number,
            None => {
                let mut gaps = self.says.gaps.iter();
                gaps.any(|(of, from, to)| of == track && (*from..*to).contains(&number))
            }
        }
    }
}

/// A number of a track.
pub type Number = (Track, u64);

/// The books of one archive.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// Name of the site, for sentences.
    pub name: String,
    /// Shape of the archive.
    pub geometry: Geometry,
    /// Written, and not claimed durable.
    open: BTreeMap<u64, Entry>,
    /// Written, not claimed, and not part of the log that was found at a later start.
    discarded: BTreeMap<u64, Entry>,
    /// Claimed durable.
    pub kept: BTreeMap<u64, Entry>,
    /// All lower log sequences were claimed durable.
    pub claimed: u64,
    /// One more than the highest log sequence that was written in this log.
    pub next: u64,
    /// Highest log sequence that was ever written.
    highest: u64,
    /// The disk did not have its newest superblock at a start, and no recovery has gone through since.
    superblock_regressed: bool,
    /// Blocks that an opening could not find: until a recovery has gone through, it may have written down where the log ends
    /// without them.
    hidden: BTreeSet<u64>,
    /// Contents that every number of a track had.
    pub contents: BTreeMap<Number, BTreeSet<[u8; 32]>>,
    /// What was recorded here, by camera, in the order in which it was claimed.
    pub recorded: BTreeMap<String, Vec<Piece>>,
    /// Next number of every track, by what was claimed.
    pub tips: BTreeMap<Track, u64>,
    /// Log sequences of blocks that came again because their first copy could not be read. It may have become readable since.
    pub repeated: BTreeSet<u64>,
    /// Log sequences of blocks that could not be read when the disk was mended: who opened the archive before did not see them.
    unread: BTreeSet<u64>,
    /// Numbers that were claimed durable and vanished from the end of the log, with a cause.
    pub lost: BTreeSet<Number>,
    /// How often a track was begun anew, with a cause.
    pub tracks_forgotten: u64,
    /// How often the end of the log was found too early, with a cause.
    pub tails_lost: u64,
}

impl Ledger {
    /// Empty books.
    pub fn new(name: &str, geometry: Geometry) -> Ledger {
        Ledger {
            name: name.into(),
            geometry,
            open: BTreeMap::new(),
            discarded: BTreeMap::new(),
            kept: BTreeMap::new(),
            claimed: 0,
            next: 0,
            highest: 0,
            superblock_regressed: false,
            hidden: BTreeSet::new(),
            contents: BTreeMap::new(),
            recorded: BTreeMap::new(),
            tips: BTreeMap::new(),
            repeated: BTreeSet::new(),
            unread: BTreeSet::new(),
            lost: BTreeSet::new(),
            tracks_forgotten: 0,
            tails_lost: 0,
        }
    }

    /// The appliance is about to start: an earlier superblock may have come back.
    pub fn starts(&mut self, disk: &Disk) {
        let mut copies = superblock_copies(disk.model.size_bytes).into_iter();
        let is_regressed = |at: u64| disk.wounds.touching(at..at + 4096).any(|wound| wound.cause != Cause::Rot);
        self.superblock_regressed |= disk.counterfeit.is_some() || copies.any(is_regressed);
        let cannot_find = |(sequence, entry): (&u64, &Entry)| {
            let range = self.geometry.range(*sequence, entry.says.bytes);
            (self.is_wounded(*sequence, &disk.wounds) || disk.cannot_read(range)).then_some(*sequence)
        };
        let hidden: Vec<u64> = self.kept.iter().filter_map(cannot_find).collect();
        self.hidden.extend(hidden);
    }

    /// It writes down that everything below a log sequence is freed.
    pub fn frees(&mut self, below: u64) {
        self.geometry.freed = self.geometry.freed.max(below);
    }

    /// It writes a block.
    pub fn writes(&mut self, says: Announced, payload: Vec<u8>) -> Result<(), String> {
        let sequence = says.log_sequence;
        if says.durable > self.claimed {
            return Err(format!(
                "{}: the header of block {sequence} says that {} are durable, and {} are",
                self.name, says.durable, self.claimed
            ));
        }
        let again = self.open.get(&sequence).or_else(|| self.kept.get(&sequence));
        if again.is_some_and(|before| before.says.header_hash != says.header_hash) {
            return Err(format!(
                "{}: block {sequence} is written again with another content",
                self.name
            ));
        }
        if sequence < self.claimed {
            return Err(format!("{}: block {sequence} is written again, and was durable", self.name));
        }
        self.next = self.next.max(sequence + 1);
        self.highest = self.highest.max(sequence);
        self.open.insert(sequence, Entry { says, payload });
        Ok(())
    }

    /// It says that every log sequence below `below` is durable.
    pub fn claims(&mut self, below: u64, recovered: bool, disk: &Disk) -> Result<(), String> {
        let wounds = &disk.wounds;
        if below < self.claimed {
            self.excuse_lost_tail(below, disk.current(), wounds)?;
        }
        if recovered {
            // What lies behind the end of the log never becomes data again, unless the disk forgets that it was said so.
            let mut behind = self.open.split_off(&below);
            self.discarded.append(&mut behind);
            self.next = below;
        }
        for sequence in self.claimed..below {
            let mut entry = self
                .open
                .remove(&sequence)
                .or_else(|| self.discarded.get(&sequence).filter(|_| self.superblock_regressed).cloned())
                .ok_or_else(|| format!("{}: block {sequence} is claimed durable and was never written", self.name))?;
            for (track, from, to) in entry.says.gaps.clone() {
                // A checkpoint repeats what records said before.
                if !entry.says.is_checkpoint || self.tips.get(&track).is_some_and(|tip| *tip < to) {
                    self.follow(&track, from, to, disk)?;
                }
            }
            if let Some((track, number, ..)) = entry.says.piece.clone().filter(|_| entry.says.is_fill) {
                self.fill(&track, number, disk)?;
            } else if let Some((track, number, ..)) = entry.says.piece.clone() {
                if self.tips.get(&track).is_some_and(|tip| number < *tip) {
                    self.repeated.insert(sequence);
                }
                self.follow(&track, number, number + 1, disk)?;
            }
            if let Some((track, number, hash, discontinuity)) = &entry.says.piece {
                if !entry.payload.is_empty() {
                    self.recorded.entry(track.camera.clone()).or_default().push(Piece {
                        sequence: *number,
                        discontinuity: *discontinuity,
                        payload: std::mem::take(&mut entry.payload),
                    });
                }
                let key = (track.clone(), *number);
                let contents = self.contents.entry(key.clone()).or_default();
                let is_another = contents.insert(*hash) && contents.len() > 1;
                if is_another && !self.lost.contains(&key) && !self.forget(track, *number, wounds) {
                    return Err(format!(
                        "{}: block {number} of {} has two contents, the second in log sequence {sequence}",
                        self.name, track.camera
                    ));
                }
            }
            self.kept.insert(sequence, entry);
            if disk.model.removable && !recovered {
                self.was_read_back(sequence, disk)?;
            }
        }
        self.claimed = below;
        if recovered {
            self.superblock_regressed = false;
            self.hidden.clear();
        }
        Ok(())
    }

    /// What is claimed of a card has been read back: a write that was lost is no excuse.
    fn was_read_back(&self, sequence: u64, disk: &Disk) -> Result<(), String> {
        let mut causes = self.wounds_at(sequence, &disk.wounds).peekable();
        let is_given_up = sequence + self.geometry.slots <= self.highest;
        let is_lost = !is_given_up && causes.peek().is_some() && causes.all(|cause| cause == Cause::LostWrite);
        match self.on_image(sequence, disk.current()) {
            Err(why) if is_lost => Err(format!(
                "{}: block {sequence} is claimed durable on a card that does not hold it: {why}",
                self.name
            )),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Whether the disk has forgotten a number of a track: an earlier state came back there, or every block of the track is
    /// damaged and nothing on the disk says that there was one.
    fn forget(&mut self, track: &Track, number: u64, wounds: &Wounds) -> bool {
        let mine = |entry: &Entry| entry.says.piece.as_ref().is_some_and(|(of, ..)| of == track);
        let blocks: Vec<u64> = self.kept.iter().filter(|(_, entry)| mine(entry)).map(|(at, _)| *at).collect();
        if blocks.iter().all(|sequence| self.is_wounded(*sequence, wounds)) {
            self.tracks_forgotten += 1;
            for sequence in blocks {
                if let Some((track, number, ..)) = &self.kept[&sequence].says.piece {
                    self.lost.insert((track.clone(), *number));
                }
            }
            return true;
        }
        // A block that came from elsewhere and is damaged is asked for again; its origin may have lost it meanwhile.
        let came = track.origin != self.geometry.archive;
        let is_gone = |sequence: u64| self.wounds_at(sequence, wounds).any(|cause| came || cause == Cause::Rollback);
        self.place_of(track, number).is_some_and(is_gone)
    }

    /// A number below the tip is filled in where it is stated as missing, or where every block of it is damaged.
    fn fill(&mut self, track: &Track, number: u64, disk: &Disk) -> Result<(), String> {
        let (name, camera) = (&self.name, &track.camera);
        let tip = self.tips.get(track).copied().unwrap_or(0);
        if number >= tip {
            return Err(format!(
                "{name}: {number} of {camera} is filled in, and only {tip} were there"
            ));
        }
        // What a ring was about to give up when it was looked for.
        let oldest = self.geometry.oldest(self.next + NUMBERED_MAX);
        let misread = disk.struck.iter().any(|struck| struck.on == IoKind::Read);
        let is_sound = |(sequence, entry): &(&u64, &Entry)| {
            let says = &entry.says;
            let mine = says
                .piece
                .as_ref()
                .is_some_and(|(of, there, ..)| of == track && *there == number);
            mine && !misread
                && **sequence >= oldest
                && !self.is_wounded(**sequence, &disk.wounds)
                && !disk.cannot_read(self.geometry.range(**sequence, says.bytes))
        };
        match self.kept.iter().find(is_sound) {
            Some((sequence, _)) => Err(format!(
                "{name}: {number} of {camera} is filled in, and is sound in log sequence {sequence}"
            )),
            None => Ok(()),
        }
    }

    /// The disk is about to be mended: notes what it cannot read until then.
    pub fn note_unread(&mut self, disk: &Disk) {
        let kept = self.kept.iter();
        let unread = kept.filter(|(sequence, entry)| disk.cannot_read(self.geometry.range(**sequence, entry.says.bytes)));
        self.unread.extend(unread.map(|(sequence, _)| *sequence));
    }

    /// A track goes on where it ended, or at a block that the disk has damaged since.
    fn follow(&mut self, track: &Track, from: u64, to: u64, disk: &Disk) -> Result<(), String> {
        let tip = self.tips.get(track).copied().unwrap_or(0);
        let (name, camera) = (&self.name, &track.camera);
        if from > tip {
            return Err(format!(
                "{name}: {from} stands where {tip} of {camera} belongs, and no gap says why"
            ));
        }
        let repeated = (from..tip).find(|number| {
            // A fill moves no tip: where what moved it is damaged, nobody knows that the number was there.
            let told = self
                .kept
                .iter()
                .filter(|(_, entry)| !entry.says.is_fill && entry.holds(track, *number));
            let place = told.map(|(sequence, _)| *sequence).next_back();
            place.is_some_and(|sequence| {
                let says = &self.kept[&sequence].says;
                let unreadable = says.piece.is_none()
                    || self.unread.contains(&sequence)
                    || disk.cannot_read(self.geometry.range(sequence, says.bytes));
                sequence >= self.oldest() && !unreadable && !self.is_wounded(sequence, &disk.wounds)
            })
        });
        if let Some(number) = repeated {
            return Err(format!(
                "{name}: {number} of {camera} is in the log twice, and the first one is sound"
            ));
        }
        self.tips.insert(track.clone(), to);
        Ok(())
    }

    /// The log ends earlier than it did: only where a block is damaged and nothing whole behind it says that it was durable.
    fn excuse_lost_tail(&mut self, end: u64, image: &Image, wounds: &Wounds) -> Result<(), String> {
        let claimed = self.claimed;
        let sentence = format!("{}: the log ended at {claimed} and is found to end at {end}", self.name);
        // Of a slot that was discarded nothing differs when the disk goes back to before it was used; the superblock does.
        let is_unfreed = self.superblock_regressed && end < self.oldest();
        if !self.is_wounded(end, wounds) && !is_unfreed {
            return Err(format!("{sentence}, where its disk is sound"));
        }
        let rolled_back = wounds.iter().any(|wound| wound.cause == Cause::Rollback);
        let evidence = (end + 1..claimed).find(|sequence| {
            !self.is_wounded(*sequence, wounds)
                && !self.hidden.contains(sequence)
                && self.on_image(*sequence, image).is_ok_and(|durable| durable > end)
        });
        if let Some(evidence) = evidence.filter(|_| !rolled_back) {
            return Err(format!("{sentence}, though block {evidence} says that it was durable"));
        }
        for (sequence, entry) in self.kept.split_off(&end) {
            if let Some((track, number, ..)) = &entry.says.piece {
                self.lost.insert((track.clone(), *number));
            }
            // It is there again if the disk forgets that the log ended here.
            self.discarded.insert(sequence, entry);
        }
        if rolled_back {
            self.take_back(end, image);
        }
        self.claimed = end;
        self.tails_lost += 1;
        self.tips.clear();
        for entry in self.kept.values() {
            if let Some((track, number, ..)) = entry.says.piece.as_ref().filter(|_| !entry.says.is_fill) {
                self.tips.insert(track.clone(), number + 1);
            }
            for (track, _, to) in &entry.says.gaps {
                let tip = self.tips.entry(track.clone()).or_default();
                *tip = if entry.says.is_checkpoint { *to.max(tip) } else { *to };
            }
        }
        Ok(())
    }

    /// A disk that was put back has again what it had then, also what no opening counted since: below `end` that is the log.
    fn take_back(&mut self, end: u64, image: &Image) {
        let slots = self.geometry.slots;
        let is_there = |(sequence, entry): &(&u64, &Entry)| {
            block(image, &self.geometry, **sequence % slots).is_ok_and(|there| there.header_hash == entry.says.header_hash)
        };
        let back: Vec<u64> = self.discarded.range(..end).filter(is_there).map(|(at, _)| *at).collect();
        for sequence in back {
            let Some(entry) = self.discarded.remove(&sequence) else {
                continue;
            };
            let Some(newer) = self.kept.insert(sequence, entry) else {
                continue;
            };
            if let Some((track, number, ..)) = &newer.says.piece {
                self.lost.insert((track.clone(), *number));
            }
            self.discarded.insert(sequence, newer);
        }
    }

    /// Whether a block was written and never claimed: one that is read-only from its opening on gives what it found.
    pub fn only_wrote(&self, track: &Track, number: u64, hash: &[u8; 32]) -> bool {
        let written = self.open.values().chain(self.discarded.values());
        let mut pieces = written.filter_map(|entry| entry.says.piece.as_ref());
        pieces.any(|(of, there, its, _)| of == track && *there == number && its == hash)
    }

    /// Log sequences that the archive still gives. A disk that went back to before what it freed claims less than it gave up.
    pub fn given(&self) -> std::ops::Range<u64> {
        self.oldest()..self.claimed.max(self.oldest())
    }

    /// Oldest log sequence that must still be there.
    pub fn oldest(&self) -> u64 {
        self.geometry.oldest(self.next)
    }

    /// Whether the disk broke its word at the place of a block.
    pub fn is_wounded(&self, sequence: u64, wounds: &Wounds) -> bool {
        let bytes = self.kept.get(&sequence).map_or(4096, |entry| entry.says.bytes);
        wounds.touching(self.geometry.range(sequence, bytes)).next().is_some()
    }

    /// How the disk broke its word at the place of a block.
    pub fn wounds_at(&self, sequence: u64, wounds: &Wounds) -> impl Iterator<Item = Cause> {
        let bytes = self.kept.get(&sequence).map_or(4096, |entry| entry.says.bytes);
        wounds.touching(self.geometry.range(sequence, bytes)).map(|wound| wound.cause)
    }

    /// Whether a kept block is on an image; then what its header says of durable ones, else why not.
    pub fn on_image(&self, sequence: u64, image: &Image) -> Result<u64, String> {
        let there = block(image, &self.geometry, sequence % self.geometry.slots)?;
        match self.kept.get(&sequence) {
            Some(entry) if entry.says.header_hash == there.header_hash => Ok(there.durable),
            Some(_) => Err(format!("block {} is in its slot", there.log_sequence)),
            None => Err("it was never claimed".into()),
        }
    }

    /// Everything that was claimed is on the image, unless the disk broke its word there. The damaged ones.
    pub fn check(&self, image: &Image, wounds: &Wounds) -> Result<BTreeSet<u64>, String> {
        let mut damaged = BTreeSet::new();
        for sequence in self.oldest()..self.claimed {
            if let Err(why) = self.on_image(sequence, image) {
                // A ring whose newest blocks were lost has written over its oldest ones before.
                let is_given_up = sequence + self.geometry.slots <= self.highest;
                if !is_given_up && !self.is_wounded(sequence, wounds) {
                    return Err(format!(
                        "{}: block {sequence} was claimed durable, its disk is sound, and it is not there: {why}",
                        self.name
                    ));
                }
                damaged.insert(sequence);
            }
        }
        Ok(damaged)
    }

    /// Whether a number of a track is here and can be read, is stated as missing, or neither: its log sequence, if it has one.
    pub fn place_of(&self, track: &Track, number: u64) -> Option<u64> {
        self.kept
            .iter()
            .rev()
            .find(|(_, entry)| entry.holds(track, number))
            .map(|(sequence, _)| *sequence)
    }
}
