//! How worn a disk or card is, in words, where the kernel tells it: eMMC life time, NVMe SMART.
//!
//! For people; nothing is decided by it.

use std::fs::File;

use super::ioctl;
use super::sysfs::Node;

/// Health of the disk that this node is or lies on; empty if nobody tells.
pub(super) fn health(node: &Node) -> String {
    let disk = node.disk();
    if let Some(life_time) = disk.disk_text("device/life_time") {
        return mmc(&life_time, &disk.disk_text("device/pre_eol_info").unwrap_or_default());
    }
    if disk.name().starts_with("nvme") {
        let page = File::open(disk.path())
            .ok()
            .and_then(|device| ioctl::nvme_smart_log(device).ok());
        return page.map_or(String::new(), |page| nvme(&page));
    }
    String::new()
}

/// JEDEC eMMC: two estimates in steps of 10 %, and how much of the reserve is used up.
fn mmc(life_time: &str, pre_eol: &str) -> String {
    let used: Vec<String> = life_time.split_whitespace().filter_map(byte).filter_map(life_used).collect();
    let reserve = match byte(pre_eol) {
        Some(1) => "reserve normal",
        Some(2) => "80 % of the reserve used: replace soon",
        Some(3) => "90 % of the reserve used: replace now",
        _ => "",
    };
    let used = if used.is_empty() {
        String::new()
    } else {
        format!("life used {}", used.join(" and "))
    };
    [used.as_str(), reserve]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(", ")
}

/// One eMMC life time estimate; 0 means that the card does not tell.
fn life_used(estimate: u8) -> Option<String> {
    match estimate {
        0 => None,
        1..=10 => Some(format!("{}-{} %", (estimate - 1) * 10, estimate * 10)),
        _ => Some("more than 100 %".to_owned()),
    }
}

fn byte(text: &str) -> Option<u8> {
    u8::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()
}

/// NVMe SMART / Health Information: byte 0 warnings, 3 spare, 4 its threshold, 5 percentage used.
fn nvme(page: &[u8; 512]) -> String {
    const WARNINGS: [&str; 6] = [
        "spare below threshold",
        "temperature",
        "reliability degraded",
        "media read-only",
        "volatile memory backup failed",
        "persistent memory read-only",
    ];
    let warnings: Vec<&str> = WARNINGS
        .into_iter()
        .enumerate()
        .filter(|(bit, _)| page[0] & (1 << bit) != 0)
        .map(|(_, words)| words)
        .collect();
    let wear = format!("life used {} %, spare {} % (threshold {} %)", page[5], page[3], page[4]);
    if warnings.is_empty() {
        wear
    } else {
        format!("{wear}, critical: {}", warnings.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards() {
        assert_eq!(mmc("0x01 0x02", "0x01"), "life used 0-10 % and 10-20 %, reserve normal");
        assert_eq!(
            mmc("0x0b 0x00", "0x03"),
            "life used more than 100 %, 90 % of the reserve used: replace now"
        );
        assert_eq!(mmc("0x00 0x00", "0x00"), "");
        assert_eq!(mmc("nonsense", ""), "");
    }

    #[test]
    fn drives() {
        let mut page = [0; 512];
        (page[3], page[4], page[5]) = (97, 10, 3);
        assert_eq!(nvme(&page), "life used 3 %, spare 97 % (threshold 10 %)");
        page[0] = 0b1001;
        page[5] = 130;
        assert_eq!(
            nvme(&page),
            "life used 130 %, spare 97 % (threshold 10 %), critical: spare below threshold, media read-only"
        );
    }
}
