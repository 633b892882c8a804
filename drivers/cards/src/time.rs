//! Times of FAT and exFAT as nanoseconds since 1970. Not time zones: that is the core's.

const SECOND_NS: i64 = 1_000_000_000;

/// Days from 1970-01-01 to a date of the Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// A date, a time of two seconds' steps, and hundredths behind that. None if it is no time: zero means that nobody wrote one.
pub fn dos(date: u16, time: u16, hundredths: u8) -> Option<i64> {
    let (year, month, day) = (1980 + i64::from(date >> 9), i64::from(date >> 5 & 15), i64::from(date & 31));
    let (hour, minute, second) = (i64::from(time >> 11), i64::from(time >> 5 & 63), i64::from(time & 31) * 2);
    let is_time = (1..=12).contains(&month) && day >= 1 && hour < 24 && minute < 60 && second < 60;
    if !is_time {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some(seconds * SECOND_NS + i64::from(hundredths.min(199)) * (SECOND_NS / 100))
}

/// A time of exFAT with its distance from UTC in quarters of an hour. The flag says that there is none: a local time.
pub fn exfat(stamp: u32, hundredths: u8, offset: u8) -> (Option<i64>, bool) {
    let local = dos((stamp >> 16) as u16, stamp as u16, hundredths);
    if offset & 0x80 == 0 {
        return (local, true);
    }
    // Seven bits, signed.
    let quarters = i64::from((offset << 1) as i8 >> 1);
    (local.map(|ns| ns - quarters * 900 * SECOND_NS), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_both_ends_and_none() {
        assert_eq!(dos(0x0021, 0, 0), Some(315_532_800 * SECOND_NS));
        // 2026-11-21 22:46:28 and a half.
        let date = (46 << 9) | (11 << 5) | 21;
        let time = (22 << 11) | (46 << 5) | 14;
        assert_eq!(dos(date, time, 50), Some(1_795_301_188 * SECOND_NS + SECOND_NS / 2));
        // 2024-02-29, the end of 2107.
        assert_eq!(dos((44 << 9) | (2 << 5) | 29, 0, 0), Some(1_709_164_800 * SECOND_NS));
        assert_eq!(dos(0xff9f, 0xbf7d, 199), Some(4_354_819_199 * SECOND_NS + 990_000_000));
        assert_eq!(dos(0, 0, 0), None);
        assert_eq!(dos(0x0021, 25 << 11, 0), None);
    }

    #[test]
    fn distance_from_utc() {
        let stamp = (46u32 << 25) | (11 << 21) | (21 << 16) | (22 << 11);
        let (local, is_local) = exfat(stamp, 0, 0);
        assert!(is_local);
        let local = local.unwrap();
        assert_eq!(exfat(stamp, 0, 0x84), (Some(local - 3600 * SECOND_NS), false));
        assert_eq!(exfat(stamp, 0, 0xfc), (Some(local + 3600 * SECOND_NS), false));
    }
}
