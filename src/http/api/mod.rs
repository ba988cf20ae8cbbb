//! The routes of the API, one file a subject.

mod auth;
mod config;
mod displays;
mod events;
mod json;
mod logs;
mod metrics;
mod openapi;
mod page;
mod processes;
pub mod routes;
mod schedule;
mod system;
mod tokens;
