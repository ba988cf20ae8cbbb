//! Browsers: their command lines, their drivers, and the built-in pages.

pub mod built_in_pages;
mod cdp;
mod chromium;
mod cog;
pub mod command_line;
mod driver;
mod pipe;
mod undriven;

pub use chromium::Chromium;
pub use cog::{Cog, RunHelper};
pub use driver::{Driver, DriverContext, Pointer, answer, ended};
pub use undriven::Undriven;
