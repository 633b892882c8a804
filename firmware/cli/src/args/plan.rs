//! What a job takes, when, and how fast, as people write it.

use blockhaul_core::calendar::{Cron, Timetable, Zone};
use blockhaul_core::control::types::{After, Bounds, Filter, JobPlan, Period, Rate, Schedule, margin_ms, wait_ms};
use blockhaul_core::{Kind, Name};
use clap::Args;

use super::value;

/// Blocks are removed at the source.
const REMOVE: &str = "remove";

/// Options of a plan. What is not given is left as it is.
#[derive(Debug, Args)]
pub struct Plan {
    /// Begin a run every so often, from 1s on; for `--mode schedule`
    #[arg(long, value_name = "TIME", value_parser = value::duration_ms, conflicts_with = "cron")]
    pub every: Option<u64>,
    /// Begin a run at these times: minute hour day month weekday, or @daily; for `--mode schedule`
    #[arg(long, value_name = "EXPRESSION")]
    pub cron: Option<String>,
    /// Time zone of --cron, --rate and --period, like Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC", hide_default_value = true, value_parser = zone)]
    pub tz: Zone,
    /// A block leaves when it began that long ago; `none` for at once
    #[arg(long, value_name = "TIME", value_parser = delay_ms)]
    pub delay: Option<u64>,
    /// No faster than this, like 20MiB/s; with a timetable behind it only then: "2MiB/s mon-fri 08:00-18:00". May be given several
    /// times: the first that is open holds. `none` for as fast as it can
    #[arg(long = "rate", value_name = "RATE")]
    pub rates: Vec<String>,
    /// Only some blocks: kind=video, from=TIME, to=TIME, key-frames, has:TAG, lacks:TAG; may be given several times. `none` for all
    #[arg(long = "filter", value_name = "FILTER")]
    pub filters: Vec<String>,
    /// What becomes here of blocks that are at the target: tag:NAME, untag:NAME, or remove, which is `retention set --remove-after-success
    /// on`; may be given several times. `none` for nothing
    #[arg(long = "after-success", value_name = "WHAT")]
    pub after_success: Vec<String>,
    /// Of which time runs take blocks: everything, FROM..TO, "last 2h", "last 2h before 30m", "open mon-fri 08:00-18:00", offline
    /// (only what falls into times of which the target holds nothing from elsewhere; "offline margin 2s wait 10m")
    #[arg(long, value_name = "PERIOD")]
    pub period: Option<String>,
}

/// Where a run takes blocks, and where it ends.
#[derive(Debug, Args)]
pub struct Order {
    /// Of which time this run takes blocks, if not that of the job: everything, FROM..TO, "last 2h", "open sat,sun", offline
    #[arg(long, value_name = "PERIOD")]
    pub period: Option<String>,
    /// Time zone of --period
    #[arg(long, value_name = "ZONE", default_value = "UTC", hide_default_value = true, value_parser = zone)]
    pub tz: Zone,
    /// End after so many blocks
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub blocks: Option<u64>,
    /// End before this log sequence of the source archive
    #[arg(long, value_name = "SEQUENCE", value_parser = clap::value_parser!(u64).range(1..))]
    pub until_sequence: Option<u64>,
    /// End where this mark of the source archive stands
    #[arg(long, value_name = "MARK")]
    pub until_mark: Option<Name>,
    /// End when an event with this code is said
    #[arg(long, value_name = "CODE")]
    pub until_event: Option<String>,
}

impl Plan {
    /// The plan before, with what was said.
    pub fn over(&self, before: JobPlan) -> Result<JobPlan, String> {
        let mut plan = before;
        if self.every.is_some() || self.cron.is_some() {
            let cron = self.cron.as_ref().map(|text| Cron::new(text, self.tz.clone()));
            plan.schedule = Some(Schedule {
                every_ms: self.every,
                cron: cron.transpose()?,
            });
        }
        if let Some(ms) = self.delay {
            plan.delay_ms = ms;
        }
        if !self.rates.is_empty() {
            plan.rates = rates(&self.rates, &self.tz)?;
        }
        if !self.filters.is_empty() {
            plan.filter = filter(&self.filters)?;
        }
        if !self.after_success.is_empty() {
            plan.after = after(&self.after_success)?;
        }
        if let Some(text) = &self.period {
            plan.period = period(text, &self.tz)?;
        }
        Ok(plan)
    }
}

impl Plan {
    /// Whether blocks are to be removed here once they are at the target.
    pub fn removes(&self) -> bool {
        self.after_success.iter().any(|what| what == REMOVE)
    }
}

impl Order {
    /// As the daemon takes it.
    pub fn parts(&self) -> Result<(Option<Period>, Bounds), String> {
        let said = self.period.as_ref().map(|text| period(text, &self.tz)).transpose()?;
        let bounds = Bounds {
            blocks: self.blocks,
            below: self.until_sequence,
            event: self.until_event.clone(),
            mark: self.until_mark.clone(),
        };
        Ok((said, bounds))
    }
}

/// A time zone by its name.
pub fn zone(text: &str) -> Result<Zone, String> {
    text.to_string().try_into()
}

fn delay_ms(text: &str) -> Result<u64, String> {
    if text == "none" {
        return Ok(0);
    }
    value::duration_ms(text)
}

/// Several; `none` is none.
pub fn rates(texts: &[String], zone: &Zone) -> Result<Vec<Rate>, String> {
    let said = texts.iter().filter(|text| *text != "none");
    said.map(|text| rate(text, zone)).collect()
}

/// `20MiB/s`, or with a timetable behind it.
fn rate(text: &str, zone: &Zone) -> Result<Rate, String> {
    let wrong = || format!("{text:?} is not a rate; write it like 20MiB/s, or \"2MiB/s mon-fri 08:00-18:00\"");
    let (speed, hours) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    let size = speed.strip_suffix("/s").ok_or_else(wrong)?;
    // Standing still is a rate too: 0/s in working hours.
    let bytes_a_second = if matches!(size, "0" | "0B") {
        0
    } else {
        value::size(size).map_err(|_| wrong())?
    };
    let hours = match hours.trim() {
        "" => None,
        hours => Some(Timetable::new(hours, zone.clone())?),
    };
    Ok(Rate { bytes_a_second, hours })
}

fn name(text: &str) -> Result<Name, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is not a tag; it is 1 to 63 of a-z, 0-9 and '-'"))
}

/// `tag:NAME`, `untag:NAME`.
fn after(texts: &[String]) -> Result<After, String> {
    let mut after = After::default();
    for text in texts {
        match text.split_once(':') {
            Some(("tag", tag)) => after.tag.push(name(tag)?),
            Some(("untag", tag)) => after.untag.push(name(tag)?),
            None if text == REMOVE || text == "none" => {}
            _ => {
                return Err(format!(
                    "{text:?} is nothing to do after success; there are tag:NAME, untag:NAME, remove, none"
                ));
            }
        }
    }
    Ok(after)
}

fn filter(texts: &[String]) -> Result<Filter, String> {
    let mut filter = Filter::default();
    for text in texts {
        if let Some(tag) = text.strip_prefix("has:") {
            filter.has.push(name(tag)?);
            continue;
        }
        if let Some(tag) = text.strip_prefix("lacks:") {
            filter.lacks.push(name(tag)?);
            continue;
        }
        match text
            .split_once('=')
            .map_or((text.as_str(), None), |(key, value)| (key, Some(value)))
        {
            ("none", None) => {}
            ("key-frames", None) => filter.key_frames = true,
            ("kind", Some(kind)) => filter.kinds.push(match kind {
                "video" => Kind::Video,
                "audio" => Kind::Audio,
                "metadata" => Kind::Metadata,
                _ => return Err(format!("{kind:?} is not a kind; there are video, audio and metadata")),
            }),
            ("from", Some(time)) => filter.from_utc_ns = Some(value::time_ns(time)?),
            ("to", Some(time)) => filter.to_utc_ns = Some(value::time_ns(time)?),
            _ => {
                return Err(format!(
                    "{text:?} is not a filter; there are kind=video, from=TIME, to=TIME, key-frames, has:TAG, lacks:TAG, none"
                ));
            }
        }
    }
    Ok(filter)
}

/// Of which time blocks are taken.
fn period(text: &str, zone: &Zone) -> Result<Period, String> {
    let text = text.trim();
    if text == "everything" {
        return Ok(Period::Everything);
    }
    if let Some(hours) = text.strip_prefix("open ") {
        let hours = Timetable::new(hours.trim(), zone.clone())?;
        return Ok(Period::Timetable { hours });
    }
    if let Some(rest) = text.strip_prefix("offline") {
        let (mut margin_ms, mut wait_ms) = (margin_ms(), wait_ms());
        let words: Vec<&str> = rest.split_whitespace().collect();
        for pair in words.chunks(2) {
            match pair {
                ["margin", time] => margin_ms = value::duration_ms(time)?,
                ["wait", time] => wait_ms = value::duration_ms(time)?,
                _ => {
                    return Err(format!(
                        "{text:?} is not a period; write \"offline\" or \"offline margin 2s wait 10m\""
                    ));
                }
            }
        }
        return Ok(Period::Offline { margin_ms, wait_ms });
    }
    if let Some(span) = text.strip_prefix("last ") {
        let (duration, offset) = span.split_once(" before ").map_or((span, None), |(a, b)| (a, Some(b)));
        return Ok(Period::Last {
            duration_ms: value::duration_ms(duration.trim())?,
            offset_ms: offset.map_or(Ok(0), |text| value::duration_ms(text.trim()))?,
        });
    }
    if let Some((from, to)) = text.split_once("..") {
        return Ok(Period::Range {
            from_utc_ns: value::time_ns(from)?,
            to_utc_ns: value::time_ns(to)?,
        });
    }
    Err(format!(
        "{text:?} is not a period; write everything, \"FROM..TO\", \"last 2h\", \"last 2h before 30m\", \"open mon-fri 08:00-18:00\" or offline"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_as_people_write_them() {
        let berlin = zone("Europe/Berlin").unwrap();
        let slow = rate("2MiB/s mon-fri 08:00-18:00", &berlin).unwrap();
        assert_eq!((slow.bytes_a_second, slow.hours.is_some()), (2 << 20, true));
        assert_eq!(rate("0/s", &berlin).unwrap().bytes_a_second, 0);
        let last = Period::Last {
            duration_ms: 7_200_000,
            offset_ms: 1_800_000,
        };
        assert_eq!(period("last 2h before 30m", &berlin), Ok(last));
        assert!(matches!(
            period("2026-11-21T10:00:00Z..2026-11-21T11:00:00Z", &berlin),
            Ok(Period::Range { .. })
        ));
        assert_eq!(period("everything", &berlin), Ok(Period::Everything));
        let holes = |margin_ms, wait_ms| Ok(Period::Offline { margin_ms, wait_ms });
        assert_eq!(period("offline", &berlin), holes(2_000, 600_000));
        assert_eq!(period("offline wait 1h margin 5s", &berlin), holes(5_000, 3_600_000));
        assert!(period("offline wait", &berlin).is_err() && period("offliner", &berlin).is_err());
        for wrong in [
            "",
            "last",
            "last two hours",
            "open",
            "yesterday",
            "..",
            "open mon-fri 25:00-26:00",
        ] {
            assert!(period(wrong, &berlin).is_err(), "{wrong}");
        }
        for wrong in ["20MiB", "fast", "/s", "20MiB/s someday"] {
            assert!(rate(wrong, &berlin).is_err(), "{wrong}");
        }
        assert!(filter(&["kind=picture".into()]).is_err());
        let tags = filter(&["has:night".into(), "lacks:done".into()]).unwrap();
        assert_eq!((tags.has[0].as_str(), tags.lacks[0].as_str()), ("night", "done"));
        assert!(filter(&["has:".into()]).is_err());
        assert_eq!(after(&["tag:done".into(), "remove".into()]).unwrap().tag[0].as_str(), "done");
        assert!(after(&["delete".into()]).is_err());
        assert!(zone("Europe/Atlantis").is_err());
    }
}
