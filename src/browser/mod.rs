//! The browser on the screen.

pub mod command_line;
pub mod pages;
