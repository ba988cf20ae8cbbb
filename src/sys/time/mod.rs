//! TODO header of sys/time.

pub mod clock;
pub mod timezone;
pub mod wall_clock;
