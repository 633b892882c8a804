//! Cards, and what is on one.

use blockhaul_core::card::profile::PROFILES;
use blockhaul_core::control::types::{CardInfo, CardState, CardStatus};

use super::table::{Table, facts};
use super::units::{count, size, things, time};
use super::{Look, Tone};

fn word(state: CardState) -> (&'static str, Tone) {
    match state {
        CardState::Away => ("away", Tone::Quiet),
        CardState::Looking => ("looking", Tone::Quiet),
        CardState::Taking => ("taking", Tone::Good),
        CardState::Taken => ("taken", Tone::Good),
        CardState::Blocked => ("blocked", Tone::Bad),
    }
}

/// One row for each card.
pub fn table(cards: &[CardStatus], look: &Look) -> String {
    let mut table = Table::new(&[
        "CARD", "STATE", "ARCHIVE", "VOLUME", ">FILES", ">TAKEN", ">LEFT", ">WAITING", ">LOST", "PATH",
    ]);
    for card in cards {
        let (word, tone) = word(card.state);
        let left = match card.files_left {
            0 => "0".to_owned(),
            files => format!("{} ({})", count(files), size(card.bytes_left)),
        };
        table
            .row([
                card.name.to_string(),
                word.into(),
                card.archive.to_string(),
                card.volume_id.clone(),
                count(card.files),
                size(card.bytes),
                left,
                count(card.files_waiting),
                count(card.files_lost),
                card.path.clone(),
            ])
            .tone(1, tone);
        table.note("why:", &card.why, tone);
        table.note("do:", &card.action, tone);
        if !card.file.is_empty() {
            table.note("now:", &card.file, Tone::Quiet);
        }
        if card.files_unreadable > 0 {
            let told = format!(
                "{} cannot be read; see `blockhaul events`",
                things(card.files_unreadable, "file")
            );
            table.note("damaged:", &told, Tone::Watch);
        }
    }
    if table.is_empty() {
        "There is no card. What is put in: blockhaul events; what is on it: blockhaul card info PATH\n".into()
    } else {
        table.lines(look)
    }
}

/// What is on a card.
pub fn info(found: &CardInfo, look: &Look) -> String {
    let card = &found.facts;
    let yes = |flag: bool, yes: &str, no: &str| if flag { yes.to_owned() } else { no.to_owned() };
    let more = yes(found.more, " and more", "");
    let known = found.known.as_ref().map_or("no".to_owned(), ToString::to_string);
    let mut told = facts(
        &[
            ("file system", card.form.word().to_owned()),
            ("volume", card.volume_id.clone()),
            ("label", card.label.clone()),
            ("size", size(card.size_bytes)),
            (
                "identity",
                card.identity.map_or(String::new(), |identity| identity.to_string()),
            ),
            ("registers", card.serial.clone()),
            (
                "left in order",
                yes(!card.dirty, "yes", "no: pulled, or the camera lost power; it can be read"),
            ),
            ("known here as", known),
            ("files", format!("{}{more}, {}", count(found.files), size(found.bytes))),
        ],
        look,
    );
    if found.damaged > 0 {
        told += &format!("\n{} damaged:\n", things(found.damaged, "place"));
        for what in &found.damage {
            told += &format!("  {what}\n");
        }
    }
    let mut patterns = Table::new(&["PATTERN", "PROFILE", ">FILES", ">BYTES"]);
    for row in found.matched.iter().filter(|row| row.files > 0) {
        let text = row.pattern.to_string();
        let profile = PROFILES.iter().find(|(_, texts)| texts.contains(&text.as_str()));
        let profile = profile.map_or("", |(name, _)| name);
        patterns.row([text, profile.into(), count(row.files), size(row.bytes)]);
    }
    if !patterns.is_empty() {
        told += &format!("\n{}", patterns.lines(look));
    } else if found.files > 0 {
        told += "\nNo pattern takes any of them.\n";
    }
    let mut sample = Table::new(&["FILE", ">SIZE", "WRITTEN"]);
    for file in &found.sample {
        let written = if file.modified_ns == 0 {
            String::new()
        } else {
            time(file.modified_ns, look)
        };
        sample.row([file.path.clone(), size(file.bytes), written]);
    }
    if !sample.is_empty() {
        told += &format!("\n{}", sample.lines(look));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn a_card_tells_what_is_left_and_what_is_wrong() {
        let card = CardStatus {
            name: "dash".parse().unwrap(),
            archive: "main".parse().unwrap(),
            origin: hal::Uuid::default(),
            state: CardState::Taking,
            why: String::new(),
            action: String::new(),
            path: "/dev/sdb1".into(),
            volume_id: "1234-ABCD".into(),
            file: "DCIM/7.mp4".into(),
            files_left: 3,
            bytes_left: 3 << 20,
            files_waiting: 1,
            files: 12,
            bytes: 12 << 20,
            files_lost: 0,
            files_unreadable: 1,
        };
        assert_eq!(
            table(&[card], &sample::plain()),
            "\
CARD  STATE   ARCHIVE  VOLUME     FILES     TAKEN         LEFT  WAITING  LOST  PATH
dash  taking  main     1234-ABCD     12  12.0 MiB  3 (3.0 MiB)        1     0  /dev/sdb1
  now: DCIM/7.mp4
  damaged: 1 file cannot be read; see `blockhaul events`
"
        );
    }
}
