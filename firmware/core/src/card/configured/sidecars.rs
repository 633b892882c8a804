//! The documents beside the files of a card, that say when each began and of which camera it is (`axis`).
//!
//! Read after each listing, one after another, those that are new or were changed. What they said is forgotten when the card goes.
//! Invariant: by what a file is known in the archive does not depend on whether its documents can be read today.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use hal::{CardFile, CardListing, CardLook, IoError, Op, Span};

use super::super::axis::{self, Document};
use super::super::profile::{MS_NS, Sidecar, Wanted};
use super::{Card, State};
use crate::Name;
use crate::archive::Archive;
use crate::context::{Context, Ready};
use crate::journal::Code;
use crate::purpose::{CardTask, Purpose};

/// What has been read, and what is to be.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Sidecars {
    /// By path in small letters: the entry as it was, and what the document says; none if nothing.
    read: BTreeMap<String, (CardFile, Option<Document>)>,
    queue: Vec<CardFile>,
    /// The files that wait for them.
    wanted: Vec<Wanted>,
    step: Step,
    /// Files that were said to lack some.
    told: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Step {
    #[default]
    Idle,
    Looking,
    /// Into this memory, so many bytes.
    Reading(Span, u32),
}

impl Sidecars {
    /// No op is in flight.
    pub(super) fn is_quiet(&self) -> bool {
        self.step == Step::Idle
    }

    fn document(&self, path: &str) -> Option<&Document> {
        self.read
            .get(&path.to_lowercase())
            .and_then(|(_, document)| document.as_ref())
    }
}

impl Card {
    /// The files of a listing wait until their documents have been read.
    pub(super) fn begin_sidecars(&mut self, listing: &CardListing, wanted: Vec<Wanted>) {
        let documents = |one: &Wanted| axis::beside(&one.file.path).map(|(block, recording)| [block, recording]);
        let named: BTreeSet<String> = wanted
            .iter()
            .filter_map(documents)
            .flatten()
            .map(|path| path.to_lowercase())
            .collect();
        let sidecars = &mut self.sidecars;
        let mut there = BTreeMap::new();
        for file in &listing.files {
            let path = file.path.to_lowercase();
            if named.contains(&path) {
                there.insert(path, file);
            }
        }
        sidecars.read.retain(|path, (file, _)| there.get(path) == Some(&&*file));
        sidecars.queue = there
            .into_iter()
            .filter(|(path, _)| !sidecars.read.contains_key(path))
            .map(|(_, file)| file.clone())
            .collect();
        // From the end on.
        sidecars.queue.reverse();
        sidecars.wanted = wanted;
        self.state = State::Reading;
    }

    /// Looks at the next document. False if something must happen first.
    pub(super) fn next_sidecar(&mut self, archive: &mut Archive, context: &mut Context) -> bool {
        if self.sidecars.step != Step::Idle {
            return false;
        }
        let (Some(present), Some(next)) = (&self.present, self.sidecars.queue.last()) else {
            let wanted = core::mem::take(&mut self.sidecars.wanted);
            let wanted = wanted.into_iter().map(|one| self.told_by_sidecars(one, archive)).collect();
            self.take_up(wanted, archive, context);
            return true;
        };
        let tag = context.tag(Purpose::Card(self.index, CardTask::Import));
        context.submit(Op::LookCard {
            tag,
            card: present.id,
            path: next.path.clone(),
        });
        self.sidecars.step = Step::Looking;
        false
    }

    /// The document was looked at.
    pub(super) fn on_sidecar_looked(&mut self, result: Result<CardLook, IoError>, archive: &Archive, context: &mut Context) {
        self.sidecars.step = Step::Idle;
        let size_bytes = match result {
            Ok(look) => look.file.size_bytes,
            Err(IoError::Gone) => return self.leave(context),
            Err(_) => 0,
        };
        let bytes = u32::try_from(size_bytes).ok();
        let Some(bytes) = bytes.filter(|bytes| (1..=axis::DOCUMENT_BYTES_MAX).contains(bytes)) else {
            return self.note_sidecar(None);
        };
        let Some(present) = &self.present else { return };
        let Some(span) = context.take_spare(archive.superblock.block_bytes) else {
            context.ask_when_freed(Ready::Card(self.index));
            return;
        };
        let tag = context.tag(Purpose::Card(self.index, CardTask::Import));
        context.submit(Op::ReadCard {
            tag,
            card: present.id,
            at_bytes: 0,
            into: span.part(0, bytes),
        });
        self.sidecars.step = Step::Reading(span, bytes);
    }

    /// It has been read, or not.
    pub(super) fn on_sidecar_read(&mut self, result: Result<(), IoError>, context: &mut Context) {
        let Step::Reading(span, bytes) = core::mem::take(&mut self.sidecars.step) else {
            return;
        };
        let path = self.sidecars.queue.last().map(|file| file.path.as_str()).unwrap_or_default();
        let document = match result {
            Ok(()) => axis::read(path, context.memory.bytes(span.part(0, bytes))),
            Err(_) => None,
        };
        context.give(span);
        if result == Err(IoError::Gone) {
            return self.leave(context);
        }
        self.note_sidecar(document);
    }

    fn note_sidecar(&mut self, document: Option<Document>) {
        if let Some(file) = self.sidecars.queue.pop() {
            self.sidecars.read.insert(file.path.to_lowercase(), (file, document));
        }
    }

    /// A file with the time and camera that its documents say, as far as they say any.
    fn told_by_sidecars(&self, mut one: Wanted, archive: &Archive) -> Wanted {
        let Some((block, recording)) = axis::beside(&one.file.path) else {
            return one;
        };
        let number = one.begin_ns % MS_NS;
        let mut begin_ns = None;
        one.sidecar = Sidecar::Lacking;
        if let Some(Document::Block { begin_ns: at, end_ns }) = self.sidecars.document(&block) {
            begin_ns = Some(at - at % MS_NS + number);
            one.sidecar = if end_ns.is_some() { Sidecar::Closed } else { Sidecar::Open };
            one.end_ns = end_ns.unwrap_or(one.end_ns);
        }
        let mut camera = None;
        if let Some(Document::Recording { source }) = self.sidecars.document(&recording) {
            camera = axis::camera(&one.camera, *source);
        }
        if camera.is_none() {
            one.sidecar = Sidecar::Lacking;
        }
        if let Some((camera, begin_ns)) = self.remembered(one.begin_ns, begin_ns, archive) {
            (one.camera, one.begin_ns) = (camera, begin_ns);
        } else {
            one.camera = camera.unwrap_or(one.camera);
            one.begin_ns = begin_ns.unwrap_or(one.begin_ns);
        }
        one.end_ns = one.end_ns.max(one.begin_ns);
        one
    }

    /// As what the archive knows a file: by the time of its name, or by that of its document.
    fn remembered(&self, named_ns: i64, said_ns: Option<i64>, archive: &Archive) -> Option<(Name, i64)> {
        let mut tracks = self.known.iter();
        tracks.find_map(|(track, known)| {
            let begin_ns = known.begun_at(named_ns, said_ns)?;
            Some((archive.catalog.track(*track).tip.key.camera.clone(), begin_ns))
        })
    }

    /// Says of which files that are taken now the documents lack.
    pub(super) fn tell_lacking(&mut self, context: &mut Context) {
        let lacking = self.queue.iter().filter(|one| one.sidecar == Sidecar::Lacking);
        let new = lacking.filter(|one| !self.sidecars.told.contains(&one.file.path));
        let new: Vec<String> = new.map(|one| one.file.path.clone()).collect();
        let Some(first) = new.first() else { return };
        let sentence = format!(
            "Of {} files on card {} the XML beside them or beside their recording is missing or damaged, {first} the first; they are taken, \
             and time or camera are those of their names.",
            new.len(),
            self.setting.name
        );
        self.say(Code::CardSidecarMissing, sentence, context);
        self.sidecars.told.extend(new);
    }
}
