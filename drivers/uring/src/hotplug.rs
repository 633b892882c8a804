//! Disks and cards that come and go, from the kernel's own messages. Not what is on them, and not udev: nothing is started, and
//! names of `/dev/disk` may appear a moment later than the message.

mod change;
mod medium;

use std::os::fd::OwnedFd;
use std::rc::Rc;

use hal::Event;
use rustix::net::netlink;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

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
            Ok(Some(datagram)) => match change(&datagram) {
                Some(Change::Added(name)) => tell(&world, &name, true),
                Some(Change::Removed(name)) => tell(&world, &name, false),
                Some(Change::Medium(name)) => tell_medium(&world, name).await,
                None => {}
            },
            Ok(None) => tracing::warn!("the kernel reported more device changes than could be read; some were lost"),
            Err(error) => {
                tracing::warn!(%error, "news about devices cannot be read; changes are not noticed any more");
                return;
            }
        }
    }
}

fn tell(world: &World, name: &str, added: bool) {
    world.push(Event::DeviceChanged {
        path: format!("/dev/{name}"),
        added,
    });
}

/// Looks into a reader. News wait meanwhile, in the kernel; who is in the way is told at once.
async fn tell_medium(world: &World, name: String) {
    let (sender, mut told) = mpsc::unbounded_channel();
    let look = tokio::task::spawn_blocking(move || {
        // Nobody listens any more when the machine stops.
        medium::look_into(&name, |name, added| drop(sender.send((name, added))));
    });
    loop {
        let news = tokio::select! {
            biased;
            () = world.stopped() => return,
            news = told.recv() => news,
        };
        match news {
            Some((name, added)) => tell(world, &name, added),
            None => break,
        }
    }
    if look.await.is_err() {
        tracing::warn!("a card reader could not be looked into");
    }
}
