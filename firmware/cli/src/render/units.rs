//! Numbers in people's units: sizes, rates, counts, durations, times.

use bytesize::ByteSize;
use jiff::Timestamp;

use super::Look;

/// A number of bytes: `310.0 MiB`.
pub fn size(bytes: u64) -> String {
    ByteSize::b(bytes).display().iec().to_string()
}

/// Bytes a second: `42.1 MiB/s`.
pub fn rate(bytes: u64) -> String {
    format!("{}/s", size(bytes))
}

/// A number with its thousands apart: `1,204`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things: `1 block`, `1,204 blocks`.
pub fn things(number: u64, one: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {one}{plural}", count(number))
}

/// A duration, in the two units that matter: `400ms`, `1.1s`, `4m 12s`, `2h 10m`, `3d 2h`.
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1_000;
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large}{large_unit}"),
        _ => format!("{large}{large_unit} {small}{small_unit}"),
    };
    match seconds {
        _ if ms == 0 => "0s".into(),
        0 => format!("{ms}ms"),
        1..10 => format!("{}.{}s", seconds, ms % 1_000 / 100),
        10..60 => format!("{seconds}s"),
        60..3_600 => two(seconds / 60, "m", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds / 60 % 60, "m"),
        _ => two(seconds / 86_400, "d", seconds / 3_600 % 24, "h"),
    }
}

/// A time in the zone of the reader: `2026-11-21 10:00:03`; `-` for none.
pub fn time(utc_ns: i64, look: &Look) -> String {
    if utc_ns == 0 {
        return "-".into();
    }
    match Timestamp::from_nanosecond(i128::from(utc_ns)) {
        Ok(stamp) => stamp.to_zoned(look.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => "-".into(),
    }
}

/// A part of a whole in percent, never more than 100.
pub fn percent(part: u64, whole: u64) -> u64 {
    let hundredths = u128::from(part.min(whole)) * 100;
    u64::try_from(hundredths.checked_div(u128::from(whole)).unwrap_or(100)).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn units_of_people() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1 << 20), "1.0 MiB");
        assert_eq!(rate(44_146_689), "42.1 MiB/s");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(12), "12");
        assert_eq!(things(1, "block"), "1 block");
        assert_eq!(things(1_204, "block"), "1,204 blocks");
        assert_eq!(percent(1, 3), 33);
        assert_eq!(percent(9, 3), 100);
        assert_eq!(percent(0, 0), 100);
    }

    #[test]
    fn durations() {
        for (ms, text) in [
            (0, "0s"),
            (400, "400ms"),
            (1_150, "1.1s"),
            (59_999, "59s"),
            (252_000, "4m 12s"),
            (7_800_000, "2h 10m"),
            (3_600_000, "1h"),
            (266_400_000, "3d 2h"),
        ] {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn times_are_told_in_the_zone_of_the_reader() {
        let mut look = sample::plain();
        assert_eq!(time(1_795_255_203_000_000_000, &look), "2026-11-21 10:00:03");
        look.zone = jiff::tz::TimeZone::fixed(jiff::tz::Offset::constant(-5));
        assert_eq!(time(1_795_255_203_000_000_000, &look), "2026-11-21 05:00:03");
        assert_eq!(time(0, &look), "-");
    }
}
