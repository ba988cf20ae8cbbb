//! TODO header of supervisor/display.

pub(in crate::supervisor) mod power;
pub(in crate::supervisor) mod screen;
pub(in crate::supervisor) mod screens;
