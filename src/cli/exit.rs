//! How the program leaves: the exit codes that scripts may rely on.

use std::process::ExitCode;

/// An exit code of the command line. `--help` prints this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It was done.
    Done = 0,
    /// The daemon refused, something failed, or the configuration has problems.
    Refused = 1,
    /// The command line was not understood.
    Usage = 2,
    /// No daemon answers on the socket.
    NoDaemon = 3,
    /// There is no process, rule, token or display of this name.
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

    /// What it tells, as the help says it.
    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Done => "done",
            Exit::Refused => "refused, failed, or the configuration has problems",
            Exit::Usage => "the command line was not understood",
            Exit::NoDaemon => "no daemon answers",
            Exit::NotFound => "not found: no such process, rule, token or display",
            Exit::NotRunning => "the process does not run",
            Exit::TimedOut => "it took longer than --timeout allows",
        }
    }

    /// The code of a command that did several things: that of the first which went wrong.
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
