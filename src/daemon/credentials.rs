//! Reads the credentials and gives the authentication service its files.

use crate::auth::{ClaimCode, Credentials, Owner, Sessions};
use crate::http::{AuthService, BoxFuture, CredentialStore};
use crate::supervisor::Failure;
use crate::sys::storage::credential_file::{self, CredentialFiles as Files};
use crate::sys::storage::run_dir::RunDir;
use crate::sys::time::clock;
use std::path::Path;
use std::rc::Rc;

impl CredentialStore for Files {
    fn fill_random(&self, bytes: &mut [u8]) {
        credential_file::random(bytes);
    }

    fn save_credentials(&self, credentials: Vec<u8>) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(self.save(credentials))
    }

    fn save_sessions(&self, sessions: &[u8]) {
        if let Err(failure) = self.save_sessions(sessions) {
            log::warn!("{failure}");
        }
    }

    fn run_blocking(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        Box::pin(credential_file::beside_the_loop(work))
    }
}

/// Reads the credentials, or creates the claim code of a new kiosk.
pub async fn open(state_dir: &Path, run_dir: &RunDir) -> Rc<AuthService> {
    let files = Files::new(state_dir, run_dir);
    let credentials = match files.load().await {
        Ok(Some(bytes)) => Credentials::read(&bytes),
        Ok(None) => first(&files).await,
        Err(failure) => Credentials::unreadable(failure.message),
    };
    match credentials.owner() {
        Owner::Unclaimed(code) => {
            log::info!("this kiosk is unclaimed; claim it in the web UI with the code {code}");
        }
        Owner::Password(_) => {}
        Owner::Unreadable(why) => log::error!(
            "{} cannot be used, so no client can sign in; `ossuary passwd --reset` creates new credentials: {why}",
            files.file().display()
        ),
    }
    if credentials.unusable_tokens() > 0 {
        log::warn!(
            "{} tokens in {} are not valid, because this version does not understand them; the next change of the \
             credentials removes them, and `ossuary token add` creates new ones",
            credentials.unusable_tokens(),
            files.file().display()
        );
    }
    let sessions = Sessions::read(&files.load_sessions(), clock::now());
    Rc::new(AuthService::new(
        Box::new(files),
        clock::now,
        credentials,
        sessions,
    ))
}

/// The kiosk can be claimed even if the file cannot be written; then the code holds until the next start.
async fn first(files: &Files) -> Credentials {
    let mut bytes = [0; 8];
    credential_file::random(&mut bytes);
    let credentials = Credentials::unclaimed(ClaimCode::from_random(bytes));
    if let Err(failure) = files.save(credentials.to_bytes()).await {
        log::warn!("the claim code is valid until the next start only: {failure}");
    }
    credentials
}
