//! Errors of client commands, with their messages and exit codes.

use super::problem::Refused;
use crate::cli::Exit;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a client command failed.
#[derive(Debug)]
pub enum Error {
    /// No daemon listens on the socket.
    NoDaemon {
        /// The socket.
        socket: PathBuf,
    },
    /// This user may not connect to the socket.
    PermissionDenied {
        /// The socket.
        socket: PathBuf,
    },
    /// Connecting to the socket failed for another reason.
    Connect {
        /// The socket.
        socket: PathBuf,
        /// The error of the system.
        error: String,
    },
    /// The daemon does not respond.
    Timeout {
        /// How long the client has waited.
        seconds: u64,
    },
    /// The response of the daemon is not valid.
    InvalidResponse(String),
    /// The daemon refused the request.
    Refused(Box<Refused>),
    /// A file that the operator named could not be read or written.
    File {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
    /// The output could not be written.
    Output(io::Error),
}

impl Error {
    /// A file could not be read or written.
    pub fn file(path: impl Into<PathBuf>, error: io::Error) -> Error {
        let path = path.into();
        Error::File { path, error }
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Error::Refused(refused) if refused.status == 404 => Exit::NotFound,
            // As in `ossuary logs x | head`.
            error if error.is_broken_pipe() => Exit::Done,
            Error::Refused(_) | Error::File { .. } | Error::Output(_) => Exit::Refused,
            _ => Exit::NoDaemon,
        }
    }

    /// Whether the reader of the output has closed its pipe.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Error::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Whether a stream that failed with this error may be reopened.
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
                write!(f, "the daemon has not responded for {seconds} s")
            }
            Error::InvalidResponse(why) => write!(f, "invalid response from the daemon: {why}"),
            Error::Refused(refused) => refused.fmt(f),
            Error::File { path, error } => write!(f, "{}: {error}", path.display()),
            Error::Output(error) => write!(f, "cannot print: {error}"),
        }
    }
}
