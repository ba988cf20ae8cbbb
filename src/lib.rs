//! Ossuary: the map of the house. `ARCHITECTURE.md` walks through it.
//!
//! ```text
//!               main ── args ── client (the command line)
//!                 │
//!               daemon                    the loop; owns everything below
//!            ┌────┼────────┐
//!          http  sys    browser           I/O: thin, boring, no policy
//!   ═════════╪════╪════════╪═════════════ no clock, no descriptor, no async below this line
//!            └────┼────────┘
//!         supervisor    logs    trust     decides; remembers what was printed; who may do what
//!                 │
//!              config                     what an operator may write
//! ```

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
