//! The HTTP room over real sockets, with a mind that says what it is told to say.

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
