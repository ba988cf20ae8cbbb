//! TODO header of sys/display.

pub mod attendant;
mod connectors;
mod edid;
mod hotplug;
mod power;
pub mod watch;
mod wayland;
mod x11;
mod xwayland;
