//! Everything through which the world comes in, opened before the machine is: sockets, listeners, the kernel's news, signals.
//! Who comes in is looked at in the lanes, not here.
//!
//! Invariant: if one of them cannot be opened, none stays open, and the error names it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rustix::event::{EventfdFlags, eventfd};
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::disk::Disks;
use crate::local_socket::LocalSocket;
use crate::readiness::watched;
use crate::setup::{Setup, StartError};
use crate::{hotplug, listener, nic};

/// Everything that must be there before the machine is.
pub(crate) struct Doors {
    /// Readable when the disks have finished something.
    pub(crate) disks_news: AsyncFd<OwnedFd>,
    /// The machine's own door to knock at.
    pub(crate) knock: AsyncFd<OwnedFd>,
    /// The control socket.
    pub(crate) socket: LocalSocket,
    /// Where peers come in.
    pub(crate) listeners: Vec<tokio::net::TcpListener>,
    /// News about network interfaces.
    pub(crate) nic_news: AsyncFd<OwnedFd>,
    /// News about disks and cards.
    pub(crate) device_news: AsyncFd<OwnedFd>,
    /// Those that ask for a stop.
    pub(crate) signals: [Signal; 2],
}

impl Doors {
    /// Opens all of it, within the runtime.
    pub(crate) async fn open(setup: &Setup, disks: &Disks) -> Result<Doors, StartError> {
        let disks_news = disks
            .event_fd()
            .try_clone_to_owned()
            .and_then(watched)
            .map_err(StartError::Runtime)?;
        let knock = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(io::Error::from)
            .and_then(watched)
            .map_err(StartError::Runtime)?;
        make_folder_of(&setup.socket, setup.operators_gid).map_err(|error| StartError::socket(&setup.socket, error.into()))?;
        let socket = LocalSocket::bind(&setup.socket, setup.operators_gid)
            .await
            .map_err(|error| StartError::socket(&setup.socket, error))?;
        let listen = |address: &_| listener::listen(*address).map_err(|error| StartError::listen(*address, error));
        let listeners = setup.listen.iter().map(listen).collect::<Result<_, _>>()?;
        let news = |what| move |error| StartError::News { what, error };
        Ok(Doors {
            disks_news,
            knock,
            socket,
            listeners,
            nic_news: nic::news().map_err(news("network interfaces"))?,
            device_news: hotplug::news().map_err(news("devices"))?,
            signals: [
                signal(SignalKind::terminate()).map_err(news("signals"))?,
                signal(SignalKind::interrupt()).map_err(news("signals"))?,
            ],
        })
    }
}

/// Makes the last folder on the way to the control socket, if it is not there, for us and the operators.
fn make_folder_of(socket: &Path, operators_gid: Option<u32>) -> io::Result<()> {
    let Some(folder) = socket
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty() && !folder.exists())
    else {
        return Ok(());
    };
    std::fs::DirBuilder::new().mode(0o700).create(folder)?;
    if operators_gid.is_some() {
        std::os::unix::fs::chown(folder, None, operators_gid)?;
    }
    std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o750))
}
