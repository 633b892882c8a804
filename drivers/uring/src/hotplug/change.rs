//! What a message of the kernel about a device says. Bytes only; whether a reader has a card is the caller's to find out.

/// A block device that was added or removed, from a message of the kernel.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub name: String,
    pub added: bool,
}

/// A message is `action@path`, then `KEY=value` strings, each ended by NUL.
pub(crate) fn change(datagram: &[u8], has_medium: impl Fn(&str) -> bool) -> Option<Change> {
    let text = std::str::from_utf8(datagram).ok()?;
    let value = |wanted: &str| {
        text.split('\0')
            .find_map(|pair| pair.split_once('=').and_then(|(key, value)| (key == wanted).then_some(value)))
    };
    if value("SUBSYSTEM")? != "block" {
        return None;
    }
    let name = value("DEVNAME")?;
    let added = match value("ACTION")? {
        "add" => true,
        "remove" => false,
        // A card reader stays and its card comes and goes.
        "change" if value("DISK_MEDIA_CHANGE") == Some("1") => has_medium(name),
        _ => return None,
    };
    Some(Change {
        name: name.to_owned(),
        added,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARD: &str = "add@/devices/platform/mmc0/block/mmcblk0\0ACTION=add\0DEVPATH=/devices/platform/mmc0/block/mmcblk0\0\
                        SUBSYSTEM=block\0MAJOR=179\0MINOR=0\0DEVNAME=mmcblk0\0DEVTYPE=disk\0SEQNUM=1234\0";

    fn of(text: &str, medium: bool) -> Option<(String, bool)> {
        change(text.as_bytes(), |_| medium).map(|change| (change.name, change.added))
    }

    #[test]
    fn cards_come_and_go() {
        assert_eq!(of(CARD, true), Some(("mmcblk0".to_owned(), true)));
        assert_eq!(
            of(&CARD.replace("ACTION=add", "ACTION=remove"), true),
            Some(("mmcblk0".to_owned(), false))
        );
    }

    #[test]
    fn a_reader_tells_its_card() {
        let changed = CARD.replace("ACTION=add", "ACTION=change");
        assert_eq!(of(&changed, true), None, "a change of something else");
        let media = changed + "DISK_MEDIA_CHANGE=1\0";
        assert_eq!(of(&media, true), Some(("mmcblk0".to_owned(), true)));
        assert_eq!(of(&media, false), Some(("mmcblk0".to_owned(), false)));
    }

    #[test]
    fn others_are_not_ours() {
        assert_eq!(of(&CARD.replace("SUBSYSTEM=block", "SUBSYSTEM=usb"), true), None);
        assert_eq!(of(&CARD.replace("DEVNAME=mmcblk0\0", ""), true), None);
        assert_eq!(of("", true), None);
        assert_eq!(change(b"\xff\xfe", |_| true), None);
    }
}
