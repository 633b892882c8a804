//! Disks and cards that come and go, from the kernel's own messages. Not what is on them, and not udev: nothing is started, and
//! names of `/dev/disk` may appear a moment later than the message.

mod change;

use std::fs;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use hal::Event;
use rustix::net::netlink;
use tokio::io::unix::AsyncFd;

use crate::netlink::{hear, open};
use crate::readiness::watched;
use crate::world::World;
use change::{Change, change};

/// The group of the kernel; the other one is udev's.
const KERNEL: u32 = 1;

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

/// A reader without a card has size 0.
fn has_medium(name: &str) -> bool {
    let size = fs::read_to_string(format!("/sys/class/block/{}/size", name.replace('/', "!")));
    size.is_ok_and(|size| size.trim() != "0")
}
