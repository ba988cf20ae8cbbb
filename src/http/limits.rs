//! How much memory, time and how many connections a client may use.

use std::time::Duration;

/// The longest request head, in bytes; the most common limit among servers. A browser sends 600 bytes with a cookie.
pub const HEAD_MAX: usize = 8 * 1024;

/// The longest request body, in bytes: a configuration of some hundred processes.
pub const BODY_MAX: usize = 256 * 1024;

/// The longest body of a route that needs no credential, in bytes: a password and a code.
pub const OPEN_BODY_MAX: usize = 4 * 1024;

/// What a connection may hold of a body or a response without counting towards [`Limits::held_bytes`]: nearly every
/// request and response.
pub const HELD_FREE: usize = 16 * 1024;

/// Limits, which tests shorten. The defaults suit a board of 1 GB that runs a browser.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once. An idle one costs less than 1 KiB.
    pub connections: usize,
    /// Connections at once from one address (one IPv6 network of 64 bits): half of them, so that two clients can always
    /// connect.
    pub connections_per_address: usize,
    /// Event streams at once. Each lasts as long as the web UI is open.
    pub streams: usize,
    /// Event streams at once from one address: half of them.
    pub streams_per_address: usize,
    /// Bytes of bodies and responses held at once, beyond [`HELD_FREE`] for each connection: sixteen bodies of the
    /// largest size. One address may hold half of it.
    pub held_bytes: usize,
    /// How long a new connection may be silent.
    pub first_byte: Duration,
    /// How long a connection may be silent between two requests; browsers keep theirs for a minute or more.
    pub idle: Duration,
    /// How long a request head may take from its first byte to its last.
    pub head: Duration,
    /// How long a body may take from its first byte to its last: 256 KiB at 13 kB/s.
    pub body: Duration,
    /// How long the client may take to receive a response, or one event of a stream.
    pub write: Duration,
    /// The interval of heartbeats on an idle stream. Proxies time out after 30 to 60 s.
    pub heartbeat: Duration,
    /// The minimum time between two events of a stream; changes in between are merged.
    pub event_gap: Duration,
    /// How long to keep reading after an error, so that the client reads the response before the connection ends.
    pub linger: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            connections_per_address: 128,
            streams: 64,
            streams_per_address: 32,
            held_bytes: 16 * BODY_MAX,
            first_byte: Duration::from_secs(15),
            idle: Duration::from_secs(75),
            head: Duration::from_secs(10),
            body: Duration::from_secs(20),
            write: Duration::from_secs(20),
            heartbeat: Duration::from_secs(15),
            event_gap: Duration::from_millis(50),
            linger: Duration::from_secs(1),
        }
    }
}
