//! What happens to the supervisor.

use super::{
    ClockReading, Command, Connector, Ending, ExecutionId, Failure, PageCommand, PageCommandResult,
    PageObservation, PowerReport, Requester, RunId, Screen, Ticket,
};
use crate::config::{Display, Zone};
use jiff::tz::TimeZone;

/// Something happened. The only way into [`crate::supervisor::Supervisor`].
#[derive(Debug)]
pub enum Event {
    /// The time of `poll_timeout` has come.
    Tick,
    /// A client sent a command; it is answered by exactly one [`super::Action::Reply`].
    Command {
        /// Identifies the client.
        ticket: Ticket,
        /// The command.
        command: Command,
    },
    /// The client with this ticket closed its connection. Its command is still answered.
    CommandWithdrawn {
        /// The ticket that was given with the command.
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
        /// The error.
        failure: Failure,
    },
    /// The main process of this run has ended.
    Exited {
        /// The run.
        run: RunId,
        /// How it ended.
        ending: Ending,
        /// Whether other processes of its tree still live. If so, `TreeGone` follows.
        tree_left: bool,
    },
    /// No process of this run is left. Sent only after `Exited { tree_left: true }`.
    TreeGone {
        /// The run.
        run: RunId,
    },
    /// The run is ready.
    Ready {
        /// The run.
        run: RunId,
    },
    /// A driver observed the page of this run.
    PageObserved {
        /// The run.
        run: RunId,
        /// The observation.
        observation: PageObservation,
    },
    /// The machine has a network, or lost it. Until the first such event it is assumed to have one.
    Network {
        /// Whether it has an address that is reachable from other machines.
        connected: bool,
    },
    /// The answer to an [`super::Action::ProbeServer`].
    ServerProbed {
        /// The URL that was given with it.
        url: String,
        /// Whether the server accepted a connection.
        reachable: bool,
    },
    /// The answer to an [`super::Action::RunPageCommand`]; exactly one for each.
    PageCommandDone {
        /// The run.
        run: RunId,
        /// The command.
        command: PageCommand,
        /// The requester that was given with the command.
        requester: Requester,
        /// The result.
        result: Result<PageCommandResult, Failure>,
    },
    /// The configuration is saved.
    Saved,
    /// The configuration could not be saved; the file did not change.
    SaveFailed {
        /// The error.
        failure: Failure,
    },
    /// The answer to an [`super::Action::Load`].
    Read {
        /// The bytes of the file, empty if there is none, or the error.
        bytes: Result<Vec<u8>, Failure>,
    },
    /// The configuration file changed on disk.
    ConfigFile {
        /// It differs from what the daemon last read or wrote.
        differs: bool,
    },
    /// The answer to an [`super::Action::CheckProgram`].
    ProgramChecked {
        /// Whether the program works.
        result: Result<(), Failure>,
    },
    /// All displays that exist now, sorted.
    Displays {
        /// The displays.
        present: Vec<Display>,
    },
    /// The server of a display described its screen. Sent before the display is reported as existing, and whenever
    /// the description changes.
    Screen {
        /// The display.
        display: Display,
        /// The description; `None` once there is none.
        screen: Option<Screen>,
    },
    /// All connectors of the machine, sorted, and what is plugged in.
    Connectors {
        /// The connectors.
        connectors: Vec<Connector>,
    },
    /// The answer to an [`super::Action::SwitchPower`] or [`super::Action::ReadPower`], or a change that was reported
    /// without one.
    Power {
        /// The display.
        display: Display,
        /// The report.
        report: PowerReport,
    },
    /// The answer to an [`super::Action::Rotate`].
    Rotated {
        /// The display.
        display: Display,
        /// Whether the display server agreed.
        result: Result<(), Failure>,
    },
    /// Both clocks, at the start and whenever the wall clock was set or its trust changed.
    Clock {
        /// The clocks.
        reading: ClockReading,
        /// Whether the wall clock is trusted.
        trusted: bool,
    },
    /// The answer to an [`super::Action::FindTimeZone`], or the system's zone changed.
    TimeZone {
        /// The zone as it is configured.
        zone: Zone,
        /// The zone, or why it is not known.
        found: Result<TimeZone, Failure>,
    },
    /// The answer to an [`super::Action::SaveSchedule`].
    ScheduleSaved {
        /// Whether it was saved.
        result: Result<(), Failure>,
    },
    /// The answer to an [`super::Action::RunCommand`] or [`super::Action::Reboot`].
    RuleDone {
        /// The execution that was given with it.
        execution: ExecutionId,
        /// A detail to report, or the error.
        result: Result<Option<String>, Failure>,
    },
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGTERM or SIGINT: stop everything and exit.
    Shutdown,
}
