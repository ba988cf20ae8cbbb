//! What must outlive the daemon, so that the next one goes on where this one ended.
//!
//! A daemon that is killed takes the mind with it, not the processes: they live on under the
//! service manager. So whatever the next mind could not find out by itself is written down for each
//! process when it changes ([`crate::supervisor::Action::Remember`]), and handed to it at
//! its birth ([`crate::supervisor::Boot::memories`]). It is worth something until the machine is booted again.
//!
//! The next daemon may be another version of the program, and a memory that it cannot read costs a run: the screen goes
//! dark for an upgrade. So reading is lenient. A field that is missing or not understood has its default, one that is
//! not known is passed over, and a process is not validated as a document is. A field whose meaning changes gets
//! another name. `tests/supervisor/fixtures` has what earlier versions wrote.

use crate::config::Process;
use crate::supervisor::{Reason, RunId};
use crate::time::Moment;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::rc::Rc;

/// What is remembered of one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct Memory {
    /// As it was configured.
    pub process: Rc<Process>,
    /// Whether it is meant to run.
    pub wanted: bool,
    /// What it was doing.
    pub doing: SavedPhase,
    /// How often it was restarted by itself.
    pub restarts: u32,
    /// The crashes that count against it, oldest first.
    pub crashes: Vec<Moment>,
    /// How many crashes and quick ends came one after the other.
    pub streak: u32,
    /// Why it is in its state.
    pub reason: Option<Reason>,
    /// How late it claimed its display.
    pub claim: u64,
    /// Since when it has been in its state.
    pub since: Moment,
}

/// What a process was doing when the daemon died.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum SavedPhase {
    /// Nothing.
    Idle,
    /// It waited to be tried again.
    Backoff {
        /// When.
        until: Moment,
        /// Whether it is in a crash loop.
        looping: bool,
    },
    /// It ran.
    Run(SavedRun),
}

/// A run that was not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SavedRun {
    /// The run.
    pub run: RunId,
    /// Its main process.
    pub pid: u32,
    /// When it was executed.
    pub began: Moment,
    /// What was executed: the configuration may have moved on.
    pub process: Rc<Process>,
    /// How far it was.
    pub stage: Stage,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Its sign of readiness was not seen yet.
    Starting,
    /// It was ready.
    Ready,
    /// It was asked to end.
    Ending,
    /// It had ended by itself, and the rest of its tree was being killed.
    Sweeping,
}

impl Memory {
    /// The run that was not over.
    pub fn running(&self) -> Option<&SavedRun> {
        match &self.doing {
            SavedPhase::Run(running) => Some(running),
            SavedPhase::Idle | SavedPhase::Backoff { .. } => None,
        }
    }

    /// The run did not survive: as far as anybody knows it has ended.
    pub fn lose_run(&mut self) {
        self.doing = SavedPhase::Idle;
    }
}

impl TryFrom<Value> for Memory {
    type Error = &'static str;

    fn try_from(written: Value) -> Result<Self, &'static str> {
        let executed = &written["doing"]["Run"]["process"];
        let process = Process::from_memory(&written["process"])
            .or_else(|| Process::from_memory(executed))
            .map(Rc::new)
            .ok_or("it names no process")?;
        let since = field(&written, "since").unwrap_or_default();
        let doing = SavedPhase::read(&written["doing"], &process, since);
        let crashes = written["crashes"].as_array().into_iter().flatten();
        Ok(Self {
            wanted: field(&written, "wanted").unwrap_or_else(|| doing.was_wanted()),
            doing,
            restarts: field(&written, "restarts").unwrap_or_default(),
            crashes: crashes
                .filter_map(|at| Moment::deserialize(at).ok())
                .collect(),
            streak: field(&written, "streak").unwrap_or_default(),
            reason: field(&written, "reason"),
            claim: field(&written, "claim").unwrap_or_default(),
            since,
            process,
        })
    }
}

impl SavedPhase {
    fn read(written: &Value, process: &Rc<Process>, since: Moment) -> Self {
        if let Some(running) = SavedRun::read(&written["Run"], process, since) {
            return SavedPhase::Run(running);
        }
        match &written["Backoff"] {
            Value::Null => SavedPhase::Idle,
            backoff => SavedPhase::Backoff {
                until: field(backoff, "until").unwrap_or(since),
                looping: field(backoff, "looping").unwrap_or_default(),
            },
        }
    }

    /// Whether a process that did this was meant to run, as far as that alone says.
    fn was_wanted(&self) -> bool {
        match self {
            SavedPhase::Idle => false,
            SavedPhase::Backoff { .. } => true,
            SavedPhase::Run(running) => running.stage != Stage::Ending,
        }
    }
}

impl SavedRun {
    /// A run is named by its number and its PID: without them there is nothing to adopt.
    fn read(written: &Value, process: &Rc<Process>, since: Moment) -> Option<Self> {
        Some(Self {
            run: field(written, "run")?,
            pid: field(written, "pid")?,
            began: field(written, "began").unwrap_or(since),
            process: match Process::from_memory(&written["process"]) {
                Some(executed) if executed != **process => Rc::new(executed),
                _ => process.clone(),
            },
            stage: field(written, "stage").unwrap_or(Stage::Ready),
        })
    }
}

/// A field of an object, where it is there and can be read.
fn field<T: DeserializeOwned>(written: &Value, name: &str) -> Option<T> {
    T::deserialize(written.get(name)?).ok()
}
