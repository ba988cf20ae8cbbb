//! What to execute, and in which surroundings.

use super::accounts::Account;
use super::proc::MARKER;
use crate::config::{Command, Display, Id, Limits, Process};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Where programs are looked for by another account than the daemon's own (whose PATH may lead through
/// directories that only it may enter), or if the daemon was started without a PATH.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the service manager told the daemon is not meant for its children (systemd.exec(5)).
const NOT_FOR_CHILDREN: [&str; 18] = [
    "CACHE_DIRECTORY",
    "CONFIGURATION_DIRECTORY",
    "CREDENTIALS_DIRECTORY",
    "FDSTORE",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LOGS_DIRECTORY",
    "MANAGERPID",
    "MEMORY_PRESSURE_WATCH",
    "NOTIFY_SOCKET",
    "RUNTIME_DIRECTORY",
    "STATE_DIRECTORY",
    "SYSTEMD_EXEC_PID",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// What belongs to the session of the daemon's own user, and to nobody else's.
const NOT_FOR_OTHER_USERS: [&str; 5] = [
    "DBUS_SESSION_BUS_ADDRESS",
    "MAIL",
    "XAUTHORITY",
    "XDG_RUNTIME_DIR",
    "XDG_SESSION_ID",
];

/// A program to execute, as the operator configured it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The program and its arguments; never empty.
    pub argv: Vec<String>,
    /// Added to the environment in this order; what comes later wins.
    pub env: Vec<(String, String)>,
    /// Working directory; `None` is the account's home.
    pub cwd: Option<String>,
    /// The account; `None` leaves the choice to [`Account::choose`].
    pub user: Option<String>,
    /// The display it shows itself on.
    pub display: Option<Display>,
    /// Whether it says by `$NOTIFY_SOCKET` when it is ready.
    pub notify: bool,
    /// What its whole tree may use.
    pub limits: Limits,
    /// Whether it is driven over a socket of its own, on its descriptors 3 and 4.
    pub driven: bool,
}

impl Launch {
    /// A program that is executed for the daemon itself.
    pub(super) fn plain(argv: Vec<String>) -> Self {
        Self {
            argv,
            env: Vec::new(),
            cwd: Some("/".to_owned()),
            user: None,
            display: None,
            notify: false,
            limits: Limits::default(),
            driven: false,
        }
    }

    /// `command` in the surroundings of `process`. It is the process's own command, or
    /// what the browser room made of it, or a command that probes the process.
    pub fn new(process: &Process, command: Command) -> Self {
        let mut env = process.env.clone();
        let argv = match command {
            Command::Direct { env: pairs, argv } => {
                env.extend(pairs);
                argv
            }
            Command::Shell(line) => vec!["/bin/sh".to_owned(), "-c".to_owned(), line],
        };
        Self {
            argv,
            env,
            cwd: process.cwd.clone(),
            user: process.user.clone(),
            display: process.display.clone(),
            notify: process.ready.sign == crate::config::ReadySign::Notify,
            limits: process.limits.clone(),
            driven: false,
        }
    }
}

/// Whom a child belongs to.
#[derive(Clone, Debug)]
pub(super) struct Belonging<'a> {
    pub(super) run_dir: &'a Path,
    pub(super) id: &'a Id,
    pub(super) run: u64,
    pub(super) notify_socket: Option<PathBuf>,
}

/// What becomes of one variable of the daemon's own environment.
pub(super) type Change = (OsString, Option<OsString>);

/// The changes that turn the daemon's environment into the child's, in order; `None` removes.
/// (Changes, not the whole: the standard library starts a child faster while it may pass on what there is.)
pub(super) fn environment(
    launch: &Launch,
    account: &Account,
    belonging: &Belonging<'_>,
    inherited: impl Fn(&str) -> Option<OsString>,
) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut set = |name: &str, value: &OsStr| changes.push((name.into(), Some(value.to_owned())));
    set("HOME", account.home.as_os_str());
    set("USER", account.name.as_ref());
    set("LOGNAME", account.name.as_ref());
    set("SHELL", account.shell.as_os_str());
    set(MARKER, &marker(belonging));
    set("OSSUARY_PROCESS", belonging.id.as_str().as_ref());
    if inherited("PATH").is_none() || account.switch.is_some() {
        set("PATH", PATH.as_ref());
    }
    let remove = |name: &&str| ((*name).into(), None);
    changes.extend(NOT_FOR_CHILDREN.iter().map(remove));
    if account.switch.is_some() {
        changes.extend(NOT_FOR_OTHER_USERS.iter().map(remove));
    }
    if account.switch.is_some() || inherited("XDG_RUNTIME_DIR").is_none() {
        let runtime = PathBuf::from(format!("/run/user/{}", account.uid));
        let needed = matches!(launch.display, Some(Display::Wayland(_)));
        if needed || runtime.exists() {
            changes.push(("XDG_RUNTIME_DIR".into(), Some(runtime.into())));
        }
    }
    if let Some(display) = &launch.display {
        let (ours, other) = match display {
            Display::X(_) => ("DISPLAY", "WAYLAND_DISPLAY"),
            Display::Wayland(_) => ("WAYLAND_DISPLAY", "DISPLAY"),
        };
        changes.push((ours.into(), Some(display.to_string().into())));
        changes.push((other.into(), None));
    }
    if let Some(socket) = &belonging.notify_socket {
        changes.push(("NOTIFY_SOCKET".into(), Some(socket.into())));
    }
    let given = launch
        .env
        .iter()
        .map(|(name, value)| (name.into(), Some(value.into())));
    changes.extend(given);
    changes
}

/// The value of [`MARKER`]: by it a tree is known wherever its processes have gone.
fn marker(belonging: &Belonging<'_>) -> OsString {
    let mut marker = belonging.run_dir.as_os_str().to_owned();
    marker.push(format!(":{}:{}", belonging.id.as_str(), belonging.run));
    marker
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn launch(display: Option<Display>) -> Launch {
        Launch {
            argv: vec!["true".to_owned()],
            env: vec![("HOME".to_owned(), "/elsewhere".to_owned())],
            cwd: None,
            user: None,
            display,
            notify: false,
            limits: Limits::default(),
            driven: false,
        }
    }

    fn of(launch: &Launch) -> BTreeMap<String, Option<String>> {
        let account = Account {
            name: "pi".to_owned(),
            uid: 54_321,
            home: "/home/pi".into(),
            shell: "/bin/sh".into(),
            switch: None,
        };
        let belonging = Belonging {
            run_dir: Path::new("/run/ossuary"),
            id: &"sync".parse().unwrap(),
            run: 7,
            notify_socket: None,
        };
        environment(launch, &account, &belonging, |_| None)
            .into_iter()
            .map(|(name, value)| {
                let text = |text: OsString| text.into_string().unwrap();
                (text(name), value.map(text))
            })
            .collect()
    }

    #[test]
    fn a_child_knows_whom_it_belongs_to_and_nothing_of_the_service_manager() {
        let env = of(&launch(None));
        assert_eq!(env["OSSUARY_RUN"].as_deref(), Some("/run/ossuary:sync:7"));
        assert_eq!(env["USER"].as_deref(), Some("pi"));
        assert_eq!(
            env["HOME"].as_deref(),
            Some("/elsewhere"),
            "the operator's word is the last"
        );
        assert_eq!(env["LISTEN_FDS"], None);
        assert!(!env.contains_key("DISPLAY"));
    }

    #[test]
    fn a_child_sees_its_display_and_no_other() {
        let x = of(&launch(Some(Display::X(1))));
        assert_eq!(
            (x["DISPLAY"].as_deref(), &x["WAYLAND_DISPLAY"]),
            (Some(":1"), &None)
        );
        let wayland = of(&launch(Some(Display::Wayland(0))));
        assert_eq!(wayland["WAYLAND_DISPLAY"].as_deref(), Some("wayland-0"));
        assert_eq!(
            wayland["XDG_RUNTIME_DIR"].as_deref(),
            Some("/run/user/54321")
        );
    }
}
