//! Finds the cookie by which an X server lets its clients in (Xsecurity(7), MIT-MAGIC-COOKIE-1).

use crate::config::Display;
use crate::sys::background;
use nix::libc;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The only authorization method that matters between a server and a client on one machine.
const METHOD: &[u8] = b"MIT-MAGIC-COOKIE-1";

/// How much of a cookie file or a command line is read. A cookie takes about 50 bytes.
const READ_MAX: u64 = 64 * 1024;

/// How many searches for one account run at a time. A server can make a search hang (its memory or its files may be
/// served by FUSE), and each hanging search holds a thread.
const SEARCHES_MAX: usize = 4;

/// The process that listens on a server's socket, and the account it ran as when it started to.
#[derive(Clone, Copy, Debug)]
struct Peer {
    pid: i32,
    uid: u32,
}

/// The name of the method and the cookie. Both are empty if there is no cookie: many servers accept any client that
/// runs as the same user.
///
/// The server knows best which file its cookies are in, so the file on its command line comes first. Any account may
/// listen on a socket in `/tmp/.X11-unix`, under any command line: nothing here runs on the loop's thread, and a server
/// is sent only cookies that it could read itself ([`read_cookies`]).
pub(super) async fn cookie(display: &Display, server: &impl AsFd) -> (Vec<u8>, Vec<u8>) {
    let peer = getsockopt(&server.as_fd(), PeerCredentials).map(|peer| Peer {
        pid: peer.pid(),
        uid: peer.uid(),
    });
    let search = peer.ok().and_then(Search::begin);
    let Some(search) = search else {
        log::info!(
            "no cookie for {display}: {SEARCHES_MAX} files of its account have not answered yet"
        );
        return (Vec::new(), Vec::new());
    };
    let display = display.clone();
    match background::run(move || search.run(&display)).await {
        Some(cookie) => (METHOD.to_vec(), cookie),
        None => (Vec::new(), Vec::new()),
    }
}

/// A search for the cookie that `peer` accepts; counts as running until it is dropped.
#[derive(Debug)]
struct Search {
    peer: Peer,
}

/// The accounts of the servers whose cookies are being searched for, one entry for each search.
static SEARCHES: Mutex<Vec<u32>> = Mutex::new(Vec::new());

impl Search {
    fn begin(peer: Peer) -> Option<Self> {
        let mut running = Self::running();
        let of_account = running.iter().filter(|uid| **uid == peer.uid);
        if of_account.count() >= SEARCHES_MAX {
            return None;
        }
        running.push(peer.uid);
        Some(Self { peer })
    }

    fn run(self, display: &Display) -> Option<Vec<u8>> {
        let of_server = file_of_server(self.peer.pid);
        let own = std::env::var_os("XAUTHORITY").map(PathBuf::from);
        let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".Xauthority"));
        let files = [of_server, own, home].into_iter().flatten();
        let mut cookies = files.filter_map(|file| {
            let read = read_cookies(&file, self.peer.uid);
            let bytes =
                read.inspect_err(|why| log::info!("{display}: {file:?} is not used: {why}"));
            find(&bytes.ok()??, display)
        });
        cookies.next()
    }

    fn running() -> MutexGuard<'static, Vec<u32>> {
        SEARCHES.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        let mut running = Self::running();
        if let Some(place) = running.iter().position(|uid| *uid == self.peer.uid) {
            running.swap_remove(place);
        }
    }
}

/// The file that the server was given with `-auth`.
fn file_of_server(pid: i32) -> Option<PathBuf> {
    let line = read(&File::open(format!("/proc/{pid}/cmdline")).ok()?)?;
    let mut words = line.split(|byte| *byte == 0);
    words.find(|word| *word == b"-auth")?;
    let file = std::str::from_utf8(words.next()?).ok()?;
    file.starts_with('/').then(|| file.into())
}

/// The content of a cookie file, for a server that runs as `peer`; `None` if it cannot be read.
///
/// # Errors
/// It is not a regular file, or the server does not own it and is not root. It is not opened then: opening a FIFO waits,
/// opening a device can do anything, and the daemon may read files that the server may not.
fn read_cookies(file: &Path, peer: u32) -> Result<Option<Vec<u8>>, &'static str> {
    let mut options = OpenOptions::new();
    options.read(true);
    // Refers to the file without opening it.
    let flags = libc::O_PATH | libc::O_NOFOLLOW;
    let Ok(handle) = options.custom_flags(flags).open(file) else {
        return Ok(None);
    };
    let Ok(about) = handle.metadata() else {
        return Ok(None);
    };
    if !about.is_file() {
        return Err("it is not a regular file");
    }
    if peer != 0 && about.uid() != peer {
        return Err("it does not belong to the account that the X server runs as");
    }
    // The same file, even if another one has its name by now. A file with a lease (fcntl(2)) does not make this wait.
    let opened = options
        .custom_flags(libc::O_NONBLOCK)
        .open(format!("/proc/self/fd/{}", handle.as_raw_fd()));
    Ok(opened.ok().and_then(|file| read(&file)))
}

fn read(file: &File) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(READ_MAX).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// The cookie for a display. An entry without a number is for every display (Xau(3): family, then address, number,
/// name and data, each behind its length in two bytes, high byte first).
fn find(bytes: &[u8], display: &Display) -> Option<Vec<u8>> {
    let Display::X(number) = display else {
        return None;
    };
    let number = number.to_string();
    let mut rest = bytes;
    loop {
        let (_family, after) = rest.split_at_checked(2)?;
        rest = after;
        let [_address, theirs, name, cookie] = [
            field(&mut rest)?,
            field(&mut rest)?,
            field(&mut rest)?,
            field(&mut rest)?,
        ];
        if name == METHOD && (theirs.is_empty() || theirs == number.as_bytes()) {
            return Some(cookie.to_vec());
        }
    }
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<2>()?;
    let (field, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    *rest = after;
    Some(field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::test::Dir;
    use nix::errno::Errno;
    use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;
    use std::fs;
    use std::io::{BufRead, BufReader};
    use std::os::unix::fs::{chown, symlink};
    use std::os::unix::net::UnixStream;
    use std::process::{Command, Stdio};

    fn entry(number: &str, name: &[u8], cookie: &[u8]) -> Vec<u8> {
        let mut bytes = vec![1, 0];
        for field in [b"kiosk", number.as_bytes(), name, cookie] {
            bytes.extend((field.len() as u16).to_be_bytes());
            bytes.extend(field);
        }
        bytes
    }

    /// The account of these tests, and one that owns nothing.
    fn accounts() -> [u32; 2] {
        [nix::unistd::geteuid().as_raw(), 54_321]
    }

    #[test]
    fn a_server_gets_the_cookies_of_its_own_account_and_those_of_root_get_any() {
        let dir = Dir::new("cookies-owner");
        let file = dir.path().join("cookies");
        fs::write(&file, "cookies").unwrap();
        let [own, other] = accounts();
        let cookies = Ok(Some(b"cookies".to_vec()));
        assert_eq!(read_cookies(&file, own), cookies);
        assert_eq!(read_cookies(&file, 0), cookies);
        assert!(read_cookies(&file, other).is_err());
        assert_eq!(read_cookies(&dir.path().join("none"), own), Ok(None));
    }

    #[test]
    fn only_a_regular_file_is_opened() {
        let dir = Dir::new("cookies-kind");
        let [fifo, target, link] = ["fifo", "target", "link"].map(|name| dir.path().join(name));
        mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        fs::write(&target, "cookies").unwrap();
        symlink(&target, &link).unwrap();
        let watch = Inotify::init(InitFlags::IN_NONBLOCK).unwrap();
        for file in [&fifo, &target] {
            watch.add_watch(file, AddWatchFlags::IN_OPEN).unwrap();
        }
        for file in [fifo.as_path(), &link, Path::new("/dev/zero"), dir.path()] {
            let refused = read_cookies(file, 0);
            assert_eq!(refused, Err("it is not a regular file"), "{file:?}");
        }
        assert_eq!(watch.read_events().map(|all| all.len()), Err(Errno::EAGAIN));
        read_cookies(&target, 0).unwrap();
        assert_eq!(watch.read_events().map(|all| all.len()), Ok(1));
    }

    /// Listens at a path, as another account where that is asked for. What follows on its command line is for those who
    /// read that.
    const SERVER: &str = "
import os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
if sys.argv[2]:
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
server.listen()
print('listening', flush=True)
sys.stdin.read()
";

    /// What a client sends a server that was started with `-auth FILE` and runs as this account, if not as that of these
    /// tests.
    fn sent(dir: &Dir, account: Option<u32>, file: &Path) -> Vec<u8> {
        let socket = dir.path().join("socket");
        let account = account.map_or(String::new(), |uid| uid.to_string());
        let mut server = Command::new("python3")
            .args(["-c", SERVER])
            .arg(&socket)
            .args([&account, "-auth"])
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut said = BufReader::new(server.stdout.take().unwrap());
        said.read_line(&mut line).unwrap();
        assert_eq!(line, "listening\n");
        let stream = UnixStream::connect(&socket).unwrap();
        let (_, cookie) = smol::block_on(cookie(&Display::X(77), &stream));
        drop(server.stdin.take());
        server.wait().unwrap();
        fs::remove_file(&socket).unwrap();
        cookie
    }

    #[test]
    fn a_server_is_sent_its_own_cookie_and_no_other_accounts() {
        let dir = Dir::new("cookies-sent");
        let file = dir.path().join("cookies");
        fs::write(&file, entry("77", METHOD, b"cookie")).unwrap();
        let [own, other] = accounts();
        assert_eq!(sent(&dir, None, &file), b"cookie");
        // Only root can start a server as another account.
        if own == 0 {
            assert_eq!(sent(&dir, Some(other), &file), b"", "one of root's");
            chown(&file, Some(other), None).unwrap();
            assert_eq!(sent(&dir, Some(other), &file), b"cookie");
        }
    }

    #[test]
    fn a_server_that_names_a_fifo_is_sent_no_cookie_and_delays_nothing() {
        let dir = Dir::new("cookies-fifo");
        let fifo = dir.path().join("fifo");
        mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        // Returns once it has been opened for reading, by which it also frees one who waits for a writer.
        let path = fifo.clone();
        let writer = std::thread::spawn(move || OpenOptions::new().write(true).open(path));
        assert_eq!(sent(&dir, None, &fifo), b"");
        assert!(!writer.is_finished(), "the FIFO was opened");
        let mut reader = OpenOptions::new();
        reader.read(true).custom_flags(libc::O_NONBLOCK);
        let _reader = reader.open(&fifo).unwrap();
        writer.join().unwrap().unwrap();
    }

    #[test]
    fn a_file_and_a_command_line_are_read_up_to_a_bound() {
        let dir = Dir::new("cookies-bound");
        let file = dir.path().join("cookies");
        // A terabyte, which takes no room on the disk.
        File::create(&file).unwrap().set_len(1 << 40).unwrap();
        let read = read_cookies(&file, 0).unwrap().unwrap();
        assert_eq!(read.len() as u64, READ_MAX);

        for (filler, found) in [(1, Some("/cookies".into())), (100_000, None)] {
            let filler = "x".repeat(filler);
            let mut server = Command::new("sh")
                .args(["-c", "echo; read x", "X", &filler, "-auth", "/cookies"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            // It has executed its program when it prints something.
            let mut line = [0];
            let mut out = server.stdout.take().unwrap();
            out.read_exact(&mut line).unwrap();
            assert_eq!(file_of_server(server.id() as i32), found);
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    #[test]
    fn searches_that_do_not_end_are_few_for_each_account() {
        // Accounts that no other test has.
        let [one, other] = [1 << 30, 1 << 31].map(|uid| Peer { pid: 0, uid });
        let mut running: Vec<_> = (0..SEARCHES_MAX).map(|_| Search::begin(one)).collect();
        assert!(running.iter().all(Option::is_some));
        assert!(Search::begin(one).is_none());
        assert!(Search::begin(other).is_some());
        running.pop();
        assert!(Search::begin(one).is_some());
    }

    #[test]
    fn the_cookie_of_a_display_is_found() {
        let file = [
            entry("1", METHOD, b"one"),
            entry("0", b"XDM-AUTHORIZATION-1", b"other"),
            entry("0", METHOD, b"nought"),
            entry("", METHOD, b"any"),
        ]
        .concat();
        let found = |display| find(&file, &display);
        assert_eq!(found(Display::X(0)).as_deref(), Some(&b"nought"[..]));
        assert_eq!(found(Display::X(1)).as_deref(), Some(&b"one"[..]));
        assert_eq!(found(Display::X(7)).as_deref(), Some(&b"any"[..]));
        assert_eq!(found(Display::Wayland(0)), None);
        for length in 0..entry("1", METHOD, b"one").len() {
            assert_eq!(find(&file[..length], &Display::X(1)), None);
        }
    }
}
