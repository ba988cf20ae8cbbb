//! An operation of the system that failed.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A failed operation, described: `cannot write /data/config.json: no space left on device`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What was attempted and why it failed; lower case, no full stop.
    pub message: String,
    /// The kind of failure, for clients that distinguish it.
    pub kind: FailureKind,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureKind {
    /// The system reported an error.
    System,
    /// A user edited the configuration file since it was last read or written here, and did not reload.
    ChangedOnDisk,
}

impl Failure {
    /// An error of the system, described by `message`.
    pub fn system(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            kind: FailureKind::System,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
