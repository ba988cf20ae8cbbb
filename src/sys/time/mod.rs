//! Clocks and time zones.

pub mod clock;
pub mod timezone;
pub mod wall_clock;
