//! How two archives differ.

use blockhaul_core::control::types::{Compared, FullRun, JobState, JobStatus, Whose};

use super::Look;
use super::table::Table;
use super::units::{count, percent, things};

/// One line of progress.
pub fn comparing(compared: &Compared) -> String {
    format!(
        "{} of {}, {} %",
        things(compared.blocks, "header"),
        count(compared.total),
        percent(compared.blocks, compared.total)
    )
}

/// What comparing found.
pub fn compared(name: &str, with: &str, compared: &Compared, look: &Look) -> String {
    let same = things(compared.same, "block");
    if compared.only_here + compared.only_there + compared.differing == 0 {
        return format!("Archives {name} and {with} have the same {same}.\n");
    }
    let mut table = Table::new(&["CAMERA", "KIND", "WHAT", ">FROM", ">TO", "ORIGIN"]);
    for one in &compared.differences {
        let what = match one.what {
            Whose::OnlyHere => format!("only in {name}"),
            Whose::OnlyThere => format!("only in {with}"),
            Whose::Differing => "differs".into(),
        };
        table.row([
            one.camera.to_string(),
            one.kind.to_string(),
            what,
            count(one.from),
            count(one.to.saturating_sub(1)),
            one.origin.to_string(),
        ]);
    }
    let mut text = table.lines(look);
    if compared.left_out > 0 {
        text += &format!("… and {} more.\n", count(compared.left_out));
    }
    text + &format!(
        "{same} are the same; {} only in {name}, {} only in {with}, {} differ.\n",
        count(compared.only_here),
        count(compared.only_there),
        count(compared.differing)
    )
}

/// What comparing over a link found, by one job.
pub fn over_a_link(job: &JobStatus, full: &FullRun) -> String {
    let mut told = format!(
        "Archive {} and {}, by job {}: {} compared, {} missing or damaged there",
        job.from,
        job.to,
        job.name,
        things(full.compared, "block"),
        count(full.lacking)
    );
    if job.backlog_blocks > 0 {
        told += &format!(", {} newer not there yet", count(job.backlog_blocks));
    }
    if job.state == JobState::Diverged {
        told += &format!("; {}", super::text::printable(&job.why));
    }
    if full.lacking > 0 {
        told += &format!(". Send them: blockhaul job run {} --full --wait", job.name);
    }
    told + ".\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;
    use blockhaul_core::control::types::Difference;

    #[test]
    fn differences_in_words() {
        let mut it = Compared {
            same: 9,
            ..Compared::default()
        };
        let plain = sample::plain();
        assert_eq!(compared("a", "b", &it, &plain), "Archives a and b have the same 9 blocks.\n");
        it.only_there = 2;
        it.differences.push(Difference {
            origin: Default::default(),
            camera: "lobby".parse().unwrap(),
            kind: Default::default(),
            from: 4,
            to: 6,
            what: Whose::OnlyThere,
        });
        assert_eq!(
            compared("a", "b", &it, &plain),
            "\
CAMERA  KIND   WHAT       FROM  TO  ORIGIN
lobby   video  only in b     4   5  00000000-0000-0000-0000-000000000000
9 blocks are the same; 0 only in a, 2 only in b, 0 differ.
"
        );
    }
}
