//! Writes into the state folder while the machine runs: one lane, one thing in flight, in the order it was asked for.
//!
//! Settings are durable before they are confirmed. Kept events are only handed to the kernel: the newest may be lost at a crash.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use hal::{Event, Tag};
use tokio::sync::Notify;
use tokio_uring::fs::{self, File, OpenOptions};

use crate::errno;
use crate::limits::{EVENTS_FILE_BYTES_MAX, EVENTS_WAITING_MAX};
use crate::state::{EVENTS_BEFORE_FILE, EVENTS_FILE, SETTINGS_BESIDE_FILE, SETTINGS_FILE};
use crate::world::World;

/// What waits to be written.
#[derive(Default)]
pub(crate) struct Scribe {
    mail: RefCell<VecDeque<Mail>>,
    wake: Notify,
    writing: Cell<bool>,
}

enum Mail {
    Settings { tag: Tag, document: Vec<u8> },
    Line(Vec<u8>),
}

impl Scribe {
    /// Asks for the settings to be replaced.
    pub(crate) fn save(&self, tag: Tag, document: Vec<u8>) {
        self.mail.borrow_mut().push_back(Mail::Settings { tag, document });
        self.wake.notify_one();
    }

    /// Asks for a line to be kept.
    pub(crate) fn keep(&self, line: Vec<u8>) {
        let mut mail = self.mail.borrow_mut();
        if mail.len() < EVENTS_WAITING_MAX {
            mail.push_back(Mail::Line(line));
            self.wake.notify_one();
        }
    }

    /// Everything that was asked for has been done.
    pub(crate) fn is_idle(&self) -> bool {
        !self.writing.get() && self.mail.borrow().is_empty()
    }

    async fn next(&self) -> Mail {
        loop {
            self.writing.set(false);
            if let Some(mail) = self.mail.borrow_mut().pop_front() {
                self.writing.set(true);
                return mail;
            }
            self.wake.notified().await;
        }
    }

    /// `first` and all lines right behind it, each with its end.
    fn lines(&self, first: Vec<u8>) -> Vec<u8> {
        let mut text = first;
        text.push(b'\n');
        let mut mail = self.mail.borrow_mut();
        while let Some(Mail::Line(_)) = mail.front() {
            if let Some(Mail::Line(line)) = mail.pop_front() {
                text.extend_from_slice(&line);
                text.push(b'\n');
            }
        }
        text
    }
}

/// Writes as long as the machine runs.
pub(crate) async fn run(world: Rc<World>, scribe: Rc<Scribe>, folder: PathBuf) {
    let mut events = None;
    loop {
        match scribe.next().await {
            Mail::Settings { tag, document } => {
                let result = replace_settings(&folder, document)
                    .await
                    .map_err(|error| errno::of_local(&error));
                world.push(Event::Done { tag, result });
            }
            Mail::Line(line) => {
                let text = scribe.lines(line);
                events = match append(events.take(), &folder, text).await {
                    Ok(file) => Some(file),
                    Err(error) => {
                        tracing::warn!(%error, "events.jsonl in the state folder cannot be written; events are not kept");
                        None
                    }
                };
            }
        }
    }
}

/// At any crash the old document or the new one is there, whole.
async fn replace_settings(folder: &Path, document: Vec<u8>) -> io::Result<()> {
    let beside = folder.join(SETTINGS_BESIDE_FILE);
    // The umask of the process makes it ours alone.
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&beside)
        .await?;
    let (written, _document) = file.write_all_at(document, 0).await;
    written?;
    file.sync_all().await?;
    file.close().await?;
    fs::rename(&beside, folder.join(SETTINGS_FILE)).await?;
    let parent = File::open(folder).await?;
    parent.sync_all().await?;
    parent.close().await
}

struct EventsFile {
    file: File,
    size_bytes: u64,
}

async fn append(open: Option<EventsFile>, folder: &Path, text: Vec<u8>) -> io::Result<EventsFile> {
    let mut events = match open {
        Some(events) => events,
        None => open_events(folder).await?,
    };
    if events.size_bytes >= EVENTS_FILE_BYTES_MAX {
        events.file.close().await?;
        fs::rename(folder.join(EVENTS_FILE), folder.join(EVENTS_BEFORE_FILE)).await?;
        events = open_events(folder).await?;
    }
    let bytes = text.len() as u64;
    let (written, _text) = events.file.write_all_at(text, events.size_bytes).await;
    written?;
    events.size_bytes += bytes;
    Ok(events)
}

/// A last line that a crash cut short is ended: what follows must not become a part of it.
async fn open_events(folder: &Path) -> io::Result<EventsFile> {
    let path = folder.join(EVENTS_FILE);
    let file = OpenOptions::new().read(true).write(true).create(true).open(&path).await?;
    let mut size_bytes = file.statx().await?.stx_size;
    if size_bytes > 0 {
        let (read, last) = file.read_exact_at(vec![0], size_bytes - 1).await;
        read?;
        if last != b"\n" {
            let (written, _) = file.write_all_at(b"\n".to_vec(), size_bytes).await;
            written?;
            size_bytes += 1;
        }
    }
    Ok(EventsFile { file, size_bytes })
}
