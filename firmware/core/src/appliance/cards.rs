//! The cards of an appliance: which device is which, and what happens to whom.
//!
//! Not here: what a card does (`card/`). Invariant: of an identity one card at a time is read, wherever else it turns up.

use hal::{CardFacts, CardId, CardListing, CardLook, DeviceFacts};

use super::*;
use crate::card::check::Check;
use crate::card::configured::Card;
use crate::card::probe::{PROBES_MAX, Probe, Question, info};
use crate::card::profile::CardSetting;
use crate::control::changes::Change;
use crate::control::types::{CardAdd, CardStatus, Refusal, RefusalCode};
use crate::control::{refuse, reply};
use crate::purpose::CardTask;

/// Every card, and every look at what may be one.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Cards {
    /// Places stay as long as the appliance runs.
    cards: Vec<Option<Card>>,
    probes: BTreeMap<u64, Probe>,
    next_probe: u64,
    pub(super) checks: BTreeMap<u64, Check>,
    pub(super) next_check: u64,
    next_id: u32,
}

impl Cards {
    fn id(&mut self) -> CardId {
        self.next_id += 1;
        CardId(self.next_id)
    }

    pub(super) fn live(&self) -> impl Iterator<Item = &Card> {
        self.cards.iter().flatten().filter(|card| !card.deleted)
    }

    pub fn wake_all(&self, context: &mut Context) {
        for card in self.cards.iter().flatten() {
            context.wake(Ready::Card(card.index));
        }
    }

    pub fn wake_those_of(&self, archive: usize, context: &mut Context) {
        for card in self.cards.iter().flatten().filter(|card| card.archive == archive) {
            context.wake(Ready::Card(card.index));
        }
    }

    /// No op is in flight for any card.
    pub fn are_quiet(&self) -> bool {
        self.probes.is_empty() && self.checks.is_empty() && self.cards.iter().flatten().all(Card::is_quiet)
    }

    pub fn on_survey(
        &mut self,
        card: usize,
        sequence: u64,
        result: Result<(), IoError>,
        archive: &Archive,
        context: &mut Context,
    ) {
        if let Some(card) = &mut self.cards[card] {
            card.on_survey(sequence, result, archive, context);
        }
    }

    pub fn on_settled(&mut self, card: usize, what: &SettledWhat, durable: bool, context: &mut Context) {
        if let Some(card) = &mut self.cards[card] {
            card.on_settled(what, durable, context);
        }
    }
}

impl Parts {
    /// Takes up the cards of the settings.
    pub(super) fn begin_cards(&mut self, context: &mut Context) {
        for setting in self.settings.cards.clone() {
            self.add_card(setting, context);
        }
        self.find_cards(context);
    }

    pub fn add_card(&mut self, setting: CardSetting, context: &mut Context) {
        let Some(archive) = self.archive_place(&setting.archive) else {
            return;
        };
        let index = self.cards.cards.len();
        self.cards.cards.push(Some(Card::new(index, setting, archive)));
        context.wake(Ready::Card(index));
    }

    pub fn remove_card(&mut self, name: &crate::Name, context: &mut Context) {
        let found = self.cards.cards.iter_mut().flatten();
        for card in found.filter(|card| !card.deleted && card.setting.name == *name) {
            card.deleted = true;
            context.wake(Ready::Card(card.index));
        }
    }

    /// Looks for cards that are there and are known by their identity.
    pub fn find_cards(&mut self, context: &mut Context) {
        if self
            .cards
            .live()
            .any(|card| card.setting.path.is_none() && card.path().is_none())
        {
            let tag = context.tag(Purpose::FindCards);
            context.submit(Op::ListDevices { tag });
        }
    }

    pub(super) fn on_devices(&mut self, disks: &[DeviceFacts], context: &mut Context) {
        for disk in disks.iter().filter(|disk| disk.held_by.is_empty()) {
            let is_volume = self.settings.archives.iter().any(|archive| archive.volume == disk.path);
            if !is_volume {
                let _ = self.probe(disk.path.clone(), Question::Start, context);
            }
        }
    }

    /// A device came or went.
    pub(super) fn on_device(&mut self, path: String, added: bool, context: &mut Context) {
        if added {
            let is_volume = self.settings.archives.iter().any(|archive| archive.volume == path);
            if !is_volume && self.stopping.is_none() {
                let _ = self.probe(path, Question::Added, context);
            }
            return;
        }
        for card in self.cards.cards.iter_mut().flatten() {
            if card.path() == Some(&path) {
                card.leave(context);
            }
        }
    }

    /// Begins a look.
    pub fn probe(&mut self, path: String, question: Question, context: &mut Context) -> Result<(), Refusal> {
        if !path.starts_with('/') {
            let sentence = format!("The path {path} is not absolute.");
            return Err(crate::archive::creation::refusal(
                RefusalCode::Usage,
                sentence,
                "Begin it with a slash.",
            ));
        }
        self.not_checked(&path)?;
        if self.cards.probes.len() >= PROBES_MAX || self.stopping.is_some() {
            let sentence = "Too many cards are being looked at.";
            return Err(crate::archive::creation::refusal(RefusalCode::Busy, sentence, "Try again."));
        }
        let id = self.cards.id();
        let number = self.cards.next_probe;
        self.cards.next_probe += 1;
        let tag = context.tag(Purpose::Probe(number, CardTask::Open));
        context.submit(Op::OpenCard {
            tag,
            card: id,
            path: path.clone(),
        });
        let probe = Probe {
            id,
            path,
            question,
            facts: None,
        };
        self.cards.probes.insert(number, probe);
        Ok(())
    }

    /// A card has answered.
    pub(super) fn on_card(&mut self, event: Event, context: &mut Context) {
        match event {
            Event::CardOpened { tag, result } => {
                let purpose = context.shared.tags.take(tag);
                self.on_card_opened(purpose, result, context);
            }
            Event::CardListed { tag, result } => {
                let purpose = context.shared.tags.take(tag);
                self.on_card_listed(purpose, result, context);
            }
            Event::CardLooked { tag, result } => {
                let purpose = context.shared.tags.take(tag);
                self.on_card_looked(purpose, result, context);
            }
            other => unreachable!("{other:?} is of no card"),
        }
    }

    fn on_card_opened(&mut self, purpose: Purpose, result: Result<CardFacts, IoError>, context: &mut Context) {
        match purpose {
            Purpose::Card(index, _) => {
                let (twin, _) = self.twins(result.as_ref().ok());
                if let Some(card) = &mut self.cards.cards[index] {
                    // One that is read at another path already.
                    let result = if twin.is_some() { Err(IoError::Busy) } else { result };
                    card.on_opened(result, context);
                }
            }
            Purpose::Probe(number, _) => self.on_probed(number, result, context),
            other => unreachable!("{other:?} opens no card"),
        }
    }

    /// The known card with that identity: its place if it is present, and its place anyhow.
    fn twins(&self, facts: Option<&CardFacts>) -> (Option<usize>, Option<usize>) {
        let identity = facts.and_then(|facts| facts.identity);
        let known = self.cards.live().find(|card| identity == Some(card.setting.origin));
        let present = known.filter(|card| card.path().is_some());
        (present.map(|card| card.index), known.map(|card| card.index))
    }

    fn close_card(&mut self, number: u64, id: CardId, context: &mut Context) {
        let tag = context.tag(Purpose::Probe(number, CardTask::Close));
        context.submit(Op::CloseCard { tag, card: id });
    }

    fn on_probed(&mut self, number: u64, result: Result<CardFacts, IoError>, context: &mut Context) {
        let Some(mut probe) = self.cards.probes.remove(&number) else {
            return;
        };
        let facts = match result {
            Ok(facts) => facts,
            Err(error) => {
                if let Question::Add(client, _) | Question::Info(client, _) = probe.question {
                    refuse(client, &cannot_open(&probe.path, error), context);
                }
                return;
            }
        };
        match probe.question.clone() {
            Question::Added | Question::Start => self.on_device_probed(number, probe, facts, context),
            Question::Add(client, add) => {
                self.close_card(number, probe.id, context);
                let setting = self.card_setting(add, facts, context);
                self.change(Some(client), Change::AddCard(setting), context);
            }
            Question::Info(..) => {
                probe.facts = Some(facts);
                let tag = context.tag(Purpose::Probe(number, CardTask::List));
                context.submit(Op::ListCard { tag, card: probe.id });
                self.cards.probes.insert(number, probe);
            }
        }
    }

    fn card_setting(&mut self, add: CardAdd, facts: CardFacts, context: &mut Context) -> CardSetting {
        // A device is found by its identity, in whatever slot it is then.
        let by_path = facts.identity.is_none() || !add.path.starts_with("/dev/");
        CardSetting {
            name: add.name,
            archive: add.archive,
            origin: facts.identity.unwrap_or_else(|| context.shared.entropy.uuid()),
            path: by_path.then_some(add.path),
            volume_id: facts.volume_id,
            serial: facts.serial,
            patterns: add.patterns,
            camera: add.camera,
            kind: add.kind,
            sidecars: add.sidecars,
            zone: add.zone,
            settle_ms: add.settle_ms,
        }
    }

    /// A device is a card: one that is known, or not.
    fn on_device_probed(&mut self, number: u64, probe: Probe, facts: CardFacts, context: &mut Context) {
        let (present, known) = self.twins(Some(&facts));
        if let Some(index) = present {
            self.close_card(number, probe.id, context);
            let Some(card) = &self.cards.cards[index] else { return };
            if card.facts().is_some_and(|other| other.same_as != facts.same_as) {
                let sentence = format!(
                    "The card at {} has the identity of card {}, which is at {}: one is a copy of the other. Only the latter is read.",
                    probe.path,
                    card.setting.name,
                    card.path().unwrap_or_default()
                );
                let name = card.setting.name.clone();
                context.say(Code::CardCloned, &name, sentence);
            }
            return;
        }
        if let Some(card) = known.and_then(|index| self.cards.cards[index].as_mut()) {
            if is_other_register(&card.setting.serial, &facts.serial) {
                let sentence = format!(
                    "The card at {} has the file system of card {} and other registers ({}): one is a copy of the other, or the camera \
                     formats all cards alike. Nothing is taken from it.",
                    probe.path, card.setting.name, facts.serial
                );
                let name = card.setting.name.clone();
                context.say(Code::CardCloned, &name, sentence);
                self.close_card(number, probe.id, context);
                return;
            }
            card.arrive(probe.id, probe.path, facts, context);
            return;
        }
        self.close_card(number, probe.id, context);
        if matches!(probe.question, Question::Added) {
            let label = if facts.label.is_empty() {
                String::new()
            } else {
                format!(" named {}", facts.label)
            };
            let sentence = format!(
                "At {} is a card that is not known here ({} {}{label}); nothing is read from it. To take its files: blockhaul card add.",
                probe.path,
                facts.form.word(),
                facts.volume_id
            );
            context.say(Code::CardUnknown, &probe.path, sentence);
        }
    }

    fn on_card_listed(&mut self, purpose: Purpose, result: Result<CardListing, IoError>, context: &mut Context) {
        match purpose {
            Purpose::Card(index, _) => self.with_card(index, context, |card, archive, context| {
                card.on_listed(result, archive, context);
            }),
            Purpose::Probe(number, _) => {
                let Some(probe) = self.cards.probes.remove(&number) else {
                    return;
                };
                self.close_card(number, probe.id, context);
                let (Question::Info(client, patterns), Some(facts)) = (probe.question, probe.facts) else {
                    return;
                };
                let known = self.twins(Some(&facts)).1.and_then(|index| self.cards.cards[index].as_ref());
                let known = known.map(|card| card.setting.name.clone());
                match result {
                    Ok(listing) => reply(client, &info(facts, known, &listing, &patterns), false, context),
                    Err(error) => refuse(client, &cannot_open(&probe.path, error), context),
                }
            }
            other => unreachable!("{other:?} lists no card"),
        }
    }

    fn on_card_looked(&mut self, purpose: Purpose, result: Result<CardLook, IoError>, context: &mut Context) {
        let Purpose::Card(index, _) = purpose else {
            unreachable!("{purpose:?} looks at no file")
        };
        self.with_card(index, context, |card, archive, context| {
            card.on_looked(result, archive, context)
        });
    }

    pub(super) fn on_card_done(&mut self, index: usize, task: CardTask, result: Result<(), IoError>, context: &mut Context) {
        if task == CardTask::Import {
            self.with_card(index, context, |card, archive, context| {
                card.on_read(result, archive, context)
            });
        }
    }

    fn with_card(&mut self, index: usize, context: &mut Context, what: impl FnOnce(&mut Card, &mut Archive, &mut Context)) {
        if let Some(card) = &mut self.cards.cards[index]
            && let Some(archive) = &mut self.archives[card.archive]
        {
            what(card, archive, context);
        }
    }

    pub(super) fn decide_card(&mut self, index: usize, context: &mut Context) {
        let stopping = self.stopping.is_some();
        let Some(card) = &mut self.cards.cards[index] else { return };
        if !stopping && card.wants_open(context.now.at) {
            self.cards.next_id += 1;
            card.open(CardId(self.cards.next_id), context);
            return;
        }
        self.with_card(index, context, |card, archive, context| card.poll(archive, stopping, context));
    }

    pub fn card_statuses(&self) -> Vec<CardStatus> {
        let cards = self.cards.live();
        cards.map(|card| card.status(&self.archive_name(card.archive))).collect()
    }
}

/// Whether two registers are both those of cards, and not of the same one. A reader shows its own serial number instead.
fn is_other_register(one: &str, other: &str) -> bool {
    let is_register = |serial: &str| serial.len() == 32 && serial.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_register(one) && is_register(other) && !one.eq_ignore_ascii_case(other)
}

fn cannot_open(path: &str, error: IoError) -> Refusal {
    let next = match error {
        IoError::Busy => "It is mounted here, or held by another program: unmount it, or give the folder where it is mounted.",
        IoError::Unsupported => {
            "FAT, exFAT, ext2 to ext4 and folders can be read. Of a disk with partitions, give the partition."
        }
        IoError::NotFound | IoError::Gone => "See what there is: blockhaul device list",
        _ => "See that the card sits well, and try another reader.",
    };
    let code = match error {
        IoError::NotFound | IoError::Gone => RefusalCode::NotFound,
        IoError::Busy => RefusalCode::Busy,
        IoError::Damaged => RefusalCode::Damaged,
        _ => RefusalCode::Failed,
    };
    crate::archive::creation::refusal(code, format!("The card at {path} cannot be read ({error})."), next)
}
