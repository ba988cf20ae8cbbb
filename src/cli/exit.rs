//! The exit codes, which scripts may rely on.

use std::process::ExitCode;

/// An exit code. `--help` prints this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Success.
    Done = 0,
    /// The daemon refused, something failed, or the configuration has problems.
    Refused = 1,
    /// The command line is invalid.
    Usage = 2,
    /// No daemon responds on the socket.
    NoDaemon = 3,
    /// There is no such process, rule, token or display.
    NotFound = 4,
    /// The process does not run.
    NotRunning = 5,
    /// It took longer than `--timeout` allows.
    TimedOut = 6,
}

impl Exit {
    /// Every code, in order.
    pub const ALL: [Exit; 7] = [
        Exit::Done,
        Exit::Refused,
        Exit::Usage,
        Exit::NoDaemon,
        Exit::NotFound,
        Exit::NotRunning,
        Exit::TimedOut,
    ];

    /// The description in the help.
    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Done => "success",
            Exit::Refused => "refused, failed, or the configuration has problems",
            Exit::Usage => "invalid command line",
            Exit::NoDaemon => "no daemon responds",
            Exit::NotFound => "not found: no such process, rule, token or display",
            Exit::NotRunning => "the process does not run",
            Exit::TimedOut => "it took longer than --timeout allows",
        }
    }

    /// The code of several actions: that of the first one that failed.
    #[must_use]
    pub fn or(self, next: Exit) -> Exit {
        if self == Exit::Done { next } else { self }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}
