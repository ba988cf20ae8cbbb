//! The environment of a child: the daemon's own, and what is different for the child.

use super::account::Account;
use super::launch::{Launch, PATH, RunIdentity};
use crate::config::Display;
use crate::sys::procfs::MARKER;
use crate::sys::service::fd_store::UPGRADED_FROM;
use std::borrow::Cow;
use std::ffi::{CStr, CString, NulError, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::LazyLock;

/// What the service manager passes to the daemon is not meant for its children (systemd.exec(5)), nor is what the daemon
/// passes to the program it becomes.
const NOT_FOR_CHILDREN: [&str; 19] = [
    UPGRADED_FROM,
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

/// What belongs to the session of the daemon's own user only.
const NOT_FOR_OTHER_USERS: [&str; 5] = [
    "DBUS_SESSION_BUS_ADDRESS",
    "MAIL",
    "XAUTHORITY",
    "XDG_RUNTIME_DIR",
    "XDG_SESSION_ID",
];

/// What the daemon was started with and passes on. Read once: nothing in this program changes it.
static INHERITED: LazyLock<Vec<CString>> = LazyLock::new(|| {
    let own = std::env::vars_os();
    own.filter(|(name, _)| !NOT_FOR_CHILDREN.iter().any(|other| name == other))
        .filter_map(|(name, value)| variable(name.as_bytes(), &value).ok())
        .collect()
});

/// What execve(2) takes: `NAME=value`, each name once.
#[derive(Debug)]
pub(in crate::sys) struct Environment<'a>(Vec<Cow<'a, CStr>>);

impl Environment<'static> {
    /// That of a child of the daemon.
    ///
    /// # Errors
    /// A word of the operator holds a NUL.
    pub(in crate::sys) fn of(
        launch: &Launch,
        account: &Account,
        identity: &RunIdentity<'_>,
    ) -> Result<Self, NulError> {
        Environment::from(&INHERITED, launch, account, identity)
    }
}

impl<'a> Environment<'a> {
    fn from(
        inherited: &'a [CString],
        launch: &Launch,
        account: &Account,
        identity: &RunIdentity<'_>,
    ) -> Result<Self, NulError> {
        let inherited = inherited.iter().map(|text| Cow::Borrowed(text.as_c_str()));
        let mut child = Self(inherited.collect());
        if account.switch.is_some() {
            let theirs = NOT_FOR_OTHER_USERS.into_iter();
            theirs.chain(["PATH"]).for_each(|name| child.remove(name));
        }
        child.set("HOME", &account.home)?;
        child.set("USER", &account.name)?;
        child.set("LOGNAME", &account.name)?;
        child.set("SHELL", &account.shell)?;
        child.set(MARKER, identity.marker())?;
        child.set("OSSUARY_PROCESS", identity.id.as_str())?;
        if child.get("PATH").is_none() {
            child.set("PATH", PATH)?;
        }
        if child.get("XDG_RUNTIME_DIR").is_none() {
            let runtime = PathBuf::from(format!("/run/user/{}", account.uid));
            let needed = matches!(launch.display, Some(Display::Wayland(_)));
            if needed || runtime.exists() {
                child.set("XDG_RUNTIME_DIR", runtime)?;
            }
        }
        if let Some(display) = &launch.display {
            let (ours, other) = match display {
                Display::X(_) => ("DISPLAY", "WAYLAND_DISPLAY"),
                Display::Wayland(_) => ("WAYLAND_DISPLAY", "DISPLAY"),
            };
            child.set(ours, display.to_string())?;
            child.remove(other);
        }
        if let Some(socket) = &identity.notify_socket {
            child.set("NOTIFY_SOCKET", socket)?;
        }
        for (name, value) in &launch.env {
            child.set(name, value)?;
        }
        Ok(child)
    }

    /// The value of a variable.
    pub(in crate::sys) fn get(&self, name: &str) -> Option<&OsStr> {
        let place = self.place_of(name)?;
        let value = self.0[place].to_bytes().get(name.len() + 1..)?;
        Some(OsStr::from_bytes(value))
    }

    /// `NAME=value`, one after another.
    pub(in crate::sys) fn texts(&self) -> impl Iterator<Item = &CStr> {
        self.0.iter().map(AsRef::as_ref)
    }

    fn set(&mut self, name: &str, value: impl AsRef<OsStr>) -> Result<(), NulError> {
        let text = Cow::Owned(variable(name.as_bytes(), value.as_ref())?);
        match self.place_of(name) {
            Some(place) => self.0[place] = text,
            None => self.0.push(text),
        }
        Ok(())
    }

    fn remove(&mut self, name: &str) {
        if let Some(place) = self.place_of(name) {
            self.0.swap_remove(place);
        }
    }

    fn place_of(&self, name: &str) -> Option<usize> {
        // The `=` first: it excludes nearly all others.
        let is_it =
            |text: &[u8]| text.get(name.len()) == Some(&b'=') && text.starts_with(name.as_bytes());
        self.0.iter().position(|text| is_it(text.to_bytes()))
    }
}

/// `NAME=value`.
fn variable(name: &[u8], value: &OsStr) -> Result<CString, NulError> {
    // Room for the `=` and the NUL as well, so that nothing is copied twice.
    let mut text = Vec::with_capacity(name.len() + value.len() + 2);
    text.extend_from_slice(name);
    text.push(b'=');
    text.extend_from_slice(value.as_bytes());
    CString::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Id;
    use crate::sys::process::account::Switch;
    use std::path::Path;

    fn launch(display: Option<Display>) -> Launch {
        Launch {
            env: vec![("HOME".to_owned(), "/elsewhere".to_owned())],
            cwd: None,
            display,
            ..Launch::plain(vec!["true".to_owned()])
        }
    }

    fn account(switch: Option<Switch>) -> Account {
        Account {
            name: "pi".to_owned(),
            uid: 54_321,
            home: "/home/pi".into(),
            shell: "/bin/sh".into(),
            switch,
        }
    }

    fn another_user() -> Option<Switch> {
        Some(Switch {
            uid: rustix::process::Uid::from_raw(54_321),
            gid: rustix::process::Gid::from_raw(54_321),
            groups: Vec::new(),
        })
    }

    /// What a child of a daemon that was started with `inherited` has.
    fn of<'a>(
        inherited: &'a [CString],
        launch: &Launch,
        switch: Option<Switch>,
    ) -> Environment<'a> {
        let id: Id = "sync".parse().unwrap();
        let identity = RunIdentity {
            run_dir: Path::new("/run/ossuary"),
            id: &id,
            run: 7,
            notify_socket: None,
        };
        Environment::from(inherited, launch, &account(switch), &identity).unwrap()
    }

    fn get<'a>(environment: &'a Environment<'_>, name: &str) -> Option<&'a str> {
        environment.get(name).map(|value| value.to_str().unwrap())
    }

    #[test]
    fn a_child_knows_its_run_and_the_operators_value_wins() {
        let inherited = [c"HOME=/root".into(), c"HOMELESS=yes".into(), c"A=b".into()];
        let env = of(&inherited, &launch(None), None);
        assert_eq!(get(&env, "OSSUARY_RUN"), Some("/run/ossuary:sync:7"));
        assert_eq!(get(&env, "USER"), Some("pi"));
        assert_eq!(get(&env, "HOME"), Some("/elsewhere"));
        assert_eq!(get(&env, "HOMELESS"), Some("yes"));
        assert_eq!(get(&env, "A"), Some("b"));
        assert_eq!(get(&env, "DISPLAY"), None);
        let homes = env
            .texts()
            .filter(|text| text.to_bytes().starts_with(b"HOME="))
            .count();
        assert_eq!(homes, 1, "which of two counts is everybody's own guess");
    }

    #[test]
    fn a_child_sees_its_display_and_no_other() {
        let inherited = [c"DISPLAY=:9".into(), c"WAYLAND_DISPLAY=wayland-9".into()];
        let x = of(&inherited, &launch(Some(Display::X(1))), None);
        assert_eq!(get(&x, "DISPLAY"), Some(":1"));
        assert_eq!(get(&x, "WAYLAND_DISPLAY"), None);
        let wayland = of(&inherited, &launch(Some(Display::Wayland(0))), None);
        assert_eq!(get(&wayland, "WAYLAND_DISPLAY"), Some("wayland-0"));
        assert_eq!(get(&wayland, "DISPLAY"), None);
        assert_eq!(get(&wayland, "XDG_RUNTIME_DIR"), Some("/run/user/54321"));
    }

    #[test]
    fn what_is_the_daemons_own_users_is_not_passed_on_to_another() {
        let inherited = [
            c"PATH=/root/bin".into(),
            c"MAIL=/var/mail/root".into(),
            c"LANG=C".into(),
        ];
        let own = of(&inherited, &launch(None), None);
        assert_eq!(get(&own, "PATH"), Some("/root/bin"));
        assert_eq!(get(&own, "MAIL"), Some("/var/mail/root"));
        let other = of(&inherited, &launch(None), another_user());
        assert_eq!(get(&other, "PATH"), Some(PATH));
        assert_eq!(get(&other, "MAIL"), None);
        assert_eq!(get(&other, "LANG"), Some("C"));
    }

    #[test]
    fn a_nul_is_refused_and_not_cut_off_at() {
        let id: Id = "sync".parse().unwrap();
        let identity = RunIdentity {
            run_dir: Path::new("/run/ossuary"),
            id: &id,
            run: 7,
            notify_socket: None,
        };
        let mut launch = launch(None);
        launch.env.push(("A".to_owned(), "b\0c".to_owned()));
        assert!(Environment::from(&[], &launch, &account(None), &identity).is_err());
    }
}
