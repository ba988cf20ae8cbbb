//! Makes way for a daemon that is to be started again while the runs of the one before live on.
//!
//! The service manager puts a new main process into the cgroup of its unit, and the kernel lets nobody
//! into a cgroup that hands controllers to those below it. After a daemon was killed its runs are still
//! below, and so are the controllers. From systemd 254 on the unit says `DelegateSubgroup=daemon`, and the new
//! daemon is put there instead. Before that, this is to be run by the unit in between, where the service
//! manager runs it beside the runs, in `.control`: that is `ExecStopPost=`, which follows every end of
//! a daemon. (`ExecStartPre=` has `.control` only where there is `DelegateSubgroup=`. Before 254 it would have to enter the
//! unit's cgroup itself.)
//!
//! The new daemon enables the controllers again and writes the limits anew; in between, some
//! hundred milliseconds, the runs live without.

use super::place::{self, Place};
use super::{below, cannot, read, write};
use crate::supervisor::Failure;
use std::path::Path;

/// The subgroup in which the service manager runs a unit's commands besides the main one.
const CONTROL: &str = "/.control";

/// Switches off the controllers that the cgroup of the daemon's unit hands to those below it. Processes
/// are left alone. Where nothing was delegated or nothing is switched on there is nothing to do.
///
/// # Errors
/// A controller stays on.
pub fn make_way() -> Result<(), Failure> {
    let Ok(own) = Place::own() else {
        return Ok(());
    };
    let unit = match own.name.ends_with(CONTROL) {
        true => own.above(),
        false => own,
    };
    match place::is_delegated(&unit.directory) {
        true => withdraw(&unit.directory),
        false => Ok(()),
    }
}

/// What a run has handed on inside its own cgroup is taken back only where it stands in the way.
pub(super) fn withdraw(directory: &Path) -> Result<(), Failure> {
    let switches = directory.join("cgroup.subtree_control");
    for name in read(&switches).split_ascii_whitespace() {
        let off = format!("-{name}");
        if write(&switches, &off).is_ok() {
            continue;
        }
        for inner in below(directory) {
            withdraw(&inner)?;
        }
        write(&switches, &off).map_err(|error| cannot("change", &switches, &error))?;
    }
    Ok(())
}
