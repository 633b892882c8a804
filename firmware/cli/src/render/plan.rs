//! Plans of jobs in words.

use blockhaul_core::control::types::{JobPlan, Period, Rate};

use super::Look;
use super::units::{duration, rate, time};

/// Which blocks it takes.
pub fn takes(plan: &JobPlan, look: &Look) -> String {
    let mut said = match &plan.period {
        Period::Everything => vec!["everything that is missing there".to_owned()],
        Period::Range { from_utc_ns, to_utc_ns } => {
            vec![format!("from {} to {}", time(*from_utc_ns, look), time(*to_utc_ns, look))]
        }
        Period::Last {
            duration_ms,
            offset_ms: 0,
        } => vec![format!("the last {} before a run", duration(*duration_ms))],
        Period::Last { duration_ms, offset_ms } => {
            vec![format!(
                "{} up to {} before a run",
                duration(*duration_ms),
                duration(*offset_ms)
            )]
        }
        Period::Offline { margin_ms, wait_ms } => vec![format!(
            "what falls into times of which nothing else is there (margin {}, wait {})",
            duration(*margin_ms),
            duration(*wait_ms)
        )],
        Period::Timetable { hours } => vec![format!("what began {} ({})", hours.text(), hours.zone().name())],
    };
    let filter = &plan.filter;
    if !filter.kinds.is_empty() {
        let kinds: Vec<String> = filter.kinds.iter().map(ToString::to_string).collect();
        said.push(format!("only {}", kinds.join(", ")));
    }
    if let Some(from) = filter.from_utc_ns {
        said.push(format!("from {} on", time(from, look)));
    }
    if let Some(to) = filter.to_utc_ns {
        said.push(format!("before {}", time(to, look)));
    }
    if filter.key_frames {
        said.push("only blocks with key frames".into());
    }
    let tags = [("with", &filter.has), ("without", &filter.lacks)];
    said.extend(tags.iter().filter(|(_, tags)| !tags.is_empty()).map(|(word, tags)| {
        let names: Vec<&str> = tags.iter().map(|tag| tag.as_str()).collect();
        format!("only blocks {word} the tag {}", names.join(", "))
    }));
    said.join("; ")
}

/// What becomes of blocks that are at the target; none if nothing does.
pub fn after(plan: &JobPlan) -> Option<String> {
    let set = plan.after.tag.iter().map(|tag| format!("tagged {tag}"));
    let taken = plan.after.untag.iter().map(|tag| format!("{tag} taken away"));
    let all: Vec<String> = set.chain(taken).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// When its blocks leave, and how fast.
pub fn pace(plan: &JobPlan) -> String {
    let mut said = Vec::new();
    if plan.frozen {
        said.push("frozen".to_owned());
    }
    if plan.delay_ms > 0 {
        said.push(format!("{} late", duration(plan.delay_ms)));
    }
    if !plan.rates.is_empty() {
        said.push(rates(&plan.rates));
    }
    if said.is_empty() {
        said.push("at once, as fast as it can".into());
    }
    said.join("; ")
}

/// Speeds, the first that is open first.
pub fn rates(rates: &[Rate]) -> String {
    let one = |one: &Rate| {
        let hours = one.hours.as_ref();
        let when = hours.map_or(String::new(), |hours| format!(" {} ({})", hours.text(), hours.zone().name()));
        format!("{}{when}", rate(one.bytes_a_second))
    };
    rates.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// When its runs begin.
pub fn schedule(plan: &JobPlan) -> Option<String> {
    let schedule = plan.schedule.as_ref()?;
    let every = schedule.every_ms.map(|ms| format!("every {}", duration(ms)));
    let cron = schedule.cron.as_ref();
    every.or(cron.map(|cron| format!("{} ({})", cron.expression(), cron.zone().name())))
}
