//! How many descriptors the daemon may hold, and that its children do not notice.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::io;
use std::sync::OnceLock;

/// The limits the daemon itself was started with: what its children get.
static INHERITED: OnceLock<(u64, u64)> = OnceLock::new();

/// Raises the soft limit on descriptors to the hard one: a process costs three (two pipes
/// and its own), and the usual 1,024 would end at some 300 of them.
///
/// # Errors
/// The system's; the daemon works on with the old limit.
pub fn raise_descriptors() -> io::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let _ = INHERITED.set((soft, hard));
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(())
}

/// The limit a child is to be given back, where it was raised. Programs that use select(2)
/// rely on a soft limit of 1,024, and some close every descriptor up to it when they start.
pub(in crate::sys) fn inherited() -> Option<(u64, u64)> {
    let limits = INHERITED.get().copied();
    limits.filter(|(soft, hard)| soft != hard)
}

/// Gives this process back the limit it was started with, for the program it is about to become.
pub(in crate::sys) fn give_back_own() {
    if let Some((soft, hard)) = INHERITED.get() {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, *soft, *hard);
    }
}
