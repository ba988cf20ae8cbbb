//! Accepts connections, bounds what a client may cost, and passes each request to its route.

pub mod accept;
mod connection;
mod deadline;
mod dispatch;
pub mod head;
mod proxy_protocol;
mod runtime;
