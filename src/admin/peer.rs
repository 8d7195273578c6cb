//! Who may use the socket: root, our own user, and the members of one group.
//!
//! The kernel already refuses others, since the socket has mode 0660; this is asked besides, by
//! the credentials that the kernel attached to the connection (unix(7), `SO_PEERCRED`), because a
//! file's mode is changed more easily than a program. Membership is read from `/etc/passwd` and
//! `/etc/group` at each connection, so a change needs no restart.

use std::io;
use std::path::PathBuf;

/// Whom to let in.
#[derive(Debug)]
pub(super) struct Doorkeeper {
    own_uid: u32,
    group: Option<String>,
    /// Where `passwd` and `group` lie.
    accounts: PathBuf,
}

/// A peer, as the kernel names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) uid: u32,
    /// Its primary group.
    pub(super) gid: u32,
}

impl Doorkeeper {
    /// For our own user and `group`.
    pub(super) fn new(group: Option<String>) -> Self {
        let own_uid = rustix::process::geteuid().as_raw();
        Self { own_uid, group, accounts: "/etc".into() }
    }

    /// The number of the group, for the socket's owner; an error if there is no such group.
    pub(super) fn gid(&self) -> io::Result<Option<u32>> {
        let Some(name) = &self.group else { return Ok(None) };
        match self.group_entry(name)? {
            Some((gid, _)) => Ok(Some(gid)),
            None => Err(io::Error::other(format!("admin.group: there is no group {name:?}"))),
        }
    }

    /// Whether this peer may use the socket. Unreadable account files let nobody in by its group.
    pub(super) fn admits(&self, peer: Peer) -> bool {
        if peer.uid == 0 || peer.uid == self.own_uid {
            return true;
        }
        let Some(name) = &self.group else { return false };
        match self.group_entry(name) {
            Ok(Some((gid, _))) if gid == peer.gid => true,
            Ok(Some((_, members))) => self
                .user_name(peer.uid)
                .is_ok_and(|user| user.is_some_and(|u| members.contains(&u))),
            _ => false,
        }
    }

    /// group(5): `name:password:gid:member,member`.
    fn group_entry(&self, name: &str) -> io::Result<Option<(u32, Vec<String>)>> {
        let text = std::fs::read_to_string(self.accounts.join("group"))?;
        Ok(text.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [found, _, gid, members] = fields[..] else { return None };
            let members = members.split(',').filter(|m| !m.is_empty()).map(str::to_owned);
            (found == name).then(|| Some((gid.parse().ok()?, members.collect())))?
        }))
    }

    /// passwd(5): `name:password:uid:gid:..`.
    fn user_name(&self, uid: u32) -> io::Result<Option<String>> {
        let text = std::fs::read_to_string(self.accounts.join("passwd"))?;
        Ok(text.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            let found: u32 = fields.nth(1)?.parse().ok()?;
            (found == uid).then(|| name.to_owned())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doorkeeper(group: Option<&str>) -> Doorkeeper {
        let accounts = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/accounts");
        Doorkeeper { own_uid: 500, group: group.map(str::to_owned), accounts }
    }

    fn admitted(group: Option<&str>, uid: u32, gid: u32) -> bool {
        doorkeeper(group).admits(Peer { uid, gid })
    }

    #[test]
    fn root_and_our_own_user_are_admitted() {
        assert!(admitted(None, 0, 0) && admitted(None, 500, 500));
        assert!(!admitted(None, 1000, 1000) && !admitted(None, 1000, 0));
    }

    #[test]
    fn members_of_the_group_are_admitted_and_nobody_else() {
        let group = Some("anchord");
        assert!(admitted(group, 1000, 1000), "ann is listed");
        assert!(admitted(group, 1001, 900), "it is bob's primary group");
        assert!(!admitted(group, 1002, 1002), "carl is in another group");
        assert!(!admitted(group, 4242, 4242), "no such user");
        assert!(!admitted(Some("nogroup"), 1000, 1000), "no such group");
    }

    #[test]
    fn the_sockets_group_must_exist() {
        assert_eq!(doorkeeper(Some("anchord")).gid().ok(), Some(Some(900)));
        assert_eq!(doorkeeper(None).gid().ok(), Some(None));
        assert!(doorkeeper(Some("nogroup")).gid().is_err());
    }
}
