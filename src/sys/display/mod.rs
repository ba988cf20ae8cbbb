//! Displays: which exist, what their screens are, and how to switch and rotate them.

pub mod attendant;
mod connectors;
mod edid;
mod hotplug;
mod power;
mod server;
pub mod watch;
mod wayland;
mod x11;
mod xwayland;
