//! Processes: the state machine of each, when it restarts, and when it may start.

mod admission;
pub(in crate::supervisor) mod machine;
pub(in crate::supervisor) mod processes;
mod reconcile;
pub mod restart;
