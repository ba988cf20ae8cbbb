//! One run of a process.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Identifies a run as long as the daemon lives, so that a late event of an earlier run is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunId(pub u64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
