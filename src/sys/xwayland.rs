//! Whether a display is Xwayland's, found out without a knock.
//!
//! A Wayland compositor listens on the socket of an X display itself, and starts Xwayland for the first who connects:
//! a server, its memory and its time, for somebody who only wanted to know whether it is there. Who holds a
//! socket is in `/proc`. And there is nothing to ask: the screen is the compositor's, and it has a socket of its own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The flag of a socket that listens (`__SO_ACCEPTCON` of `linux/net.h`), as `/proc/net/unix` writes it.
const LISTENS: &[u8] = b"00010000";

/// How many descriptors of a compositor are looked through: several for each of its clients.
const DESCRIPTORS_MAX: usize = 4096;

/// Which of these compositors, by PID, listens on the X socket at `path`; none where it is another server's.
pub(super) fn compositor_of(path: &Path, compositors: &[i32]) -> Option<i32> {
    // Most machines have no compositor, and need not be read.
    if compositors.is_empty() {
        return None;
    }
    let listening = listening_at(path);
    let holds = |pid: &i32| descriptors(*pid).any(|held| listening.contains(&held));
    compositors.iter().copied().find(holds)
}

/// What sockets that listen at `path` are to `/proc/PID/fd` (proc(5)). More than one where a server has
/// taken the place of another that still lives.
fn listening_at(path: &Path) -> Vec<String> {
    let Ok(sockets) = File::open("/proc/net/unix") else {
        return Vec::new();
    };
    // A client may have given its socket a name that is no text.
    let lines = BufReader::new(sockets).split(b'\n').map_while(Result::ok);
    lines.filter_map(|line| listener(&line, path)).collect()
}

/// A line of `/proc/net/unix`: `Num RefCount Protocol Flags Type St Inode Path`.
fn listener(line: &[u8], path: &Path) -> Option<String> {
    let line = line.strip_suffix(path.as_os_str().as_bytes())?;
    // Not the end of a longer path, and not an abstract name, which has an `@` before it.
    let line = str::from_utf8(line.strip_suffix(b" ")?).ok()?;
    let mut fields = line.split_ascii_whitespace();
    let is_listening = fields.nth(3)?.as_bytes() == LISTENS;
    let inode = fields.nth(2).filter(|_| is_listening)?;
    Some(format!("socket:[{inode}]"))
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
    fn whoever_listens_is_found_without_a_connection() {
        let dir = Dir::new("xwayland-listens");
        let path = dir.path().join("X0");
        let us = std::process::id() as i32;
        let server = UnixListener::bind(&path).unwrap();
        server.set_nonblocking(true).unwrap();
        assert_eq!(compositor_of(&path, &[1, us]), Some(us));
        assert_eq!(compositor_of(&path, &[]), None);
        assert_eq!(compositor_of(&dir.path().join("0"), &[us]), None);
        let nobody = server.accept().unwrap_err();
        assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
        // What was accepted has the same name, and does not listen.
        let _client = UnixStream::connect(&path).unwrap();
        let _accepted = server.accept().unwrap();
        drop(server);
        assert_eq!(compositor_of(&path, &[us]), None);
    }

    #[test]
    fn a_line_is_of_this_path_alone() {
        let path = Path::new("/tmp/.X11-unix/X0");
        let line = |flags: &str, name: &str| {
            let line = format!("0000000000000000: 00000002 00000000 {flags} 0001 01   912 {name}");
            listener(line.as_bytes(), path)
        };
        assert_eq!(
            line("00010000", "/tmp/.X11-unix/X0").as_deref(),
            Some("socket:[912]")
        );
        assert_eq!(line("00000000", "/tmp/.X11-unix/X0"), None);
        assert_eq!(line("00010000", "@/tmp/.X11-unix/X0"), None);
        assert_eq!(line("00010000", "/chroot/tmp/.X11-unix/X0"), None);
        assert_eq!(line("00010000", "/tmp/.X11-unix/X01"), None);
        assert_eq!(listener(b"", path), None);
    }
}
