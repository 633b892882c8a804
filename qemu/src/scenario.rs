//! Which scenarios there are, and how they are played: one after the other, each in a folder of its own that is kept.

use std::path::PathBuf;
use std::time::Instant;

use blockhaul_tests::programs::{Profile, Programs};
use image::bake::Image;
use image::tree::{Tree, make_folder};
use image::{Result, daemon};

use crate::manifest::Entry;
use crate::report::Report;
use crate::scenarios;

/// Programs that are built for scenarios.
struct Tools {
    command: PathBuf,
    agent: PathBuf,
}

impl Tools {
    fn build(tree: &Tree) -> Result<Tools> {
        Ok(Tools {
            command: Programs::build(Profile::Dev)?.command,
            agent: daemon::build(tree, "qemu-agent", TARGET)?,
        })
    }
}

/// What a scenario has to work with.
#[derive(Clone)]
pub struct Stage<'a> {
    /// The source tree.
    pub tree: Tree,
    /// What is booted.
    pub image: &'a Image,
    /// Where its disks, logs and sockets are; empty at the start.
    pub folder: PathBuf,
    /// A folder for sockets, whose path is short.
    pub sockets: PathBuf,
    /// The command line, `blockhaul`.
    pub command: PathBuf,
    /// What is laid over the image; see `qemu/agent`.
    pub agent: PathBuf,
    /// The independent reader of the formats.
    pub reader: PathBuf,
    /// When it must have ended.
    pub deadline: Instant,
}

impl<'a> Stage<'a> {
    /// The same with another image.
    pub fn with(&self, image: &'a Image) -> Stage<'a> {
        Stage { image, ..self.clone() }
    }
}

/// What the agent is built for.
const TARGET: &str = "x86_64-unknown-linux-gnu";

type Scenario = fn(&Stage<'_>, &mut Report) -> Result<()>;

/// All scenarios.
const SCENARIOS: &[(&str, Scenario)] = &[
    ("smoke", scenarios::smoke::play),
    ("haul", scenarios::haul::play),
    ("power", scenarios::power::play),
    ("disk", scenarios::disk::play),
    ("network", scenarios::network::play),
    ("full", scenarios::full::play),
    ("clock", scenarios::clock::play),
    ("crash", scenarios::crash::play),
    ("board", scenarios::smoke::play_board),
    ("figures", scenarios::figures::play),
    ("builds", scenarios::builds::play),
    ("card", scenarios::card::play),
    ("stick", scenarios::stick::play),
    ("update", scenarios::update::play),
];

/// The names of all scenarios.
pub fn names() -> impl Iterator<Item = &'static str> {
    SCENARIOS.iter().map(|(name, _)| *name)
}

/// Plays the `wanted` ones; fails if one fails, after all were played.
pub fn play(tree: &Tree, image: &Image, wanted: &[&Entry]) -> Result<()> {
    let tools = Tools::build(tree)?;
    let mut failed = Vec::new();
    for entry in wanted {
        println!("{}: {}", entry.name, entry.summary);
        let begin = Instant::now();
        match play_one(tree, image, &tools, entry) {
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

fn play_one(tree: &Tree, image: &Image, tools: &Tools, entry: &Entry) -> Result<()> {
    let (_, scenario) = SCENARIOS
        .iter()
        .find(|(name, _)| *name == entry.name)
        .ok_or("the scenario is not in the program")?;
    let folder = tree.target.join("qemu").join(&entry.name);
    // What the last run left is of no use any more; if it cannot be removed, creating the disks will say so.
    let _ = std::fs::remove_dir_all(&folder);
    make_folder(&folder)?;
    let sockets = tempfile::tempdir().map_err(|error| format!("There is no folder for sockets: {error}."))?;
    let stage = Stage {
        tree: tree.clone(),
        image,
        folder,
        sockets: sockets.path().to_path_buf(),
        command: tools.command.clone(),
        agent: tools.agent.clone(),
        reader: tree.root.join("tests/reader.py"),
        deadline: Instant::now() + entry.limit(),
    };
    let mut report = Report::new();
    scenario(&stage, &mut report)?;
    report.finish(entry.checks)
}
