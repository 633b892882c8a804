//! Descriptors that the runtime waits for. Not sockets of tokio, which wait for themselves.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::unix::AsyncFd;

/// Has the runtime wait for a descriptor. Only within the runtime.
pub(crate) fn watched(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is one open descriptor until it is dropped, and the `AsyncFd` owns it: it is never replaced and is
    // deregistered before it is closed.
    let registered = unsafe { AsyncFd::register(descriptor) };
    registered.map_err(io::Error::from)
}

/// Waits until a descriptor becomes readable again.
pub(crate) async fn readable(descriptor: &AsyncFd<OwnedFd>) {
    match descriptor.readable().await {
        Ok(mut guard) => guard.clear_ready(),
        // The runtime is going down.
        Err(_) => std::future::pending().await,
    }
}
