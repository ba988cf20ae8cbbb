//! Who is at the other end of the unix socket.

#![expect(unsafe_code)]

use nix::libc;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::geteuid;
use std::fs;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Groups of one account that are looked at. Ordinary accounts have a dozen.
const GROUPS_MAX: usize = 256;

/// Whether the peer of the socket at `path` may do everything: root, the daemon's own account, and the
/// members of the group that owns the socket. The socket's mode says the same; this holds even if
/// the mode was widened.
pub fn may_command(stream: BorrowedFd<'_>, path: &Path) -> bool {
    let Ok(peer) = getsockopt(&stream, PeerCredentials) else {
        return false;
    };
    if peer.uid() == 0 || peer.uid() == geteuid().as_raw() {
        return true;
    }
    let Ok(group) = fs::symlink_metadata(path).map(|socket| socket.gid()) else {
        return false;
    };
    // The group of root is root's alone: the socket was given to no other group.
    group != 0 && (peer.gid() == group || groups(stream).contains(&group))
}

/// The supplementary groups the peer had when it connected (`SO_PEERGROUPS`, socket(7)).
fn groups(stream: BorrowedFd<'_>) -> Vec<libc::gid_t> {
    let mut groups = vec![0 as libc::gid_t; GROUPS_MAX];
    let mut length = (groups.len() * size_of::<libc::gid_t>()) as libc::socklen_t;
    // SAFETY: the pointer is to `length` writable bytes, and the kernel writes no more than that.
    let done = unsafe {
        libc::getsockopt(
            stream.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERGROUPS,
            groups.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    let count = match done {
        0 => length as usize / size_of::<libc::gid_t>(),
        _ => 0,
    };
    groups.truncate(count);
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::test::Dir;
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn the_account_of_the_daemon_may_command_it() {
        let dir = Dir::new("peer");
        let path = dir.path().join("sock");
        let listener = UnixListener::bind(&path).unwrap();
        let _client = UnixStream::connect(&path).unwrap();
        let (stream, _) = listener.accept().unwrap();
        assert!(may_command(stream.as_fd(), &path));
        assert!(groups(stream.as_fd()).len() <= GROUPS_MAX);
    }
}
