//! Cards of cameras in a simulated machine: files that somebody else writes, deletes and writes over, and a slot to pull them from.
//!
//! Not the bytes of a file system: `drivers/cards` reads those, and has images of its own to be tried on. Invariant: what is read from
//! a place whose file is gone is what was written there since, and no error.

use std::collections::BTreeMap;
use std::sync::Arc;

use hal::{
    CardFacts, CardFile, CardForm, CardId, CardListing, CardLook, DeviceFacts, Event, FlushClass, IoError, Op, Uuid, VolumeForm,
};

use crate::due::Due;
use crate::memory::{Lent, Use};
use crate::{Machines, SiteId};

/// What lies at a place that was written over.
pub const OTHER_BYTE: u8 = 0xee;

/// A file on a simulated card.
#[derive(Clone, Debug)]
pub struct SimFile {
    /// Its entry.
    pub file: CardFile,
    /// Its bytes.
    pub content: Arc<[u8]>,
    /// Where it lies.
    pub place: u64,
    /// Its bytes cannot be read.
    pub unreadable: bool,
}

/// A simulated card.
#[derive(Clone, Debug)]
pub struct SimCard {
    /// What it says of itself.
    pub facts: CardFacts,
    /// Its files by path.
    pub files: BTreeMap<String, SimFile>,
    /// What is damaged.
    pub damage: Vec<String>,
    next_place: u64,
}

impl SimCard {
    /// An empty card with an identity.
    pub fn new(identity: u8) -> SimCard {
        SimCard {
            facts: CardFacts {
                form: CardForm::Exfat,
                identity: Some(Uuid([identity; 16])),
                volume_id: format!("0000-00{identity:02X}"),
                label: String::new(),
                size_bytes: 32 << 30,
                dirty: false,
                serial: String::new(),
                same_as: u64::from(identity),
            },
            files: BTreeMap::new(),
            damage: Vec::new(),
            next_place: 1,
        }
    }

    /// As a device in a list.
    pub(crate) fn device_facts(&self, path: &str) -> DeviceFacts {
        DeviceFacts {
            path: path.into(),
            form: VolumeForm::Partition,
            model: "CARD".into(),
            serial: self.facts.serial.clone(),
            size_bytes: self.facts.size_bytes,
            logical_sector_bytes: 512,
            physical_sector_bytes: 512,
            flush: FlushClass::Unknown,
            fua: false,
            discard_bytes: 0,
            removable: true,
            read_only: false,
            held_by: String::new(),
            health: String::new(),
        }
    }

    /// The camera writes a file; one of that name lies elsewhere from now on.
    pub fn write(&mut self, path: &str, modified_ns: i64, content: &[u8]) {
        let file = SimFile {
            file: CardFile {
                path: path.into(),
                size_bytes: content.len() as u64,
                created_ns: None,
                modified_ns: Some(modified_ns),
                local_time: false,
            },
            content: content.into(),
            place: self.next_place,
            unreadable: false,
        };
        self.next_place += 1;
        self.files.insert(path.into(), file);
    }
}

/// A card that an appliance has open.
#[derive(Clone, Debug)]
pub(crate) struct OpenCard {
    path: String,
    same_as: u64,
    /// Place and size of what was looked at last.
    looked: Option<(u64, u64)>,
}

impl Machines {
    /// Puts a card into a slot, which is told.
    pub fn insert_card(&mut self, site: SiteId, path: &str, card: SimCard) {
        self.sites[site.0].cards.insert(path.into(), card);
        let event = Event::DeviceChanged {
            path: path.into(),
            added: true,
        };
        if self.sites[site.0].running {
            self.post_soon(site, event);
        }
    }

    /// Pulls it out.
    pub fn pull_card(&mut self, site: SiteId, path: &str) -> Option<SimCard> {
        let card = self.sites[site.0].cards.remove(path);
        let event = Event::DeviceChanged {
            path: path.into(),
            added: false,
        };
        if self.sites[site.0].running {
            self.post_soon(site, event);
        }
        card
    }

    /// A card that is in a slot, for the camera that writes to it.
    pub fn card_mut(&mut self, site: SiteId, path: &str) -> Option<&mut SimCard> {
        self.sites[site.0].cards.get_mut(path)
    }

    /// An op of a card: it takes a while, and happens at its end.
    pub(crate) fn ask_card(&mut self, site: SiteId, op: Op) {
        let here = &mut self.sites[site.0];
        let run = here.run;
        let lent = match &op {
            Op::ReadCard { into, .. } => Some(here.memory.lend(*into, Use::Writes)),
            _ => None,
        };
        let delay_ns = self.random.within(&(100_000..=10_000_000));
        let op = Box::new(op);
        self.after(delay_ns, Due::Card { site, run, op, lent });
    }

    /// What a card answers.
    pub(crate) fn on_card_due(&mut self, site: SiteId, op: Op, lent: Option<Lent>) {
        let event = match op {
            Op::OpenCard { tag, card, path } => {
                let found = self.sites[site.0].cards.get(&path).map(|there| there.facts.clone());
                let result = found.ok_or(IoError::NotFound);
                if let Ok(facts) = &result {
                    let same_as = facts.same_as;
                    let open = OpenCard {
                        path,
                        same_as,
                        looked: None,
                    };
                    self.sites[site.0].open_cards.insert(card, open);
                }
                Event::CardOpened { tag, result }
            }
            Op::ListCard { tag, card } => {
                let result = self.open_card(site, card).map(|(_, there)| CardListing {
                    files: there.files.values().map(|file| file.file.clone()).collect(),
                    more: false,
                    damage: there.damage.clone(),
                    damaged: there.damage.len() as u64,
                });
                Event::CardListed { tag, result }
            }
            Op::LookCard { tag, card, path } => {
                let result = self.open_card(site, card).and_then(|(open, there)| {
                    open.looked = None;
                    let found = there.files.get(&path).ok_or(IoError::NotFound)?;
                    open.looked = Some((found.place, found.file.size_bytes));
                    Ok(CardLook {
                        file: found.file.clone(),
                        place: found.place,
                    })
                });
                Event::CardLooked { tag, result }
            }
            Op::ReadCard {
                tag,
                card,
                at_bytes,
                into,
            } => {
                let result = self.read_card(site, card, at_bytes, into.length_bytes as usize);
                let result = result.map(|bytes| self.sites[site.0].memory.lent_bytes_mut(into).copy_from_slice(&bytes));
                Event::Done { tag, result }
            }
            Op::CloseCard { tag, card } => {
                self.sites[site.0].open_cards.remove(&card);
                Event::Done { tag, result: Ok(()) }
            }
            other => unreachable!("{other:?} is of no card"),
        };
        self.post(site, event, lent.into_iter().collect());
    }

    /// An open card and what is in its slot, if it is still the same one.
    fn open_card(&mut self, site: SiteId, card: CardId) -> Result<(&mut OpenCard, &SimCard), IoError> {
        let here = &mut self.sites[site.0];
        let open = here.open_cards.get_mut(&card).ok_or(IoError::Gone)?;
        let there = here.cards.get(&open.path).filter(|there| there.facts.same_as == open.same_as);
        Ok((open, there.ok_or(IoError::Gone)?))
    }

    fn read_card(&mut self, site: SiteId, card: CardId, at_bytes: u64, length: usize) -> Result<Vec<u8>, IoError> {
        let (open, there) = self.open_card(site, card)?;
        let (place, size_bytes) = open.looked.ok_or(IoError::Short)?;
        if at_bytes + length as u64 > size_bytes {
            return Err(IoError::Short);
        }
        let Some(file) = there.files.values().find(|file| file.place == place) else {
            return Ok(vec![OTHER_BYTE; length]);
        };
        if file.unreadable {
            return Err(IoError::Media);
        }
        let from = at_bytes as usize;
        Ok(file.content[from..from + length].to_vec())
    }
}
