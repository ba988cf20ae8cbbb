//! `ossuary demo`: the daemon with a configuration to play with, in directories of its own.
//!
//! It needs neither root nor systemd nor a screen. Where there is a display and a browser,
//! its display process shows itself; where not, it waits for the display. Started by root on a machine without an
//! ordinary account, it runs its processes as `nobody`: nothing of the demo needs root.

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

/// The configuration, as a first-time visitor finds it.
const CONFIGURATION: &str = include_str!("demo.json");
/// What its display process shows.
const PAGE: &str = include_str!("demo.html");
/// The account without rights that every Linux system has.
const UNPRIVILEGED: &str = "nobody";

/// Runs the demo until it is interrupted, and removes what it made. It begins anew each time.
///
/// # Errors
/// As the daemon's, or its directory cannot be made.
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
    // Another demo that lives refuses this one; a program that was upgraded goes on with what it had.
    if !RunDir::is_held(&options.run_dir) && fd_store::upgraded_from().is_none() {
        write_configuration(&dir, &options).map_err(StartError::System)?;
    }
    println!("a demo in {}; end it with Ctrl-C", dir.display());
    let guest = fd_store::upgraded_from().is_none().then(password);
    if let Some(password) = &guest {
        println!("its password is {password}; the link below needs none, once");
    }
    daemon::run_with_password(&options, guest.as_deref())?;
    if let Err(error) = fs::remove_dir_all(&dir) {
        log::warn!("cannot remove {}: {}", dir.display(), words(&error));
    }
    Ok(())
}

/// Random as a claim code is, and as easily typed.
fn password() -> String {
    let mut bytes = [0; 8];
    credential_file::random(&mut bytes);
    ClaimCode::from_random(bytes).to_string().to_lowercase()
}

/// A directory that this user finds again, so that a second demo notices the first.
fn directory() -> PathBuf {
    std::env::temp_dir().join(format!("ossuary-demo-{}", machine::user_id()))
}

/// Makes the directory where it is missing. What stands in it is executed, so nobody else may have had a hand in it.
fn prepare(dir: &Path) -> Result<(), Failure> {
    // The page in it is read, and the profile in it is reached, by the account of the browser.
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

/// Where everybody may write, somebody else may have been there first.
fn check_owner(dir: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(dir)?;
    let others_may_write = found.mode() & 0o022 != 0;
    if found.is_dir() && found.uid() == machine::user_id() && !others_may_write {
        return Ok(());
    }
    Err(io::Error::other(
        "somebody else could have put something there; remove it, or set TMPDIR to a directory of your own",
    ))
}

/// The account the document must name: none where the daemon finds one of its own choice. On a new machine there may
/// be root alone, and the daemon runs nothing as root that does not say so.
fn account() -> Option<&'static str> {
    (Account::choose(None).is_err() && Account::choose(Some(UNPRIVILEGED)).is_ok())
        .then_some(UNPRIVILEGED)
}

/// The configuration, its display process showing `page` on the display this session has. Every process runs as
/// `user`, if there is one; such an account has no home.
fn configuration(page: &Path, user: Option<&str>) -> Value {
    let mut document: Value = serde_json::from_str(CONFIGURATION)
        .expect("it is part of the program, and a test reads it");
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
    fn the_demo_is_a_sound_configuration() {
        let loaded = Loaded::from_bytes(CONFIGURATION.as_bytes()).unwrap();
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        assert_eq!(loaded.config.processes.len(), 5);
    }

    #[test]
    fn every_process_runs_as_the_account_it_is_given() {
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
