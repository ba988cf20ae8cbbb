//! The system said no.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Something the system refused to do, in words: `cannot write /data/config.json: no space left on device`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What was attempted and why it failed; lower case, no full stop.
    pub message: String,
    /// The sort of failure, where a client is told apart by it.
    pub kind: FailureKind,
}

/// Sorts of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureKind {
    /// The system refused.
    System,
    /// The configuration file is no longer the one that was last read or written here:
    /// somebody has edited it and not yet reloaded.
    ChangedOnDisk,
}

impl Failure {
    /// The system refused, for the reason in `message`.
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
