//! The records of a connection whose handshake is over: sealed and opened where they lie, without a copy of their own.
//!
//! Which key follows which, the nonces and all of opening are those of rustls. What is here is the framing of RFC 8446, 5.1 and 5.2, the
//! count of records, the three messages that may still come (alerts, key updates, data), and the call that seals: that of rustls gives
//! each record memory of its own, and the allocator hands it back to the kernel and gets it again, page by page.
//!
//! Not the handshake (`handshake.rs`) and not frames (`link.rs`). Invariants: a key seals fewer records than its cipher is good for; after
//! anything that is not as it must be, nothing more is opened.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use ring::aead::{self, Aad, LessSafeKey, UnboundKey};
use rustls::crypto::cipher::{AeadKey, InboundOpaqueMessage, Iv, MessageDecrypter, Nonce, make_tls13_aad};
use rustls::kernel::KernelConnection;
use rustls::{
    AlertDescription, ConnectionTrafficSecrets, ContentType, Error, ExtractedSecrets, InvalidMessage, ProtocolVersion,
    SupportedCipherSuite, Tls13CipherSuite,
};

/// Most bytes that a record carries.
pub(crate) const RECORD_BYTES: usize = 1 << 14;
/// Bytes in front of a record: type, version, length.
const HEADER_BYTES: usize = 5;
/// Longest record as it is on the wire.
pub(crate) const WIRE_BYTES_MAX: usize = HEADER_BYTES + RECORD_BYTES + 256;

/// A handshake message of one byte: its type is `key_update`.
const KEY_UPDATE: [u8; 4] = [24, 0, 0, 1];
const UPDATE_NOT_REQUESTED: u8 = 0;
const UPDATE_REQUESTED: u8 = 1;
/// Level of an alert that is no error.
const WARNING: u8 = 1;

/// Where the keys come from that follow the present ones.
pub(crate) trait Successors {
    /// Of what is sent.
    fn next_sent(&mut self) -> Result<(u64, ConnectionTrafficSecrets), Error>;
    /// Of what is received.
    fn next_received(&mut self) -> Result<(u64, ConnectionTrafficSecrets), Error>;
}

impl<Side> Successors for KernelConnection<Side> {
    fn next_sent(&mut self) -> Result<(u64, ConnectionTrafficSecrets), Error> {
        self.update_tx_secret()
    }

    fn next_received(&mut self) -> Result<(u64, ConnectionTrafficSecrets), Error> {
        self.update_rx_secret()
    }
}

/// What both directions share.
struct Keys {
    successors: RefCell<Box<dyn Successors>>,
    suite: &'static Tls13CipherSuite,
    /// The other side wants us to use a new key.
    asked: Cell<bool>,
}

/// Both directions of a connection.
pub(crate) fn directions(
    secrets: ExtractedSecrets,
    successors: Box<dyn Successors>,
    suite: SupportedCipherSuite,
) -> Result<(Sealer, Opener), Error> {
    let suite = suite.tls13().ok_or(Error::HandshakeNotComplete)?;
    let keys = Rc::new(Keys {
        successors: RefCell::new(successors),
        suite,
        asked: Cell::new(false),
    });
    let (key, iv) = sealing(secrets.tx.1)?;
    let sealer = Sealer {
        key,
        iv,
        sequence: secrets.tx.0,
        // Half of what the cipher is good for: 128 GiB of full records.
        records_max: suite.common.confidentiality_limit / 2,
        keys: Rc::clone(&keys),
    };
    let (key, iv) = opening(secrets.rx.1)?;
    let opener = Opener {
        decrypter: suite.aead_alg.decrypter(key, iv),
        sequence: secrets.rx.0,
        keys,
    };
    Ok((sealer, opener))
}

fn opening(secrets: ConnectionTrafficSecrets) -> Result<(AeadKey, Iv), Error> {
    match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => Ok((key, iv)),
        _ => Err(unknown_cipher()),
    }
}

fn sealing(secrets: ConnectionTrafficSecrets) -> Result<(LessSafeKey, Iv), Error> {
    let algorithm = match &secrets {
        ConnectionTrafficSecrets::Aes128Gcm { .. } => &aead::AES_128_GCM,
        ConnectionTrafficSecrets::Aes256Gcm { .. } => &aead::AES_256_GCM,
        ConnectionTrafficSecrets::Chacha20Poly1305 { .. } => &aead::CHACHA20_POLY1305,
        _ => return Err(unknown_cipher()),
    };
    let (key, iv) = opening(secrets)?;
    let key = UnboundKey::new(algorithm, key.as_ref()).map_err(|_| unknown_cipher())?;
    Ok((LessSafeKey::new(key), iv))
}

fn unknown_cipher() -> Error {
    Error::General("a cipher that is not known here".into())
}

/// The direction out.
pub(crate) struct Sealer {
    key: LessSafeKey,
    iv: Iv,
    /// Records that the key has sealed. It makes the nonce, so it only ever grows while the key is the same.
    sequence: u64,
    records_max: u64,
    keys: Rc<Keys>,
}

impl Sealer {
    /// Seals at most [`RECORD_BYTES`] of data, given in parts, into a record behind what is in `wire`.
    pub(crate) fn seal(&mut self, parts: &[&[u8]], wire: &mut Vec<u8>) -> Result<(), Error> {
        if self.sequence >= self.records_max || self.keys.asked.replace(false) {
            self.change_key(wire)?;
        }
        self.record(ContentType::ApplicationData, parts, wire)
    }

    /// The last record: nothing follows.
    pub(crate) fn goodbye(&mut self, wire: &mut Vec<u8>) -> Result<(), Error> {
        let alert = [WARNING, AlertDescription::CloseNotify.into()];
        self.record(ContentType::Alert, &[&alert], wire)
    }

    /// Says that the next record has the next key.
    fn change_key(&mut self, wire: &mut Vec<u8>) -> Result<(), Error> {
        self.record(ContentType::Handshake, &[&KEY_UPDATE, &[UPDATE_NOT_REQUESTED]], wire)?;
        let (sequence, secrets) = self.keys.successors.borrow_mut().next_sent()?;
        (self.key, self.iv) = sealing(secrets)?;
        self.sequence = sequence;
        Ok(())
    }

    fn record(&mut self, kind: ContentType, parts: &[&[u8]], wire: &mut Vec<u8>) -> Result<(), Error> {
        let data_bytes: usize = parts.iter().map(|part| part.len()).sum();
        assert!(data_bytes <= RECORD_BYTES, "a record carries so much and no more");
        let sealed_bytes = data_bytes + 1 + self.key.algorithm().tag_len();
        // Type, version and length: what is authenticated beside the content.
        let header = make_tls13_aad(sealed_bytes);
        wire.extend_from_slice(&header);
        let from = wire.len();
        parts.iter().for_each(|part| wire.extend_from_slice(part));
        wire.push(kind.into());
        let nonce = aead::Nonce::assume_unique_for_key(Nonce::new(&self.iv, self.sequence).0);
        self.sequence += 1;
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(header), &mut wire[from..])
            .map_err(|_| Error::EncryptError)?;
        wire.extend_from_slice(tag.as_ref());
        Ok(())
    }
}

/// The direction in.
pub(crate) struct Opener {
    decrypter: Box<dyn MessageDecrypter>,
    sequence: u64,
    keys: Rc<Keys>,
}

/// What a record was.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opened<'a> {
    /// Bytes of the other side.
    Data(&'a [u8]),
    /// Something between the two ends of TLS.
    Aside,
    /// The other side says goodbye.
    Goodbye,
}

impl Opener {
    /// Length of the record that begins here, as soon as its header is there; an error if it can be none.
    pub(crate) fn length(bytes: &[u8]) -> Result<Option<usize>, Error> {
        let Some([kind, _, _, high, low]) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let length = HEADER_BYTES + usize::from(u16::from_be_bytes([*high, *low]));
        if ContentType::from(*kind) != ContentType::ApplicationData {
            return Err(Error::InvalidMessage(InvalidMessage::InvalidContentType));
        }
        if length > WIRE_BYTES_MAX {
            return Err(Error::PeerSentOversizedRecord);
        }
        Ok(Some(length))
    }

    /// Opens one whole record.
    pub(crate) fn open<'a>(&mut self, record: &'a mut [u8]) -> Result<Opened<'a>, Error> {
        let sealed = InboundOpaqueMessage::new(
            ContentType::ApplicationData,
            ProtocolVersion::TLSv1_2,
            &mut record[HEADER_BYTES..],
        );
        let plain = self.decrypter.decrypt(sealed, self.sequence)?;
        self.sequence += 1;
        match (plain.typ, plain.payload) {
            (ContentType::ApplicationData, data) => Ok(Opened::Data(data)),
            (ContentType::Alert, [_, description]) => match AlertDescription::from(*description) {
                AlertDescription::CloseNotify => Ok(Opened::Goodbye),
                AlertDescription::UserCanceled => Ok(Opened::Aside),
                description => Err(Error::AlertReceived(description)),
            },
            (ContentType::Handshake, [kind @ .., asked @ (UPDATE_NOT_REQUESTED | UPDATE_REQUESTED)]) if *kind == KEY_UPDATE => {
                let (sequence, secrets) = self.keys.successors.borrow_mut().next_received()?;
                let (key, iv) = opening(secrets)?;
                self.decrypter = self.keys.suite.aead_alg.decrypter(key, iv);
                self.sequence = sequence;
                if *asked == UPDATE_REQUESTED {
                    self.keys.asked.set(true);
                }
                Ok(Opened::Aside)
            }
            _ => Err(Error::General("a message that has no place after the handshake".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::handshake::tests::pair;
    use super::*;

    fn sealed(sealer: &mut Sealer, data: &[u8]) -> Vec<Vec<u8>> {
        let mut wire = Vec::new();
        sealer.seal(&[data], &mut wire).unwrap();
        records(&wire)
    }

    fn records(mut wire: &[u8]) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        while let Some(length) = Opener::length(wire).unwrap() {
            records.push(wire[..length].to_vec());
            wire = &wire[length..];
        }
        assert!(wire.is_empty());
        records
    }

    fn other(sealer: &mut Sealer, kind: ContentType, content: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        sealer.record(kind, &[content], &mut wire).unwrap();
        wire
    }

    #[test]
    fn what_is_sealed_is_opened() {
        let ((mut sealer, _), (_, mut opener)) = pair();
        for data in [&b"a"[..], &[7; RECORD_BYTES]] {
            let mut records = sealed(&mut sealer, data);
            assert_eq!(records.len(), 1);
            assert_eq!(opener.open(&mut records[0]), Ok(Opened::Data(data)));
        }
        let mut wire = Vec::new();
        sealer.seal(&[b"in ", b"parts"], &mut wire).unwrap();
        assert_eq!(opener.open(&mut wire), Ok(Opened::Data(b"in parts")));
        wire.clear();
        sealer.goodbye(&mut wire).unwrap();
        assert_eq!(opener.open(&mut wire), Ok(Opened::Goodbye));
    }

    #[test]
    fn every_bit_of_a_record_matters() {
        let ((mut sealer, _), (_, mut opener)) = pair();
        let record = sealed(&mut sealer, b"block").remove(0);
        for bit in HEADER_BYTES * 8..record.len() * 8 {
            let mut bent = record.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(opener.open(&mut bent), Err(Error::DecryptError), "bit {bit}");
        }
        assert_eq!(opener.open(&mut record.clone()), Ok(Opened::Data(b"block")));
        assert_eq!(
            opener.open(&mut record.clone()),
            Err(Error::DecryptError),
            "the same once more"
        );
    }

    #[test]
    fn keys_change_before_they_are_worn_out_and_when_asked() {
        let ((mut sealer, mut answers), (mut back, mut opener)) = pair();
        sealer.records_max = 3;
        let mut lengths = Vec::new();
        for number in 0..8u8 {
            let mut records = sealed(&mut sealer, &[number]);
            lengths.push(records.len());
            let last = records.len() - 1;
            if last == 1 {
                assert_eq!(opener.open(&mut records[0]), Ok(Opened::Aside));
            }
            assert_eq!(opener.open(&mut records[last]), Ok(Opened::Data(&[number])));
        }
        assert_eq!(lengths, [1, 1, 1, 2, 1, 1, 2, 1]);
        // One side asks: the answer comes with a key of its own.
        let mut asking = other(&mut sealer, ContentType::Handshake, &[24, 0, 0, 1, UPDATE_REQUESTED]);
        assert_eq!(opener.open(&mut asking), Ok(Opened::Aside));
        let (sequence, secrets) = sealer.keys.successors.borrow_mut().next_sent().unwrap();
        (sealer.key, sealer.iv) = sealing(secrets).unwrap();
        sealer.sequence = sequence;
        assert_eq!(opener.open(&mut sealed(&mut sealer, b"new")[0]), Ok(Opened::Data(b"new")));
        let mut records = sealed(&mut back, b"yes");
        assert_eq!(records.len(), 2);
        assert_eq!(answers.open(&mut records[0]), Ok(Opened::Aside));
        assert_eq!(answers.open(&mut records[1]), Ok(Opened::Data(b"yes")));
    }

    #[test]
    fn what_can_be_no_record_is_refused() {
        assert_eq!(Opener::length(&[23, 3, 3, 0]), Ok(None));
        assert_eq!(Opener::length(&[23, 3, 3, 0, 17]), Ok(Some(22)));
        assert!(Opener::length(&[22, 3, 3, 0, 17]).is_err());
        assert!(Opener::length(&[23, 3, 3, 0xff, 0xff]).is_err());
        let ((mut sealer, _), (_, mut opener)) = pair();
        // A ticket, two key updates in one record, an alert without its second byte.
        let wrong: [(ContentType, &[u8]); 3] = [
            (ContentType::Handshake, &[4, 0, 0, 0]),
            (ContentType::Handshake, &[24, 0, 0, 1, 0, 24, 0, 0, 1, 0]),
            (ContentType::Alert, &[1]),
        ];
        for (kind, content) in wrong {
            assert!(opener.open(&mut other(&mut sealer, kind, content)).is_err(), "{content:?}");
        }
        assert_eq!(
            opener.open(&mut other(&mut sealer, ContentType::Alert, &[2, 49])),
            Err(Error::AlertReceived(AlertDescription::AccessDenied))
        );
    }
}
