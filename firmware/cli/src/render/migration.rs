//! From an old archive to a new one: what is left to bring, and who has moved.

use blockhaul_core::Name;
use blockhaul_core::control::types::{CutOver, Migrated};

use super::units::{size, things};
use crate::args::archive::Move;

/// What the new one does not have.
fn left(asked: &Move, blocks: u64) -> String {
    let (from, to) = (&asked.from, &asked.to);
    match blocks {
        0 => format!("Everything of {from} is in {to}."),
        blocks => format!("Of {from}, {} are not in {to} yet.", things(blocks, "block")),
    }
}

/// What hauling the one into the other comes to.
pub fn migrated(asked: &Move, it: &Migrated) -> String {
    let left = left(asked, it.blocks);
    match &it.job {
        None => format!("{left} Nothing was done; a job would haul {}.\n", size(it.bytes)),
        Some(job) => format!("{left} Job {job} hauls: blockhaul job show {job}\n"),
    }
}

/// Who has moved.
pub fn cut_over(asked: &Move, it: &CutOver) -> String {
    let (from, to) = (&asked.from, &asked.to);
    let names = |names: &[Name]| names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ");
    let mut text = String::new();
    if it.recorders.is_empty() && it.jobs.is_empty() {
        text += &format!("No recorder and no job of {from} is left to move.\n");
    } else if !it.done {
        text += "Nothing was changed. These would move:\n";
    }
    if !it.recorders.is_empty() {
        text += &format!("Recording into {to} instead of {from}: {}.\n", names(&it.recorders));
    }
    if !it.jobs.is_empty() {
        text += &format!("Hauling from {to} instead of {from}: {}.\n", names(&it.jobs));
    }
    if !it.staying.is_empty() {
        let staying = names(&it.staying);
        text += &format!("Still hauling {from}, because another job hauls {to} there: {staying}.\n");
    }
    text += &format!("{}\n", left(asked, it.blocks));
    if !it.cards.is_empty() {
        text += &format!(
            "Still taken into {from}: the files of {}. When everything of {from} is in {to}, remove each card and add it again with --archive {to}.\n",
            names(&it.cards)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_moves_in_words() {
        let name = |name: &str| name.parse::<Name>().unwrap();
        let asked = Move {
            from: name("old"),
            to: name("new"),
            dry_run: true,
        };
        let mut it = CutOver {
            recorders: vec![name("gate"), name("yard")],
            jobs: vec![name("out")],
            staying: vec![],
            cards: vec![name("dash")],
            blocks: 3,
            done: false,
        };
        assert_eq!(
            cut_over(&asked, &it),
            "Nothing was changed. These would move:\nRecording into new instead of old: gate, yard.\n\
             Hauling from new instead of old: out.\nOf old, 3 blocks are not in new yet.\n\
             Still taken into old: the files of dash. When everything of old is in new, remove each card and add it again with --archive new.\n"
        );
        (it.recorders, it.jobs, it.blocks, it.done) = (vec![], vec![], 0, true);
        it.cards.clear();
        assert_eq!(
            cut_over(&asked, &it),
            "No recorder and no job of old is left to move.\nEverything of old is in new.\n"
        );
    }
}
