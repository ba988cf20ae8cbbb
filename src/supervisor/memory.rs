//! What must outlive the daemon, so that the next one goes on where this one ended.
//!
//! A daemon that is killed takes the mind with it, not the processes: they live on under the
//! service manager. So whatever the next mind could not find out by itself is written down for each
//! process when it changes ([`super::Action::Remember`]), and handed to it at
//! its birth ([`super::Boot::memories`]). It is worth something until the machine is booted again.

use super::{Reason, RunId};
use crate::config::Process;
use crate::time::Moment;
use serde::{Deserialize, Serialize};
use std::rc::Rc;

/// What is remembered of one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// As it was configured.
    #[serde(with = "one_of_many")]
    pub process: Rc<Process>,
    /// Whether it is meant to run.
    pub wanted: bool,
    /// What it was doing.
    pub doing: Doing,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Doing {
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
    Run(Running),
}

/// A run that was not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The run.
    pub run: RunId,
    /// Its main process.
    pub pid: u32,
    /// When it was executed.
    pub began: Moment,
    /// What was executed: the configuration may have moved on.
    #[serde(with = "one_of_many")]
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
    pub fn running(&self) -> Option<&Running> {
        match &self.doing {
            Doing::Run(running) => Some(running),
            Doing::Idle | Doing::Backoff { .. } => None,
        }
    }

    /// The run did not survive: as far as anybody knows it has ended.
    pub fn lose_run(&mut self) {
        self.doing = Doing::Idle;
    }
}

/// A configuration that others share is written out like any other.
mod one_of_many {
    use crate::config::Process;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::rc::Rc;

    pub fn serialize<S: Serializer>(process: &Rc<Process>, to: S) -> Result<S::Ok, S::Error> {
        (**process).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Rc<Process>, D::Error> {
        Process::deserialize(from).map(Rc::new)
    }
}
