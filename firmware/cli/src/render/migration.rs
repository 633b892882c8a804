//! From an old archive to a new one: what is left to bring, and who has moved.

use blockhaul_core::Name;
use blockhaul_core::control::types::{CutOver, Migrated};

use super::units::{size, things};
use crate::args::archive::Move;

/// What hauling the one into the other comes to.
pub fn migrated(asked: &Move, it: &Migrated) -> String {
    let (from, to) = (&asked.from, &asked.to);
    let left = format!(
        "{} of {from} are not in {to} yet, {}.",
        things(it.blocks, "block"),
        size(it.bytes)
    );
    match &it.job {
        None => format!("{left}\nNothing was done; a job would haul them.\n"),
        Some(job) => format!("{left}\nJob {job} hauls them: blockhaul job show {job}\n"),
    }
}

/// Who has moved.
pub fn cut_over(asked: &Move, it: &CutOver) -> String {
    let (from, to) = (&asked.from, &asked.to);
    let names = |names: &[Name]| names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ");
    let mut text = String::new();
    let verb = if it.done { "" } else { "would " };
    if it.recorders.is_empty() && it.jobs.is_empty() {
        text += &format!("No recorder and no job of {from} is left to move.\n");
    }
    if !it.recorders.is_empty() {
        text += &format!(
            "{} {verb}record into {to}: {}.\n",
            things(it.recorders.len() as u64, "recorder"),
            names(&it.recorders)
        );
    }
    if !it.jobs.is_empty() {
        text += &format!(
            "{} {verb}haul from {to}: {}.\n",
            things(it.jobs.len() as u64, "job"),
            names(&it.jobs)
        );
    }
    if !it.staying.is_empty() {
        let staying = names(&it.staying);
        text += &format!("Still hauling {from}, because another job hauls {to} there: {staying}.\n");
    }
    text + &format!("{} of {from} are not in {to} yet.\n", things(it.blocks, "block"))
}
