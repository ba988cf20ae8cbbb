//! Processes: the state machine of each, when it restarts, and when it may start.

pub(in crate::supervisor) mod admission;
pub(in crate::supervisor) mod machine;
pub(in crate::supervisor) mod reason;
mod reconcile;
pub mod restart;
pub(in crate::supervisor) mod run;
