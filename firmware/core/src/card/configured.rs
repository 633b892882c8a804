//! One configured card: away, looked at, taken from, and away again.
//!
//! Invariants: one op of a card at a time, besides the reads of its survey; what it knows of the archive is found anew each time the
//! card comes, and whenever the archive did not take what was accepted.

mod files;
mod missing;
mod sidecars;
mod status;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::string::{String, ToString};

use hal::{CardFacts, CardFile, CardId, Instant, IoError, Op};

use super::import::{End, Import, Turn, track_key};
use super::profile::{CardSetting, Wanted};
use super::survey::{self, Known, Survey};
use super::{LOOK_EVERY, UNDER_WAY_MAX};
use crate::archive::{Archive, NotAccepted, SettledWhat, TrackId};
use crate::context::{Context, Ready};
use crate::control::types::GapReason;
use crate::journal::Code;
use crate::purpose::{CardTask, Purpose};

/// A card that is there.
#[derive(Clone, Debug, Hash)]
struct Present {
    id: CardId,
    path: String,
    facts: CardFacts,
}

#[derive(Clone, Debug, Hash)]
enum State {
    /// It is not there.
    Away,
    /// Its path is being opened.
    Opening(CardId),
    /// It is there; what of it is in the archive is to be looked up.
    Arrived,
    Surveying(alloc::boxed::Box<Survey>),
    Listing,
    /// What lies beside the files and says more of them is being read.
    Reading,
    /// Files are taken, or there is none to be taken until the next listing.
    Taking,
}

/// How long a file has been as it is.
#[derive(Clone, Debug, Hash)]
struct Seen {
    file: CardFile,
    since: Instant,
}

/// One card.
#[derive(Clone, Debug, Hash)]
pub struct Card {
    /// Place in the appliance's table.
    pub index: usize,
    /// As configured.
    pub setting: CardSetting,
    /// Place of the archive.
    pub archive: usize,
    /// It is not configured any more.
    pub deleted: bool,
    state: State,
    present: Option<Present>,
    /// It was pulled; what is in flight still comes back.
    leaving: bool,
    known: BTreeMap<TrackId, Known>,
    import: Option<alloc::boxed::Box<Import>>,
    queue: VecDeque<Wanted>,
    /// Files that were seen and are not here yet, by path.
    due: BTreeMap<String, files::Due>,
    sidecars: sidecars::Sidecars,
    seen: BTreeMap<String, Seen>,
    /// Files that could not be read while the card is there.
    bad: BTreeSet<(String, u64)>,
    waiting: u64,
    under_way: usize,
    list_at: Instant,
    /// What is on it was listed since it came.
    listed: bool,
    /// Another card was seen at its path, or damage was told.
    told: bool,
    blocked: Option<NotAccepted>,
    taken_since: u64,
    files: u64,
    bytes: u64,
    lost: u64,
    unreadable: u64,
}

impl Card {
    /// One that is away.
    pub fn new(index: usize, setting: CardSetting, archive: usize) -> Card {
        Card {
            index,
            setting,
            archive,
            deleted: false,
            state: State::Away,
            present: None,
            leaving: false,
            known: BTreeMap::new(),
            import: None,
            queue: VecDeque::new(),
            due: BTreeMap::new(),
            sidecars: sidecars::Sidecars::default(),
            seen: BTreeMap::new(),
            bad: BTreeSet::new(),
            waiting: 0,
            under_way: 0,
            list_at: Instant::default(),
            listed: false,
            told: false,
            blocked: None,
            taken_since: 0,
            files: 0,
            bytes: 0,
            lost: 0,
            unreadable: 0,
        }
    }

    fn say(&self, code: Code, sentence: String, context: &mut Context) {
        context.say(code, &self.setting.name.clone(), sentence);
    }

    /// Where it is, if it is there.
    pub fn path(&self) -> Option<&str> {
        self.present.as_ref().map(|present| present.path.as_str())
    }

    /// Whether it is read at that path, or will be.
    pub fn uses(&self, path: &str) -> bool {
        self.setting.path.as_deref() == Some(path) || self.path() == Some(path)
    }

    /// What it is, if it is there.
    pub fn facts(&self) -> Option<&CardFacts> {
        self.present.as_ref().map(|present| &present.facts)
    }

    /// Whether it waits for its path to be opened.
    pub fn wants_open(&self, now: Instant) -> bool {
        !self.deleted && self.setting.path.is_some() && matches!(self.state, State::Away) && self.list_at <= now
    }

    /// Opens the path of its setting.
    pub fn open(&mut self, id: CardId, context: &mut Context) {
        let Some(path) = self.setting.path.clone() else { return };
        self.state = State::Opening(id);
        let tag = context.tag(Purpose::Card(self.index, CardTask::Open));
        context.submit(Op::OpenCard { tag, card: id, path });
    }

    /// Its path was opened, or not.
    pub fn on_opened(&mut self, result: Result<CardFacts, IoError>, context: &mut Context) {
        let State::Opening(id) = self.state else { return };
        self.state = State::Away;
        self.list_at = context.now.at + LOOK_EVERY;
        context.ask_at(Ready::Card(self.index), Some(self.list_at));
        let path = self.setting.path.clone().unwrap_or_default();
        let Ok(facts) = result else { return };
        let is_other = facts.identity.is_some_and(|identity| identity != self.setting.origin);
        if is_other || self.deleted {
            if is_other && !self.told {
                self.told = true;
                let sentence = format!(
                    "At {path} is another card ({} {}) than {}; nothing is taken from it.",
                    facts.form.word(),
                    facts.volume_id,
                    self.setting.name
                );
                self.say(Code::CardSwapped, sentence, context);
            }
            self.submit_close(id, context);
            return;
        }
        self.arrive(id, path, facts, context);
    }

    /// It is there, open.
    pub fn arrive(&mut self, id: CardId, path: String, facts: CardFacts, context: &mut Context) {
        let how = if facts.dirty { ", not left in good order" } else { "" };
        let sentence = format!(
            "Card {} is at {path} ({} {}{how}).",
            self.setting.name,
            facts.form.word(),
            facts.volume_id
        );
        self.say(Code::CardFound, sentence, context);
        self.told = false;
        self.listed = false;
        self.leaving = false;
        self.present = Some(Present { id, path, facts });
        self.state = State::Arrived;
        context.wake(Ready::Card(self.index));
    }

    /// It was pulled, or is not wanted any more.
    pub fn leave(&mut self, context: &mut Context) {
        self.leaving = true;
        context.wake(Ready::Card(self.index));
    }

    fn submit_close(&self, id: CardId, context: &mut Context) {
        let tag = context.tag(Purpose::Card(self.index, CardTask::Close));
        context.submit(Op::CloseCard { tag, card: id });
    }

    /// Nothing is in flight for it.
    pub fn is_quiet(&self) -> bool {
        let importing = self.import.as_ref().is_some_and(|import| import.is_busy());
        let surveying = matches!(&self.state, State::Surveying(survey) if !survey.is_quiet());
        !importing && !surveying && self.sidecars.is_quiet() && !matches!(self.state, State::Opening(_) | State::Listing)
    }

    /// Lets go of it, once nothing is in flight.
    fn go(&mut self, context: &mut Context) {
        if !self.is_quiet() {
            return;
        }
        if let Some(mut import) = self.import.take() {
            import.finish(context);
        }
        if let State::Surveying(survey) = core::mem::replace(&mut self.state, State::Away) {
            survey.walk.finish(context);
        }
        let Some(present) = self.present.take() else { return };
        self.submit_close(present.id, context);
        let left = self.queue.len() as u64 + self.waiting;
        let rest = match left {
            0 => "everything on it that was closed is here".to_string(),
            left => format!("{left} files on it are not here yet"),
        };
        let sentence = format!("Card {} is not at {} any more; {rest}.", self.setting.name, present.path);
        self.say(Code::CardRemoved, sentence, context);
        self.leaving = false;
        self.queue.clear();
        self.due.clear();
        self.sidecars = sidecars::Sidecars::default();
        self.seen.clear();
        self.bad.clear();
        self.known.clear();
        self.waiting = 0;
        self.list_at = context.now.at + LOOK_EVERY;
        context.ask_at(Ready::Card(self.index), Some(self.list_at));
    }

    /// Goes on.
    pub fn poll(&mut self, archive: &mut Archive, stopping: bool, context: &mut Context) {
        if self.leaving || self.deleted || stopping {
            return self.go(context);
        }
        loop {
            match &mut self.state {
                State::Away | State::Opening(_) | State::Listing => return,
                State::Arrived => {
                    // What was accepted before must have settled, or the index does not say it.
                    if !archive.takes() || self.under_way > 0 {
                        context.ask_at(Ready::Card(self.index), Some(context.now.at + survey::AGAIN_AFTER));
                        return;
                    }
                    let survey = Survey::start(self.index, self.setting.origin, archive);
                    self.state = State::Surveying(alloc::boxed::Box::new(survey));
                }
                State::Surveying(survey) => {
                    let survey::Progress::Done(known) = survey.poll(archive, context) else {
                        return;
                    };
                    self.known = known;
                    self.list(context);
                    return;
                }
                State::Reading => {
                    if !self.next_sidecar(archive, context) {
                        return;
                    }
                }
                State::Taking => {
                    if self.import.is_none() && self.queue.is_empty() && context.now.at >= self.list_at {
                        self.list(context);
                        return;
                    }
                    if !self.take(archive, context) {
                        return;
                    }
                }
            }
        }
    }

    fn list(&mut self, context: &mut Context) {
        let Some(present) = &self.present else { return };
        let tag = context.tag(Purpose::Card(self.index, CardTask::List));
        context.submit(Op::ListCard { tag, card: present.id });
        self.state = State::Listing;
    }

    /// Takes files. False if something must happen first.
    fn take(&mut self, archive: &mut Archive, context: &mut Context) -> bool {
        if !archive.takes() || archive.is_full() {
            // When it takes blocks again, what it has is looked up anew.
            if self.import.as_ref().is_none_or(|import| !import.is_busy()) {
                if let Some(mut import) = self.import.take() {
                    import.finish(context);
                }
                self.state = State::Arrived;
                self.blocked = Some(if archive.is_full() {
                    NotAccepted::Full
                } else {
                    NotAccepted::Closed
                });
                context.ask_at(Ready::Card(self.index), Some(context.now.at + LOOK_EVERY));
            }
            return false;
        }
        if self.under_way >= UNDER_WAY_MAX {
            return false;
        }
        self.blocked = None;
        if self.import.is_none() && !self.begin(archive, context) {
            return false;
        }
        let Some(mut import) = self.import.take() else { return false };
        let turn = import.poll(archive, context);
        self.import = Some(import);
        self.turn(turn, archive, context)
    }

    /// Begins with the next file. False if there is none.
    fn begin(&mut self, archive: &mut Archive, context: &mut Context) -> bool {
        let (Some(present), Some(one)) = (&self.present, self.queue.pop_front()) else {
            self.told_taken(context);
            return false;
        };
        let id = present.id;
        let key = track_key(self.setting.origin, &one, self.setting.kind);
        let Some(track) = archive.catalog.place(&key) else {
            self.blocked = Some(NotAccepted::TooMany);
            return false;
        };
        let known = self.known.entry(track).or_default();
        let partial = known.partial.filter(|_| known.is_partial(&one));
        let from = partial.map_or(0, |partial| partial.at_bytes);
        self.import = Some(alloc::boxed::Box::new(Import::new(self.index, id, one, key, track, from)));
        true
    }

    fn told_taken(&mut self, context: &mut Context) {
        if self.taken_since == 0 || self.under_way > 0 {
            return;
        }
        let waiting = match self.waiting {
            0 => String::new(),
            waiting => format!("; {waiting} may not be closed yet"),
        };
        let sentence = format!(
            "{} files of card {} were taken{waiting}.",
            self.taken_since, self.setting.name
        );
        self.taken_since = 0;
        self.say(Code::CardTaken, sentence, context);
    }

    /// A file was looked at.
    pub fn on_looked(&mut self, result: Result<hal::CardLook, IoError>, archive: &mut Archive, context: &mut Context) {
        context.wake(Ready::Card(self.index));
        if matches!(self.state, State::Reading) {
            return self.on_sidecar_looked(result, archive, context);
        }
        let Some(mut import) = self.import.take() else { return };
        let turn = import.on_looked(result, archive, context);
        self.import = Some(import);
        self.turn(turn, archive, context);
    }

    /// Bytes of a file have been read.
    pub fn on_read(&mut self, result: Result<(), IoError>, archive: &mut Archive, context: &mut Context) {
        context.wake(Ready::Card(self.index));
        if matches!(self.state, State::Reading) {
            return self.on_sidecar_read(result, context);
        }
        let Some(mut import) = self.import.take() else { return };
        let turn = import.on_read(result, archive, context);
        self.import = Some(import);
        self.turn(turn, archive, context);
    }

    /// A header of the archive has been read.
    pub fn on_survey(&mut self, sequence: u64, result: Result<(), IoError>, archive: &Archive, context: &mut Context) {
        if let State::Surveying(survey) = &mut self.state {
            survey.on_read(sequence, result, archive, context);
        }
        context.wake(Ready::Card(self.index));
    }

    /// What came of a step of the import. True if there may be more to do at once.
    fn turn(&mut self, turn: Turn, archive: &mut Archive, context: &mut Context) -> bool {
        let Some(import) = &self.import else { return false };
        let (wanted, track, at_bytes) = (import.wanted.clone(), import.track, import.taken_bytes());
        let end = match turn {
            Turn::On => return false,
            Turn::Accepted(blocks) => {
                self.under_way += blocks;
                let known = self.known.entry(track).or_default();
                known.begin(&wanted);
                known.partial = None;
                if !import.is_whole() {
                    return true;
                }
                End::Whole
            }
            Turn::End(end) => end,
        };
        self.import = None;
        let path = &wanted.file.path;
        let name = self.setting.name.clone();
        match end {
            End::Whole => {
                self.files += 1;
                self.taken_since += 1;
                self.due.remove(path);
            }
            End::Gone => {
                self.leave(context);
                return false;
            }
            End::Refused(_) => {
                self.queue.push_front(wanted);
                self.state = State::Arrived;
            }
            End::Changed => {
                let sentence = format!("File {path} of card {name} changed while it was read; it is not taken as it was.");
                self.say(Code::CardFileChanged, sentence, context);
                self.due.remove(path);
                if at_bytes > 0 {
                    let what = format!("file {path} changed while it was read");
                    self.lose(&wanted, at_bytes, GapReason::Overwritten, &what, archive, context);
                }
            }
            End::Vanished => {
                self.due.remove(path);
                let what = format!("file {path} was overwritten before it was taken");
                self.lose(&wanted, at_bytes, GapReason::Overwritten, &what, archive, context);
            }
            End::Unreadable(error) => {
                self.unreadable += 1;
                self.due.remove(path);
                self.bad.insert((path.clone(), wanted.file.size_bytes));
                let sentence =
                    format!("File {path} of card {name} cannot be read ({error}); it is tried again when the card comes again.");
                self.say(Code::CardFileUnreadable, sentence, context);
                if at_bytes > 0 {
                    let what = format!("file {path} cannot be read");
                    self.lose(&wanted, at_bytes, GapReason::Damaged, &what, archive, context);
                }
            }
        }
        true
    }

    /// Something is durable in the archive, or never will be.
    pub fn on_settled(&mut self, what: &SettledWhat, durable: bool, context: &mut Context) {
        self.under_way = self.under_way.saturating_sub(1);
        if let (SettledWhat::Block { payload_bytes, .. }, true) = (what, durable) {
            self.bytes += u64::from(*payload_bytes);
        }
        context.wake(Ready::Card(self.index));
    }
}
