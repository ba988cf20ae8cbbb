//! The network: whether there is one, whether a server accepts connections, and who is at the other end of a socket.

pub mod link;
pub mod peer_credentials;
pub mod tcp_probe;
