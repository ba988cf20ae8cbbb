//! What a client may ask of the supervisor, and the answers.

use super::{Failure, Preview, RuleOutcome, Screenshot, Transition};
use crate::config::{Display, Etag, Id, Problem, Section};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::fmt;
use std::rc::Rc;

/// What a client asks for. It is refused, found to change nothing, or done.
#[derive(Clone, Debug)]
pub enum Command {
    /// Start a process. Does nothing if it runs.
    Start(Id),
    /// Stop a process and keep it stopped.
    Stop(Id),
    /// Stop a process if it runs, then start it.
    Restart(Id),
    /// Edit the configuration.
    Edit(Edit),
    /// Run a rule now.
    RunRule(Id),
    /// Report what the schedule will do.
    Preview {
        /// After this instant.
        from: Timestamp,
        /// Up to this one.
        to: Timestamp,
    },
    /// Switch the screen of a display on or off.
    SwitchPower {
        /// The display.
        display: Display,
        /// Whether to switch it on.
        on: bool,
    },
    /// Reload the page of a display process.
    ReloadPage(Id),
    /// Show another page until something else is shown. The configuration does not change.
    Navigate {
        /// The display process.
        id: Id,
        /// The URL of the page.
        url: String,
        /// How it replaces the current page.
        transition: Transition,
    },
    /// Take a screenshot of a display process.
    Screenshot {
        /// The display process.
        id: Id,
        /// The width to scale down to, in pixels.
        width: Option<u32>,
    },
    /// Read the configuration file again.
    Reload,
    /// Upgrade to the installed program; processes keep running.
    Upgrade,
}

/// A change of the configuration.
#[derive(Clone, Debug)]
pub enum Edit {
    /// Add a process with these fields.
    Create(Map<String, Value>),
    /// Replace the given fields of a process.
    Change {
        /// The process.
        id: Id,
        /// The fields.
        fields: Map<String, Value>,
        /// The entity tags of `If-Match`, if the client sent them; the process must have one of them.
        if_match: Option<Vec<Etag>>,
    },
    /// Remove a process that does not run.
    Delete {
        /// The process.
        id: Id,
        /// Whether to switch off the rules that use it; without, it must not be used.
        force: bool,
    },
    /// Replace the whole document if it is still the one that the client saw.
    ReplaceConfig {
        /// The new document.
        document: Value,
        /// The entity tags of `If-Match`, if the client sent them; the current document must have one of them.
        if_match: Option<Vec<Etag>>,
    },
    /// Replace `behaviors` or `schedule`.
    ReplaceSection {
        /// The section.
        section: Section,
        /// The new content.
        value: Value,
        /// The entity tags of `If-Match`, if the client sent them.
        if_match: Option<Vec<Etag>>,
    },
}

impl From<Edit> for Command {
    fn from(edit: Edit) -> Self {
        Command::Edit(edit)
    }
}

/// The one answer to a command.
pub type Outcome = Result<Done, Refusal>;

/// A command was carried out, or is being carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// A process was asked to start; the processes in `stopped` had to stop for it.
    Started {
        /// The processes that had to stop.
        stopped: Vec<Id>,
    },
    /// The command is being carried out, or was already.
    Accepted,
    /// A process was added with this id.
    Created(Id),
    /// The screenshot.
    Screenshot(Screenshot),
    /// The configuration was changed and saved, or already was so.
    Changed,
    /// A rule was run.
    RuleRun {
        /// The rule.
        rule: Id,
        /// The outcome; `None` while the rule is being carried out.
        outcome: Option<RuleOutcome>,
        /// More about the outcome.
        detail: Option<String>,
    },
    /// What the schedule will do.
    Preview(Rc<Preview>),
}

/// A command that was understood and refused, with one sentence for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such process.
    NoSuchProcess(Id),
    /// There is no such display, and none is configured.
    NoSuchDisplay(Display),
    /// A display is configured but not connected.
    DisplayNotConnected(Display),
    /// Nothing on this system can switch the screen of this display.
    NoPowerSwitch(Display),
    /// A disabled process cannot be started.
    Disabled(Id),
    /// A process that runs cannot be deleted.
    StillRuns(Id),
    /// These rules use the process.
    UsedByRules(Id, Vec<String>),
    /// There is no such rule, or it is invalid.
    NoSuchRule(Id),
    /// The process shows no page: it is not a display process.
    NoPage(Id),
    /// The process shows no page now: it does not run.
    NotRunning(Id),
    /// The page or its browser failed to carry the command out. The page did not change.
    PageFailed(Id, Failure),
    /// What was sent is invalid; all problems.
    Invalid(Vec<Problem>),
    /// There already is a process with this id.
    IdTaken(Id),
    /// The document changed since the client read it.
    Outdated,
    /// It could not be saved; nothing has changed.
    NotSaved(Failure),
    /// The file could not be read; the running configuration stays.
    NotRead(Failure),
    /// The installed program does not work; this one stays.
    NotUpgraded(Failure),
    /// Too many changes are waiting to be saved.
    Busy,
    /// The daemon is shutting down.
    ShuttingDown,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NoSuchProcess(id) => write!(f, "there is no process {id}"),
            Refusal::NoSuchDisplay(display) => write!(f, "there is no display {display}"),
            Refusal::DisplayNotConnected(display) => {
                write!(
                    f,
                    "display {display} is not connected; plug it in, or start its server"
                )
            }
            Refusal::NoPowerSwitch(display) => write!(
                f,
                "nothing on this system can switch the screen of {display}: neither its server (wlr-output-power, \
                 DPMS), nor HDMI-CEC (cec-ctl), nor vcgencmd"
            ),
            Refusal::Disabled(id) => {
                write!(f, "{id} is disabled; set enabled to true to start it")
            }
            Refusal::StillRuns(id) => write!(f, "{id} is running; stop it first"),
            Refusal::UsedByRules(id, rules) => write!(
                f,
                "{id} is named by rules of the schedule ({}): change them first, or switch them off with it, by \
                 `ossuary remove --force {id}` or ?force=true",
                rules.join(", ")
            ),
            Refusal::NoSuchRule(id) => write!(f, "there is no valid rule {id}"),
            Refusal::NoPage(id) => {
                write!(
                    f,
                    "{id} shows no page; only a process of type chromium does"
                )
            }
            Refusal::NotRunning(id) => write!(f, "{id} does not run; start it first"),
            Refusal::PageFailed(id, failure) => write!(f, "{id}: {failure}"),
            Refusal::Invalid(problems) => match problems.as_slice() {
                [problem] => problem.fmt(f),
                problems => write!(f, "{} problems", problems.len()),
            },
            Refusal::IdTaken(id) => write!(f, "there is a process {id} already"),
            Refusal::Outdated => {
                f.write_str("the configuration was changed meanwhile; read it again")
            }
            Refusal::NotSaved(failure) => write!(f, "nothing was changed: {failure}"),
            Refusal::NotRead(failure) => {
                write!(f, "the running configuration stays: {failure}")
            }
            Refusal::NotUpgraded(failure) => write!(f, "not upgraded: {failure}"),
            Refusal::Busy => f.write_str("too many changes wait for the disk; try again"),
            Refusal::ShuttingDown => f.write_str("the daemon is shutting down"),
        }
    }
}
