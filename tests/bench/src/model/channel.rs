//! The wire of the model: TCP, or TLS 1.3 by the unbuffered interface of rustls, with blocking calls.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use blockhaul_tests::Result;
use rustls::client::UnbufferedClientConnection;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// What is read at once: stays in the second cache of a core.
const READ_BYTES: usize = 256 << 10;
/// Most that TLS adds to a record, and the bytes of a record.
const RECORD_EXTRA_BYTES: usize = 32;
const RECORD_BYTES: usize = 16 << 10;

/// Makes a certificate for the two ends.
pub fn certify(folder: &Path) -> Result<()> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).map_err(|error| error.to_string())?;
    fs::write(folder.join("certificate"), made.cert.pem()).map_err(|error| error.to_string())?;
    fs::write(folder.join("key"), made.signing_key.serialize_pem()).map_err(|error| error.to_string())
}

/// The same suite as the product chooses.
fn provider() -> Arc<CryptoProvider> {
    let mut provider = rustls::crypto::ring::default_provider();
    provider.cipher_suites = vec![rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256];
    Arc::new(provider)
}

fn certificate(folder: &Path) -> Result<CertificateDer<'static>> {
    CertificateDer::from_pem_file(folder.join("certificate")).map_err(|error| error.to_string())
}

fn client(folder: &Path) -> Result<UnbufferedClientConnection> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate(folder)?).map_err(|error| error.to_string())?;
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").map_err(|error| error.to_string())?;
    UnbufferedClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())
}

fn server(folder: &Path) -> Result<UnbufferedServerConnection> {
    let key = PrivateKeyDer::from_pem_file(folder.join("key")).map_err(|error| error.to_string())?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(vec![certificate(folder)?], key)
        .map_err(|error| error.to_string())?;
    config.send_tls13_tickets = 0;
    UnbufferedServerConnection::new(Arc::new(config)).map_err(|error| error.to_string())
}

/// Bytes that came and were not used yet.
struct Inbox {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Inbox {
    fn new() -> Inbox {
        Inbox {
            bytes: vec![0; READ_BYTES],
            start: 0,
            end: 0,
        }
    }

    fn waiting(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.end]
    }

    fn read(&mut self, stream: &mut TcpStream) -> Result<()> {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        match stream.read(&mut self.bytes[self.end..]) {
            Ok(0) => Err("the other end of the model has closed".into()),
            Ok(bytes) => {
                self.end += bytes;
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

/// A handshake of either end, up to where bytes may be sent.
macro_rules! shake_hands {
    ($connection:expr, $stream:expr, $inbox:expr) => {{
        let mut outgoing = Vec::new();
        loop {
            let UnbufferedStatus { discard, state, .. } = $connection.process_tls_records($inbox.waiting());
            let mut wants_more = false;
            let mut done = false;
            match state.map_err(|error| error.to_string())? {
                ConnectionState::EncodeTlsData(mut data) => {
                    let from = outgoing.len();
                    outgoing.resize(from + RECORD_BYTES, 0);
                    let bytes = data.encode(&mut outgoing[from..]).map_err(|error| error.to_string())?;
                    outgoing.truncate(from + bytes);
                }
                ConnectionState::TransmitTlsData(data) => {
                    $stream.write_all(&outgoing).map_err(|error| error.to_string())?;
                    outgoing.clear();
                    data.done();
                }
                ConnectionState::BlockedHandshake => wants_more = true,
                ConnectionState::WriteTraffic(_) => done = true,
                state => return Err(format!("the handshake of the model came to {state:?}")),
            }
            $inbox.start += discard;
            if done {
                break;
            }
            if wants_more {
                $inbox.read(&mut $stream)?;
            }
        }
    }};
}

/// The sending end.
pub struct Sender {
    stream: TcpStream,
    tls: Option<(UnbufferedClientConnection, Vec<u8>)>,
}

impl Sender {
    /// Shakes hands if there is a certificate.
    pub fn new(mut stream: TcpStream, certificate: Option<&Path>) -> Result<Sender> {
        let tls = match certificate {
            Some(folder) => {
                let mut connection = client(folder)?;
                let mut inbox = Inbox::new();
                shake_hands!(connection, stream, inbox);
                Some((connection, Vec::new()))
            }
            None => None,
        };
        Ok(Sender { stream, tls })
    }

    /// Sends all of it.
    pub fn send(&mut self, block: &[u8]) -> Result<()> {
        let Some((connection, outgoing)) = &mut self.tls else {
            return self.stream.write_all(block).map_err(|error| error.to_string());
        };
        outgoing.resize(block.len() + (block.len() / RECORD_BYTES + 1) * RECORD_EXTRA_BYTES, 0);
        let UnbufferedStatus { state, .. } = connection.process_tls_records(&mut []);
        let ConnectionState::WriteTraffic(mut traffic) = state.map_err(|error| error.to_string())? else {
            return Err("the model's connection takes no bytes".into());
        };
        let bytes = traffic.encrypt(block, outgoing).map_err(|error| error.to_string())?;
        self.stream.write_all(&outgoing[..bytes]).map_err(|error| error.to_string())
    }

    /// Waits until the other end says that it is done with what was asked. Not encrypted: it stands for no message.
    pub fn wait_for_word(&mut self) -> Result<()> {
        self.stream.read_exact(&mut [0]).map_err(|error| error.to_string())
    }
}

/// The receiving end.
pub struct Receiver {
    stream: TcpStream,
    tls: Option<(UnbufferedServerConnection, Inbox)>,
    /// What came of the next block.
    rest: Vec<u8>,
}

impl Receiver {
    /// Shakes hands if there is a certificate.
    pub fn new(mut stream: TcpStream, certificate: Option<&Path>) -> Result<Receiver> {
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let tls = match certificate {
            Some(folder) => {
                let mut connection = server(folder)?;
                let mut inbox = Inbox::new();
                shake_hands!(connection, stream, inbox);
                Some((connection, inbox))
            }
            None => None,
        };
        let rest = Vec::new();
        Ok(Receiver { stream, tls, rest })
    }

    /// Receives a whole block.
    pub fn fill(&mut self, block: &mut [u8]) -> Result<()> {
        let Some((connection, inbox)) = &mut self.tls else {
            return self.stream.read_exact(block).map_err(|error| error.to_string());
        };
        block[..self.rest.len()].copy_from_slice(&self.rest);
        let mut filled = self.rest.len();
        self.rest.clear();
        while filled < block.len() {
            let UnbufferedStatus { discard, state, .. } = connection.process_tls_records(inbox.waiting());
            let mut wants_more = false;
            match state.map_err(|error| error.to_string())? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let payload = record.map_err(|error| error.to_string())?.payload;
                        let bytes = payload.len().min(block.len() - filled);
                        block[filled..filled + bytes].copy_from_slice(&payload[..bytes]);
                        self.rest.extend_from_slice(&payload[bytes..]);
                        filled += bytes;
                    }
                }
                ConnectionState::WriteTraffic(_) => wants_more = true,
                state => return Err(format!("the model's connection came to {state:?}")),
            }
            inbox.start += discard;
            if wants_more {
                inbox.read(&mut self.stream)?;
            }
        }
        Ok(())
    }

    /// Says that it is done with what was asked.
    pub fn say_word(&mut self) -> Result<()> {
        self.stream.write_all(&[1]).map_err(|error| error.to_string())
    }
}
