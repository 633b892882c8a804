//! What must not creep: instructions and allocations of the core for one block that is recorded, hauled and kept, on simulated machines.
//! Counted by callgrind, so they are the same on every run and on a busy machine too.
//!
//! The blocks are short: what is counted is deciding, not hashing. Invariant: nothing is compared that depends on the clock.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use blockhaul_tests::Result;
use blockhaul_tests::programs::{find, tree};
use blockhaul_tests::stage;
use serde_json::{Value, json};

/// Blocks of the two runs, whose difference is counted: what start and pairing cost falls out.
const BLOCKS: [u64; 2] = [100, 300];
/// A figure that is kept may grow by so much before it is a failure: another compiler may bring that.
const TOLERANCE: f64 = 0.05;
/// Calls that allocate.
const ALLOCATORS: [&str; 4] = ["malloc", "calloc", "realloc", "posix_memalign"];

/// Counts per block.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    instructions: f64,
    allocations: f64,
}

/// Plays a haul of so many short blocks on simulated machines.
pub fn play(blocks: u64) {
    let mut pair = stage::pair(1 << 10, &[], "always", None);
    pair.stage.record(pair.lobby, blocks);
}

/// Counts, and compares with what is kept, or keeps it.
pub fn compare(refresh: bool) -> Result<()> {
    if find("valgrind").is_none() {
        return Err("valgrind is not installed: apt-get install valgrind".into());
    }
    let [few, many] = BLOCKS.map(count);
    let (few, many) = (few?, many?);
    let blocks = (BLOCKS[1] - BLOCKS[0]) as f64;
    let now = Counts {
        instructions: (many.instructions - few.instructions) / blocks,
        allocations: (many.allocations - few.allocations) / blocks,
    };
    println!(
        "For a block, both ends: {:.0} instructions, {:.1} allocations.",
        now.instructions, now.allocations
    );
    if refresh {
        let kept =
            json!({ "instructions_per_block": now.instructions.round(), "allocations_per_block": now.allocations.round() });
        let text = format!("{kept:#}\n");
        fs::write(file(), text).map_err(|error| format!("{} cannot be written: {error}", file().display()))?;
        println!("Kept in {}.", file().display());
        return Ok(());
    }
    let text = fs::read_to_string(file()).map_err(|error| format!("{}: {error}; keep it with --refresh", file().display()))?;
    let kept: Value = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file().display()))?;
    let mut grown = Vec::new();
    for (name, figure) in [
        ("instructions_per_block", now.instructions),
        ("allocations_per_block", now.allocations),
    ] {
        let before = kept[name]
            .as_f64()
            .ok_or_else(|| format!("{} has no {name}", file().display()))?;
        println!(
            "{name}: {figure:.0}, kept: {before:.0} ({:+.1} %)",
            (figure / before - 1.0) * 100.0
        );
        if figure > before * (1.0 + TOLERANCE) {
            grown.push(name);
        }
    }
    if grown.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "{} grew by more than {:.0} %. If that is worth it: cargo bench-haul guard --refresh",
            grown.join(" and "),
            TOLERANCE * 100.0
        ))
    }
}

fn file() -> PathBuf {
    tree().join("tests/bench/guard.json")
}

/// One run under callgrind, which counts within the steps of the appliances only.
fn count(blocks: u64) -> Result<Counts> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let out = folder.path().join("out");
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--quiet", "--tool=callgrind", "--toggle-collect=*site*Product*step*"])
        .args(["--compress-strings=no", "--compress-pos=no"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .args(["core", &blocks.to_string()]);
    let status = valgrind
        .status()
        .map_err(|error| format!("valgrind cannot be run: {error}"))?;
    if !status.success() {
        return Err(format!("valgrind failed ({status})"));
    }
    read(&out)
}

/// Takes the counts out of what callgrind wrote.
fn read(out: &Path) -> Result<Counts> {
    let text = fs::read_to_string(out).map_err(|error| error.to_string())?;
    let mut counts = Counts::default();
    let mut allocates = false;
    for line in text.lines() {
        if let Some(sum) = line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")) {
            counts.instructions = sum.trim().parse().map_err(|_| format!("callgrind wrote {line}"))?;
        } else if let Some(called) = line.strip_prefix("cfn=") {
            allocates = ALLOCATORS.contains(&called);
        } else if let Some(calls) = line.strip_prefix("calls=").filter(|_| allocates) {
            let number = calls.split(' ').next().and_then(|number| number.parse::<f64>().ok());
            counts.allocations += number.ok_or_else(|| format!("callgrind wrote {line}"))?;
            allocates = false;
        }
    }
    if counts.instructions > 0.0 {
        Ok(counts)
    } else {
        Err("callgrind counted nothing: the step of the product is not a function of its own any more".into())
    }
}
