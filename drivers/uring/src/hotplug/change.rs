//! What a message of the kernel about a device says. Bytes only; whether a reader has a card is the caller's to find out.

/// A block device that came or went, by its name, from a message of the kernel.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Added(String),
    Removed(String),
    /// The reader stays, and what is in it is another card, or none.
    Medium(String),
}

/// A message is `action@path`, then `KEY=value` strings, each ended by NUL.
pub(crate) fn change(datagram: &[u8]) -> Option<Change> {
    let text = std::str::from_utf8(datagram).ok()?;
    let value = |wanted: &str| {
        text.split('\0')
            .find_map(|pair| pair.split_once('=').and_then(|(key, value)| (key == wanted).then_some(value)))
    };
    if value("SUBSYSTEM")? != "block" {
        return None;
    }
    let name = value("DEVNAME")?.to_owned();
    match value("ACTION")? {
        "add" => Some(Change::Added(name)),
        "remove" => Some(Change::Removed(name)),
        "change" if value("DISK_MEDIA_CHANGE") == Some("1") => Some(Change::Medium(name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARD: &str = "add@/devices/platform/mmc0/block/mmcblk0\0ACTION=add\0DEVPATH=/devices/platform/mmc0/block/mmcblk0\0\
                        SUBSYSTEM=block\0MAJOR=179\0MINOR=0\0DEVNAME=mmcblk0\0DEVTYPE=disk\0SEQNUM=1234\0";

    fn of(text: &str) -> Option<Change> {
        change(text.as_bytes())
    }

    #[test]
    fn cards_come_and_go() {
        assert_eq!(of(CARD), Some(Change::Added("mmcblk0".to_owned())));
        assert_eq!(
            of(&CARD.replace("ACTION=add", "ACTION=remove")),
            Some(Change::Removed("mmcblk0".to_owned()))
        );
    }

    #[test]
    fn a_reader_tells_its_card() {
        let changed = CARD.replace("ACTION=add", "ACTION=change");
        assert_eq!(of(&changed), None, "a change of something else");
        let media = changed + "DISK_MEDIA_CHANGE=1\0";
        assert_eq!(of(&media), Some(Change::Medium("mmcblk0".to_owned())));
    }

    #[test]
    fn others_are_not_ours() {
        assert_eq!(of(&CARD.replace("SUBSYSTEM=block", "SUBSYSTEM=usb")), None);
        assert_eq!(of(&CARD.replace("DEVNAME=mmcblk0\0", "")), None);
        assert_eq!(of(""), None);
        assert_eq!(change(b"\xff\xfe"), None);
    }
}
