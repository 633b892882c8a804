//! Verbs of retention: how long an archive keeps its blocks, and who guards them.

use blockhaul_core::Name;
use blockhaul_core::control::types::GuardCount;
use clap::{Args, Subcommand, ValueEnum};

use super::value;

/// `blockhaul retention …`
#[derive(Debug, Subcommand)]
pub enum Retention {
    /// Show how long an archive keeps its blocks, who guards them, and what is freed next
    Show(Show),
    /// Say how long an archive keeps its blocks; what is not said stays as it is
    Set(Box<Set>),
}

/// `blockhaul retention show`
#[derive(Debug, Args)]
pub struct Show {
    /// Archive
    #[arg(value_name = "ARCHIVE")]
    pub archive: Name,
}

/// `blockhaul retention set`
#[derive(Debug, Args)]
#[command(
    after_help = "Blocks are freed in whole segments, the oldest first, and never while a job that counts still needs them.\n\n\
    Examples:\n  blockhaul retention set card --remove-after-success on --min-age 1d --dry-run\n  \
    blockhaul retention set yard --max-age 30d --protect on\n  \
    blockhaul retention set yard --camera gate --min-size 10GiB\n  \
    blockhaul retention set yard --guards any-of:north,south"
)]
pub struct Set {
    /// Archive
    #[arg(value_name = "ARCHIVE")]
    pub archive: Name,
    /// Free what every job that counts has acknowledged
    #[arg(long, value_enum, value_name = "ON|OFF")]
    pub remove_after_success: Option<Switch>,
    /// A ring is full rather than give up what is guarded, tagged or within a minimum
    #[arg(long, value_enum, value_name = "ON|OFF")]
    pub protect: Option<Switch>,
    /// Jobs that count: `all`, `JOB,JOB` (each of these), or `any-of:JOB,JOB` (one is enough)
    #[arg(long, value_name = "JOBS", value_parser = guards)]
    pub guards: Option<Guards>,
    /// Only for this camera: the bounds below
    #[arg(long, value_name = "ID")]
    pub camera: Option<Name>,
    /// Keep nothing older; `none` for no bound
    #[arg(long, value_name = "TIME", value_parser = age)]
    pub max_age: Option<Bound>,
    /// Keep not more than this of the archive, or of each track of the camera; `none` for no bound
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub max_size: Option<Bound>,
    /// Keep what is younger, of every track; `none` for no bound
    #[arg(long, value_name = "TIME", value_parser = age)]
    pub min_age: Option<Bound>,
    /// Keep the newest this much of every track; `none` for no bound
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub min_size: Option<Bound>,
    /// Say what would be freed at once, and change nothing
    #[arg(long, short = 'n')]
    pub dry_run: bool,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// A bound, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound(pub Option<u64>);

/// Whose acknowledgements count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guards {
    /// How.
    pub count: GuardCount,
    /// Which.
    pub jobs: Vec<Name>,
}

fn bound(text: &str, value: impl Fn(&str) -> Result<u64, String>) -> Result<Bound, String> {
    match text {
        "none" => Ok(Bound(None)),
        _ => value(text).map(|number| Bound(Some(number))),
    }
}

fn age(text: &str) -> Result<Bound, String> {
    bound(text, value::age_ms)
}

fn size(text: &str) -> Result<Bound, String> {
    bound(text, value::size)
}

fn guards(text: &str) -> Result<Guards, String> {
    let (count, names) = match text.strip_prefix("any-of:") {
        _ if text == "all" => {
            return Ok(Guards {
                count: GuardCount::All,
                jobs: Vec::new(),
            });
        }
        Some(names) => (GuardCount::AnyOf, names),
        None => (GuardCount::Only, text),
    };
    let jobs = names.split(',').map(|name| name.trim().parse());
    let jobs = jobs
        .collect::<Result<_, _>>()
        .map_err(|why| format!("{text:?} names no jobs ({why}); write all, or JOB,JOB, or any-of:JOB,JOB"))?;
    Ok(Guards { count, jobs })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_counts_and_how_much() {
        assert_eq!(guards("all").unwrap().count, GuardCount::All);
        let any = guards("any-of:north, south").unwrap();
        assert_eq!((any.count, any.jobs.len()), (GuardCount::AnyOf, 2));
        assert_eq!(guards("north").unwrap().count, GuardCount::Only);
        assert!(guards("any-of:").is_err() && guards("North").is_err());
        assert_eq!(age("none"), Ok(Bound(None)));
        assert_eq!(age("30d"), Ok(Bound(Some(30 * 86_400_000))));
        assert_eq!(size("10GiB"), Ok(Bound(Some(10 << 30))));
        assert!(size("0").is_err());
    }
}
