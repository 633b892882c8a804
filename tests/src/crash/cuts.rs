//! The moments of a record at which power may go, and what may be on the disk then.
//!
//! Between two flushes every prefix of the record leaves what the flushes made durable and any subset of the writes since. The
//! subsets of a short prefix are subsets of the longest, so one cut right before each flush completes stands for all of them, judged
//! by everything that was said until then. Invariant: no two pending writes touch the same bytes (`reliability.md`, F1).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use drivers_sim::{Image, Logged};

use super::take::{Note, Take};
use super::truth::Truth;

/// A write that no completed flush covers.
#[derive(Clone, Debug)]
pub struct Pending {
    /// Of all writes.
    pub(super) number: u64,
    /// Offset.
    pub at_bytes: u64,
    /// Content.
    pub bytes: Arc<[u8]>,
    /// Whether the appliance was told so.
    pub(super) completed: bool,
}

/// A moment.
#[derive(Clone, Debug)]
pub struct Cut {
    /// Line of the record before which it is.
    pub line: usize,
    /// What is durable.
    pub base: Image,
    /// What may be there, oldest first.
    pub pending: Vec<Pending>,
    /// The settings document then.
    pub settings: Option<Vec<u8>>,
    /// What must be there and what may.
    pub truth: Truth,
}

/// Everything that is known at one line of the record.
struct Reel {
    base: Image,
    pending: Vec<Pending>,
    covered: BTreeMap<u64, BTreeSet<u64>>,
    settings: Option<Vec<u8>>,
    truth: Truth,
}

impl Reel {
    fn cut(&self, line: usize) -> Cut {
        Cut {
            line,
            base: self.base.clone(),
            pending: self.pending.clone(),
            settings: self.settings.clone(),
            truth: self.truth.clone(),
        }
    }

    fn take_note(&mut self, note: &Note) -> Result<(), String> {
        match note {
            Note::Started => self.truth.started(),
            Note::Said(claim) => self.truth.claimed(claim)?,
            Note::Settings(settings) => self.settings.clone_from(settings),
            Note::Forgotten => {
                self.settings = None;
                self.truth = Truth::default();
            }
        }
        Ok(())
    }

    fn take_line(&mut self, line: &Logged) -> Result<(), String> {
        match line {
            Logged::Written { number, at_bytes, bytes } => {
                let end = |at: u64, bytes: &[u8]| at + bytes.len() as u64;
                let clash = self
                    .pending
                    .iter()
                    .any(|other| other.at_bytes < end(*at_bytes, bytes) && *at_bytes < end(other.at_bytes, &other.bytes));
                if clash {
                    return Err(format!(
                        "two writes to offset {at_bytes} are pending at once, and a crash may leave either"
                    ));
                }
                self.truth.written(bytes);
                self.pending.push(Pending {
                    number: *number,
                    at_bytes: *at_bytes,
                    bytes: bytes.clone(),
                    completed: false,
                });
            }
            Logged::Completed { number } => {
                let mine = self.pending.iter_mut().filter(|write| write.number == *number);
                mine.for_each(|write| write.completed = true);
            }
            Logged::FlushAsked { number } => {
                let completed = self.pending.iter().filter(|write| write.completed);
                self.covered.insert(*number, completed.map(|write| write.number).collect());
            }
            Logged::Flushed { number } => {
                let covered = self.covered.remove(number).unwrap_or_default();
                for write in self.pending.extract_if(.., |write| covered.contains(&write.number)) {
                    self.base.write(write.at_bytes, &write.bytes);
                }
            }
            Logged::PowerLost { image } => {
                self.base = image.clone();
                self.pending.clear();
                self.covered.clear();
            }
        }
        Ok(())
    }
}

/// All cuts of a record that began with these bytes, settings and knowledge. The error is something that must never be recorded.
pub fn cuts(take: &Take, base: &Image, settings: Option<&[u8]>, truth: &Truth) -> Result<Vec<Cut>, String> {
    let mut reel = Reel {
        base: base.clone(),
        pending: Vec::new(),
        covered: BTreeMap::new(),
        settings: settings.map(Vec::from),
        truth: truth.clone(),
    };
    let mut cuts: Vec<Cut> = Vec::new();
    let mut notes = take.notes.iter().peekable();
    let log = take.log();
    for at in 0..=log.len() {
        while let Some((_, note)) = notes.next_if(|(line, _)| *line <= at) {
            if matches!(note, Note::Settings(_)) {
                cuts.push(reel.cut(at));
            }
            reel.take_note(note)
                .map_err(|why| format!("line {at} of the record: {why}"))?;
        }
        match log.get(at) {
            None => cuts.push(reel.cut(at)),
            Some(line) => {
                if matches!(line, Logged::Flushed { .. } | Logged::PowerLost { .. }) {
                    cuts.push(reel.cut(at));
                }
                reel.take_line(line)
                    .map_err(|why| format!("line {at} of the record: {why}"))?;
            }
        }
    }
    cuts.retain(|cut| cut.line >= take.first_line);
    Ok(cuts)
}

/// What is known at the end of a record, whatever failed in between.
pub fn truth(take: &Take) -> Result<Truth, String> {
    let mut truth = Truth::default();
    let mut notes = take.notes.iter().peekable();
    let log = take.log();
    for at in 0..=log.len() {
        while let Some((_, note)) = notes.next_if(|(line, _)| *line <= at) {
            match note {
                Note::Started => truth.started(),
                Note::Said(claim) => truth.claimed(claim)?,
                Note::Forgotten => truth = Truth::default(),
                Note::Settings(_) => {}
            }
        }
        if let Some(Logged::Written { bytes, .. }) = log.get(at) {
            truth.written(bytes);
        }
    }
    Ok(truth)
}
