//! The server's side of the NBD protocol (its document is `doc/proto.md` of the nbd project): one export, one request at a time.

use std::io::{Error, Read, Result, Write};
use std::os::unix::net::UnixStream;

use super::Cache;

const MAGIC: &[u8; 8] = b"NBDMAGIC";
const OPTION_MAGIC: &[u8; 8] = b"IHAVEOPT";
/// Fixed newstyle, and no zeros behind the export.
const HANDSHAKE_FLAGS: u16 = 1 | 2;
const OPTION_ABORT: u32 = 2;
const OPTION_INFO: u32 = 6;
const OPTION_GO: u32 = 7;
const REPLY_MAGIC: u64 = 0x0003_e889_0455_65a9;
const REPLY_ACK: u32 = 1;
const REPLY_INFO: u32 = 3;
const REPLY_UNSUPPORTED: u32 = 0x8000_0001;
const INFO_EXPORT: u16 = 0;
/// Has flags, can flush, can write through, can write zeros.
const EXPORT_FLAGS: u16 = 1 | 4 | 8 | 64;
const REQUEST_MAGIC: u32 = 0x2560_9513;
const SIMPLE_REPLY_MAGIC: u32 = 0x6744_6698;
const READ: u16 = 0;
const WRITE: u16 = 1;
const DISCONNECT: u16 = 2;
const FLUSH: u16 = 3;
const WRITE_ZEROES: u16 = 6;
const THROUGH: u16 = 1;
const EIO: u32 = 5;
/// The longest request that the emulator makes.
const LENGTH_MAX: u32 = 64 << 20;

/// Serves one connection to its end.
pub(super) fn serve(cache: &Cache, mut connection: UnixStream) -> Result<()> {
    if negotiate(cache, &mut connection)? {
        transmit(cache, &mut connection)?;
    }
    Ok(())
}

/// True if the client goes on to use the export.
fn negotiate(cache: &Cache, connection: &mut UnixStream) -> Result<bool> {
    connection.write_all(MAGIC)?;
    connection.write_all(OPTION_MAGIC)?;
    connection.write_all(&HANDSHAKE_FLAGS.to_be_bytes())?;
    let _client_flags: [u8; 4] = take(connection)?;
    loop {
        if take(connection)? != *OPTION_MAGIC {
            return Err(Error::other("no option"));
        }
        let option = u32::from_be_bytes(take(connection)?);
        let length = u32::from_be_bytes(take(connection)?);
        if length > 1 << 16 {
            return Err(Error::other("an option that is too long"));
        }
        connection.read_exact(&mut vec![0; length as usize])?;
        match option {
            OPTION_GO | OPTION_INFO => {
                let mut info = INFO_EXPORT.to_be_bytes().to_vec();
                info.extend_from_slice(&cache.size_bytes.to_be_bytes());
                info.extend_from_slice(&EXPORT_FLAGS.to_be_bytes());
                reply(connection, option, REPLY_INFO, &info)?;
                reply(connection, option, REPLY_ACK, &[])?;
                if option == OPTION_GO {
                    return Ok(true);
                }
            }
            OPTION_ABORT => {
                reply(connection, option, REPLY_ACK, &[])?;
                return Ok(false);
            }
            _ => reply(connection, option, REPLY_UNSUPPORTED, &[])?,
        }
    }
}

fn reply(connection: &mut UnixStream, option: u32, kind: u32, data: &[u8]) -> Result<()> {
    let mut bytes = REPLY_MAGIC.to_be_bytes().to_vec();
    for word in [option, kind, data.len() as u32] {
        bytes.extend_from_slice(&word.to_be_bytes());
    }
    bytes.extend_from_slice(data);
    connection.write_all(&bytes)
}

fn transmit(cache: &Cache, connection: &mut UnixStream) -> Result<()> {
    loop {
        if u32::from_be_bytes(take(connection)?) != REQUEST_MAGIC {
            return Err(Error::other("no request"));
        }
        let flags = u16::from_be_bytes(take(connection)?);
        let kind = u16::from_be_bytes(take(connection)?);
        let cookie: [u8; 8] = take(connection)?;
        let at_bytes = u64::from_be_bytes(take(connection)?);
        let length = u32::from_be_bytes(take(connection)?);
        if length > LENGTH_MAX {
            return Err(Error::other("a request that is too long"));
        }
        let through = flags & THROUGH != 0;
        let done = match kind {
            READ => cache.read(at_bytes, length as usize),
            WRITE => {
                let mut bytes = vec![0; length as usize];
                connection.read_exact(&mut bytes)?;
                cache.write(at_bytes, bytes, through).map(|()| Vec::new())
            }
            WRITE_ZEROES => cache.write(at_bytes, vec![0; length as usize], through).map(|()| Vec::new()),
            FLUSH => cache.flush().map(|()| Vec::new()),
            DISCONNECT => return Ok(()),
            _ => Err(Error::other("no such request")),
        };
        let error = if done.is_ok() { 0 } else { EIO };
        let mut bytes = SIMPLE_REPLY_MAGIC.to_be_bytes().to_vec();
        bytes.extend_from_slice(&error.to_be_bytes());
        bytes.extend_from_slice(&cookie);
        bytes.append(&mut done.unwrap_or_default());
        connection.write_all(&bytes)?;
    }
}

fn take<const LENGTH: usize>(connection: &mut UnixStream) -> Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    connection.read_exact(&mut bytes)?;
    Ok(bytes)
}
