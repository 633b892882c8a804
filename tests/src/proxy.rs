//! A network between two appliances that can be cut: a TCP proxy on the loopback interface.
//!
//! Moves bytes and nothing else. Cut means that every connection is shut at once, wherever in a block it is, and that
//! nobody gets through until it is mended.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// The proxy. Its threads end with the process.
#[derive(Clone)]
pub struct Proxy {
    address: SocketAddr,
    network: Arc<Network>,
}

struct Network {
    whole: AtomicBool,
    bytes: AtomicU64,
    connections: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// A proxy on a free port that leads to `target`.
    pub fn start(target: SocketAddr) -> io::Result<Proxy> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let network = Network {
            whole: true.into(),
            bytes: 0.into(),
            connections: Mutex::default(),
        };
        let network = Arc::new(network);
        let proxy = Proxy {
            address,
            network: Arc::clone(&network),
        };
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                // Whoever is not let through sees the connection close.
                let _ = network.connect(near, target);
            }
        });
        Ok(proxy)
    }

    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes that went through from those who connect.
    pub fn bytes(&self) -> u64 {
        self.network.bytes.load(Ordering::Relaxed)
    }

    /// Cuts every connection, and lets nobody through.
    pub fn cut(&self) {
        self.network.whole.store(false, Ordering::SeqCst);
        let mut connections = self.network.connections.lock().unwrap_or_else(PoisonError::into_inner);
        for connection in connections.drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Lets everybody through again.
    pub fn mend(&self) {
        self.network.whole.store(true, Ordering::SeqCst);
    }
}

impl Network {
    fn connect(self: &Arc<Self>, near: TcpStream, target: SocketAddr) -> io::Result<()> {
        if !self.whole.load(Ordering::SeqCst) {
            return Ok(());
        }
        let far = TcpStream::connect(target)?;
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.push(near.try_clone()?);
        connections.push(far.try_clone()?);
        // A cut between the first look and the entry in the list would have missed these two.
        if !self.whole.load(Ordering::SeqCst) {
            let _ = near.shutdown(Shutdown::Both);
            let _ = far.shutdown(Shutdown::Both);
        }
        let (from_near, to_near) = (near.try_clone()?, near);
        let (from_far, to_far) = (far.try_clone()?, far);
        let network = Arc::clone(self);
        thread::spawn(move || pump(from_near, to_far, Some(&network.bytes)));
        thread::spawn(move || pump(from_far, to_near, None));
        Ok(())
    }
}

/// Moves bytes one way until either side ends, and passes the end on.
fn pump(mut from: TcpStream, mut to: TcpStream, count: Option<&AtomicU64>) {
    let mut buffer = vec![0; 256 * 1024];
    while let Ok(read) = from.read(&mut buffer) {
        // Counted before they are passed on: whoever has an answer finds its question counted.
        if let Some(count) = count {
            count.fetch_add(read as u64, Ordering::Relaxed);
        }
        if read == 0 || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Read);
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || io::copy(&mut stream.try_clone().unwrap(), &mut &stream));
            }
        });
        address
    }

    fn ask(proxy: &Proxy) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(proxy.address())?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(b"block")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        assert_eq!(&answer, b"block");
        Ok(stream)
    }

    #[test]
    fn goes_through_until_cut_and_again_when_mended() {
        let proxy = Proxy::start(echo()).unwrap();
        let mut stream = ask(&proxy).unwrap();
        proxy.cut();
        assert_eq!(stream.read(&mut [0; 5]).unwrap_or(0), 0, "an open connection ends");
        assert!(ask(&proxy).is_err(), "nobody gets through");
        proxy.mend();
        ask(&proxy).unwrap();
        assert_eq!(proxy.bytes(), 10);
    }
}
