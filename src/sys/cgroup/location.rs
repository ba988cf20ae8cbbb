//! Finds a cgroup: its name among processes, its directory among files, and whether it is ours.

use crate::supervisor::Failure;
use rustix::fs::getxattr;
use std::ffi::CStr;
use std::fs;
use std::path::{Path, PathBuf};

/// One cgroup, by both its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    /// As `/proc/PID/cgroup` calls it: `/system.slice/ossuary.service`.
    pub(super) name: String,
    /// Where its files are.
    pub(super) directory: PathBuf,
}

impl Location {
    /// The cgroup this process is in.
    pub(super) fn own() -> Result<Self, Failure> {
        let none = || Failure::system("this system has no cgroup v2");
        let name = name_of("self").ok_or_else(none)?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let directory = directory_of(&name, &mounts).ok_or_else(none)?;
        Ok(Self { name, directory })
    }

    /// The one around it.
    pub(super) fn above(&self) -> Self {
        let name = self.name.rsplit_once('/').map_or("", |(above, _)| above);
        let directory = self.directory.parent().unwrap_or(&self.directory);
        Self {
            name: name.to_owned(),
            directory: directory.to_owned(),
        }
    }

    /// One in it.
    pub(super) fn below(&self, name: &str) -> Self {
        Self {
            name: format!("{}/{name}", self.name.trim_end_matches('/')),
            directory: self.directory.join(name),
        }
    }

    /// Why this cgroup is not ours to divide, for people.
    pub(super) fn not_delegated(&self) -> String {
        let unit = self.name.rsplit('/').next().unwrap_or_default();
        let why = match unit.strip_suffix(".service") {
            Some(_) => format!("{unit} has no Delegate=yes"),
            None => "it does not run as a service of systemd".to_owned(),
        };
        format!("no cgroup was delegated to the daemon: {why}")
    }
}

/// The name of the v2 cgroup of a process; `pid` may be `self`. One that has ended and was not
/// reaped still has it.
pub(super) fn name_of(pid: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    v2_name(&text).map(str::to_owned)
}

/// The line of the v2 hierarchy in cgroups(7)' `/proc/PID/cgroup` is `0::/path`.
pub(super) fn v2_name(memberships: &str) -> Option<&str> {
    memberships
        .lines()
        .find_map(|line| line.strip_prefix("0::"))
}

/// Where the cgroup of this name is mounted, by proc_pid_mountinfo(5).
pub(super) fn directory_of(name: &str, mounts: &str) -> Option<PathBuf> {
    let mount = |line: &str| {
        let (fields, kind) = line.split_once(" - ")?;
        let (root, point) = {
            let mut fields = fields.split(' ').skip(3);
            (fields.next()?.to_owned(), fields.next()?.to_owned())
        };
        kind.starts_with("cgroup2 ").then_some((root, point))
    };
    let inside = |(root, point): (String, String)| {
        let rest = Path::new(name).strip_prefix(&root).ok()?;
        Some(Path::new(&point).join(rest))
    };
    mounts.lines().filter_map(mount).find_map(inside)
}

/// Whether the service manager says that this cgroup is for its unit to divide. (`user.delegate`
/// is where anybody may read it, since systemd 251; `trusted.delegate` where only root may, before that.)
pub(super) fn is_delegated(directory: &Path) -> bool {
    [c"user.delegate", c"trusted.delegate"]
        .iter()
        .any(|name| attribute(directory, name) == Some(b'1'))
}

/// The first byte of an extended attribute.
fn attribute(path: &Path, name: &CStr) -> Option<u8> {
    let mut value = [0_u8; 8];
    let length = getxattr(path, name, &mut value).ok()?;
    (length > 0).then_some(value[0])
}
