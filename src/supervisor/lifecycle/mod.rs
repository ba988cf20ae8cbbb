//! TODO header of supervisor/lifecycle.

pub(in crate::supervisor) mod last_start;
pub(in crate::supervisor) mod memory;
pub(in crate::supervisor) mod upgrade;
