//! Prepares the restart of a daemon while the runs of the earlier one continue.
//!
//! The service manager puts a new main process into the cgroup of its unit, and the kernel lets no process
//! into a cgroup that hands controllers to those below it. After a daemon was killed its runs are still
//! below, and so are the controllers. From systemd 254 on the unit says `DelegateSubgroup=daemon`, and the new
//! daemon is put there instead. Before that, this is to be run by the unit in between, where the service
//! manager runs it beside the runs, in `.control`: that is `ExecStopPost=`, which follows every end of
//! a daemon. (`ExecStartPre=` has `.control` only where there is `DelegateSubgroup=`. Before 254 it would have to enter the
//! unit's cgroup itself.)
//!
//! The new daemon enables the controllers again and writes the limits again; in between, some
//! hundred milliseconds, the runs live without.
//!
//! A daemon that did not stop in time is killed by the service manager, which
//! leaves the runs alone (`KillMode=process`): nothing would end them. So after a time that has run
//! out they are ended here.

use super::group::Cgroup;
use super::location::{self, Location};
use super::{DAEMON, below, cannot, read, run_of, write};
use crate::supervisor::Failure;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

/// The subgroup in which the service manager runs a unit's commands besides the main one.
const CONTROL: &str = "/.control";

/// `$SERVICE_RESULT` of a unit whose time to start or to stop has run out (systemd.exec(5)).
pub const TIMEOUT: &str = "timeout";

/// How often it is looked whether those that were killed are gone.
const LOOK: Duration = Duration::from_millis(10);

/// How many looks are taken. What cannot die for so long waits for a device that does not answer.
const LOOKS: usize = 500;

/// Switches off the controllers that the cgroup of the daemon's unit hands to those below it. Processes
/// are left alone, unless `result`, the service manager's word for the end of the daemon, is [`TIMEOUT`].
/// Where nothing was delegated or nothing is switched on there is nothing to do.
///
/// # Errors
/// A controller stays on; something does not die.
pub fn prepare_restart(result: Option<&str>) -> Result<(), Failure> {
    let Ok(own) = Location::own() else {
        return Ok(());
    };
    let unit = match own.name.ends_with(CONTROL) {
        true => own.above(),
        false => own,
    };
    if !location::is_delegated(&unit.directory) {
        return Ok(());
    }
    if result == Some(TIMEOUT) {
        clear(&unit)?;
    }
    withdraw(&unit.directory)
}

/// Ends every run, and all helpers of the daemon.
pub(super) fn clear(unit: &Location) -> Result<(), Failure> {
    let names = below(&unit.directory);
    let names = names.iter().filter_map(|path| path.file_name()?.to_str());
    let groups: Vec<Cgroup> = names
        .filter(|name| *name == DAEMON || run_of(name).is_some())
        .map(|name| Cgroup::at(unit.below(name)))
        .collect();
    for group in &groups {
        group
            .kill()
            .map_err(|error| cannot("end what is in", group.directory(), &error))?;
    }
    for _ in 0..LOOKS {
        if !groups.iter().any(Cgroup::is_populated) {
            return Ok(());
        }
        sleep(LOOK);
    }
    let unit = unit.directory.display();
    Err(Failure::system(format!("something in {unit} does not die")))
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
