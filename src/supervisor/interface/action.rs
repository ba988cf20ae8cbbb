//! What the supervisor wants done.

use super::{ExecutionId, Memory, Outcome, PageCommand, Requester, RunId, SavedSchedule, Ticket};
use crate::config::{Display, Document, Id, Log, Process, Rotation, StopSignal, Zone};
use std::rc::Rc;

/// Something to do. The only way out of [`crate::supervisor::Supervisor`]. Every action that can fail is answered by an
/// [`super::Event`].
#[derive(Debug)]
pub enum Action {
    /// Execute a process. Answered by `Spawned` (its PID file is written) or `SpawnFailed`, and after `Spawned` by
    /// `Exited`, exactly once each.
    Spawn {
        /// The new run.
        run: RunId,
        /// The process to execute.
        process: Rc<Process>,
    },
    /// Watch for the readiness of a run until it is observed or the run ends.
    AwaitReady {
        /// The run.
        run: RunId,
        /// The process whose readiness to check.
        process: Rc<Process>,
    },
    /// Send this signal to everything in the tree of a run.
    Signal {
        /// The run.
        run: RunId,
        /// The configured stop signal.
        signal: StopSignal,
    },
    /// Kill everything in the tree of a run, including what it forks meanwhile.
    Kill {
        /// The run.
        run: RunId,
    },
    /// Run a command on the page of a run. Answered by exactly one `PageCommandDone`.
    RunPageCommand {
        /// The run.
        run: RunId,
        /// The command.
        command: PageCommand,
        /// Returned with the answer.
        requester: Requester,
    },
    /// The client with this ticket has withdrawn its page command, which need not be run. It is still answered by its
    /// `PageCommandDone`.
    CancelPageCommand {
        /// The run.
        run: RunId,
        /// The ticket that was given with [`Action::RunPageCommand`].
        ticket: Ticket,
    },
    /// Probe whether the server of this URL accepts connections. Answered by `ServerProbed`.
    ProbeServer {
        /// The URL, of scheme `http` or `https`.
        url: String,
    },
    /// Save this document. Answered by `Saved` or `SaveFailed`.
    Save {
        /// The document.
        document: Rc<Document>,
        /// Whether to keep the file that it replaces, and why.
        keep_old: Option<KeepOld>,
    },
    /// Read the configuration file. Answered by `Read`.
    Load,
    /// Keep a copy of this document, which was read without a problem or was saved, for the case that the file is
    /// broken.
    SaveLastGood {
        /// The document.
        document: Rc<Document>,
    },
    /// Answer a client.
    Reply {
        /// The client.
        ticket: Ticket,
        /// The answer.
        outcome: Outcome,
    },
    /// Write a line to the log of a process and to the daemon's own.
    Note {
        /// The process whose log it is.
        process: Id,
        /// The line.
        text: String,
    },
    /// Set the size of the log of a process. Sent when the process is new or its `log` changed.
    ConfigureLog {
        /// The process whose log it is.
        process: Id,
        /// The size.
        log: Log,
    },
    /// Keep this for the next daemon. It replaces what was kept of the process before.
    Remember {
        /// What to keep.
        memory: Box<Memory>,
    },
    /// Forget a process that is no longer configured: its log, and what was kept for the next daemon.
    Forget {
        /// The process.
        process: Id,
    },
    /// Switch a screen on or off. Answered by `Power`, read back.
    SwitchPower {
        /// The display.
        display: Display,
        /// The kernel's name of the connector, if known.
        connector: Option<String>,
        /// Whether to switch it on.
        on: bool,
    },
    /// Read whether a screen is on. Answered by `Power`.
    ReadPower {
        /// The display.
        display: Display,
        /// The kernel's name of the connector, if known.
        connector: Option<String>,
    },
    /// Rotate a display. Answered by `Rotated`.
    Rotate {
        /// The display.
        display: Display,
        /// The rotation to apply.
        rotation: Rotation,
    },
    /// Look up a time zone. Answered by `TimeZone`.
    FindTimeZone {
        /// The zone as it is configured.
        zone: Zone,
    },
    /// Save the state of the schedule. Answered by `ScheduleSaved`.
    SaveSchedule {
        /// What to save.
        schedule: Box<SavedSchedule>,
    },
    /// Run the command of a rule, within a bounded time. Answered by `RuleDone`.
    RunCommand {
        /// Returned with the answer.
        execution: ExecutionId,
        /// The command line.
        command: String,
    },
    /// Restart the device. Answered by `RuleDone`, unless the device is down before.
    Reboot {
        /// Returned with the answer.
        execution: ExecutionId,
    },
    /// Check whether the installed program works. Answered by `ProgramChecked`.
    CheckProgram,
    /// Execute the installed program in place, with all children and their descriptors. The last action.
    Upgrade,
    /// Exit. The last action.
    Exit,
}

/// Why a file is kept: it is the only copy of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepOld {
    /// An older program wrote it in this version; kept as `config.json.vN.bak`.
    Version(u64),
    /// A user edited it and it cannot be used; kept as `config.json.bad`.
    Broken,
}
