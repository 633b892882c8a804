//! The steps of `cargo ci`, in order: the quick ones first.

use std::process::{Command, Stdio};

use blockhaul_tests::Result;
use blockhaul_tests::programs::cargo;

use crate::{packages, readme};

/// Target without an operating system that the core is built for.
const BARE_TARGET: &str = "x86_64-unknown-none";

/// One thing that must be right.
pub struct Step {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it does.
    pub what: &'static str,
    /// Does it. An error is a sentence.
    pub run: fn() -> Result<()>,
}

/// All steps.
pub const STEPS: [Step; 15] = [
    Step {
        name: "packages",
        what: "programs of the distribution that tests use",
        run: packages::install,
    },
    Step {
        name: "toolchain",
        what: "rustfmt, clippy and the target without an operating system",
        run: toolchain,
    },
    Step {
        name: "format",
        what: "cargo fmt --all --check",
        run: format,
    },
    Step {
        name: "lints",
        what: "cargo clippy, warnings are errors",
        run: lints,
    },
    Step {
        name: "core",
        what: "the core builds without an operating system",
        run: core,
    },
    Step {
        name: "test",
        what: "cargo test --workspace",
        run: test,
    },
    Step {
        name: "fuzz",
        what: "cargo fuzz-decoders: every decoder, guided by coverage, ten seconds each",
        run: fuzz,
    },
    Step {
        name: "sim",
        what: "cargo sim: 10,000 histories of archives, 3,000 of hauling, 1,000 of archives that free, 1,000 with wrong peers",
        run: sim,
    },
    Step {
        name: "crash-states",
        what: "cargo crash-states, io and bits: power cuts, failing operations, turned bits",
        run: crash_states,
    },
    Step {
        name: "exhaust",
        what: "cargo exhaust: every order of completions of a small appliance",
        run: exhaust,
    },
    Step {
        name: "seeded-bugs",
        what: "cargo seeded-bugs: a release refuses them, the benches find twenty-three of them",
        run: seeded_bugs,
    },
    Step {
        name: "demo",
        what: "cargo demo, and cargo demo -- --card",
        run: demo,
    },
    Step {
        name: "readme",
        what: "every command in README.md exists",
        run: readme::check,
    },
    Step {
        name: "image",
        what: "cargo image build, sbom and deb",
        run: image,
    },
    Step {
        name: "qemu",
        what: "cargo qemu quick: images boot, haul, and lose power",
        run: qemu,
    },
];

/// Runs a command without input; what it prints is seen as it comes.
pub fn run(command: &mut Command, what: &str) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("{what} cannot be run: {error}."))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{what} failed ({status}); why is above."))
    }
}

fn run_cargo(arguments: &[&str]) -> Result<()> {
    run(cargo().args(arguments), &format!("cargo {}", arguments.join(" ")))
}

/// A tool is there; what it says is not shown.
fn works(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|it| it.success())
}

fn toolchain() -> Result<()> {
    for (component, tool) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if !works(cargo().args([tool, "--version"])) {
            rustup(&["component", "add", component])?;
        }
    }
    if !has_bare_target() {
        rustup(&["target", "add", BARE_TARGET])?;
    }
    println!("rustfmt, clippy and {BARE_TARGET} are there.");
    Ok(())
}

/// Rust of a distribution has no rustup; then the library of the target is a package.
fn has_bare_target() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", BARE_TARGET])
        .output();
    let Ok(output) = output else { return false };
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success()
        && std::fs::read_dir(folder).is_ok_and(|files| {
            files
                .flatten()
                .any(|file| file.file_name().to_string_lossy().starts_with("libcore-"))
        })
}

fn rustup(arguments: &[&str]) -> Result<()> {
    let what = format!("rustup {}", arguments.join(" "));
    println!("{what}");
    run(Command::new("rustup").args(arguments), &what)
        .map_err(|why| format!("{why} Run `{what}`, or install that part of Rust with the distribution's packages."))
}

fn format() -> Result<()> {
    run_cargo(&["fmt", "--all", "--check"]).map_err(|why| format!("{why} `cargo fmt --all` puts it right."))
}

fn lints() -> Result<()> {
    run_cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    run_cargo(&[
        "clippy",
        "--package",
        "blockhaul-tests",
        "--features",
        "seeded-bugs",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])
}

fn core() -> Result<()> {
    run_cargo(&["build", "--package", "blockhaul-core", "--target", BARE_TARGET])
}

fn test() -> Result<()> {
    run_cargo(&["test", "--workspace"])
}

fn fuzz() -> Result<()> {
    run_cargo(&["fuzz-decoders", "--seconds", "200", "--seed", "1"])
}

fn sim() -> Result<()> {
    run_cargo(&["sim", "--kind", "archive", "--seeds", "10000"])?;
    run_cargo(&["sim", "--kind", "hauling", "--seeds", "3000"])?;
    run_cargo(&["sim", "--kind", "keeping", "--seeds", "1000"])?;
    run_cargo(&["sim", "--kind", "peer", "--seeds", "1000"])
}

fn crash_states() -> Result<()> {
    run_cargo(&["crash-states"])?;
    run_cargo(&["crash-states", "io"])?;
    run_cargo(&["crash-states", "bits", "--quick"])
}

fn exhaust() -> Result<()> {
    run_cargo(&["exhaust"])
}

fn seeded_bugs() -> Result<()> {
    let bugs = ["--package", "blockhaul-core", "--features", "seeded-bugs"];
    println!("A release with bugs on purpose must not compile:");
    if run_cargo(&[&["check", "--release"], &bugs[..]].concat()).is_ok() {
        return Err("A release with the feature seeded-bugs compiles; see firmware/core/src/seeded.rs.".into());
    }
    run_cargo(&["seeded-bugs", "--quick"])
}

fn demo() -> Result<()> {
    run_cargo(&["demo"])?;
    run_cargo(&["demo", "--", "--card"])
}

fn image() -> Result<()> {
    run_cargo(&["image", "build"])?;
    run_cargo(&["image", "sbom"])?;
    run_cargo(&["image", "deb"])
}

fn qemu() -> Result<()> {
    run_cargo(&["qemu", "setup"])?;
    run_cargo(&["qemu", "quick"])
}
