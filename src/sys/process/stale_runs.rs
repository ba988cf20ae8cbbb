//! Ends what a daemon left behind that was killed.
//!
//! Without a service manager that keeps them, the processes of a killed daemon live on, and a second browser
//! would come beside the first. They are known by the marker in their environment, which names
//! the run directory; a process without it is foreign, even with the same name.

use super::pidfd::PidFd;
use crate::supervisor::RunId;
use crate::sys::cgroup::Cgroup;
use crate::sys::procfs::{self, Stat};
use crate::timeout::within;
use nix::sys::signal::Signal;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// How long to wait for the end of what was killed. Only a process inside a broken driver takes longer
/// than an instant, and the kiosk must not stay dark for that one.
const END_MAX: Duration = Duration::from_secs(5);

/// How often everybody is looked at for what was forked meanwhile.
const ROUNDS_MAX: usize = 20;

/// Kills every process that an earlier daemon on this run directory (its canonical path) has started, but those of
/// the runs that are `kept`, with their groups and descendants, and everything in `cgroups`. Waits for their ends, and
/// returns how many there were. To be called with the lock on the directory held and before anything is started.
pub async fn end(run_dir: &Path, kept: &BTreeSet<RunId>, cgroups: &[Cgroup]) -> usize {
    let mut ended = 0;
    for _ in 0..ROUNDS_MAX {
        let found = find(run_dir, kept, cgroups);
        if found.is_empty() {
            break;
        }
        ended += found.len();
        // First, and in one stroke: what forks faster than it is found is found no more.
        for cgroup in cgroups {
            if let Err(error) = cgroup.kill() {
                let directory = cgroup.directory().display();
                log::debug!("{directory} is ended one by one: {error}");
            }
        }
        for (_, handle) in &found {
            handle.signal(Signal::SIGKILL);
        }
        let all = async {
            for (pid, handle) in found {
                if let Err(error) = handle.ended().await {
                    log::warn!("cannot wait for the end of {pid}: {error}");
                }
            }
        };
        if within(END_MAX, all).await.is_none() {
            log::warn!(
                "a process of an earlier daemon does not end; continuing without waiting for it"
            );
            break;
        }
    }
    ended
}

/// What is left, each with a handle that was taken before its identity was confirmed.
fn find(run_dir: &Path, kept: &BTreeSet<RunId>, cgroups: &[Cgroup]) -> Vec<(i32, PidFd)> {
    let everybody = procfs::everybody();
    let marked = select(&everybody, run_dir, kept).into_iter();
    let mut ours: BTreeMap<i32, Stat> = marked.map(|pid| (pid, everybody[&pid])).collect();
    ours.extend(cgroups.iter().flat_map(Cgroup::members));
    let open = |(pid, seen): (i32, Stat)| {
        let handle = PidFd::open(pid).ok()?;
        let same = Stat::of(pid)?.started == seen.started;
        same.then_some((pid, handle))
    };
    ours.into_iter().filter_map(open).collect()
}

fn select(
    everybody: &BTreeMap<i32, Stat>,
    run_dir: &Path,
    kept: &BTreeSet<RunId>,
) -> BTreeSet<i32> {
    let mut prefix = run_dir.as_os_str().as_bytes().to_vec();
    prefix.push(b':');
    let is_kept = |marker: &[u8]| {
        kept.iter()
            .any(|run| marker.ends_with(format!(":{run}").as_bytes()))
    };
    let marked = |pid: i32| {
        procfs::marker_of(pid)
            .is_some_and(|marker| marker.starts_with(&prefix) && !is_kept(&marker))
    };
    // The daemon may itself have been started from a terminal on the kiosk's screen.
    let own = ancestry(everybody);
    let own_groups: BTreeSet<i32> = own
        .iter()
        .filter_map(|pid| everybody.get(pid))
        .map(|stat| stat.group)
        .collect();

    let mut ours: BTreeSet<i32> = everybody
        .iter()
        .filter(|(pid, stat)| !own.contains(pid) && !stat.is_zombie() && marked(**pid))
        .map(|(pid, _)| *pid)
        .collect();
    let mut groups: BTreeSet<i32> = ours.iter().map(|pid| everybody[pid].group).collect();
    groups.retain(|group| !own_groups.contains(group));
    // Parents are unordered: repeat until none is added.
    loop {
        let before = ours.len();
        for (pid, stat) in everybody {
            let related = groups.contains(&stat.group) || ours.contains(&stat.parent);
            if related && !own.contains(pid) && !stat.is_zombie() {
                ours.insert(*pid);
            }
        }
        if ours.len() == before {
            return ours;
        }
    }
}

/// This process and those it descends from.
fn ancestry(everybody: &BTreeMap<i32, Stat>) -> BTreeSet<i32> {
    let mut own = BTreeSet::new();
    let mut pid = std::process::id() as i32;
    while let Some(stat) = everybody.get(&pid).filter(|_| own.insert(pid)) {
        pid = stat.parent;
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::test::Dir;
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::process::{Child, Command, Stdio};

    /// A shell that has said that it runs; it leads a group of its own.
    fn shell(script: &str, marker: Option<String>) -> (Child, String) {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", script])
            .process_group(0)
            .stdout(Stdio::piped());
        match marker {
            Some(marker) => command.env(procfs::MARKER, marker),
            None => command.env_remove(procfs::MARKER),
        };
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        (child, line.trim().to_owned())
    }

    #[test]
    fn what_carries_the_marker_dies_and_its_namesake_does_not() {
        let dir = Dir::new("stale-runs");
        let run_dir = dir.path().canonicalize().unwrap();
        let marker = |dir: &Path| Some(format!("{}:sync:1", dir.display()));
        let waits = "echo up; sleep 600; :";
        let (mut ours, _) = shell(waits, marker(&run_dir));
        // One that has wiped its environment, left its group's leader, and stays in its group.
        let (mut wiped, grandchild) = shell("env -i sleep 600 & echo $!; wait", marker(&run_dir));
        let (mut foreign, _) = shell(waits, None);
        let (mut neighbour, _) = shell(waits, marker(&run_dir.join("other")));
        let kept = Some(format!("{}:sync:2", run_dir.display()));
        let (mut kept_one, _) = shell(waits, kept);
        let kept = BTreeSet::from([RunId(2)]);
        assert!(Stat::of(grandchild.parse().unwrap()).is_some());

        let ended = smol::block_on(end(&run_dir, &kept, &[]));
        assert_eq!(ended, 4, "two shells and their sleeps");
        assert_eq!(ours.wait().unwrap().signal(), Some(9));
        assert_eq!(wiped.wait().unwrap().signal(), Some(9));
        for child in [&mut foreign, &mut neighbour, &mut kept_one] {
            assert_eq!(child.try_wait().unwrap(), None);
            let group = nix::unistd::Pid::from_raw(child.id() as i32);
            nix::sys::signal::killpg(group, Signal::SIGKILL).unwrap();
            child.wait().unwrap();
        }
        assert_eq!(smol::block_on(end(&run_dir, &kept, &[])), 0);
    }
}
