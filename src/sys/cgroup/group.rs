//! The cgroup of one run: what lives in it, what it uses, what it may use.

use super::location::{self, Location};
use super::{below, cannot, read, write};
use crate::config::Limits;
use crate::supervisor::Failure;
use crate::sys::procfs::Stat;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// The period over which processor time is shared out, in microseconds: the kernel's own default.
const CPU_PERIOD: u64 = 100_000;

/// The name of a cgroup; it may or may not exist, and this value does not keep it alive.
#[derive(Clone, Debug)]
pub struct Cgroup(Location);

/// What a tree uses, as far as the kernel counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Memory in bytes, the page cache of its files included.
    pub memory: Option<u64>,
    /// The most it has been; since Linux 5.19.
    pub memory_peak: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
}

impl Cgroup {
    pub(super) fn at(place: Location) -> Self {
        Self(place)
    }

    /// Where its files are.
    pub fn directory(&self) -> &Path {
        &self.0.directory
    }

    /// Writes the limits. One whose controller is missing is passed over: [`super::Delegation::shortfall`]
    /// reports it. For a new cgroup, or one whose controllers were away ([`super::prepare_restart`]).
    ///
    /// # Errors
    /// What could not be written; the others were.
    pub fn limit(&self, limits: &Limits) -> Result<(), Failure> {
        let bytes = |bytes: Option<u64>| bytes.map(|bytes| bytes.to_string());
        let cpu = limits
            .cpu_percent
            .map(|percent| format!("{} {CPU_PERIOD}", u64::from(percent) * CPU_PERIOD / 100));
        let with_max = |word: &str| limits.memory_max.map(|_| word.to_owned());
        let words = [
            ("memory.high", bytes(limits.memory_high)),
            ("memory.max", bytes(limits.memory_max)),
            // What may not grow in memory must not grow on the card instead.
            ("memory.swap.max", with_max("0")),
            // Half a tree is no use to anybody: it dies as one, and the reason is clear.
            ("memory.oom.group", with_max("1")),
            ("cpu.max", cpu),
            ("pids.max", limits.pids_max.map(|pids| pids.to_string())),
        ];
        let mut failed = Vec::new();
        for (file, word) in words {
            let Some(word) = word else { continue };
            let path = self.file(file);
            match write(&path, &word) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    failed.push(cannot("write", &path, &error).message);
                }
                _ => {}
            }
        }
        match failed.is_empty() {
            true => Ok(()),
            false => Err(Failure::system(failed.join("; "))),
        }
    }

    /// The file through which a process enters: a process that writes `0` to it is in.
    pub(in crate::sys) fn procs_file(&self) -> io::Result<File> {
        OpenOptions::new()
            .write(true)
            .open(self.file("cgroup.procs"))
    }

    /// Whether this process is in it, itself or further below.
    pub(in crate::sys) fn holds(&self, pid: u32) -> bool {
        let name = location::name_of(&pid.to_string());
        let rest = name
            .as_deref()
            .and_then(|name| name.strip_prefix(&self.0.name));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether anything lives in it or below it.
    pub fn is_populated(&self) -> bool {
        number_in(&read(&self.events()), "populated") == Some(1)
    }

    /// The file that changes when the answer to [`Cgroup::is_populated`] does.
    pub(super) fn events(&self) -> PathBuf {
        self.file("cgroup.events")
    }

    /// Everything that lives in it and below it, zombies left out, with its identity.
    pub(in crate::sys) fn members(&self) -> Vec<(i32, Stat)> {
        let mut members: Vec<(i32, Stat)> = self
            .pids()
            .into_iter()
            .filter_map(|pid| Some((pid, Stat::of(pid)?)))
            .filter(|(_, stat)| !stat.is_zombie())
            .collect();
        // A PID that was reused before it was read is not listed a second time.
        let still = self.pids();
        members.retain(|(pid, _)| still.contains(pid));
        members
    }

    fn pids(&self) -> Vec<i32> {
        let mut directories = vec![self.0.directory.clone()];
        let mut pids = Vec::new();
        while let Some(directory) = directories.pop() {
            let text = read(&directory.join("cgroup.procs"));
            pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
            directories.extend(below(&directory));
        }
        pids
    }

    /// Kills everything in it and below it in one stroke: no fork slips through.
    ///
    /// # Errors
    /// A kernel before Linux 5.14 cannot; the members are to be killed one by one.
    pub fn kill(&self) -> io::Result<()> {
        write(&self.file("cgroup.kill"), "1")
    }

    /// Whether the kernel has killed something in it for want of memory, be it its own limit or all there is.
    pub fn ran_out_of_memory(&self) -> bool {
        number_in(&read(&self.file("memory.events")), "oom_kill").is_some_and(|kills| kills > 0)
    }

    /// What it uses now. Of what the kernel does not count there is `None`.
    pub fn usage(&self) -> Usage {
        let number = |file: &str| read(&self.file(file)).trim().parse().ok();
        Usage {
            memory: number("memory.current"),
            memory_peak: number("memory.peak"),
            pids: number("pids.current"),
        }
    }

    /// Removes it, with those that were made in it. That there is none is no error.
    ///
    /// # Errors
    /// Something lives in it, or is still dying.
    pub fn remove(&self) -> io::Result<()> {
        remove(&self.0.directory)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.directory.join(name)
    }
}

fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // Perhaps for the sake of those in it only.
        Err(_) => {
            for inner in below(directory) {
                remove(&inner)?;
            }
            fs::remove_dir(directory)
        }
        Ok(()) => Ok(()),
    }
}

/// The value in the line `key value` of a file of such lines.
fn number_in(text: &str, key: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_that_of_its_own_line() {
        let events = "low 0\nhigh 3\nmax 9\noom 2\noom_kill 1\noom_group_kill 1\n";
        assert_eq!(number_in(events, "oom"), Some(2));
        assert_eq!(number_in(events, "oom_kill"), Some(1));
        assert_eq!(number_in(events, "populated"), None);
    }
}
