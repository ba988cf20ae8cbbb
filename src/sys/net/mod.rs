//! TODO header of sys/net.

pub mod link;
pub mod peer_credentials;
pub mod tcp_probe;
