//! What the tests of this room share.

use std::fs;
use std::path::{Path, PathBuf};

/// A directory of a test's own, removed at its end.
pub(crate) struct Dir(PathBuf);

impl Dir {
    /// `name` must be no other test's.
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ossuary-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("the temporary directory is writable");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
