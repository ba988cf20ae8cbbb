//! Talks to the system: processes, files, displays, clocks, signals. The only room with `unsafe` and nix in it.
//!
//! Thin and without policy: it does what an [`crate::supervisor::Action`] says, and tells
//! as an [`crate::supervisor::Event`] what has happened. Writes that survive a power cut, log files and X cookies are
//! handled in a thread of their own ([`errand`]). What remains on the loop's thread are the short accesses of a start: its
//! browser profile, its program and its working directory, which must not lie on a file system that may hang.

pub mod accounts;
pub mod allocator;
mod birth;
pub mod cgroup;
pub mod children;
pub mod clock;
mod control;
pub mod core_dump;
pub mod displays;
mod drm;
mod durable;
mod edid;
mod environment;
mod errand;
pub mod errno;
pub mod handover;
pub mod launch;
pub mod leftovers;
pub mod limits;
pub mod mark;
pub mod network;
pub mod notify;
mod output;
pub mod peer;
pub mod persist;
mod pidfd;
mod proc;
pub mod profile;
mod program;
pub mod reach;
mod readiness;
mod reap;
pub mod run_dir;
pub mod screens;
pub mod shared;
pub mod signals;
mod spawn;
mod steps;
pub mod store;
mod switches;
pub mod system;
pub mod terminal;
#[cfg(test)]
mod test;
pub mod together;
mod tree;
mod uevent;
pub mod vault;
pub mod wall;
mod wayland;
mod x11;
mod xwayland;
pub mod zones;
