//! Runs the fuzzer on one target, and reads from what it says how it went.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use blockhaul_fuzz::{Result, Target, corpus};

/// Longest time for one input: the slowest takes milliseconds.
const INPUT_SECONDS: u32 = 10;
/// Most memory of the fuzzer with everything it keeps.
const MEMORY_MIB: u32 = 2048;

/// The fuzzer and where it works.
pub struct Bench {
    /// The program.
    pub engine: PathBuf,
    /// A folder for each target, kept between runs.
    pub work: PathBuf,
    /// With one, a run tries the same inputs in the same order, whatever was learned before.
    pub seed: Option<u32>,
}

/// How a run went.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Inputs in the tree.
    pub inputs: usize,
    /// Inputs that were tried.
    pub executions: u64,
    /// The same a second.
    pub per_second: u64,
    /// Edges of the program that were taken.
    pub coverage: u64,
    /// What was found.
    pub artifact: Option<PathBuf>,
    /// Why, in the words of the target.
    pub why: String,
}

impl Bench {
    /// The fuzzer, for that target.
    pub fn command(&self, target: &Target) -> Command {
        let mut command = Command::new(&self.engine);
        command
            .env("FUZZ_TARGET", target.name)
            .arg(format!("-timeout={INPUT_SECONDS}"))
            .arg(format!("-rss_limit_mb={MEMORY_MIB}"))
            .stdin(Stdio::null());
        command
    }

    /// Folder of a target.
    pub fn folder(&self, target: &Target) -> PathBuf {
        self.work.join(target.name)
    }

    /// Fuzzes a target for a time, or until something is found.
    pub fn run(&self, target: &Target, seconds: u64) -> Result<Run> {
        let folder = self.folder(target);
        let (artifacts, log) = (folder.join("artifacts"), folder.join("log"));
        let learned = folder.join(if self.seed.is_some() { "learned-from-seed" } else { "learned" });
        let failed = |what: &Path, error| format!("{} cannot be made: {error}.", what.display());
        let _ = fs::remove_dir_all(&artifacts);
        if self.seed.is_some() {
            let _ = fs::remove_dir_all(&learned);
        }
        for made in [&learned, &artifacts] {
            fs::create_dir_all(made).map_err(|error| failed(made, error))?;
        }
        let words = folder.join("words");
        let lines: String = target.words.iter().map(|word| format!("\"{word}\"\n")).collect();
        corpus::write(&words, lines.as_bytes())?;
        let said = File::create(&log).map_err(|error| failed(&log, error))?;

        let mut command = self.command(target);
        command
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-max_len={}", target.longest))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .args(["-print_final_stats=1", "-reload=0"]);
        if let Some(seed) = self.seed {
            command.arg(format!("-seed={seed}"));
        }
        if !target.words.is_empty() {
            command.arg(format!("-dict={}", words.display()));
        }
        // The first folder is where it writes what it learns; the others it only reads.
        let known = [corpus::seeds_folder(target), corpus::found_folder(target)];
        command.arg(&learned).args(known.iter().filter(|folder| folder.is_dir()));
        let outputs = said.try_clone().map_err(|error| failed(&log, error))?;
        let status = command.stdout(outputs).stderr(said).status();
        let status = status.map_err(|error| format!("{} cannot be run: {error}.", self.engine.display()))?;

        let text = String::from_utf8_lossy(&corpus::read(&log)?).into_owned();
        let artifact = corpus::files(&artifacts)?.into_iter().find(|file| {
            !file
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("slow-unit"))
        });
        if !status.success() && artifact.is_none() {
            return Err(format!(
                "{}: the fuzzer failed ({status}); {} says why.",
                target.name,
                log.display()
            ));
        }
        let inputs = corpus::inputs(target)?.len();
        Ok(Run {
            inputs,
            artifact,
            ..parse(&text)
        })
    }
}

/// Counts from what the fuzzer says.
fn parse(text: &str) -> Run {
    let statistic = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name));
        line.and_then(|value| value.trim_start_matches(':').trim().parse().ok())
    };
    let coverage = text
        .split("cov: ")
        .skip(1)
        .filter_map(|rest| rest.split(' ').next()?.parse().ok());
    Run {
        executions: statistic("number_of_executed_units").unwrap_or(0),
        per_second: statistic("average_exec_per_sec").unwrap_or(0),
        coverage: coverage.last().unwrap_or(0),
        why: why(text),
        ..Run::default()
    }
}

/// Why it ended: the panic, or the fuzzer's own words.
fn why(text: &str) -> String {
    let mut lines = text.lines().skip_while(|line| !line.contains("panicked at"));
    if let (Some(place), Some(words)) = (lines.next(), lines.next()) {
        let place = place.split_once("panicked at ").map_or(place, |(_, place)| place);
        return format!("{} ({})", words.trim(), place.trim_end_matches(':'));
    }
    let own = text.lines().find(|line| line.contains("ERROR: libFuzzer"));
    own.map_or(String::new(), |line| line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_reason_are_read() {
        let text = "INFO: seed corpus: files: 4\n#2\tINITED cov: 7 ft: 7 corp: 1/1b\n#9\tNEW    cov: 19 ft: 21 corp: 2/7b\n\
                    thread '<unnamed>' panicked at a/b.rs:1:2:\nit does not hold\n==1== ERROR: libFuzzer: deadly signal\n\
                    stat::number_of_executed_units: 1234\nstat::average_exec_per_sec:     617\n";
        let expected = Run {
            executions: 1234,
            per_second: 617,
            coverage: 19,
            why: "it does not hold (a/b.rs:1:2)".to_owned(),
            ..Run::default()
        };
        assert_eq!(parse(text), expected);
    }
}
