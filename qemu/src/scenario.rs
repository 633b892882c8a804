//! Which scenarios there are, and how they are played: one after the other, each in a folder of its own that is kept.

use std::path::PathBuf;
use std::time::Instant;

use image::Result;
use image::bake::Image;
use image::tree::{Tree, make_folder};

use crate::manifest::Entry;
use crate::report::Report;
use crate::smoke;

/// What a scenario has to work with.
pub struct Stage<'a> {
    /// What is booted.
    pub image: &'a Image,
    /// Where its disks, logs and sockets are; empty at the start.
    pub folder: PathBuf,
    /// When it must have ended.
    pub deadline: Instant,
}

type Scenario = fn(&Stage<'_>, &mut Report) -> Result<()>;

/// All scenarios.
const SCENARIOS: &[(&str, Scenario)] = &[("smoke", smoke::play)];

/// The names of all scenarios.
pub fn names() -> impl Iterator<Item = &'static str> {
    SCENARIOS.iter().map(|(name, _)| *name)
}

/// Plays the `wanted` ones; fails if one fails, after all were played.
pub fn play(tree: &Tree, image: &Image, wanted: &[&Entry]) -> Result<()> {
    let mut failed = Vec::new();
    for entry in wanted {
        println!("{}: {}", entry.name, entry.summary);
        let begin = Instant::now();
        match play_one(tree, image, entry) {
            Ok(()) => println!("{}: passed in {:.1} s\n", entry.name, begin.elapsed().as_secs_f32()),
            Err(error) => {
                println!(
                    "{}: FAILED after {:.1} s\n{error}\n",
                    entry.name,
                    begin.elapsed().as_secs_f32()
                );
                failed.push(entry.name.as_str());
            }
        }
    }
    println!("{} of {} scenarios passed", wanted.len() - failed.len(), wanted.len());
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("Failed: {}", failed.join(", ")))
    }
}

fn play_one(tree: &Tree, image: &Image, entry: &Entry) -> Result<()> {
    let (_, scenario) = SCENARIOS
        .iter()
        .find(|(name, _)| *name == entry.name)
        .ok_or("the scenario is not in the program")?;
    let folder = tree.target.join("qemu").join(&entry.name);
    // What the last run left is of no use any more; if it cannot be removed, creating the disks will say so.
    let _ = std::fs::remove_dir_all(&folder);
    make_folder(&folder)?;
    let stage = Stage {
        image,
        folder,
        deadline: Instant::now() + entry.limit(),
    };
    let mut report = Report::new();
    scenario(&stage, &mut report)?;
    report.finish(entry.checks)
}
