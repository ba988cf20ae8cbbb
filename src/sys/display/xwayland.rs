//! Whether a display is Xwayland's, found out without a knock.
//!
//! A Wayland compositor listens on the socket of an X display itself, and starts Xwayland for the first who connects:
//! a server, its memory and its time, only to find out whether it is there. Who holds a
//! socket is in `/proc`. And there is nothing to ask: the screen is the compositor's, and it has a socket of its own.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The flag of a socket that listens (`__SO_ACCEPTCON` of `linux/net.h`), as `/proc/net/unix` writes it.
const LISTENS: &str = "00010000";

/// How many compositors are looked through. A machine has one, and one for each who has logged in; more would let
/// an account that pretends to be many delay the loop.
const COMPOSITORS_MAX: usize = 8;

/// How many descriptors of a compositor are looked through: several for each of its clients.
const DESCRIPTORS_MAX: usize = 4096;

/// Who serves Wayland, by PID, and as which user.
pub(in crate::sys) type Compositors = BTreeMap<i32, u32>;

/// Which of the X sockets at `paths` a compositor listens on, and which one, by PID.
pub(in crate::sys) fn served_by(
    compositors: &Compositors,
    paths: &[&Path],
) -> BTreeMap<PathBuf, i32> {
    let mut served = BTreeMap::new();
    // Most machines have no compositor, and need not be read.
    if compositors.is_empty() || paths.is_empty() {
        return served;
    }
    let mut held = BTreeMap::new();
    for (pid, user) in compositors.iter().take(COMPOSITORS_MAX) {
        held.extend(descriptors(*pid).map(|descriptor| (descriptor, (*pid, *user))));
    }
    let Ok(sockets) = File::open("/proc/net/unix") else {
        return served;
    };
    // A client may have given its socket a name that is no text.
    for line in BufReader::new(sockets).split(b'\n').map_while(Result::ok) {
        let Some((descriptor, path)) = listener(&line) else {
            continue;
        };
        // Its name is chosen by its owner. What lies there is the owner's own, or another's.
        let is_theirs = |user| fs::symlink_metadata(path).is_ok_and(|socket| socket.uid() == user);
        if let Some((pid, user)) = held.get(&descriptor)
            && paths.contains(&path)
            && is_theirs(*user)
        {
            served.insert(path.to_owned(), *pid);
        }
    }
    served
}

/// A line of `/proc/net/unix` (`Num RefCount Protocol Flags Type St Inode Path`) of a socket that listens at a path:
/// what it is to `/proc/PID/fd` (proc(5)), and the path. An abstract name has an `@` before it.
fn listener(line: &[u8]) -> Option<(String, &Path)> {
    let begin = memchr::memchr(b'/', line)?;
    let (head, path) = line.split_at(begin);
    let head = str::from_utf8(head.strip_suffix(b" ")?).ok()?;
    let mut fields = head.split_ascii_whitespace();
    let is_listening = fields.nth(3)? == LISTENS;
    let inode = fields.nth(2).filter(|_| is_listening)?;
    let path = Path::new(OsStr::from_bytes(path));
    Some((format!("socket:[{inode}]"), path))
}

/// What the descriptors of a process refer to; nothing where the daemon may not know.
fn descriptors(pid: i32) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd"));
    let entries = entries.into_iter().flatten().flatten();
    let targets = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
    targets
        .filter_map(|target| target.into_os_string().into_string().ok())
        .take(DESCRIPTORS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::test::Dir;
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn the_listener_is_found_without_a_connection() {
        let dir = Dir::new("xwayland-listens");
        let path = dir.path().join("X0");
        let us = std::process::id() as i32;
        let user = nix::unistd::geteuid().as_raw();
        let found = |pids: &[(i32, u32)], path: &Path| {
            let compositors = pids.iter().copied().collect();
            served_by(&compositors, &[path]).get(path).copied()
        };
        let server = UnixListener::bind(&path).unwrap();
        server.set_nonblocking(true).unwrap();
        assert_eq!(found(&[(1, 0), (us, user)], &path), Some(us));
        assert_eq!(found(&[], &path), None);
        assert_eq!(found(&[(us, user)], &dir.path().join("0")), None);
        // Another account's socket is at the path that it claims.
        assert_eq!(found(&[(us, user + 1)], &path), None);
        let refused = server.accept().unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::WouldBlock);
        // What was accepted has the same name, and does not listen.
        let _client = UnixStream::connect(&path).unwrap();
        let _accepted = server.accept().unwrap();
        drop(server);
        assert_eq!(found(&[(us, user)], &path), None);
    }

    #[test]
    fn a_line_is_of_a_socket_that_listens_at_a_path() {
        let line = |flags: &str, name: &str| {
            let line = format!("0000000000000000: 00000002 00000000 {flags} 0001 01   912 {name}");
            let found = listener(line.as_bytes());
            found.map(|(descriptor, path)| format!("{descriptor} {}", path.display()))
        };
        assert_eq!(
            line("00010000", "/tmp/.X11-unix/X 0").as_deref(),
            Some("socket:[912] /tmp/.X11-unix/X 0")
        );
        assert_eq!(line("00000000", "/tmp/.X11-unix/X0"), None);
        assert_eq!(line("00010000", "@/tmp/.X11-unix/X0"), None);
        assert_eq!(line("00010000", ""), None);
        assert_eq!(listener(b""), None);
    }
}
