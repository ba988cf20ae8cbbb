//! Starts, follows and ends processes and their trees.

pub mod account;
pub mod browser_profile;
mod child_setup;
pub mod children;
mod devtools_socket;
mod environment;
mod exec;
pub mod inherited_run;
pub mod launch;
mod output;
pub(in crate::sys) mod pidfd;
mod readiness;
mod reap;
mod spawn;
pub mod stale_runs;
mod tree;
mod vfork;
