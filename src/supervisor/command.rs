//! What a client may ask of the mind, and the answers.

use super::page::{Screenshot, Transition};
use super::{Failure, Preview, RuleOutcome};
use crate::config::{Display, Etag, Id, Problem, Section};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::fmt;
use std::rc::Rc;

/// Names a client that waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// A question put to the mind. It is refused, found to need nothing, or done.
#[derive(Clone, Debug)]
pub enum Command {
    /// Start a process. One that runs is left alone.
    Start(Id),
    /// Stop a process and keep it stopped.
    Stop(Id),
    /// Stop it if it runs, then start it.
    Restart(Id),
    /// Add a process, as a client sent it.
    Create(Map<String, Value>),
    /// Replace the named fields of a process.
    Change(Id, Map<String, Value>),
    /// The same, provided the process is still configured as the client has seen it.
    ChangeIfMatch {
        /// Which.
        id: Id,
        /// The named fields.
        fields: Map<String, Value>,
        /// The entity tags one of which the process must have (`If-Match`).
        if_match: Vec<Etag>,
    },
    /// Remove a process that does not run, and that no rule names.
    Delete(Id),
    /// Remove a process that does not run; rules that name it are switched off.
    ForceDelete(Id),
    /// Replace the whole document, provided it is still the one the client has seen.
    ReplaceConfig {
        /// The new document.
        document: Value,
        /// The entity tags one of which the current document must have (`If-Match`), where the client cares.
        if_match: Option<Vec<Etag>>,
    },
    /// Replace `behaviors` or `schedule`.
    ReplaceSection {
        /// Which.
        section: Section,
        /// The new content.
        value: Value,
        /// As above.
        if_match: Option<Vec<Etag>>,
    },
    /// Do now what a rule says.
    RunRule(Id),
    /// Tell what the schedule is going to do.
    Preview {
        /// After this instant.
        from: Timestamp,
        /// Up to this one.
        to: Timestamp,
    },
    /// Switch the screen of a display on or off.
    SwitchPower {
        /// Whose.
        display: Display,
        /// Or off.
        on: bool,
    },
    /// Load the page of a display process anew.
    ReloadPage(Id),
    /// Show another page, until something else is shown; the configuration stays as it is.
    Navigate {
        /// The display process.
        id: Id,
        /// The address of the page.
        url: String,
        /// How it takes the place of the one that is there.
        transition: Transition,
    },
    /// Take a picture of what a display process shows at this moment.
    Screenshot {
        /// The display process.
        id: Id,
        /// Scaled down to this width, in pixels.
        width: Option<u32>,
    },
    /// Read the configuration file again.
    Reload,
    /// Go on as the program that is installed now, without the processes noticing.
    Upgrade,
}

/// The one answer to a request.
pub type Outcome = Result<Done, Refusal>;

/// A request was carried out, or what it asked for is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// A process was asked to start; `stopped` are the processes that had to make way for it.
    Started {
        /// Who makes way.
        stopped: Vec<Id>,
    },
    /// What was asked for is under way, or was so already.
    Accepted,
    /// A process was added under this id.
    Created(Id),
    /// The picture that was asked for.
    Screenshot(Screenshot),
    /// The configuration was changed (or was so already) and saved.
    Changed,
    /// A rule was done.
    RuleRun {
        /// Which.
        rule: Id,
        /// What came of it; nothing while it is under way.
        outcome: Option<RuleOutcome>,
        /// Why, where there is something to say.
        detail: Option<String>,
    },
    /// What the schedule is going to do.
    Preview(Rc<Preview>),
}

/// A request that was understood and declined: a value with one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such process.
    NoSuchProcess(Id),
    /// There is no such display, and none is configured.
    NoSuchDisplay(Display),
    /// A display is configured, and not there now.
    DisplayNotConnected(Display),
    /// Nothing on this system can switch the screen of this display.
    NoPowerSwitch(Display),
    /// A disabled process cannot be started.
    Disabled(Id),
    /// A process that runs cannot be deleted.
    StillRuns(Id),
    /// These rules name the process that was to be deleted.
    UsedByRules(Id, Vec<String>),
    /// There is no such rule, or none that could be done.
    NoSuchRule(Id),
    /// It shows no page: it is no display process.
    NoPage(Id),
    /// It shows no page now, because it does not run.
    NotRunning(Id),
    /// Its page, or its browser, did not do what was asked; what was there is still there.
    PageFailed(Id, Failure),
    /// What was sent is understood and wrong; every problem at once.
    Invalid(Vec<Problem>),
    /// There is a process with this id already.
    IdTaken(Id),
    /// The document is no longer the one the client has seen.
    Outdated,
    /// It could not be saved; nothing has changed.
    NotSaved(Failure),
    /// The file on disk could not be read again; the running configuration stays.
    NotRead(Failure),
    /// The program that is installed does not work; this one goes on.
    NotUpgraded(Failure),
    /// Too many changes wait for the disk already.
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
                    "display {display} is not there now; plug it in, or start its server"
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
            Refusal::NoSuchRule(id) => write!(f, "there is no rule {id} that can be done"),
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
            Refusal::NotUpgraded(failure) => write!(f, "this program goes on: {failure}"),
            Refusal::Busy => f.write_str("too many changes wait for the disk; try again"),
            Refusal::ShuttingDown => f.write_str("the daemon is shutting down"),
        }
    }
}
