//! Everything the mind can want.

use super::page::PageCommand;
use super::{KeepOld, Memory, Outcome, RunId, SavedSchedule, Ticket};
use crate::config::{Display, Document, Id, Log, Process, Rotation, StopSignal, Zone};
use std::rc::Rc;

/// Something is to be done. The only way out of [`super::Supervisor`].
/// Every action that can fail comes back as an [`super::Event`].
#[derive(Debug)]
pub enum Action {
    /// Execute a process; answered by `Spawned` (its PID file is written) or `SpawnFailed`,
    /// and after `Spawned` by `Exited`, exactly once each.
    Spawn {
        /// The life this begins.
        run: RunId,
        /// What to execute.
        process: Rc<Process>,
    },
    /// Watch for the sign of readiness of a run until it is seen or the run ends.
    AwaitReady {
        /// The run.
        run: RunId,
        /// Whose sign to look for.
        process: Rc<Process>,
    },
    /// Send this signal to everything in the tree of a run.
    Signal {
        /// The run.
        run: RunId,
        /// The polite signal.
        signal: StopSignal,
    },
    /// Kill everything in the tree of a run, and whatever it forks meanwhile.
    Kill {
        /// The run.
        run: RunId,
    },
    /// Have something done with the page of a run; answered by exactly one `Obeyed`.
    RunPageCommand {
        /// The run.
        run: RunId,
        /// What.
        command: PageCommand,
        /// The client that waits for it, where one does; it comes back with the answer.
        ticket: Option<Ticket>,
    },
    /// The client with this ticket does not wait any more for what it has asked of a page: it need not be done. It is
    /// still answered by its `Obeyed`.
    CancelPageCommand {
        /// The run.
        run: RunId,
        /// As it was given with [`Action::Steer`].
        ticket: Ticket,
    },
    /// Try whether the server of this address takes connections; answered by `ServerTried`.
    ProbeServer {
        /// The address, of scheme `http` or `https`.
        url: String,
    },
    /// Make this document durable; answered by `Saved` or `SaveFailed`.
    Save {
        /// The document.
        document: Rc<Document>,
        /// Keep the file that is there now beside the new one, and as what.
        keep_old: Option<KeepOld>,
    },
    /// Read the configuration file; answered by `Read`.
    Load,
    /// Keep a copy of this document, which was read without a problem or is durable, for the day the
    /// file is broken.
    SaveLastGood {
        /// The document.
        document: Rc<Document>,
    },
    /// Answer a client.
    Reply {
        /// Who.
        ticket: Ticket,
        /// What.
        outcome: Outcome,
    },
    /// Write a line into the log of a process, and the daemon's own.
    Note {
        /// Whose log.
        process: Id,
        /// The line.
        text: String,
    },
    /// Keep a log of this size for a process (sent when it is new or its `log` has changed).
    ConfigureLog {
        /// Whose log.
        process: Id,
        /// How much.
        log: Log,
    },
    /// Keep this for the next daemon, in place of what was kept of the process before.
    Remember {
        /// What.
        memory: Box<Memory>,
    },
    /// Forget a process that is no longer configured: its log, and what was kept for the next daemon.
    Forget {
        /// Whom.
        process: Id,
    },
    /// Switch a screen on or off; answered by `Power`, read back.
    SwitchPower {
        /// Whose.
        display: Display,
        /// The kernel's name for where it is plugged in, where that is known.
        connector: Option<String>,
        /// Or off.
        on: bool,
    },
    /// See whether a screen is on; answered by `Power`.
    ReadPower {
        /// Whose.
        display: Display,
        /// As above.
        connector: Option<String>,
    },
    /// Turn a display; answered by `Turned`.
    Rotate {
        /// Which.
        display: Display,
        /// How it is to be turned.
        rotation: Rotation,
    },
    /// Find out what a time zone is; answered by `Zone`.
    FindTimeZone {
        /// As it is configured.
        zone: Zone,
    },
    /// Make this durable in place of what was kept of the schedule before; answered by `ScheduleKept`.
    SaveSchedule {
        /// What.
        schedule: Box<SavedSchedule>,
    },
    /// Execute a command that a rule names, within a bounded time; answered by `RuleDone`.
    RunCommand {
        /// Comes back with the answer.
        number: u64,
        /// As the operator would type it.
        command: String,
    },
    /// Restart the device; answered by `RuleDone`, as long as somebody is there to hear it.
    Reboot {
        /// Comes back with the answer.
        number: u64,
    },
    /// See whether the installed program works; answered by `Tried`.
    CheckProgram,
    /// Become the installed program, with all children and what they are followed by. Nothing follows.
    Upgrade,
    /// Leave. Nothing follows.
    Exit,
}
