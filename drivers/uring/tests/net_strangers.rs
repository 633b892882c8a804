//! A peer with a trusted key that does not keep to the frames: made by hand from rustls, without our driver at its end.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread::JoinHandle;

use drivers_uring::frame::{HEADER_BYTES, Header};
use hal::{Event, Fingerprint, LinkError, LinkId, Machine, Op};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned};
use support::{Host, down, span, until, up};

type Stream = StreamOwned<ClientConnection, TcpStream>;

#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        unreachable!("TLS 1.3 only")
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

fn connect(port: u16, pair: Option<&KeyPair>) -> Stream {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody));
    let config = match pair {
        Some(pair) => {
            let certificate = rcgen::CertificateParams::default().self_signed(pair).unwrap();
            let key = PrivatePkcs8KeyDer::from(pair.serialize_der()).into();
            config.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap()
        }
        None => config.with_no_client_auth(),
    };
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from("x").unwrap()).unwrap();
    StreamOwned::new(connection, TcpStream::connect(("127.0.0.1", port)).unwrap())
}

/// A trusted stranger whose connection goes on with `act` on a thread of its own after the welcome.
fn stranger(act: impl FnOnce(Stream) + Send + 'static) -> (Host, LinkId, JoinHandle<()>) {
    let mut far = Host::new();
    let port = far.port();
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let key = Fingerprint(*blake3::hash(&pair.subject_public_key_info()).as_bytes());
    far.submit(Op::TrustKeys { keys: vec![key] });
    let (go, gone) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let mut stream = connect(port, Some(&pair));
        let mut welcome = [0; HEADER_BYTES];
        stream.read_exact(&mut welcome).unwrap();
        assert_eq!(Header::of_bytes(&welcome), Ok(Header::WELCOME));
        gone.recv().unwrap();
        act(stream);
    });
    let (link, peer) = until(&mut [&mut far], "a link", |hosts| up(hosts[0]));
    assert_eq!(peer, key);
    far.submit(Op::Receive {
        link,
        into: span(0, 1 << 20),
    });
    go.send(()).unwrap();
    (far, link, thread)
}

/// Sends bytes and then reads until it is thrown out.
fn says(bytes: Vec<u8>) -> impl FnOnce(Stream) + Send {
    move |mut stream| {
        stream.write_all(&bytes).unwrap();
        stream.flush().unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    }
}

#[test]
fn frames_out_of_bounds_end_the_link_before_anything_is_read() {
    let header = |message_bytes, body_bytes| {
        Header {
            message_bytes,
            body_bytes,
        }
        .to_bytes()
        .to_vec()
    };
    let mut other_version = header(1, 0);
    other_version[4] = 2;
    let mut bad_sum = header(1, 0);
    bad_sum[15] ^= 1;
    let cases = [
        header(0, 0),
        header(513, 0),
        header(1, 1 << 31),
        header(1, u32::MAX),
        header(1, (16 << 20) + 1),
        header(1, (1 << 20) + 1),
        other_version,
        bad_sum,
        b"sixteen bytes...".to_vec(),
    ];
    for bytes in cases {
        let (mut far, link, thread) = stranger(says(bytes.clone()));
        let why = until(&mut [&mut far], "down", |hosts| down(hosts[0], link));
        assert_eq!(why, LinkError::Malformed, "{bytes:02x?}");
        far.machine.memory().bytes(span(0, 1 << 20));
        thread.join().unwrap();
    }
}

#[test]
fn a_connection_that_is_lost_in_a_body_returns_the_span_and_says_so_last() {
    let mut bytes = Header {
        message_bytes: 3,
        body_bytes: 1 << 20,
    }
    .to_bytes()
    .to_vec();
    bytes.extend(b"abc");
    bytes.extend([7; 300_000]);
    let (mut far, link, thread) = stranger(move |mut stream| {
        stream.write_all(&bytes).unwrap();
        stream.flush().unwrap();
    });
    far.send(1, link, b"m", Some(span(1 << 20, 4096)));
    let why = until(&mut [&mut far], "down", |hosts| down(hosts[0], link));
    assert_eq!(why, LinkError::Lost);
    assert!(far.find(|event| matches!(event, Event::Frame { .. }).then_some(())).is_none());
    assert!(matches!(far.log.last(), Some(Event::LinkDown { .. })));
    far.machine.memory().bytes(span(0, 2 << 20));
    thread.join().unwrap();
}

#[test]
fn a_frame_in_single_bytes_is_a_frame() {
    let (mut far, link, thread) = stranger(|mut stream| {
        let mut bytes = Header {
            message_bytes: 2,
            body_bytes: 3,
        }
        .to_bytes()
        .to_vec();
        bytes.extend(b"hibod");
        for byte in bytes {
            stream.write_all(&[byte]).unwrap();
            stream.flush().unwrap();
        }
        stream.conn.send_close_notify();
        stream.flush().unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    });
    let why = until(&mut [&mut far], "down", |hosts| down(hosts[0], link));
    assert_eq!(why, LinkError::Closed);
    let frame = far.find(|event| match event {
        Event::Frame { message, body, .. } => Some((message.to_vec(), *body)),
        _ => None,
    });
    assert_eq!(frame, Some((b"hi".to_vec(), Some(span(0, 3)))));
    assert_eq!(far.machine.memory().bytes(span(0, 3)), b"bod");
    thread.join().unwrap();
}

#[test]
fn a_peer_without_a_key_is_refused() {
    let mut far = Host::new();
    let port = far.port();
    let thread = std::thread::spawn(move || {
        let mut stream = connect(port, None);
        let mut rest = Vec::new();
        assert!(stream.read_to_end(&mut rest).is_err());
        assert!(rest.is_empty());
    });
    let turned = far.expect("turned away", |event| match event {
        Event::Turned { key, why, .. } => Some((*key, *why)),
        _ => None,
    });
    assert_eq!(turned, (None, LinkError::KeyRefused));
    thread.join().unwrap();
}
