//! What the next daemon must know of each process to continue.
//!
//! A daemon that is killed loses its state, but its processes live on under the service manager. So what the next
//! daemon cannot determine itself is saved whenever it changes ([`super::Action::Remember`]) and given to
//! it at its start ([`crate::supervisor::Boot::memories`]). It is valid until the machine is booted again.
//!
//! The next daemon may be another version, and a memory that it cannot read costs a run: the screen goes dark for an
//! upgrade. So reading is lenient. A field that is missing or not understood has its default, an unknown one is
//! ignored, and a process is not validated like a document. A field whose meaning changes gets another name.
//! `tests/supervisor/fixtures` has what earlier versions wrote.

use super::{Reason, RunId};
use crate::config::Process;
use crate::time::Moment;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::rc::Rc;

/// What is saved of one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct Memory {
    /// Its configuration.
    pub process: Rc<Process>,
    /// Whether it should run.
    pub wanted: bool,
    /// Its phase.
    pub doing: SavedPhase,
    /// How often it was restarted automatically.
    pub restarts: u32,
    /// The crashes that count against it, oldest first.
    pub crashes: Vec<Moment>,
    /// The number of consecutive crashes and short clean runs.
    pub streak: u32,
    /// Why it is in its state.
    pub reason: Option<Reason>,
    /// Its claim to its display.
    pub claim: u64,
    /// When it entered its state.
    pub since: Moment,
}

/// The phase of a process when the daemon ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum SavedPhase {
    /// No run.
    Idle,
    /// It waits for a restart.
    Backoff {
        /// When it is restarted.
        until: Moment,
        /// Whether it is in a crash loop.
        looping: bool,
    },
    /// It ran.
    Run(SavedRun),
}

/// A run that is not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SavedRun {
    /// The run.
    pub run: RunId,
    /// Its main process.
    pub pid: u32,
    /// When it was executed.
    pub began: Moment,
    /// What was executed. The configuration may have changed since.
    pub process: Rc<Process>,
    /// Its progress.
    pub stage: Stage,
}

/// The progress of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// It was not ready yet.
    Starting,
    /// It was ready.
    Ready,
    /// It was asked to stop.
    Ending,
    /// It had exited, and the rest of its tree was being killed.
    Sweeping,
}

impl Memory {
    /// The run that is not over.
    pub fn running(&self) -> Option<&SavedRun> {
        match &self.doing {
            SavedPhase::Run(running) => Some(running),
            SavedPhase::Idle | SavedPhase::Backoff { .. } => None,
        }
    }

    /// The run did not survive.
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

    /// Whether a process in this phase should run, as far as the phase says.
    fn was_wanted(&self) -> bool {
        match self {
            SavedPhase::Idle => false,
            SavedPhase::Backoff { .. } => true,
            SavedPhase::Run(running) => running.stage != Stage::Ending,
        }
    }
}

impl SavedRun {
    /// A run without id or PID cannot be adopted.
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

/// A field of an object, if it exists and is readable.
fn field<T: DeserializeOwned>(written: &Value, name: &str) -> Option<T> {
    T::deserialize(written.get(name)?).ok()
}
