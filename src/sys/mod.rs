//! Talks to the system: processes, files, displays, clocks, signals. The only room with `unsafe` and nix in it.
//!
//! Thin and without policy: it does what an [`crate::supervisor::Action`] says, and reports
//! as an [`crate::supervisor::Event`] what has happened. Writes that survive a power cut, log files and X cookies are
//! handled in a thread of their own ([`background`]). What remains on the loop's thread are the short accesses of a start: its
//! browser profile, its program and its working directory, which must not lie on a file system that may hang.

mod background;
pub mod cgroup;
pub mod display;
pub mod errno;
mod inotify;
pub mod machine;
pub mod net;
pub mod process;
mod procfs;
pub mod service;
pub mod storage;
#[cfg(test)]
mod test;
pub mod time;
