//! Everything that can happen to the mind.

use super::page::{PageCommand, PageCommandResult, PageObservation};
use super::{ClockReading, Command, Connector, Failure, PowerReport, RunId, Screen, Ticket};
use crate::config::{Display, Zone};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something happened. The only way into [`super::Supervisor`].
#[derive(Debug)]
pub enum Event {
    /// The moment of `poll_timeout` has come.
    Tick,
    /// A client asks for something; it is owed exactly one [`super::Action::Reply`].
    Command {
        /// Names the client's waiting place.
        ticket: Ticket,
        /// What it asks for.
        command: Command,
    },
    /// The client that waits with this ticket has closed its connection. The request is still owed its reply.
    CommandWithdrawn {
        /// As it was given with the request.
        ticket: Ticket,
    },
    /// The program of this run was executed.
    Spawned {
        /// The run.
        run: RunId,
        /// Its main process.
        pid: u32,
    },
    /// The program could not be executed; the run is over before it began.
    SpawnFailed {
        /// The run.
        run: RunId,
        /// Why.
        failure: Failure,
    },
    /// The main process of this run has ended.
    Exited {
        /// The run.
        run: RunId,
        /// How.
        ending: Ending,
        /// Whether anything else of its tree still lives. If so, `TreeGone` follows once it does not.
        tree_left: bool,
    },
    /// Nothing of this run lives any more (sent only after `Exited { tree_left: true }`).
    TreeGone {
        /// The run.
        run: RunId,
    },
    /// The sign of readiness was seen.
    Ready {
        /// The run.
        run: RunId,
    },
    /// Something was seen of the page of this run.
    PageObserved {
        /// The run.
        run: RunId,
        /// What.
        observation: PageObservation,
    },
    /// This machine has a network, or has none any more. It is taken to have one until this is said.
    Network {
        /// Whether it has an address that others could reach.
        connected: bool,
    },
    /// What came of an [`super::Action::TryServer`].
    ServerProbed {
        /// As it was given with it.
        url: String,
        /// Whether its server took a connection.
        reachable: bool,
    },
    /// What came of an [`super::Action::Steer`]; exactly one for each.
    PageCommandDone {
        /// The run.
        run: RunId,
        /// The order.
        command: PageCommand,
        /// As it was given with the order.
        ticket: Option<Ticket>,
        /// What came of it.
        result: Result<PageCommandResult, Failure>,
    },
    /// The configuration is durable.
    Saved,
    /// The configuration could not be saved; the file is what it was.
    SaveFailed {
        /// Why.
        failure: Failure,
    },
    /// The configuration file was read again, as asked by [`super::Action::Load`].
    Read {
        /// Its bytes, empty where there is no file; or why it cannot be read.
        bytes: Result<Vec<u8>, Failure>,
    },
    /// The installed program was tried, as asked by [`super::Action::TryProgram`].
    ProgramChecked {
        /// Whether it works.
        result: Result<(), Failure>,
    },
    /// These displays exist now, all of them, sorted.
    Displays {
        /// Their names.
        present: Vec<Display>,
    },
    /// The server of a display has told of its screen: told before the display counts as there, and whenever
    /// it looks different.
    Screen {
        /// Which.
        display: Display,
        /// What is known of it; nothing once nobody tells any more.
        screen: Option<Screen>,
    },
    /// These are the sockets for screens now, all of them, sorted, and what is plugged in.
    Connectors {
        /// Each of them.
        connectors: Vec<Connector>,
    },
    /// A screen was switched or looked at, as asked by [`super::Action::SwitchPower`] or
    /// [`super::Action::ReadPower`]; or it has told by itself.
    Power {
        /// Whose.
        display: Display,
        /// What came of it.
        report: PowerReport,
    },
    /// A display was turned, as asked by [`super::Action::Turn`].
    Rotated {
        /// Which.
        display: Display,
        /// Whether its server agreed.
        result: Result<(), Failure>,
    },
    /// The clocks, at first and whenever the one on the wall was set or is trusted more or less than before.
    Clock {
        /// What they show.
        reading: ClockReading,
        /// Whether the one on the wall is to be trusted.
        trusted: bool,
    },
    /// A time zone, as asked by [`super::Action::FindZone`], or because the system has another now.
    TimeZone {
        /// As it is configured.
        zone: Zone,
        /// What it is, or why nobody knows it.
        found: Result<TimeZone, Failure>,
    },
    /// What outlives the daemon of the schedule is written down, as asked by [`super::Action::KeepSchedule`].
    ScheduleSaved {
        /// Whether it could be.
        result: Result<(), Failure>,
    },
    /// What came of an [`super::Action::RunCommand`] or [`super::Action::Reboot`].
    RuleDone {
        /// As it was given with it.
        number: u64,
        /// What there is to say, or why it failed.
        result: Result<Option<String>, Failure>,
    },
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGTERM or SIGINT: end everything and leave.
    Shutdown,
}

/// How a main process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// It left with this exit code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
    /// The kernel killed it, because its tree or the whole machine had no memory left.
    OutOfMemory,
    /// Nobody can say: it was started by a daemon before this one, and somebody else reaped it.
    Unknown,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Code(code) => write!(f, "exit code {code}"),
            Ending::OutOfMemory => f.write_str("out of memory"),
            Ending::Unknown => f.write_str("ended unseen while the daemon was started anew"),
            Ending::Signal(number) => match signal_name(*number) {
                Some(name) => write!(f, "killed by {name}"),
                None => write!(f, "killed by signal {number}"),
            },
        }
    }
}

/// The names of the signals that end programs (signal(7), the numbers of Linux on x86 and ARM).
fn signal_name(number: i32) -> Option<&'static str> {
    Some(match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        10 => "SIGUSR1",
        11 => "SIGSEGV",
        12 => "SIGUSR2",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => return None,
    })
}
