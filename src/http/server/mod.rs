//! Accepts connections, bounds what a client may cost, and passes each request to its route.

pub mod accept;
mod connection;
pub(in crate::http) mod connection_limiter;
mod deadline;
mod dispatch;
pub mod head;
pub mod limits;
pub mod listener_liveness;
mod proxy_protocol;
mod runtime;
