//! Keeps the welcome page in the run directory, where any browser can open it: `file:///run/ossuary/welcome.html`.
//!
//! A device comes with a display process that shows it, so that a kiosk which nobody has claimed says on its own
//! screen how that is done. Whoever may read files on the device may read its code; a page from a network may not.

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

/// The file, and what it tells. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Welcome(Rc<Inner>);

struct Inner {
    file: PathBuf,
    /// By it a page that is shown learns of another one.
    script: PathBuf,
    reach: WebUiAddresses,
    keeper: Rc<AuthService>,
    /// What stands in the file.
    written: RefCell<String>,
}

impl Welcome {
    /// Writes the page, and again whenever the kiosk is claimed or given up.
    pub fn keep(
        executor: &LocalExecutor<'static>,
        run_dir: &RunDir,
        reach: &WebUiAddresses,
        keeper: &Rc<AuthService>,
    ) -> Self {
        let this = Self(Rc::new(Inner {
            file: run_dir.path().join(WELCOME),
            script: run_dir.path().join(WELCOME_SCRIPT),
            reach: reach.clone(),
            keeper: keeper.clone(),
            written: RefCell::default(),
        }));
        let mut changed = keeper.changed();
        this.write();
        let follower = this.clone();
        let follow = async move {
            loop {
                changed.await;
                changed = follower.0.keeper.changed();
                follower.write();
            }
        };
        executor.spawn(follow).detach();
        this
    }

    /// Writes the page, where it tells something else than before.
    pub fn write(&self) {
        let inner = &self.0;
        let new = built_in_pages::standing_welcome(&inner.reach.facts(inner.keeper.claim_code()));
        if *inner.written.borrow() == new.page {
            return;
        }
        // The script comes last: whoever is told by it finds the page.
        let written =
            replace(&inner.file, &new.page).and_then(|()| replace(&inner.script, &new.script));
        match written {
            Ok(()) => *inner.written.borrow_mut() = new.page,
            Err(error) => log::warn!("cannot write {}: {}", inner.file.display(), words(&error)),
        }
    }
}

/// The file is whole at any instant. The account of the browser reads it.
fn replace(file: &Path, content: &str) -> io::Result<()> {
    let unfinished = file.with_extension("new");
    fs::write(&unfinished, content)?;
    fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o644))?;
    fs::rename(&unfinished, file)
}
