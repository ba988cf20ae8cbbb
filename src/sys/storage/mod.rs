//! Files of the state and run directories, written so that they survive a power loss.

mod atomic_file;
pub mod config_file;
pub mod credential_file;
pub mod file_set;
pub mod log_file;
pub mod run_dir;
pub mod shutdown_marker;
