//! How much a client may cost: memory, connections and time.

use std::time::Duration;

/// The longest request head, in bytes. A browser sends 600 bytes with a cookie; the
/// most common limit among servers is this one.
pub const HEAD_MAX: usize = 8 * 1024;

/// The longest request body, in bytes: a configuration of some hundred processes.
pub const BODY_MAX: usize = 256 * 1024;

/// The longest body of a route that needs no credential, in bytes: a password and a code.
pub const OPEN_BODY_MAX: usize = 4 * 1024;

/// What a connection may hold of a body or an answer without drawing on
/// [`Limits::held_bytes`]: nearly every request and answer there is.
pub const HELD_FREE: usize = 16 * 1024;

/// Bounds that tests shorten. The defaults are meant for a board of 1 GB that has a browser to show.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once. One that says nothing costs less than 1 KiB here.
    pub connections: usize,
    /// Connections at once from one address (one IPv6 network of 64 bits), so that
    /// nobody needs more than two clients to be heard: half of them.
    pub connections_per_address: usize,
    /// Event streams at once. Each stays as long as a page is open.
    pub streams: usize,
    /// Event streams at once from one address: half of them.
    pub streams_per_address: usize,
    /// Bytes of bodies and answers that are held at once beyond [`HELD_FREE`] for each
    /// connection: sixteen bodies of the largest size. One address may have half of it.
    pub held_bytes: usize,
    /// How long a new connection may be silent.
    pub first_byte: Duration,
    /// How long a connection may be silent between two requests; browsers keep theirs for a minute or more.
    pub idle: Duration,
    /// How long a request head may take from its first byte to its last.
    pub head: Duration,
    /// How long a body may take from its first byte to its last: 256 KiB at 13 kB/s.
    pub body: Duration,
    /// How long one answer, or one event of a stream, may take to be received.
    pub write: Duration,
    /// How often a silent stream shows that it lives. Proxies give up after 30 to 60 s.
    pub heartbeat: Duration,
    /// The least time between two events of a stream; what changes meanwhile comes in one.
    pub event_gap: Duration,
    /// How long a refused client is listened to, so that it reads the refusal before it sees the end.
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
