//! What authentication needs of the system: storage, random bytes, and a thread for slow work.

use crate::http::future::BoxFuture;
use crate::supervisor::Failure;

/// Stores credentials and sessions.
pub trait CredentialStore {
    /// Fills `bytes` from a cryptographic random number generator.
    fn fill_random(&self, bytes: &mut [u8]);

    /// Replaces the stored credentials durably.
    ///
    /// # Errors
    /// They could not be written; the old ones are still stored.
    fn save_credentials(&self, credentials: Vec<u8>) -> BoxFuture<'_, Result<(), Failure>>;

    /// Stores the sessions for the next daemon of this boot.
    fn save_sessions(&self, sessions: &[u8]);

    /// Runs slow work on another thread; resolves when it is done.
    fn run_blocking(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()>;
}

/// A store that keeps nothing, for tests and demonstrations.
#[derive(Debug)]
pub struct MemoryStore;

impl CredentialStore for MemoryStore {
    fn fill_random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("Linux has getrandom(2) since 3.17");
    }

    fn save_credentials(&self, _credentials: Vec<u8>) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }

    fn save_sessions(&self, _sessions: &[u8]) {}

    fn run_blocking(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        Box::pin(async move { work() })
    }
}
