//! What the supervisor takes, what it wants done, and what it publishes.
//!
//! The types that pass between the supervisor and the rest of the program, and between its components. None of them
//! decides anything.

mod action;
mod clock_reading;
mod command;
mod event;
mod failure;
mod memory;
mod page;
mod reason;
mod requester;
mod run;
pub(super) mod saved_schedule;
mod schedule;
mod screen;
mod snapshot;

pub use action::{Action, KeepOld};
pub use clock_reading::ClockReading;
pub(super) use clock_reading::later_by;
pub use command::{Command, Done, Edit, Outcome, Refusal};
pub use event::Event;
pub use failure::{Failure, FailureKind};
pub use memory::{Memory, SavedPhase, SavedRun, Stage};
pub use page::{
    BuiltIn, MAX_TEXT, PageCommand, PageCommandResult, PageObservation, PageState, PageStatus,
    RecoveryStep, Screenshot, Transition,
};
pub use reason::Reason;
pub use requester::{ExecutionId, Requester, Ticket};
pub use run::{Ending, RunId};
pub use saved_schedule::SavedSchedule;
pub use schedule::{
    Conflict, EntryKind, HistoryEntry, LastExecution, LocalTime, Occurrence, OccurrenceKind,
    Preview, RuleOutcome, RuleStatus, ScheduleStatus,
};
pub use screen::{
    Backend, Connector, Monitor, Output, PowerReport, PowerStatus, RotationStatus, Screen,
    ScreenStatus, Size,
};
pub use snapshot::{ConfigurationStatus, DisplayStatus, ProcessStatus, Snapshot, Source, State};
