//! Displays: the state of each screen, its power and its rotation.

pub(in crate::supervisor) mod power;
pub(in crate::supervisor) mod screens;
