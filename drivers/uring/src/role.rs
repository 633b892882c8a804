//! What a local program may do, from the kernel's word about its user and group. Not authentication: the kernel did that.

use std::ffi::CString;
use std::io;

use hal::Role;
use nix::unistd::{Gid, Uid, User, getgrouplist};
use tokio::net::UnixStream;

/// Gives roles.
pub(crate) struct Doorkeeper {
    own_uid: u32,
    operators_gid: Option<u32>,
}

impl Doorkeeper {
    /// Members of `operators_gid` operate; root and the daemon's own user do everything.
    pub(crate) fn new(operators_gid: Option<u32>) -> Doorkeeper {
        Doorkeeper {
            own_uid: rustix::process::geteuid().as_raw(),
            operators_gid,
        }
    }

    /// The role and the user of whoever connected.
    pub(crate) async fn role_of(&self, stream: &UnixStream) -> io::Result<(Role, u32)> {
        let peer = stream.peer_cred()?;
        let uid = peer.uid();
        if uid == 0 || uid == self.own_uid {
            return Ok((Role::Admin, uid));
        }
        let Some(operators) = self.operators_gid else {
            return Ok((Role::Read, uid));
        };
        // The user database may be on another host: not on this thread.
        let asked = tokio::task::spawn_blocking(move || is_member(uid, operators));
        let member = peer.gid() == operators || asked.await.unwrap_or(false);
        Ok((if member { Role::Operate } else { Role::Read }, uid))
    }
}

/// Asks the user database: the groups of a process can change between connecting and looking.
fn is_member(uid: u32, gid: u32) -> bool {
    let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid)) else {
        return false;
    };
    let Ok(name) = CString::new(user.name) else {
        return false;
    };
    getgrouplist(&name, user.gid).is_ok_and(|groups| groups.contains(&Gid::from_raw(gid)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn membership_is_the_databases() {
        let root = User::from_uid(Uid::from_raw(0)).unwrap().unwrap();
        assert!(is_member(0, root.gid.as_raw()));
        assert!(!is_member(0, 4_000_000_000));
        assert!(!is_member(4_000_000_000, 0), "a user that nobody knows");
    }
}
