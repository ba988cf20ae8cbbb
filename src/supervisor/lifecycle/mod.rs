//! How the daemon starts and is replaced, and what the next daemon must know.

pub(in crate::supervisor) mod last_start;
pub(in crate::supervisor) mod upgrade;
