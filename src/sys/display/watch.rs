//! Notices which displays exist, the moment they come and go.
//!
//! A display is a socket: `/tmp/.X11-unix/XN`, or `wayland-N` in a user's runtime directory. The
//! directories are watched (inotify(7)), those that do not exist yet through the nearest parent that does.
//! A socket counts when a connection to it succeeds; a server that was killed leaves one that
//! refuses. That such a server dies is seen by its process, which the socket names (`SO_PEERCRED`).
//! The X display of a Wayland compositor is reported without a connection: a connection would start Xwayland.
//! Nothing is polled, but for a short while after a socket was found that is new, or does not accept yet.

use super::attendant::Attendants;
use super::xwayland;
use crate::config::Display;
use crate::supervisor::{Event, Failure};
use crate::sys::errno::failure;
use crate::sys::inotify::Watches;
use crate::sys::process::pidfd::PidFd;
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InotifyEvent, WatchDescriptor};
use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, getsockopt, socket};
use smol::channel::Sender;
use smol::{Async, Timer, future};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

/// A server binds its socket before it listens on it. After something has changed, a socket that refuses
/// is tried again after these pauses, in milliseconds: 3 s in all, then it counts as stale. (They end, so they are a list and no back-off.)
const RETRIES: [u64; 8] = [5, 10, 25, 60, 150, 350, 800, 1600];

/// A compositor opens the socket of its X display before its own, by which it is known: a younger one may be
/// Xwayland's. Between the two it reads the theme of its pointer, from a card perhaps. A server of X does not answer
/// that soon either.
const YOUNG: Duration = Duration::from_millis(500);

/// Any account may make sockets and remove them without end, and each look reads all directories and connects to what is
/// in them. So after a few looks that follow each other at once (a compositor makes several files when it starts) there
/// is one in this time.
const LOOKS_EVERY: Duration = Duration::from_millis(100);

/// How many looks may follow each other at once.
const LOOKS_AT_ONCE: u32 = 5;

/// Sockets that are examined, at most: a directory full of names must not cost memory.
const SOCKETS_MAX: usize = 64;

/// How many entries of a directory are looked through for sockets: far more than a session has, and little enough
/// for an instant.
const ENTRIES_MAX: usize = 10_000;

/// Users whose runtime directories are looked into, at most.
const USERS_MAX: usize = 64;

/// Where to look for displays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Holds the sockets of X servers.
    pub x: PathBuf,
    /// A runtime directory that may hold Wayland sockets: the daemon's own, if it has one.
    pub runtime: Option<PathBuf>,
    /// Holds a runtime directory for each user who is logged in.
    pub users: PathBuf,
    /// Holds a directory for each connector of the kernel's graphics.
    pub connectors: PathBuf,
    /// Holds the devices by which televisions are spoken to (`cec0`).
    pub devices: PathBuf,
}

impl Places {
    /// Where displays are on any Linux system.
    pub fn of_system() -> Self {
        Self {
            x: "/tmp/.X11-unix".into(),
            runtime: std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from),
            users: "/run/user".into(),
            connectors: "/sys/class/drm".into(),
            devices: "/dev".into(),
        }
    }
}

/// Watches the displays.
#[derive(Debug)]
pub struct DisplayWatch {
    places: Places,
    watches: Watches,
    asked: event_listener::Event,
    #[cfg(test)]
    looks: std::cell::Cell<u32>,
}

impl DisplayWatch {
    /// Prepares to watch; [`DisplayWatch::watch`] does.
    ///
    /// # Errors
    /// The system grants no more watches (`fs.inotify.max_user_instances`).
    pub fn new(places: Places) -> Result<Rc<Self>, Failure> {
        let watches = Watches::new().map_err(|e| failure("watch for displays", &e))?;
        Ok(Rc::new(Self {
            places,
            watches,
            asked: event_listener::Event::new(),
            #[cfg(test)]
            looks: Default::default(),
        }))
    }

    /// Looks again. Nothing needs this to notice a display; it is for an operator who does not believe it.
    pub fn recheck(&self) {
        self.asked.notify(usize::MAX);
    }

    /// Sends the existing displays to `events`: at first, and after each change. Never resolves. With `screens`, each
    /// display gets an attendant, which is asked for the screen before the display is reported.
    pub async fn watch(self: Rc<Self>, events: Sender<Event>, screens: Option<Attendants>) {
        let mut watches = BTreeMap::new();
        let mut reported = None;
        let mut retry = 0;
        let mut pace = Pace(Instant::now());
        loop {
            let asked = self.asked.listen();
            self.arm(&mut watches);
            let next = pace.next(Instant::now());
            let seen = self.look(reported.as_deref().unwrap_or_default());
            if let Some(screens) = &screens {
                screens.attend(&seen.sockets).await;
            }
            let present: Vec<Display> = seen.servers.keys().cloned().collect();
            if reported.as_ref() != Some(&present) {
                reported = Some(present.clone());
                let _ = events.send(Event::Displays { present }).await;
            }
            let pause = RETRIES.get(retry).filter(|_| seen.unsettled);
            let news = self.changed();
            let gone = any_ended(seen.servers.into_values().flatten().collect());
            let asked = future::or(asked, gone);
            let change = async {
                future::or(news, asked).await;
                true
            };
            let again = async {
                match pause {
                    Some(millis) => Timer::after(Duration::from_millis(*millis)).await,
                    None => future::pending().await,
                };
                false
            };
            retry = match future::or(change, again).await {
                true => {
                    Timer::at(next).await;
                    0
                }
                false => retry + 1,
            };
        }
    }

    /// Resolves once something has changed that may be about a display.
    async fn changed(&self) {
        let about_display = |event: &InotifyEvent| match &event.name {
            Some(name) => {
                event.mask.contains(AddWatchFlags::IN_ISDIR) || display_of(name).is_some()
            }
            // A watched directory is gone, or events were lost.
            None => true,
        };
        loop {
            match self.watches.changes().await {
                Ok(events) if events.iter().any(about_display) => return,
                // An account that fills a directory does not keep the loop.
                Ok(_) => future::yield_now().await,
                Err(error) => {
                    log::error!("displays that come or go are no longer noticed: {error}");
                    return future::pending().await;
                }
            }
        }
    }

    /// Watches each directory, or the nearest parent that exists, and nothing else.
    fn arm(&self, watches: &mut BTreeMap<PathBuf, WatchDescriptor>) {
        let mut wanted: BTreeSet<PathBuf> = self.directories().map(nearest).collect();
        wanted.insert(nearest(self.places.users.clone()));
        watches.retain(|path, watch| {
            let keep = wanted.contains(path);
            if !keep {
                self.watches.remove(*watch);
            }
            keep
        });
        let mask = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_ONLYDIR;
        for path in wanted {
            // Again also where there is one: the directory may have been created again, and for
            // the kernel the same watch twice is one.
            match self.watches.add(&path, mask) {
                Ok(watch) => drop(watches.insert(path, watch)),
                Err(error) => log::warn!("cannot watch {} for displays: {error}", path.display()),
            }
        }
    }

    /// The directories that hold sockets, whether or not they exist.
    fn directories(&self) -> impl Iterator<Item = PathBuf> {
        let users = fs::read_dir(&self.places.users)
            .into_iter()
            .flatten()
            .flatten();
        let users = users.map(|entry| entry.path()).take(USERS_MAX);
        let fixed = std::iter::once(self.places.x.clone()).chain(self.places.runtime.clone());
        fixed.chain(users)
    }

    /// What is there now; `reported` was there before.
    fn look(&self, reported: &[Display]) -> Seen {
        #[cfg(test)]
        self.looks.set(self.looks.get() + 1);
        let mut seen = Seen::default();
        let (x, wayland): (Vec<_>, Vec<_>) = (self.directories())
            .flat_map(|directory| self.sockets_in(&directory))
            .partition(|(display, _)| matches!(display, Display::X(_)));
        for (display, path) in wayland {
            seen.knock(display, path);
        }
        let paths: Vec<&Path> = x.iter().map(|(_, path)| path.as_path()).collect();
        let served = xwayland::served_by(&seen.compositors, &paths);
        for (display, path) in x {
            match served.get(&path) {
                Some(pid) => drop(seen.servers.insert(display, PidFd::open(*pid).ok())),
                None if is_young(&path) && !reported.contains(&display) => seen.unsettled = true,
                None => seen.knock(display, path),
            }
        }
        seen
    }

    /// The sockets of displays in a directory, by their names.
    fn sockets_in(&self, directory: &Path) -> impl Iterator<Item = (Display, PathBuf)> + use<> {
        let is_x = directory == self.places.x;
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let sockets = entries.take(ENTRIES_MAX).filter_map(move |entry| {
            let display = display_of(&entry.file_name())?;
            (is_x == matches!(display, Display::X(_))).then(|| (display, entry.path()))
        });
        sockets.take(SOCKETS_MAX)
    }
}

/// When the next look may be, where [`LOOKS_AT_ONCE`] have not followed each other.
#[derive(Debug)]
struct Pace(Instant);

impl Pace {
    /// A look begins now. The earliest time of the next one.
    fn next(&mut self, now: Instant) -> Instant {
        self.0 = self.0.max(now) + LOOKS_EVERY;
        self.0 - LOOKS_EVERY * LOOKS_AT_ONCE
    }
}

#[derive(Default)]
struct Seen {
    /// The displays that exist, and the processes that serve them.
    servers: BTreeMap<Display, Option<PidFd>>,
    /// Where those are that can be asked for their screen.
    sockets: BTreeMap<Display, PathBuf>,
    /// Who serves Wayland.
    compositors: xwayland::Compositors,
    /// There is a socket without a listener, or without one yet, or one that is too young to be reported.
    unsettled: bool,
}

impl Seen {
    /// Records a display if its socket accepts a connection.
    fn knock(&mut self, display: Display, path: PathBuf) {
        match probe(&path) {
            Ok(server) => {
                if let (Display::Wayland(_), Some((pid, user))) = (&display, server) {
                    self.compositors.insert(pid, user);
                }
                let server = server.and_then(|(pid, _)| PidFd::open(pid).ok());
                self.servers.insert(display.clone(), server);
                self.sockets.insert(display, path);
            }
            Err(Errno::ECONNREFUSED) => self.unsettled = true,
            Err(error) => log::debug!("{} is no display: {error}", path.display()),
        }
    }
}

/// Whether a socket was made just now. Where the clock was set back it cannot be known, and it counts as old.
fn is_young(path: &Path) -> bool {
    let made = fs::symlink_metadata(path).and_then(|socket| socket.modified());
    made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age < YOUNG))
}

/// Connects and closes. Returns the PID and the user of the listener, if known; an error without a listener.
fn probe(path: &Path) -> Result<Option<(i32, u32)>, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket: OwnedFd = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    match connect(socket.as_raw_fd(), &UnixAddr::new(path)?) {
        // Its queue is full: it is alive, and busy.
        Err(Errno::EAGAIN) => return Ok(None),
        result => result?,
    }
    let server = getsockopt(&socket, PeerCredentials)?;
    Ok(Some((server.pid(), server.uid())))
}

/// Resolves once one of these processes has ended.
async fn any_ended(servers: Vec<PidFd>) {
    let servers: Vec<_> = servers
        .into_iter()
        .filter_map(|server| Async::new(server).ok())
        .collect();
    future::poll_fn(|cx| {
        match servers
            .iter()
            .any(|server| server.poll_readable(cx).is_ready())
        {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}

/// `path`, or the nearest directory above it that exists.
fn nearest(mut path: PathBuf) -> PathBuf {
    while !path.is_dir() && path.pop() {}
    path
}

/// The display whose socket has this name.
fn display_of(name: &OsStr) -> Option<Display> {
    let name = name.to_str()?;
    let number = |text: &str| {
        text.parse()
            .ok()
            .filter(|number: &u8| number.to_string() == text)
    };
    match name.strip_prefix("wayland-") {
        Some(rest) => number(rest).map(Display::Wayland),
        None => number(name.strip_prefix('X')?).map(Display::X),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::test::Dir;
    use nix::sys::socket::{Backlog, bind, listen};
    use nix::unistd::Pid;
    use smol::LocalExecutor;
    use smol::channel::Receiver;
    use std::os::unix::net::UnixListener;
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command};
    use std::time::SystemTime;

    fn places(dir: &Dir) -> Places {
        Places {
            x: dir.path().join("tmp/.X11-unix"),
            runtime: None,
            users: dir.path().join("run/user"),
            connectors: dir.path().join("drm"),
            devices: dir.path().join("dev"),
        }
    }

    async fn next(events: &Receiver<Event>) -> Vec<String> {
        match events.recv().await.unwrap() {
            Event::Displays { present } => present.iter().map(Display::to_string).collect(),
            event => panic!("{event:?}"),
        }
    }

    fn watching<F: Future<Output = ()>>(
        dir: &Dir,
        test: impl FnOnce(Rc<DisplayWatch>, Receiver<Event>) -> F,
    ) {
        let executor = LocalExecutor::new();
        let (sender, receiver) = smol::channel::unbounded();
        let displays = DisplayWatch::new(places(dir)).unwrap();
        executor
            .spawn(displays.clone().watch(sender, None))
            .detach();
        smol::block_on(executor.run(test(displays, receiver)));
    }

    #[test]
    fn displays_come_and_go_in_directories_that_did_not_exist() {
        let dir = Dir::new("displays-come");
        watching(&dir, async |_, events| {
            assert_eq!(next(&events).await, [""; 0]);
            let x = dir.path().join("tmp/.X11-unix");
            fs::create_dir_all(&x).unwrap();
            let one = UnixListener::bind(x.join("X1")).unwrap();
            assert_eq!(next(&events).await, [":1"]);
            let _not_one = UnixListener::bind(x.join("X01")).unwrap();
            let user = dir.path().join("run/user/1000");
            fs::create_dir_all(&user).unwrap();
            let _wayland = UnixListener::bind(user.join("wayland-0")).unwrap();
            assert_eq!(next(&events).await, [":1", "wayland-0"]);
            fs::remove_file(x.join("X1")).unwrap();
            drop(one);
            assert_eq!(next(&events).await, ["wayland-0"]);
        });
    }

    #[test]
    fn others_have_a_turn_while_a_directory_is_filled() {
        let dir = Dir::new("displays-filled");
        let x = dir.path().join("tmp/.X11-unix");
        fs::create_dir_all(&x).unwrap();
        let displays = DisplayWatch::new(places(&dir)).unwrap();
        displays.arm(&mut BTreeMap::new());
        // More than is read at once.
        for number in 0..1000 {
            fs::write(x.join(format!("file-{number}")), "").unwrap();
        }
        fs::write(x.join("X1"), "").unwrap();
        smol::block_on(async {
            let mut changed = std::pin::pin!(displays.changed());
            assert_eq!(future::poll_once(changed.as_mut()).await, None);
            changed.await;
        });
    }

    #[test]
    fn sockets_that_come_and_go_without_end_are_looked_at_at_a_bounded_rate() {
        let dir = Dir::new("displays-flood");
        let x = dir.path().join("tmp/.X11-unix");
        fs::create_dir_all(&x).unwrap();
        watching(&dir, async |displays, events| {
            assert_eq!(next(&events).await, [""; 0]);
            let begin = Instant::now();
            let (done, is_done) = smol::channel::bounded::<()>(1);
            let socket = x.join("X5");
            let flood = std::thread::spawn(move || {
                for _ in 0..3000 {
                    fs::write(&socket, "").unwrap();
                    fs::remove_file(&socket).unwrap();
                }
                drop(done);
            });
            let _ = is_done.recv().await;
            flood.join().unwrap();
            // Each may be followed by a second one, for a socket that refuses.
            let time = begin.elapsed().div_duration_f64(LOOKS_EVERY) as u32;
            let most = 2 * (1 + LOOKS_AT_ONCE + time);
            let looks = displays.looks.get();
            assert!(looks <= most, "{looks} looks, at most {most}");
            // What is there in the end is seen.
            let _one = UnixListener::bind(x.join("X5")).unwrap();
            assert_eq!(next(&events).await, [":5"]);
        });
    }

    #[test]
    fn a_display_among_many_other_files_is_seen() {
        let dir = Dir::new("displays-many");
        let user = dir.path().join("run/user/1000");
        fs::create_dir_all(&user).unwrap();
        for number in 0..4 * SOCKETS_MAX {
            fs::write(user.join(format!("file-{number}")), "").unwrap();
        }
        let _wayland = UnixListener::bind(user.join("wayland-1")).unwrap();
        watching(&dir, async |_, events| {
            assert_eq!(next(&events).await, ["wayland-1"]);
        });
    }

    #[test]
    fn the_x_display_of_a_compositor_is_reported_without_a_connection() {
        let dir = Dir::new("displays-xwayland");
        let x = dir.path().join("tmp/.X11-unix");
        let user = dir.path().join("run/user/1000");
        for directory in [&x, &user] {
            fs::create_dir_all(directory).unwrap();
        }
        let for_x = UnixListener::bind(x.join("X0")).unwrap();
        let own = UnixListener::bind(user.join("wayland-0")).unwrap();
        watching(&dir, async |displays, events| {
            assert_eq!(next(&events).await, [":0", "wayland-0"]);
            displays.recheck();
            Timer::after(2 * YOUNG).await;
            for_x.set_nonblocking(true).unwrap();
            let refused = for_x.accept().unwrap_err();
            assert_eq!(refused.kind(), std::io::ErrorKind::WouldBlock);
            own.accept().unwrap();
            assert!(events.is_empty());
        });
    }

    #[test]
    fn a_socket_is_young_by_its_own_time() {
        let dir = Dir::new("displays-young");
        let path = dir.path().join("X0");
        let socket = fs::File::create(&path).unwrap();
        for (age, young) in [(0, true), (400, true), (600, false), (3_600_000, false)] {
            let made = SystemTime::now() - Duration::from_millis(age);
            socket.set_modified(made).unwrap();
            // However long that took: it only grows older.
            assert!(young || !is_young(&path), "{age} ms");
            assert!(!young || is_young(&path) || made.elapsed().unwrap() >= YOUNG);
        }
        // The clock was set back.
        let made = SystemTime::now() + Duration::from_secs(3600);
        socket.set_modified(made).unwrap();
        assert!(!is_young(&path));
        assert!(!is_young(&dir.path().join("X1")));
    }

    #[test]
    fn a_stale_socket_is_no_display_until_it_has_a_listener_again() {
        let dir = Dir::new("displays-stale");
        let x = dir.path().join("tmp/.X11-unix");
        fs::create_dir_all(&x).unwrap();
        drop(UnixListener::bind(x.join("X0")).unwrap());
        watching(&dir, async |displays, events| {
            assert_eq!(next(&events).await, [""; 0]);
            fs::remove_file(x.join("X0")).unwrap();
            let listener = UnixListener::bind(x.join("X0")).unwrap();
            assert_eq!(next(&events).await, [":0"]);
            // This process continues, so only a second check finds it.
            drop(listener);
            displays.recheck();
            assert_eq!(next(&events).await, [""; 0]);
        });
    }

    /// A program of its own that listens on this socket. The kernel names to a client the process that listened.
    fn server_of(path: PathBuf) -> Child {
        let (kind, flags) = (SockType::Stream, SockFlag::SOCK_CLOEXEC);
        let own = socket(AddressFamily::Unix, kind, flags, None).unwrap();
        bind(own.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
        let mut server = Command::new("sleep");
        server.arg("600").stdin(own.try_clone().unwrap());
        let listening = move || Ok(listen(&own, Backlog::MAXCONN)?);
        #[expect(
            unsafe_code,
            reason = "the process that the kernel names has to listen itself"
        )]
        // SAFETY: between fork and exec it makes one system call, and allocates nothing.
        unsafe {
            server.pre_exec(listening)
        };
        server.spawn().unwrap()
    }

    #[test]
    fn a_server_that_is_killed_takes_its_display_along() {
        let dir = Dir::new("displays-killed");
        let x = dir.path().join("tmp/.X11-unix");
        fs::create_dir_all(&x).unwrap();
        watching(&dir, async |_, events| {
            assert_eq!(next(&events).await, [""; 0]);
            let mut server = server_of(dir.path().join("server"));
            fs::rename(dir.path().join("server"), x.join("X7")).unwrap();
            assert_eq!(next(&events).await, [":7"]);
            nix::sys::signal::kill(
                Pid::from_raw(server.id() as i32),
                nix::sys::signal::Signal::SIGKILL,
            )
            .unwrap();
            assert_eq!(next(&events).await, [""; 0]);
            assert!(x.join("X7").exists());
            server.wait().unwrap();
        });
    }
}
