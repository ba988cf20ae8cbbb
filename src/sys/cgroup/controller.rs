//! The controllers that enforce limits, and why one may be missing.

use crate::config::Limits;
use std::fmt;

/// What a cgroup can limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Controller {
    Memory,
    Cpu,
    Pids,
}

impl Controller {
    /// All that the configuration has limits for.
    pub(super) const ALL: [Controller; 3] = [Controller::Memory, Controller::Cpu, Controller::Pids];

    /// Its name in the kernel's files.
    pub(super) fn name(self) -> &'static str {
        match self {
            Controller::Memory => "memory",
            Controller::Cpu => "cpu",
            Controller::Pids => "pids",
        }
    }

    /// Whether it is one of those named in a file like `cgroup.controllers`.
    pub(super) fn is_in(self, names: &str) -> bool {
        names
            .split_ascii_whitespace()
            .any(|name| name == self.name())
    }

    /// The limits that are set and that it enforces, as the configuration calls them.
    pub(super) fn fields_of(self, limits: &Limits) -> Vec<&'static str> {
        let fields = match self {
            Controller::Memory => [
                limits.memory_max.map(|_| "memory_max"),
                limits.memory_high.map(|_| "memory_high"),
            ],
            Controller::Cpu => [limits.cpu_percent.map(|_| "cpu_percent"), None],
            Controller::Pids => [limits.pids_max.map(|_| "pids_max"), None],
        };
        fields.into_iter().flatten().collect()
    }

    /// Why it is not offered, and what would change that: as the kernel's command line shows
    /// (`/proc/cmdline`) and by the daemon's cgroups in every hierarchy (`/proc/self/cgroup`).
    pub(super) fn why_missing(self, kernel_line: &str, memberships: &str) -> String {
        let is_disabled = kernel_line
            .split_ascii_whitespace()
            .filter_map(|word| word.strip_prefix("cgroup_disable="))
            .any(|names| names.split(',').any(|name| name == self.name()));
        // The firmware of a Raspberry Pi says so unasked.
        if is_disabled {
            return format!(
                "the kernel was started with cgroup_disable={self}: add cgroup_enable={self} to its command line"
            );
        }
        let is_in_v1 = memberships
            .lines()
            .filter_map(|line| line.split(':').nth(1))
            .any(|names| names.split(',').any(|name| name == self.name()));
        if is_in_v1 {
            return format!(
                "this system keeps the {self} controller in cgroup v1: add systemd.unified_cgroup_hierarchy=1 to the kernel's command line"
            );
        }
        format!("the system offers the daemon's cgroup no {self} controller")
    }
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
