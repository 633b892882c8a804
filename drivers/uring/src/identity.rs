//! Who this appliance is: one key, kept in the state folder, and a certificate made from it at each start.
//!
//! The certificate is only the wrapping that TLS wants. Peers pin the key (`tls.rs`).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use hal::Fingerprint;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ED25519, PublicKeyData};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::{Zeroize, Zeroizing};

/// Name of the key's file in the state folder.
pub(crate) const KEY_FILE: &str = "identity.key";

/// An Ed25519 key in PEM is about 200 bytes, a P-256 key about 250.
const KEY_FILE_BYTES_MAX: u64 = 4096;

/// A key and its certificate, as TLS takes them.
pub(crate) struct Identity {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file cannot be read or written.
    #[error("the identity key in the state folder cannot be read or written: {0}; check the folder's owner and free space")]
    Io(#[from] io::Error),
    /// The file is not a key.
    #[error(
        "the file identity.key in the state folder is not a private key in PEM: put back a copy, or move the file away to get \
         a new identity, which every peer must then be told"
    )]
    NotAKey,
    /// Others may read the key.
    #[error("the file identity.key in the state folder can be read by others (mode {0:o}): run `chmod 600` on it")]
    Open(u32),
}

/// Reads the key of a state folder; makes one if there is none.
pub(crate) fn load(folder: &Path) -> Result<Identity, IdentityError> {
    let path = folder.join(KEY_FILE);
    let mut pair = match File::open(&path) {
        Ok(file) => read(file)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(folder, &path)?,
        Err(error) => return Err(error.into()),
    };
    let mut parameters = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, "blockhaul appliance");
    parameters.distinguished_name = name;
    let certificate = parameters.self_signed(&pair).map_err(|_| IdentityError::NotAKey)?;
    let identity = Identity {
        fingerprint: fingerprint_of(&pair.subject_public_key_info()),
        certificate: certificate.der().clone(),
        key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pair.serialize_der())),
    };
    pair.zeroize();
    Ok(identity)
}

/// BLAKE3 of a SubjectPublicKeyInfo in DER.
pub(crate) fn fingerprint_of(public_key_info: &[u8]) -> Fingerprint {
    Fingerprint(*blake3::hash(public_key_info).as_bytes())
}

fn read(file: File) -> Result<KeyPair, IdentityError> {
    use std::os::unix::fs::MetadataExt;
    let mode = file.metadata()?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(IdentityError::Open(mode));
    }
    // Room for all of it at once: a buffer that grows would leave copies of the key behind.
    let mut pem = Zeroizing::new(String::with_capacity(KEY_FILE_BYTES_MAX as usize));
    file.take(KEY_FILE_BYTES_MAX).read_to_string(&mut pem)?;
    KeyPair::from_pem(&pem).map_err(|_| IdentityError::NotAKey)
}

/// A new key, durable before it is used: a peer that pinned it must find it again.
fn make(folder: &Path, path: &Path) -> Result<KeyPair, IdentityError> {
    let pair = KeyPair::generate_for(&PKCS_ED25519).map_err(|_| io::Error::other("no random numbers"))?;
    let pem = Zeroizing::new(pair.serialize_pem());
    let beside = path.with_extension("key.new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(pem.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(folder)?.sync_all()?;
    Ok(pair)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn one_key_for_one_folder() {
        let folder = tempfile::tempdir().unwrap();
        let first = load(folder.path()).unwrap();
        let again = load(folder.path()).unwrap();
        assert_eq!(first.fingerprint, again.fingerprint);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(load(other.path()).unwrap().fingerprint, first.fingerprint);
        let mode = fs::metadata(folder.path().join(KEY_FILE)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
    }

    #[test]
    fn the_fingerprint_is_that_of_the_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let identity = load(folder.path()).unwrap();
        let parsed = rustls::server::ParsedCertificate::try_from(&identity.certificate).unwrap();
        assert_eq!(fingerprint_of(&parsed.subject_public_key_info()), identity.fingerprint);
    }

    #[test]
    fn an_open_or_broken_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        load(folder.path()).unwrap();
        let path = folder.path().join(KEY_FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(load(folder.path()), Err(IdentityError::Open(0o640))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "no key").unwrap();
        assert!(matches!(load(folder.path()), Err(IdentityError::NotAKey)));
    }
}
