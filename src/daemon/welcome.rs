//! Keeps the welcome page in the run directory, where any browser can open it: `file:///run/ossuary/welcome.html`.
//!
//! An image comes with a display process that shows it, so that the screen of an unclaimed kiosk explains how to claim
//! it. Local accounts can read the claim code in the file; a page from the network cannot.

use super::drivers::WebUiAddresses;
use crate::browser::built_in_pages;
use crate::http::AuthService;
use crate::sys::errno::words;
use crate::sys::storage::run_dir::{RunDir, WELCOME, WELCOME_SCRIPT};
use smol::LocalExecutor;
use std::cell::RefCell;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The welcome page. Cheap to clone; all clones share one state.
#[derive(Clone)]
pub struct Welcome(Rc<Inner>);

struct Inner {
    file: PathBuf,
    /// A page that is on the screen loads this script to learn of a new version.
    script: PathBuf,
    addresses: WebUiAddresses,
    auth: Rc<AuthService>,
    /// The content of the file.
    written: RefCell<String>,
}

impl Welcome {
    /// Writes the page, and again each time the kiosk is claimed or its claim is reset.
    pub fn keep(
        executor: &LocalExecutor<'static>,
        run_dir: &RunDir,
        addresses: &WebUiAddresses,
        auth: &Rc<AuthService>,
    ) -> Self {
        let this = Self(Rc::new(Inner {
            file: run_dir.path().join(WELCOME),
            script: run_dir.path().join(WELCOME_SCRIPT),
            addresses: addresses.clone(),
            auth: auth.clone(),
            written: RefCell::default(),
        }));
        let mut changed = auth.changed();
        this.write();
        let follower = this.clone();
        let follow = async move {
            loop {
                changed.await;
                changed = follower.0.auth.changed();
                follower.write();
            }
        };
        executor.spawn(follow).detach();
        this
    }

    /// Writes the page if its content changed.
    pub fn write(&self) {
        let inner = &self.0;
        let new = built_in_pages::welcome_files(&inner.addresses.facts(inner.auth.claim_code()));
        if *inner.written.borrow() == new.page {
            return;
        }
        // The script comes last: a page that it notifies finds the new version.
        let written =
            replace(&inner.file, &new.page).and_then(|()| replace(&inner.script, &new.script));
        match written {
            Ok(()) => *inner.written.borrow_mut() = new.page,
            Err(error) => log::warn!("cannot write {}: {}", inner.file.display(), words(&error)),
        }
    }
}

/// Replaces a file atomically. The account of the browser can read it.
fn replace(file: &Path, content: &str) -> io::Result<()> {
    let temporary = file.with_extension("new");
    fs::write(&temporary, content)?;
    fs::set_permissions(&temporary, fs::Permissions::from_mode(0o644))?;
    fs::rename(&temporary, file)
}
