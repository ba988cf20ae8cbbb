//! What to execute, and in which surroundings.

use crate::config::{CommandLine, Display, Id, Limits, Process};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where programs are looked for by another account than the daemon's own (whose PATH may lead through
/// directories that only it may enter), or if the daemon was started without a PATH.
pub(in crate::sys) const PATH: &str =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A program to execute, as the operator configured it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The program and its arguments; never empty.
    pub argv: Vec<String>,
    /// Added to the environment in this order; what comes later wins.
    pub env: Vec<(String, String)>,
    /// Working directory; `None` is the account's home.
    pub cwd: Option<String>,
    /// The account; `None` leaves the choice to [`super::account::Account::choose`].
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
    pub(in crate::sys) fn plain(argv: Vec<String>) -> Self {
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

    /// What is to be executed.
    pub(in crate::sys) fn program(&self) -> &str {
        self.argv.first().map(String::as_str).unwrap_or_default()
    }

    /// `command` in the surroundings of `process`. It is the process's own command, or
    /// what the browser room made of it, or a command that probes the process.
    pub fn new(process: &Process, command: CommandLine) -> Self {
        let mut env = process.env.clone();
        let argv = match command {
            CommandLine::Direct { env: pairs, argv } => {
                env.extend(pairs);
                argv
            }
            CommandLine::Shell(line) => vec!["/bin/sh".to_owned(), "-c".to_owned(), line],
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

/// The run that a child belongs to.
#[derive(Clone, Debug)]
pub(in crate::sys) struct RunIdentity<'a> {
    pub(in crate::sys) run_dir: &'a Path,
    pub(in crate::sys) id: &'a Id,
    pub(in crate::sys) run: u64,
    pub(in crate::sys) notify_socket: Option<PathBuf>,
}

impl RunIdentity<'_> {
    /// The value of `$OSSUARY_RUN`: by it a tree is known wherever its processes have gone.
    pub(in crate::sys) fn marker(&self) -> OsString {
        let mut marker = self.run_dir.as_os_str().to_owned();
        marker.push(format!(":{}:{}", self.id.as_str(), self.run));
        marker
    }
}
