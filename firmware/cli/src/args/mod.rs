//! The grammar of the command line: options that every command has, and one file of verbs for each noun.
//!
//! Nothing is done here, and nothing is asked of the daemon.

pub mod appliance;
pub mod archive;
pub mod card;
pub mod config;
pub mod grant;
pub mod job;
pub mod macros;
pub mod mark;
pub mod media;
pub mod peer;
pub mod plan;
pub mod recorder;
pub mod retention;
pub mod service;
pub mod tag;
pub mod tenant;
pub mod value;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// Where the daemon listens if nothing else is said.
pub const SOCKET: &str = "/run/blockhaul/control.sock";

/// Records cameras' streams as blocks, and hauls the blocks to other appliances.
#[derive(Debug, Parser)]
#[command(
    name = "blockhaul",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 usage, 3 done in part, 10 not found, 11 busy or fenced, 12 refused, \
                        13 daemon not reachable, 14 data damaged, 124 timeout."
)]
pub struct Cli {
    /// Options that every command has.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command has.
#[derive(Debug, clap::Args)]
pub struct Global {
    /// Control socket of the daemon
    #[arg(long, global = true, env = "BLOCKHAUL_SOCKET", value_name = "PATH", default_value = SOCKET)]
    pub socket: PathBuf,
    /// Answer in JSON: one object, or one object a line for what goes on
    #[arg(long, global = true)]
    pub json: bool,
    /// When to use colour; NO_COLOR is respected by `auto`
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub color: Color,
    /// Show no progress
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// All commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show who this appliance is: what another one needs to pair with it
    Identity,
    /// Disks, cards, partitions and network interfaces of the machine
    #[command(subcommand)]
    Device(appliance::Device),
    /// Archives: the logs of blocks
    #[command(subcommand)]
    Archive(archive::Archive),
    /// Cards of cameras: files that are taken into an archive whenever the card is there
    #[command(subcommand)]
    Card(card::Card),
    /// Recorders: sockets that take a stream into an archive
    #[command(subcommand)]
    Recorder(recorder::Recorder),
    /// Record a file or standard input, until it ends and all of it is durable
    Record(media::Record),
    /// Peers: other appliances, known by their keys
    #[command(subcommand)]
    Peer(peer::Peer),
    /// Grants: what a peer's token allows here
    #[command(subcommand)]
    Grant(grant::Grant),
    /// Tenants: whose cameras are whose; jobs and grants may name them
    #[command(subcommand)]
    Tenant(tenant::Tenant),
    /// Jobs: what is hauled where
    #[command(subcommand)]
    Job(job::Job),
    /// Retention: how long archives keep their blocks, and who guards them
    #[command(subcommand)]
    Retention(retention::Retention),
    /// One screen: archives, recorders, jobs, and what to do about them
    Status(appliance::Status),
    /// Who hauls what where: peers, routes, archives at both ends, jobs and their links
    Topology(appliance::Topology),
    /// Write a camera's recording to a file or to standard output
    Export(media::Export),
    /// List what is missing of a camera, and why
    Gaps(media::Gaps),
    /// Say whether a time of a camera is there: yes, no, or partly
    Exists(media::Exists),
    /// How much there is of each day and track
    Stats(media::Stats),
    /// Tags: labels on ranges of tracks
    #[command(subcommand)]
    Tag(tag::Tag),
    /// Marks: named points to wait for and to restore to
    #[command(subcommand)]
    Mark(mark::Mark),
    /// List what has happened
    Events(appliance::Events),
    /// Look at kernel, limits, clock and daemon: what is right, what is not, what to do
    Doctor,
    /// The whole configuration as one document: export, check, apply
    #[command(subcommand)]
    Config(config::Config),
    /// Macros: rules, on an event do some steps
    #[command(subcommand)]
    Macro(macros::Macro),
    /// The replication service as a whole: on, off
    #[command(subcommand)]
    Service(service::Service),
    /// Stop the daemon: in good order, at once, or when jobs have caught up
    Stop(appliance::Stop),
    /// Print a completion script for a shell
    Completions(appliance::Completions),
    /// Write the manual pages into a folder
    Man(appliance::Man),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_of_the_manual_parses() {
        let key = "ab".repeat(32);
        for line in [
            "identity",
            "device list",
            "archive create card --volume /dev/sda --size 2GiB --block-size 1MiB --mode ring --destroy S123 --dry-run",
            "archive list",
            "archive info card",
            "archive verify card",
            "card list",
            "card info /dev/sdb1",
            "card info /mnt/card --pattern **.mp4",
            "card add dash --archive card --path /dev/sdb1 --profile dashcam --camera front --zone Europe/Berlin --settle 2m",
            "card add door --archive card --path /mnt/door --pattern %c/**.mp4",
            "card remove dash",
            "recorder create r1 --archive card --camera lobby --kind audio --listen unix:/run/lobby.sock",
            "recorder list",
            "recorder remove r1",
            "record --archive card --camera lobby --input film.ts",
            "record --archive card --camera lobby --flush-after 5s",
            "peer add nvr --route nvr.example:7440 --route 10.0.0.1:7440%eth1 --key KEY",
            "peer add nvr --key KEY",
            "peer list",
            "peer remove nvr",
            "grant create --peer nvr --archive card --camera lobby --camera yard",
            "grant create --peer nvr --archive card --tenant acme",
            "grant list",
            "tenant create acme --camera lobby --camera yard",
            "tenant change acme --add gate --drop yard",
            "tenant list",
            "tenant remove acme",
            "grant revoke 4f",
            "job create lobby --from card --to nvr/main --camera lobby --mode always --token-file token",
            "job create --from card --to nvr/main --mode on-demand --token-file -",
            "job create --from card --to nvr/main --tenant acme --tenant bank --mode always --token-file -",
            "job list",
            "job show lobby",
            "job run lobby --wait --timeout 5m",
            "job wait lobby --for caught-up --timeout 60s",
            "job enable lobby",
            "job disable lobby",
            "job delete lobby",
            "job kick lobby",
            "job release lobby --dry-run",
            "job guard lobby",
            "retention show card",
            "retention set card --remove-after-success on --protect off --guards any-of:a,b --max-age 30d --dry-run",
            "retention set card --camera lobby --min-age 1d --min-size 1GiB --max-size none",
            "status --once",
            "status --watch --json",
            "export --archive card --camera lobby --from 2026-11-21 --to now -o lobby.ts --force",
            "gaps --archive card --camera lobby",
            "exists --archive card --camera lobby --from 10:00 --to now",
            "stats --per-day --archive card --camera lobby",
            "export --archive card --camera lobby -o lobby.ts --manifest lobby.manifest",
            "archive compare card --with main --camera lobby",
            "archive compare card --with nvr/main",
            "job run lobby --full --dry-run --wait",
            "archive scrub card --rate 10MiB/s --pause 168h",
            "archive scrub card --off",
            "archive remove card",
            "archive open card --volume card.img --read-only",
            "archive open card --volume card.img --uuid 01234567-89ab-4cde-8f01-23456789abcd",
            "tag set --archive card --camera lobby --kind audio --from 10:00 --to 11:00 court",
            "tag unset --archive card --camera lobby --blocks 1..9 court --dry-run",
            "tag list --archive card",
            "mark create m1 --archive card",
            "mark list --archive card",
            "mark wait m1 --archive card --timeout 60s",
            "mark restore m1 --archive card --into main --dry-run",
            "mark remove m1 --archive card",
            "events --follow --since 12",
            "doctor",
            "config export -o site.toml --secrets",
            "config check site.toml --offline",
            "config apply site.toml --dry-run",
            "config apply site.toml --yes",
            "macro list",
            "macro test night --event 12",
            "macro remove night",
            "macro enable night",
            "macro disable night",
            "topology",
            "topology --dot",
            "service on",
            "service off",
            "service status",
            "stop",
            "stop --now",
            "stop --drain lobby --drain yard --timeout 5m",
            "stop --drain all",
            "completions bash",
            "man pages",
        ] {
            let line = format!("blockhaul {}", line.replace("KEY", &key));
            assert!(
                parse(&line).is_ok(),
                "{line}: {}",
                parse(&line).err().map_or(String::new(), |e| e.to_string())
            );
        }
    }

    #[test]
    fn nonsense_is_told_in_a_sentence() {
        for (line, told) in [
            ("archive create Card --volume x", "a name is 1 to 63 of a-z"),
            ("archive create card --volume x --block-size 3MiB", "a power of two"),
            ("archive create card --volume x --size huge", "2GiB"),
            ("peer add nvr --key 12", "64 hexadecimal digits"),
            ("peer add nvr --route nvr --key 12", "HOST:PORT"),
            ("job create --from card --to nvr --mode always", "PEER/ARCHIVE"),
            ("job wait lobby --for caught-up --timeout 60", "60s"),
            ("job run lobby --timeout 60s", "--wait"),
            ("stop --now --drain all", "cannot be used with"),
            ("stop --timeout 60s", "--drain"),
            ("record --archive a --camera b --flush-after 1h", "1s to 300s"),
            ("export --archive a --camera b --from whenever", "2026-11-21"),
            ("retention set card --max-age 30", "30d"),
            ("retention set card --guards any-of:", "any-of:JOB,JOB"),
            ("tag set --archive a --camera b --blocks 9 x", "100..200"),
            ("card add a --archive b --path /x --pattern %q", "%Y %m %d"),
            ("card add a --archive b --path /x", "--profile"),
            ("archive scrub a --rate fast", "10MiB/s"),
            ("fly", "unrecognized subcommand"),
        ] {
            let error = parse(&format!("blockhaul {line}")).expect_err(line);
            assert_eq!(error.exit_code(), 2, "{line}");
            assert!(error.to_string().contains(told), "{line}: {error}");
        }
    }
}
