//! Processes: the state machine of each, when it restarts, and when it may start.

pub(in crate::supervisor) mod admission;
pub(in crate::supervisor) mod machine;
mod reconcile;
pub mod restart;
