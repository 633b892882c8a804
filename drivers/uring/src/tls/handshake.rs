//! A handshake over TCP, up to the records of a proven connection (`record.rs`). Which keys are accepted is decided in `tls.rs`.
//!
//! Invariants: nothing of the other side is passed on before the handshake is over; what is read ahead of it is bounded; a handshake that
//! fails tells the other side why, if it still listens.

use std::io;
use std::sync::Arc;

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::pki_types::ServerName;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::{ClientConfig, Error, ExtractedSecrets, ServerConfig, SupportedCipherSuite};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::record::{Opened, Opener, Sealer, Successors, WIRE_BYTES_MAX, directions};
use crate::limits::READ_AHEAD_BYTES;

/// A connection whose other end is proven.
pub(crate) struct Proven {
    /// The connection.
    pub(crate) stream: TcpStream,
    /// Its direction out.
    pub(crate) sealer: Sealer,
    /// Its direction in.
    pub(crate) opener: Opener,
    /// What was read and not opened yet.
    pub(crate) unopened: Vec<u8>,
}

/// One end of a handshake.
trait Hand: Sized {
    type Side;
    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Side>;
    fn finish(self) -> Result<(ExtractedSecrets, Box<dyn Successors>, SupportedCipherSuite), Error>;
}

impl Hand for UnbufferedClientConnection {
    type Side = ClientConnectionData;

    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Side> {
        self.process_tls_records(incoming)
    }

    fn finish(self) -> Result<(ExtractedSecrets, Box<dyn Successors>, SupportedCipherSuite), Error> {
        let (secrets, kernel) = self.dangerous_into_kernel_connection()?;
        let suite = kernel.negotiated_cipher_suite();
        Ok((secrets, Box::new(kernel), suite))
    }
}

impl Hand for UnbufferedServerConnection {
    type Side = ServerConnectionData;

    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Side> {
        self.process_tls_records(incoming)
    }

    fn finish(self) -> Result<(ExtractedSecrets, Box<dyn Successors>, SupportedCipherSuite), Error> {
        let (secrets, kernel) = self.dangerous_into_kernel_connection()?;
        let suite = kernel.negotiated_cipher_suite();
        Ok((secrets, Box::new(kernel), suite))
    }
}

/// The end that dials.
pub(crate) async fn dial(stream: TcpStream, config: Arc<ClientConfig>) -> io::Result<Proven> {
    // A name is never sent (no SNI) and never compared; the type wants one.
    let name = ServerName::try_from("blockhaul").map_err(io::Error::other)?;
    let hand = UnbufferedClientConnection::new(config, name).map_err(io::Error::other)?;
    shake(hand, stream).await
}

/// The end that accepts.
pub(crate) async fn accept(stream: TcpStream, config: Arc<ServerConfig>) -> io::Result<Proven> {
    let hand = UnbufferedServerConnection::new(config).map_err(io::Error::other)?;
    shake(hand, stream).await
}

/// What comes next.
enum Turn {
    /// The same again.
    Again,
    /// Some bytes for the other side.
    Write,
    /// Some bytes of the other side.
    Read,
    /// It is over.
    Done,
}

async fn shake(mut hand: impl Hand, mut stream: TcpStream) -> io::Result<Proven> {
    let mut incoming = vec![0; READ_AHEAD_BYTES];
    let mut filled = 0;
    let mut outgoing = Vec::new();
    loop {
        let (discard, turn) = step(&mut hand, &mut incoming[..filled], &mut outgoing);
        incoming.copy_within(discard..filled, 0);
        filled -= discard;
        match turn {
            Ok(Turn::Again) => {}
            Ok(Turn::Write) => {
                stream.write_all(&outgoing).await?;
                outgoing.clear();
            }
            Ok(Turn::Read) if filled == incoming.len() => {
                return Err(io::Error::other(Error::General("a handshake message without end".into())));
            }
            Ok(Turn::Read) => match stream.read(&mut incoming[filled..]).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                bytes => filled += bytes,
            },
            Ok(Turn::Done) => {
                let (secrets, successors, suite) = hand.finish().map_err(io::Error::other)?;
                let (sealer, opener) = directions(secrets, successors, suite).map_err(io::Error::other)?;
                incoming.truncate(filled);
                return Ok(Proven {
                    stream,
                    sealer,
                    opener,
                    unopened: incoming,
                });
            }
            Err(error) => {
                // The alert that says why, if there is one, comes with the next step; with a further one the bytes that were
                // wrong would be looked at again.
                let _ = step(&mut hand, &mut incoming[..filled], &mut outgoing);
                // Nothing depends on whether it arrives.
                let _ = stream.write_all(&outgoing).await;
                let _ = stream.shutdown().await;
                return Err(io::Error::other(error));
            }
        }
    }
}

/// Takes what came as far as it goes; says how much of it was used.
fn step(hand: &mut impl Hand, incoming: &mut [u8], outgoing: &mut Vec<u8>) -> (usize, Result<Turn, Error>) {
    let UnbufferedStatus { discard, state, .. } = hand.process(incoming);
    let turn = match state {
        Ok(ConnectionState::EncodeTlsData(mut data)) => {
            let from = outgoing.len();
            outgoing.resize(from + WIRE_BYTES_MAX, 0);
            match data.encode(&mut outgoing[from..]) {
                Ok(bytes) => {
                    outgoing.truncate(from + bytes);
                    Ok(Turn::Again)
                }
                Err(error) => Err(Error::General(error.to_string())),
            }
        }
        Ok(ConnectionState::TransmitTlsData(data)) => {
            data.done();
            Ok(Turn::Write)
        }
        Ok(ConnectionState::BlockedHandshake) => Ok(Turn::Read),
        Ok(ConnectionState::WriteTraffic(_)) => Ok(Turn::Done),
        Ok(_) => Err(Error::General("data before the end of the handshake".into())),
        Err(error) => Err(error),
    };
    (discard, turn)
}

impl Proven {
    /// Sends some bytes in one record.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut record = Vec::new();
        self.sealer.seal(&[bytes], &mut record).map_err(io::Error::other)?;
        self.stream.write_all(&record).await
    }

    /// Receives the bytes of one record.
    pub(crate) async fn receive(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match Opener::length(&self.unopened).map_err(io::Error::other)? {
                Some(length) if self.unopened.len() >= length => {
                    let mut record: Vec<u8> = self.unopened.drain(..length).collect();
                    match self.opener.open(&mut record).map_err(io::Error::other)? {
                        Opened::Data(data) => return Ok(data.to_vec()),
                        Opened::Aside => {}
                        Opened::Goodbye => return Err(io::ErrorKind::UnexpectedEof.into()),
                    }
                }
                Some(_) | None => {
                    if self.stream.read_buf(&mut self.unopened).await? == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{Tls, TrustedKeys};
    use super::*;
    use crate::identity;

    fn turns(hand: &mut impl Hand, inbox: &mut Vec<u8>) -> (Vec<u8>, bool) {
        let mut outgoing = Vec::new();
        loop {
            let (discard, turn) = step(hand, inbox, &mut outgoing);
            inbox.drain(..discard);
            match turn.unwrap() {
                Turn::Again | Turn::Write => {}
                Turn::Read => return (outgoing, false),
                Turn::Done => return (outgoing, true),
            }
        }
    }

    /// Both directions of both ends of a real handshake in memory.
    pub(in super::super) fn pair() -> ((Sealer, Opener), (Sealer, Opener)) {
        let folder = tempfile::tempdir().unwrap();
        let identity = identity::load(folder.path()).unwrap();
        let key = identity.fingerprint;
        let tls = Tls::new(identity).unwrap();
        let trusted: &TrustedKeys = &tls.trusted;
        trusted.lock().unwrap().insert(key);
        let name = ServerName::try_from("blockhaul").unwrap();
        let mut near = UnbufferedClientConnection::new(tls.dialler(key).unwrap().0, name).unwrap();
        let mut far = UnbufferedServerConnection::new(tls.accepter().unwrap().0).unwrap();
        let (mut to_near, mut to_far) = (Vec::new(), Vec::new());
        let (mut near_done, mut far_done) = (false, false);
        while !(near_done && far_done) {
            let (said, done) = turns(&mut near, &mut to_near);
            near_done = done;
            to_far.extend(said);
            let (said, done) = turns(&mut far, &mut to_far);
            far_done = done;
            to_near.extend(said);
        }
        assert!(to_near.is_empty() && to_far.is_empty());
        let (secrets, successors, suite) = near.finish().unwrap();
        let near = directions(secrets, successors, suite).unwrap();
        let (secrets, successors, suite) = far.finish().unwrap();
        (near, directions(secrets, successors, suite).unwrap())
    }
}
