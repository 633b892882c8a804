//! Disks and cards that come and go, from the kernel's own messages. Not what is on them, and not udev: nothing is started, and
//! names of `/dev/disk` may appear a moment later than the message.

use std::fs;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use hal::Event;
use rustix::net::netlink;
use tokio::io::unix::AsyncFd;

use crate::netlink::{hear, open};
use crate::readiness::watched;
use crate::world::World;

/// The group of the kernel; the other one is udev's.
const KERNEL: u32 = 1;

/// A block device that was added or removed, from a message of the kernel.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub name: String,
    pub added: bool,
}

/// Opens the socket for [`watch`].
pub(crate) fn news() -> std::io::Result<AsyncFd<OwnedFd>> {
    watched(open(Some(netlink::KOBJECT_UEVENT), KERNEL)?)
}

/// Tells the core of disks and cards that come and go, until the machine stops.
pub(crate) async fn watch(world: Rc<World>, socket: AsyncFd<OwnedFd>) {
    loop {
        let heard = tokio::select! {
            biased;
            () = world.stopped() => return,
            heard = hear(&socket) => heard,
        };
        match heard {
            Ok(Some(datagram)) => {
                if let Some(Change { name, added }) = change(&datagram, has_medium) {
                    world.push(Event::DeviceChanged {
                        path: format!("/dev/{name}"),
                        added,
                    });
                }
            }
            Ok(None) => tracing::warn!("the kernel reported more device changes than could be read; some were lost"),
            Err(error) => {
                tracing::warn!(%error, "news about devices cannot be read; changes are not noticed any more");
                return;
            }
        }
    }
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

/// A reader without a card has size 0.
fn has_medium(name: &str) -> bool {
    let size = fs::read_to_string(format!("/sys/class/block/{}/size", name.replace('/', "!")));
    size.is_ok_and(|size| size.trim() != "0")
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
