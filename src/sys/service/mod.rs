//! What the daemon needs as a service: notifications to systemd, its fd store, signals, limits of its own.

pub mod allocator;
pub mod core_dump;
pub mod fd_store;
pub mod notify;
pub mod rlimit;
pub mod shared_memory;
pub mod signals;
pub mod terminal;
