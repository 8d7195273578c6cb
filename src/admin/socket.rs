//! The socket in the file system: taken when its last owner is gone, never from a live one.
//!
//! A lock on `PATH.lock` decides who the owner is; the kernel drops it when the process ends,
//! however it ends. Only its holder touches `PATH`. The socket is made under another name, given
//! its owner and mode, and then renamed, so that it never stands open to others.

use rustix::fs::FlockOperation;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// A listening socket; its file is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Socket {
    path: PathBuf,
    /// Held for as long as we live.
    _lock: File,
}

impl Socket {
    /// Listens at `path` with mode 0660 and, if given, this group.
    pub(super) fn bind(path: &Path, gid: Option<u32>) -> io::Result<(Self, UnixListener)> {
        let at = |path: &Path, e: io::Error| {
            io::Error::new(e.kind(), format!("admin.socket: {}: {e}", path.display()))
        };
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(|e| at(dir, e))?;
        }
        let lock_path = with_suffix(path, ".lock");
        // Ours alone: whoever may open it could hold the lock and keep us from starting.
        let lock =
            File::options().create(true).write(true).truncate(false).mode(0o600).open(&lock_path);
        let lock = lock.map_err(|e| at(&lock_path, e))?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            let what = "another anchord is running with this socket";
            at(path, io::Error::new(io::ErrorKind::AddrInUse, what))
        })?;
        match std::fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                let what = "exists and is no socket: remove it or choose another path";
                return Err(at(path, io::Error::new(io::ErrorKind::AlreadyExists, what)));
            }
            _ => {}
        }
        let fresh = with_suffix(path, ".new");
        // Left by one that ended between the two steps below; the lock says that it is nobody's.
        drop(std::fs::remove_file(&fresh));
        let listener = UnixListener::bind(&fresh).map_err(|e| at(&fresh, e))?;
        std::os::unix::fs::chown(&fresh, None, gid).map_err(|e| at(&fresh, e))?;
        std::fs::set_permissions(&fresh, Permissions::from_mode(0o660)).map_err(|e| at(path, e))?;
        std::fs::rename(&fresh, path).map_err(|e| at(path, e))?;
        listener.set_nonblocking(true)?;
        Ok((Self { path: path.into(), _lock: lock }, listener))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Nobody is left to tell if it is gone already; the lock file stays, as its lock may be
        // waited for under that name.
        drop(std::fs::remove_file(&self.path));
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
