//! `ossuary demo`: runs the daemon with an example configuration in a temporary directory.
//!
//! It needs neither root nor systemd nor a screen. Without a display, its display process waits for one. If root starts
//! it on a machine without an ordinary account, its processes run as `nobody`.

use crate::auth::ClaimCode;
use crate::cli::DaemonOptions;
use crate::daemon::{self, StartError};
use crate::supervisor::Failure;
use crate::sys::errno::{failure, words};
use crate::sys::machine;
use crate::sys::process::account::Account;
use crate::sys::service::fd_store;
use crate::sys::storage::credential_file;
use crate::sys::storage::run_dir::RunDir;
use serde_json::{Value, json};
use std::fs::{self, DirBuilder};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The configuration of the demo.
const CONFIGURATION: &str = include_str!("demo.json");
/// The page that its display process shows.
const PAGE: &str = include_str!("demo.html");
/// The unprivileged account that every Linux system has.
const UNPRIVILEGED: &str = "nobody";

/// Runs the demo until it is interrupted, and then removes its directory.
///
/// # Errors
/// The daemon fails, or the directory cannot be created.
pub fn run(listen: Vec<SocketAddr>) -> Result<(), StartError> {
    let dir = directory();
    let options = DaemonOptions {
        config: dir.join("config.json"),
        state_dir: dir.join("state"),
        run_dir: dir.join("run"),
        listen,
        hosts: Vec::new(),
        trusted_proxies: Vec::new(),
    };
    prepare(&dir).map_err(StartError::System)?;
    // If another demo runs, starting the daemon fails below. After an upgrade the directory is kept.
    if !RunDir::is_held(&options.run_dir) && fd_store::upgraded_from().is_none() {
        write_configuration(&dir, &options).map_err(StartError::System)?;
    }
    println!("demo in {}; stop it with Ctrl-C", dir.display());
    let guest = fd_store::upgraded_from().is_none().then(password);
    if let Some(password) = &guest {
        println!("the password is {password}; the link below works once without it");
    }
    daemon::run_with_password(&options, guest.as_deref())?;
    if let Err(error) = fs::remove_dir_all(&dir) {
        log::warn!("cannot remove {}: {}", dir.display(), words(&error));
    }
    Ok(())
}

/// A random password in the format of a claim code, which is easy to type.
fn password() -> String {
    let mut bytes = [0; 8];
    credential_file::random(&mut bytes);
    ClaimCode::from_random(bytes).to_string().to_lowercase()
}

/// The directory of this user's demo: always the same, so that a second demo notices the first.
fn directory() -> PathBuf {
    std::env::temp_dir().join(format!("ossuary-demo-{}", machine::user_id()))
}

/// Creates the directory if it is missing. Its configuration contains commands, so no other user may write to it.
fn prepare(dir: &Path) -> Result<(), Failure> {
    // The account of the browser reads the page and the profile in it.
    let made = match DirBuilder::new().mode(0o755).create(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    };
    made.and_then(|()| check_owner(dir))
        .map_err(|error| failure(format_args!("use {}", dir.display()), &error))
}

fn write_configuration(dir: &Path, options: &DaemonOptions) -> Result<(), Failure> {
    let page = dir.join("page.html");
    let document = configuration(&page, account());
    let written =
        fs::write(&page, PAGE).and_then(|()| fs::write(&options.config, document.to_string()));
    written.map_err(|error| failure(format_args!("write {}", options.config.display()), &error))
}

/// Checks that only this user can write to the directory: in `/tmp` another user may have created it.
fn check_owner(dir: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(dir)?;
    let others_may_write = found.mode() & 0o022 != 0;
    if found.is_dir() && found.uid() == machine::user_id() && !others_may_write {
        return Ok(());
    }
    Err(io::Error::other(
        "another user can write to it; remove it, or set TMPDIR to a directory of your own",
    ))
}

/// The account that the document must name: `None` if the daemon finds one. A new machine may have no account but root,
/// and the daemon runs nothing as root unless the configuration says so.
fn account() -> Option<&'static str> {
    (Account::choose(None).is_err() && Account::choose(Some(UNPRIVILEGED)).is_ok())
        .then_some(UNPRIVILEGED)
}

/// The configuration, with `page` on the display of this session. If `user` is given, every process runs as that account,
/// which has no home directory.
fn configuration(page: &Path, user: Option<&str>) -> Value {
    let mut document: Value =
        serde_json::from_str(CONFIGURATION).expect("a test parses the built-in configuration");
    if let (Some(user), Some(processes)) = (user, document["processes"].as_object_mut()) {
        for process in processes.values_mut() {
            process["user"] = json!(user);
            process["cwd"] = json!("/");
        }
    }
    let screen = &mut document["processes"]["gallery-display"];
    screen["url"] = json!(format!("file://{}", page.display()));
    if let Some(display) = display() {
        screen["display"] = json!(display);
    }
    document
}

fn display() -> Option<String> {
    let named = |name| std::env::var(name).ok();
    named("DISPLAY")
        .or_else(|| named("WAYLAND_DISPLAY"))
        .filter(|name| name.parse::<crate::config::Display>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Loaded;

    #[test]
    fn the_demo_has_a_valid_configuration() {
        let loaded = Loaded::from_bytes(CONFIGURATION.as_bytes()).unwrap();
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        assert_eq!(loaded.config.processes.len(), 5);
    }

    #[test]
    fn every_process_runs_as_the_given_account() {
        let page = Path::new("/tmp/page.html");
        for user in [None, Some("nobody")] {
            let document = configuration(page, user).to_string();
            let loaded = Loaded::from_bytes(document.as_bytes()).unwrap();
            assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
            for process in &loaded.config.processes {
                assert_eq!(process.user.as_deref(), user, "{}", process.name);
            }
        }
    }
}
