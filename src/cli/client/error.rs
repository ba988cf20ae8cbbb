//! Why a command could not be carried out, in words and as an exit code.

use super::problem::Refused;
use crate::cli::Exit;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a command could not be carried out.
#[derive(Debug)]
pub enum Error {
    /// Nobody listens on the socket.
    NoDaemon {
        /// The socket.
        socket: PathBuf,
    },
    /// The socket may not be used by this user.
    PermissionDenied {
        /// The socket.
        socket: PathBuf,
    },
    /// The socket cannot be used at all.
    Connect {
        /// The socket.
        socket: PathBuf,
        /// What the system said.
        error: String,
    },
    /// The daemon says nothing.
    Timeout {
        /// How long it was waited for.
        seconds: u64,
    },
    /// What it says is not what a daemon says.
    InvalidResponse(String),
    /// It understood and declined.
    Refused(Box<Refused>),
    /// A file of the operator could not be read or written.
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// What was printed could not be written.
    Output(io::Error),
}

impl Error {
    /// The code to leave with.
    pub fn exit(&self) -> Exit {
        match self {
            Error::NoDaemon { .. } | Error::PermissionDenied { .. } | Error::Connect { .. } => {
                Exit::NoDaemon
            }
            Error::Timeout { .. } | Error::InvalidResponse(_) => Exit::NoDaemon,
            Error::Refused(refused) if refused.status == 404 => Exit::NotFound,
            Error::Refused(_) | Error::File { .. } => Exit::Refused,
            // `ossuary logs x | head` is no mistake.
            Error::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Error::Output(_) => Exit::Refused,
        }
    }

    /// Whether there is nobody left to read about it.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Error::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Whether a stream that broke like this may be taken up again.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Error::NoDaemon { .. } | Error::Timeout { .. } | Error::InvalidResponse(_)
        ) || matches!(self, Error::Refused(refused) if refused.status == 503)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoDaemon { socket } => write!(
                f,
                "no daemon answers on {}; start it with `systemctl start ossuary` or \
                 `ossuary daemon`, or name its directory with --run-dir",
                socket.display()
            ),
            Error::PermissionDenied { socket } => write!(
                f,
                "permission denied on {}; use sudo, or join the group that owns it",
                socket.display()
            ),
            Error::Connect { socket, error } => {
                write!(f, "cannot connect to {}: {error}", socket.display())
            }
            Error::Timeout { seconds } => {
                write!(f, "the daemon has not answered for {seconds} s")
            }
            Error::InvalidResponse(why) => write!(f, "cannot understand the daemon: {why}"),
            Error::Refused(refused) => refused.fmt(f),
            Error::File { path, error } => write!(f, "{}: {error}", path.display()),
            Error::Output(error) => write!(f, "cannot print: {error}"),
        }
    }
}
