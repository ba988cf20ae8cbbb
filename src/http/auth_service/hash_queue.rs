//! Hashes and verifies passwords, which is slow and takes much memory: one at a time, and one per guesser in the queue.

use super::store::CredentialStore;
use crate::auth::{Guesser, Hash};
use crate::http::error::{Error, ErrorKind};
use smol::channel;
use smol::lock::Mutex;
use std::cell::RefCell;
use std::sync::Arc;

/// The most passwords that are hashed or wait for it. Each takes some tenths of a second on a small board, and a user
/// does not wait for longer than a few of them.
const QUEUE_MAX: usize = 8;

/// The passwords that are hashed or wait for it.
#[derive(Debug, Default)]
pub struct HashQueue {
    /// Held by the work itself, so that a client that disconnects does not start another hash beside it.
    hashing: Arc<Mutex<()>>,
    /// The guessers in the queue.
    guessers: RefCell<Vec<Option<Guesser>>>,
}

impl HashQueue {
    /// Hashes a password.
    ///
    /// # Errors
    /// The queue is full, this guesser is in it already, or there is not enough memory.
    pub async fn hash(
        &self,
        store: &dyn CredentialStore,
        password: &str,
        guesser: Option<Guesser>,
    ) -> Result<Hash, Error> {
        let mut salt = [0; 16];
        store.fill_random(&mut salt);
        let password = password.to_owned();
        let hash = self.run(store, guesser, move || Hash::make(&password, salt));
        let failed = |why| Error::new(ErrorKind::Busy, format!("cannot hash the password: {why}"));
        hash.await?.map_err(failed)
    }

    /// Whether the password has this hash.
    ///
    /// # Errors
    /// The queue is full, or this guesser is in it already.
    pub async fn verify(
        &self,
        store: &dyn CredentialStore,
        password: String,
        hash: Hash,
        guesser: Option<Guesser>,
    ) -> Result<bool, Error> {
        self.run(store, guesser, move || hash.verify(&password))
            .await
    }

    async fn run<T: Send + 'static>(
        &self,
        store: &dyn CredentialStore,
        guesser: Option<Guesser>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let is_queued = guesser.is_some() && self.guessers.borrow().contains(&guesser);
        if is_queued || self.guessers.borrow().len() >= QUEUE_MAX {
            let detail = "another password is being checked; try again in a moment";
            return Err(Error::new(ErrorKind::Busy, detail));
        }
        self.guessers.borrow_mut().push(guesser);
        let _place = QueuePlace {
            queue: self,
            guesser,
        };
        let turn = self.hashing.lock_arc().await;
        let (done, result) = channel::bounded(1);
        let work = Box::new(move || {
            // The receiver is gone if the client has disconnected.
            let _ = done.try_send(work());
            drop(turn);
        });
        store.run_blocking(work).await;
        let result = result.recv().await;
        result.map_err(|_| Error::new(ErrorKind::Busy, "the password could not be checked"))
    }
}

/// A place in the queue; dropping it releases the place.
struct QueuePlace<'q> {
    queue: &'q HashQueue,
    guesser: Option<Guesser>,
}

impl Drop for QueuePlace<'_> {
    fn drop(&mut self) {
        let mut guessers = self.queue.guessers.borrow_mut();
        if let Some(index) = guessers.iter().position(|other| *other == self.guesser) {
            guessers.swap_remove(index);
        }
    }
}
