//! Values as people write them: sizes, times, durations, routes, keys, paths. Each refusal says what it should look like.
//!
//! Not the ranges that only the daemon knows (room on a volume, sizes of sectors).

use std::path::{Path, PathBuf};

use blockhaul_core::Name;
use bytesize::ByteSize;
use hal::{Fingerprint, Route};
use jiff::{SignedDuration, Span, Timestamp, Zoned, civil};

/// Smallest block that can be chosen.
const BLOCK_BYTES_MIN: u64 = 64 << 10;
/// Largest block that can be chosen.
const BLOCK_BYTES_MAX: u64 = 16 << 20;
/// Shortest and longest time after which an unfilled block is sealed.
const FLUSH_AFTER_MS: std::ops::RangeInclusive<u64> = 1_000..=300_000;

/// A number of bytes: `2GiB`, `500MB`, `1048576`.
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a size; write it like 2GiB, 500MB or 1048576");
    let bytes = text.parse::<ByteSize>().map_err(|_| wrong())?.as_u64();
    if bytes == 0 || bytes >= i64::MAX as u64 {
        Err(wrong())
    } else {
        Ok(bytes)
    }
}

/// Size of a block: a power of two.
pub fn block_size(text: &str) -> Result<u64, String> {
    let bytes = size(text)?;
    if bytes.is_power_of_two() && (BLOCK_BYTES_MIN..=BLOCK_BYTES_MAX).contains(&bytes) {
        Ok(bytes)
    } else {
        Err(format!(
            "a block is 64KiB to 16MiB and a power of two, and {text} is {bytes} bytes; 1MiB is usual"
        ))
    }
}

/// A duration in milliseconds: `60s`, `5m`, `1h 30m`.
pub fn duration_ms(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a duration; write it with a unit, like 60s, 5m or 1h 30m");
    let duration = text.parse::<SignedDuration>().map_err(|_| wrong())?;
    match u64::try_from(duration.as_millis()) {
        Ok(ms) if ms > 0 => Ok(ms),
        _ => Err(wrong()),
    }
}

/// An age in milliseconds: as a duration, or in days or weeks: `30d`, `4w`.
pub fn age_ms(text: &str) -> Result<u64, String> {
    let whole = |unit: char, ms: u64| {
        text.strip_suffix(unit)?
            .trim()
            .parse::<u64>()
            .ok()?
            .checked_mul(ms)
            .filter(|ms| *ms > 0)
    };
    if let Some(ms) = whole('d', 86_400_000).or_else(|| whole('w', 7 * 86_400_000)) {
        return Ok(ms);
    }
    duration_ms(text).map_err(|_| format!("{text:?} is not an age; write it with a unit, like 12h, 30d or 4w"))
}

/// How long an unfilled block may stay open, in milliseconds.
pub fn flush_after_ms(text: &str) -> Result<u64, String> {
    let ms = duration_ms(text)?;
    if FLUSH_AFTER_MS.contains(&ms) {
        Ok(ms)
    } else {
        Err(format!("flush-after is 1s to 300s, and {text} is not; 10s is usual"))
    }
}

/// A time in nanoseconds since 1970: with a zone, in the local zone, or relative to now.
pub fn time_ns(text: &str) -> Result<i64, String> {
    time_from(text, &Zoned::now()).ok_or_else(|| {
        format!("{text:?} is not a time; write it like \"2026-11-21 10:00\", 2026-11-21T10:00:00Z, 10:00, \"1h ago\" or now")
    })
}

/// The same, with `now` and its zone given.
fn time_from(text: &str, now: &Zoned) -> Option<i64> {
    let text = text.trim();
    let stamp = if text == "now" {
        now.timestamp()
    } else if let Ok(stamp) = text.parse::<Timestamp>() {
        stamp
    } else if let Ok(local) = text.parse::<civil::DateTime>() {
        local.to_zoned(now.time_zone().clone()).ok()?.timestamp()
    } else if let Ok(clock) = text.parse::<civil::Time>() {
        now.date()
            .to_datetime(clock)
            .to_zoned(now.time_zone().clone())
            .ok()?
            .timestamp()
    } else if text.ends_with("ago") {
        now.checked_add(text.parse::<Span>().ok()?).ok()?.timestamp()
    } else {
        return None;
    };
    i64::try_from(stamp.as_nanosecond()).ok()
}

/// A way to a peer: `HOST:PORT`, `[V6]:PORT`, with `%NIC` behind if it is bound to one.
pub fn route(text: &str) -> Result<Route, String> {
    let wrong = || format!("{text:?} is not a route; write it as HOST:PORT, [ADDRESS]:PORT or HOST:PORT%NIC");
    let (address, nic) = match text.rsplit_once('%') {
        Some((address, nic)) if !nic.contains([':', ']']) => (address, Some(nic)),
        _ => (text, None),
    };
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let port = port.parse::<u16>().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let printable = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_graphic());
    if !printable(bare.unwrap_or(host)) || (bare.is_none() && host.contains([':', '[', ']'])) || !nic.is_none_or(printable) {
        return Err(wrong());
    }
    Ok(Route {
        host: bare.unwrap_or(host).into(),
        port,
        nic: nic.map(Into::into),
    })
}

/// A peer's key as `identity` prints it there.
pub fn key(text: &str) -> Result<Fingerprint, String> {
    text.parse().map_err(|_| {
        format!("{text:?} is not a key; it is 64 hexadecimal digits, as `blockhaul identity` prints them on the peer")
    })
}

/// The target of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Peer, by its name here.
    pub peer: Name,
    /// Archive, by its name there.
    pub archive: Name,
}

/// `PEER/ARCHIVE`.
pub fn target(text: &str) -> Result<Target, String> {
    let wrong = || format!("{text:?} is not PEER/ARCHIVE: the peer's name here and the archive's name there, like nvr/main");
    let (peer, archive) = text.split_once('/').ok_or_else(wrong)?;
    Ok(Target {
        peer: peer.parse().map_err(|_| wrong())?,
        archive: archive.parse().map_err(|_| wrong())?,
    })
}

/// A range of a track: `M..N`.
pub fn blocks(text: &str) -> Result<(u64, u64), String> {
    let wrong = || format!("{text:?} is not a range of blocks; write it like 100..200: the first, and the first behind");
    let (from, to) = text.split_once("..").ok_or_else(wrong)?;
    match (from.parse(), to.parse()) {
        (Ok(from), Ok(to)) if from < to => Ok((from, to)),
        _ => Err(wrong()),
    }
}

/// Bytes a second: `10MiB/s`, or `10MiB`.
pub fn rate(text: &str) -> Result<u64, String> {
    size(text.trim_end_matches("/s")).map_err(|_| format!("{text:?} is not a rate; write it like 10MiB/s"))
}

/// `unix:PATH` or a path.
pub fn listen(text: &str) -> Result<PathBuf, String> {
    let path = text.strip_prefix("unix:").unwrap_or(text);
    if path.is_empty() {
        return Err("a recorder listens on a Unix socket; write unix:PATH".into());
    }
    if text.starts_with("tcp:") || text.starts_with("udp:") {
        return Err(format!("{text:?} is not a Unix socket; a recorder listens on unix:PATH"));
    }
    Ok(path.into())
}

/// A path as the daemon needs it: absolute, and text.
pub fn absolute(path: &Path) -> Result<String, String> {
    let absolute = std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))?;
    absolute
        .into_os_string()
        .into_string()
        .map_err(|_| format!("{}: a path must be UTF-8", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::{Offset, TimeZone};

    #[test]
    fn sizes() {
        assert_eq!(size("2GiB"), Ok(2 << 30));
        assert_eq!(size("1.5 MiB"), Ok(3 << 19));
        assert_eq!(size("500MB"), Ok(500_000_000));
        assert_eq!(size("4096"), Ok(4096));
        for bad in ["", "0", "-1GiB", "GiB", "1XiB", "99999999999TiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
        assert_eq!(block_size("64KiB"), Ok(64 << 10));
        assert_eq!(block_size("16MiB"), Ok(16 << 20));
        for bad in ["32KiB", "32MiB", "1MB", "3MiB"] {
            assert!(block_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!(duration_ms("60s"), Ok(60_000));
        assert_eq!(duration_ms("5m"), Ok(300_000));
        assert_eq!(duration_ms("1h 30m"), Ok(5_400_000));
        for bad in ["60", "", "-5s", "0s", "soon"] {
            assert!(duration_ms(bad).is_err(), "{bad}");
        }
        assert_eq!(flush_after_ms("300s"), Ok(300_000));
        assert!(flush_after_ms("0.5s").is_err());
    }

    #[test]
    fn times_are_local_unless_they_say_otherwise() {
        let zone = TimeZone::fixed(Offset::constant(2));
        let now = civil::date(2026, 11, 21).at(10, 0, 0, 0).to_zoned(zone).unwrap();
        let at = |text: &str| time_from(text, &now).map(|ns| ns / 1_000_000_000);
        let utc = |text: &str| Some(text.parse::<Timestamp>().unwrap().as_second());
        assert_eq!(at("now"), utc("2026-11-21T08:00:00Z"));
        assert_eq!(at("2026-11-21T10:00:00Z"), utc("2026-11-21T10:00:00Z"));
        assert_eq!(at("2026-11-21 10:00"), utc("2026-11-21T08:00:00Z"));
        assert_eq!(at("2026-11-20"), utc("2026-11-19T22:00:00Z"));
        assert_eq!(at("09:30"), utc("2026-11-21T07:30:00Z"));
        assert_eq!(at("1h ago"), utc("2026-11-21T07:00:00Z"));
        assert_eq!(at("2 days ago"), utc("2026-11-19T08:00:00Z"));
        for bad in ["", "ago", "1h", "yesterday-ish", "2026-13-01"] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }

    #[test]
    fn routes() {
        let plain = route("nvr.example:7440").unwrap();
        assert_eq!((plain.host.as_str(), plain.port, plain.nic), ("nvr.example", 7440, None));
        let bound = route("10.0.0.1:7440%eth1").unwrap();
        assert_eq!((bound.host.as_str(), bound.nic.as_deref()), ("10.0.0.1", Some("eth1")));
        let scoped = route("[fe80::1%eth0]:7440").unwrap();
        assert_eq!((scoped.host.as_str(), scoped.nic), ("fe80::1%eth0", None));
        for bad in [
            "nvr",
            "nvr:",
            ":1",
            "nvr:0",
            "nvr:70000",
            "fe80::1:7440",
            "nvr:1%",
            "[]:1",
            "a b:1",
        ] {
            assert!(route(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_with_and_without_colons() {
        let plain = "0f".repeat(32);
        let colons = vec!["0F"; 32].join(":");
        assert_eq!(key(&plain), key(&colons));
        assert!(key(&plain[1..]).is_err());
    }

    #[test]
    fn ranges_and_rates() {
        assert_eq!(blocks("100..200"), Ok((100, 200)));
        for bad in ["100", "200..100", "5..5", "..", "-1..3", "a..b"] {
            assert!(blocks(bad).is_err(), "{bad}");
        }
        assert_eq!(rate("10MiB/s"), Ok(10 << 20));
        assert_eq!(rate("1MB"), Ok(1_000_000));
        assert!(rate("fast").is_err());
    }

    #[test]
    fn sockets_and_targets() {
        assert_eq!(listen("unix:/run/a.sock"), Ok("/run/a.sock".into()));
        assert_eq!(listen("a.sock"), Ok("a.sock".into()));
        assert!(listen("unix:").is_err());
        assert!(listen("tcp:1.2.3.4:5").is_err());
        assert_eq!(target("nvr/main").map(|target| target.archive.to_string()), Ok("main".into()));
        for bad in ["nvr", "nvr/", "/main", "nvr/main/x", "Nvr/main"] {
            assert!(target(bad).is_err(), "{bad}");
        }
        assert!(absolute(Path::new("card.img")).unwrap().starts_with('/'));
    }
}
