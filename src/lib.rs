//! Ossuary turns a Raspberry Pi into an unattended kiosk. `ARCHITECTURE.md` describes the structure.
//!
//! ```text
//!               main ── cli               the command line, and the client commands
//!                 │
//!               daemon                    the loop; owns everything below
//!            ┌────┼────────┐
//!          http  sys    browser           I/O without policy
//!   ═════════╪════╪════════╪═════════════ no clock, no descriptor, no async below this line
//!            └────┼────────┘
//!         supervisor    logs    auth      decides; keeps output; authorises
//!                 │
//!              config                     the configuration and its problems
//! ```

#[macro_use]
mod names;

pub mod auth;
pub mod browser;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod demo;
pub mod facts;
pub mod first_boot;
pub mod http;
pub mod logs;
pub mod supervisor;
pub mod sys;
pub mod text;
pub mod time;
pub mod timeout;
