//! The part of the cgroup v2 hierarchy that the service manager has delegated to the daemon.
//!
//! ```text
//! system.slice/ossuary.service      the unit's own, with controllers for those below, without processes
//! ├── daemon                        the daemon itself
//! ├── sync.7                        run 7 of the process `sync`: all of its tree
//! └── main-display.9
//! ```
//!
//! A tree in a cgroup of its own cannot hide: all its children start in there, and limits hold for all
//! of it. Without delegation (no systemd, or a unit without `Delegate=yes`) everything works but the
//! limits, and trees are known by descent alone; see `sys::process::tree`. The kernel documents its side in
//! `Documentation/admin-guide/cgroup-v2.rst`, the service manager's in <https://systemd.io/CGROUP_DELEGATION>.

mod controller;
mod events;
mod group;
mod location;
mod run_cgroup;
mod stale;

pub(super) use events::Watch;
pub use group::{Cgroup, Usage};
pub use run_cgroup::Cgroups;
pub(super) use run_cgroup::RunCgroup;
pub use stale::prepare_restart;

use super::errno::failure;
use crate::config::{Id, Limits};
use crate::supervisor::{Failure, RunId};
use controller::Controller;
use location::Location;
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The subgroup the daemon lives in. A unit that says `DelegateSubgroup=` must call it so too.
const DAEMON: &str = "daemon";

/// The cgroups below the daemon's unit, where they are ours to make.
#[derive(Debug)]
pub struct Delegation {
    unit: Location,
    /// The controllers that do not work here, and why.
    missing: Vec<(Controller, String)>,
}

impl Delegation {
    /// Finds the cgroup of the daemon's unit, moves the daemon into a subgroup of it (a cgroup hands
    /// controllers to those below only while it holds no process itself) and enables the controllers.
    ///
    /// # Errors
    /// Nothing was delegated, or it cannot be used: why no limit is enforced.
    pub fn take() -> Result<Self, Failure> {
        let own = Location::own()?;
        let unit = match own.name.strip_suffix("/daemon") {
            Some(_) if !location::is_delegated(&own.directory) => own.above(),
            _ => own,
        };
        if !location::is_delegated(&unit.directory) {
            return Err(Failure::system(unit.not_delegated()));
        }
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self::settle(unit, &text("/proc/cmdline"), &text("/proc/self/cgroup"))
    }

    fn settle(unit: Location, kernel_line: &str, memberships: &str) -> Result<Self, Failure> {
        let daemon = unit.directory.join(DAEMON);
        make_directory(&daemon).map_err(|error| cannot("make", &daemon, &error))?;
        let procs = daemon.join("cgroup.procs");
        // 0 stands for the writing process. If it is in there already, that is not an error.
        write(&procs, "0").map_err(|error| cannot("enter", &daemon, &error))?;
        let offered = read(&unit.directory.join("cgroup.controllers"));
        let switches = unit.directory.join("cgroup.subtree_control");
        let mut missing = Vec::new();
        // Each on its own: one that cannot be enabled must not keep the others off.
        for controller in Controller::ALL {
            if !controller.is_in(&offered) {
                missing.push((controller, controller.why_missing(kernel_line, memberships)));
            } else if let Err(error) = write(&switches, &format!("+{controller}")) {
                let attempt = format!("enable the {controller} controller for the processes");
                missing.push((controller, failure(attempt, &error).message));
            }
        }
        Ok(Self { unit, missing })
    }

    /// Why these limits are not enforced, or not all of them; `None` if they are.
    pub fn shortfall(&self, limits: &Limits) -> Option<String> {
        let in_force = Controller::ALL
            .iter()
            .filter(|controller| {
                self.missing
                    .iter()
                    .all(|(missing, _)| missing != *controller)
            })
            .any(|controller| !controller.fields_of(limits).is_empty());
        let missing = self.missing.iter().filter_map(|(controller, why)| {
            let fields = controller.fields_of(limits).join(" and ");
            match (fields.as_str(), in_force) {
                ("", _) => None,
                (_, false) => Some(why.clone()),
                (fields, true) => Some(format!("{fields} not enforced: {why}")),
            }
        });
        let missing: Vec<String> = missing.collect();
        (!missing.is_empty()).then(|| missing.join("; "))
    }

    /// Every existing cgroup of a run, of any daemon, unordered.
    pub fn groups(&self) -> Vec<(Id, RunId)> {
        let entries = fs::read_dir(&self.unit.directory).into_iter().flatten();
        let directories = entries
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        directories
            .filter_map(|entry| run_of(entry.file_name().to_str()?))
            .collect()
    }

    /// The cgroup of a run, whether or not it exists.
    pub fn group(&self, id: &Id, run: RunId) -> Cgroup {
        let name = format!("{id}.{run}");
        Cgroup::at(self.unit.below(&name))
    }

    /// Makes the cgroup of a run that is about to begin.
    ///
    /// # Errors
    /// It cannot be made, or one of this name is there and it contains processes.
    pub(super) fn make(&self, id: &Id, run: RunId) -> Result<Cgroup, Failure> {
        let group = self.group(id, run);
        // A daemon that was killed may have left one of this name.
        group
            .remove()
            .and_then(|()| fs::create_dir(group.directory()))
            .map_err(|error| cannot("make", group.directory(), &error))?;
        Ok(group)
    }

    /// The cgroups of runs that an earlier daemon has left, but those that are `kept`.
    pub fn stale_runs(&self, kept: &BTreeSet<RunId>) -> Vec<Cgroup> {
        let runs = self.groups().into_iter();
        runs.filter(|(_, run)| !kept.contains(run))
            .map(|(id, run)| self.group(&id, run))
            .collect()
    }

    /// Removes the empty cgroups of runs.
    pub fn sweep(&self) {
        for (id, run) in self.groups() {
            // One that is not empty stays; its processes were reported before.
            let _ = self.group(&id, run).remove();
        }
    }
}

/// The run whose cgroup has this name. Ids hold no dot.
fn run_of(name: &str) -> Option<(Id, RunId)> {
    let (id, run) = name.rsplit_once('.')?;
    Some((id.parse().ok()?, RunId(run.parse().ok()?)))
}

fn cannot(verb: &str, path: &Path, error: &io::Error) -> Failure {
    failure(format_args!("{verb} {}", path.display()), error)
}

fn make_directory(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

/// Gives the kernel a word. (Appending, so that a pretended file shows all that was written to it;
/// to the kernel it is the same.)
fn write(path: &Path, word: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).open(path)?;
    // In one call: the kernel takes each as a word of its own.
    file.write_all(word.as_bytes())
}

/// What the kernel says; nothing where there is no such file.
fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The directories in a cgroup: those below it.
fn below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

#[cfg(test)]
mod tests;
