//! The HTTP server over real sockets, with a scripted supervisor.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod access;
mod disclosure;
mod harness;
mod hostile;
mod limits;
mod openapi;
mod proxied;
mod refusals;
mod routes;
mod smuggling;
mod streams;
