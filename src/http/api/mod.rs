//! The routes of the API, one file a subject.

mod auth;
mod config;
mod displays;
mod events;
pub(in crate::http) mod json;
mod logs;
mod metrics;
mod openapi;
pub(in crate::http) mod page;
pub(in crate::http) mod processes;
pub mod routes;
mod schedule;
mod system;
mod tokens;
pub(in crate::http) mod usage;
pub(in crate::http) mod wall_time;
