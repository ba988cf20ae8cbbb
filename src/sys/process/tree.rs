//! Knows which process belongs to which run.
//!
//! The daemon is a child subreaper (prctl(2)): orphans of its children become its own children, so
//! everything it ever started descends from it, and nothing else does. A direct child is either the main
//! process of a run, a helper, or an orphan. The run of an orphan is found by, in this order:
//!
//! 1. having been seen in its tree before (a tree is looked through when it is signalled);
//! 2. its process group;
//! 3. the marker in its environment, `OSSUARY_RUN=<run dir>:<id>:<run>`.
//!
//! The kernel does not report orphans: all direct children are listed to find them, which takes longer the more there
//! are. So they are not listed for each of many runs that end at once. The orphans of a process become children of the
//! daemon before its end can be seen, and descend from a child of the daemon until then: a list is valid until the next
//! child is reaped ([`ProcessTrees::stale`]).
//!
//! Where the service manager has delegated a cgroup to the daemon, each run has one of its own ([`crate::sys::cgroup`]),
//! and all processes in it belong to the run as well, descendants or not. Descent still counts
//! beside it: a process may be moved elsewhere (a session is, by its PAM module).
//!
//! An orphan that has left group and parents and wiped its environment, unseen, belongs to no run
//! until everything is ended ([`ProcessTrees::kill_unknown_descendants`]).
//!
//! The PID of a direct child means that child until the daemon reaps it, and nothing else does. The PID of a
//! deeper descendant is trusted only together with its start time.

use super::pidfd::PidFd;
use super::reap;
use crate::supervisor::{Ending, RunId};
use crate::sys::cgroup::{Cgroup, Watch};
use crate::sys::procfs::{self, OwnChildren, Stat};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How often a tree that is being killed is looked through in one go for what it has forked meanwhile. If
/// there is still more, the next end of a child continues.
const PASSES_MAX: usize = 100;

/// How old a list of children may be when a tree is signalled or killed: stopping a thousand runs takes several of
/// these. A process that becomes an orphan meanwhile, and is neither in the cgroup of the run nor in the group of its
/// main process, does not get the signal, and is killed when the stop timeout ends.
const FRESH: Duration = Duration::from_millis(10);

/// All descendants of the daemon, as far as it knows them.
#[derive(Debug)]
pub(in crate::sys) struct ProcessTrees {
    marker_prefix: Vec<u8>,
    children: OwnChildren,
    own_group: i32,
    /// Main processes that were not reaped yet.
    mains: BTreeMap<i32, RunId>,
    /// Children that another task waits for: readiness probes.
    helpers: BTreeSet<i32>,
    /// Other direct children, and whose they are.
    orphans: BTreeMap<i32, Option<RunId>>,
    /// When they were looked for.
    looked: Option<Instant>,
    /// A child was reaped since: what it has left behind, if anything, is not among them.
    stale: bool,
    runs: BTreeMap<RunId, Tree>,
    /// Reports the end of the last process of a cgroup.
    watch: Option<Rc<Watch>>,
    /// Cgroups of runs that are over, in which something was still dying when they were to be removed.
    emptying: Vec<Cgroup>,
}

#[derive(Debug, Default)]
struct Tree {
    main: Option<i32>,
    /// How that has ended, from when it was reaped to when its task asks.
    ending: Option<Ending>,
    /// Its process group; the PID of its main process, alive or not.
    group: i32,
    /// What has been seen in it: PID and start time.
    seen: BTreeSet<(i32, u64)>,
    /// What was sent SIGKILL.
    killed: BTreeSet<(i32, u64)>,
    /// Its cgroup, if there are cgroups.
    cgroup: Option<Cgroup>,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    pid: i32,
    stat: Stat,
    /// A direct child, whose PID cannot be reused before the daemon reaps it.
    pinned: bool,
}

impl ProcessTrees {
    pub(in crate::sys) fn new(run_dir: &Path, watch: Option<Rc<Watch>>) -> Self {
        let mut marker_prefix = run_dir.as_os_str().as_bytes().to_vec();
        marker_prefix.push(b':');
        Self {
            marker_prefix,
            children: OwnChildren::open(),
            own_group: nix::unistd::getpgrp().as_raw(),
            mains: BTreeMap::new(),
            helpers: BTreeSet::new(),
            orphans: BTreeMap::new(),
            looked: None,
            stale: true,
            runs: BTreeMap::new(),
            watch,
            emptying: Vec::new(),
        }
    }

    /// A main process was started, inside this cgroup.
    pub(in crate::sys) fn began(&mut self, run: RunId, pid: i32, cgroup: Option<Cgroup>) {
        self.mains.insert(pid, run);
        let tree = Tree {
            main: Some(pid),
            group: pid,
            cgroup,
            ..Tree::default()
        };
        self.runs.insert(run, tree);
    }

    /// The cgroup of a run.
    pub(in crate::sys) fn cgroup(&self, run: RunId) -> Option<&Cgroup> {
        self.runs.get(&run)?.cgroup.as_ref()
    }

    /// Reaps the main process of a run, which has ended, and returns how. `Unknown` if it is not a child.
    pub(in crate::sys) fn main_ended(&mut self, run: RunId) -> Ending {
        if self.runs.get(&run).is_some_and(|tree| tree.main.is_some()) {
            self.reap();
        }
        let Some(tree) = self.runs.get_mut(&run) else {
            return Ending::Unknown;
        };
        if let Some(pid) = tree.main.take() {
            // It is not a child, hides behind a helper, or still runs and cannot be watched.
            self.mains.remove(&pid);
            tree.ending = reap::ending(pid);
            self.stale = true;
        }
        tree.ending.take().unwrap_or(Ending::Unknown)
    }

    /// The main process of a run was reaped by another process. Its PID may be reused by now.
    pub(in crate::sys) fn main_was_reaped(&mut self, run: RunId) {
        if let Some(pid) = self.runs.get_mut(&run).and_then(|tree| tree.main.take()) {
            self.mains.remove(&pid);
        }
    }

    /// Nothing of a run is left.
    pub(in crate::sys) fn gone(&mut self, run: RunId) {
        if let Some(watch) = &self.watch {
            watch.end(run);
        }
        let tree = self.runs.remove(&run);
        self.emptying.extend(tree.and_then(|tree| tree.cgroup));
        self.sweep();
    }

    /// Removes the cgroups of runs that are over.
    fn sweep(&mut self) {
        self.emptying.retain(|cgroup| cgroup.remove().is_err());
    }

    /// A child was started that another task waits for.
    pub(in crate::sys) fn helper_began(&mut self, pid: i32) {
        self.helpers.insert(pid);
    }

    /// It was reaped, or its task was dropped.
    pub(in crate::sys) fn helper_ended(&mut self, pid: i32) {
        self.helpers.remove(&pid);
        self.stale = true;
    }

    /// Reaps what has ended: orphans, and main processes, whose tasks ask for the ending later
    /// ([`ProcessTrees::main_ended`]). Stops at a helper that has ended and that its own task has not reaped yet; that task
    /// looks again.
    pub(in crate::sys) fn reap(&mut self) {
        while let Some(pid) = reap::peek().filter(|pid| !self.helpers.contains(pid)) {
            let ending = reap::ending(pid);
            self.stale = true;
            self.orphans.remove(&pid);
            let run = self.mains.remove(&pid);
            if let Some(tree) = run.and_then(|run| self.runs.get_mut(&run)) {
                // The PID is free from here on.
                tree.main = None;
                tree.ending = ending;
            }
        }
        self.sweep();
    }

    /// Whether anything of a run lives whose main process was reaped. All of that lives in its cgroup or hangs
    /// below orphans, and usually there is none.
    pub(in crate::sys) fn is_left(&mut self, run: RunId) -> bool {
        if self.is_populated(run) {
            return true;
        }
        while self.stale {
            self.find_orphans();
            let known = self.orphans.len();
            // One that has ended may hide behind a helper, and another one may have hidden behind it.
            self.orphans
                .retain(|pid, whose| *whose != Some(run) || !reap::reap(*pid));
            self.stale = self.orphans.len() < known;
        }
        self.orphans.values().any(|whose| *whose == Some(run))
    }

    /// Whether anything lives in the cgroup of a run. If so, its end will be reported.
    fn is_populated(&self, run: RunId) -> bool {
        let Some(cgroup) = self.cgroup(run).filter(|cgroup| cgroup.is_populated()) else {
            return false;
        };
        if let Some(watch) = &self.watch {
            watch.begin(run, cgroup);
        }
        // Again: it may have ended before it was watched.
        cgroup.is_populated()
    }

    /// Sends signals to everything in the tree of a run, one after the other. The tree is listed once:
    /// stopping a hundred runs lists a hundred trees.
    pub(in crate::sys) fn signal(&mut self, run: RunId, signals: &[Signal]) {
        self.find_orphans_lately();
        let members = self.members(run);
        let Some(tree) = self.runs.get_mut(&run) else {
            return;
        };
        tree.seen = members.iter().map(Member::identity).collect();
        let is_pinned = tree.main.is_some_and(|main| {
            let member = members.iter().find(|member| member.pid == main);
            member.map_or_else(|| is_child(main), |member| member.pinned)
        });
        let alone = |member: &&Member| !is_pinned || member.stat.group != tree.group;
        for signal in signals {
            if is_pinned {
                // The main process pins its group, and the kernel reaches all of it at once.
                let _ = killpg(Pid::from_raw(tree.group), *signal);
            }
            members
                .iter()
                .filter(alone)
                .for_each(|member| member.signal(*signal));
        }
    }

    /// Kills everything in the tree of a run, and what it forks meanwhile: its cgroup in one stroke, then
    /// what is not in it. What has not died or been seen at the end of it is found again after the next end of a
    /// child: as long as anything runs outside the cgroup, a direct child has still to end.
    pub(in crate::sys) fn kill(&mut self, run: RunId) {
        if let Some(cgroup) = self.cgroup(run)
            && let Err(error) = cgroup.kill()
        {
            log::debug!("run {run} is killed one by one: {error}");
        }
        self.find_orphans_lately();
        for pass in 0..PASSES_MAX {
            let members = self.members(run);
            let Some(tree) = self.runs.get(&run) else {
                return;
            };
            let fresh: Vec<&Member> = members
                .iter()
                .filter(|member| !tree.killed.contains(&member.identity()))
                .collect();
            if fresh.is_empty() {
                return;
            }
            // Groups first: in one stroke, so that no fork slips through.
            for group in self.groups_of(run, &members) {
                let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
            }
            fresh
                .iter()
                .for_each(|member| member.signal(Signal::SIGKILL));
            let fresh: Vec<_> = fresh.into_iter().map(Member::identity).collect();
            if let Some(tree) = self.runs.get_mut(&run) {
                tree.seen.extend(fresh.iter());
                tree.killed.extend(fresh.iter());
            }
            // What it forks meanwhile. A process that was alone, as most are, is not suspected of that.
            if pass > 0 || fresh.len() > 1 {
                self.find_orphans();
            }
        }
    }

    /// Kills what belongs to no known run, and returns how many. For the very end.
    pub(in crate::sys) fn kill_unknown_descendants(&mut self) -> usize {
        self.find_orphans();
        let unknown: Vec<i32> = self
            .orphans
            .iter()
            .filter(|(pid, whose)| whose.is_none() && !reap::reap(**pid))
            .map(|(pid, _)| *pid)
            .collect();
        for &root in &unknown {
            for (pid, stat) in descent(root).into_iter().skip(1) {
                Member {
                    pid,
                    stat,
                    pinned: false,
                }
                .signal(Signal::SIGKILL);
            }
            let _ = kill(Pid::from_raw(root), Signal::SIGKILL);
        }
        unknown.len()
    }

    /// Kills what a start left running that failed halfway (no descriptor was left to watch it with).
    pub(in crate::sys) fn kill_cancelled(&mut self, run: RunId, cgroup: Option<Cgroup>) {
        let tree = Tree {
            cgroup,
            ..Tree::default()
        };
        self.runs.insert(run, tree);
        self.find_orphans();
        self.kill(run);
        self.gone(run);
    }

    /// The groups of a run that can be killed in one stroke: their number is pinned by a
    /// direct child in them, and they are neither the daemon's nor another run's.
    fn groups_of(&self, run: RunId, members: &[Member]) -> BTreeSet<i32> {
        let foreign = |group: &i32| {
            *group == self.own_group
                || self
                    .runs
                    .iter()
                    .any(|(other, tree)| *other != run && tree.group == *group)
        };
        members
            .iter()
            .filter(|member| member.pinned)
            .map(|member| member.stat.group)
            .filter(|group| !foreign(group))
            .collect()
    }

    /// Everything that lives in the tree of a run, below its main process and the orphans that are known.
    fn members(&self, run: RunId) -> Vec<Member> {
        let Some(tree) = self.runs.get(&run) else {
            return Vec::new();
        };
        let orphans = self
            .orphans
            .iter()
            .filter(|(_, whose)| **whose == Some(run));
        let roots = tree.main.into_iter().chain(orphans.map(|(pid, _)| *pid));
        let mut members = Vec::new();
        for root in roots {
            let living = descent(root)
                .into_iter()
                .filter(|(_, stat)| !stat.is_zombie());
            members.extend(living.map(|(pid, stat)| Member {
                pid,
                stat,
                // The main process of an adopted run may be a child of another process.
                pinned: pid == root && stat.is_ours(),
            }));
        }
        let inside = tree.cgroup.iter().flat_map(Cgroup::members);
        for (pid, stat) in inside {
            if !members.iter().any(|member| member.pid == pid) {
                members.push(Member {
                    pid,
                    stat,
                    pinned: false,
                });
            }
        }
        members
    }

    /// As [`ProcessTrees::find_orphans`], unless that was done just now.
    fn find_orphans_lately(&mut self) {
        let is_fresh = |looked: Instant| looked.elapsed() <= FRESH;
        if self.stale || !self.looked.is_some_and(is_fresh) {
            self.find_orphans();
        }
    }

    /// Looks for direct children that we have not started, and finds out whose they are.
    fn find_orphans(&mut self) {
        for pid in self.children.list() {
            let known = self.mains.contains_key(&pid)
                || self.helpers.contains(&pid)
                || self.orphans.contains_key(&pid);
            if !known {
                let whose = self.whose(pid);
                self.orphans.insert(pid, whose);
            }
        }
        self.stale = false;
        self.looked = Some(Instant::now());
    }

    fn whose(&self, pid: i32) -> Option<RunId> {
        let stat = Stat::of(pid)?;
        let by = |test: &dyn Fn(&Tree) -> bool| {
            self.runs
                .iter()
                .find(|(_, tree)| test(tree))
                .map(|(run, _)| *run)
        };
        by(&|tree| tree.seen.contains(&(pid, stat.started)))
            .or_else(|| by(&|tree| tree.group == stat.group))
            .or_else(|| self.marked(pid))
    }

    fn marked(&self, pid: i32) -> Option<RunId> {
        let marker = procfs::marker_of(pid)?;
        let rest = str::from_utf8(marker.strip_prefix(&self.marker_prefix[..])?).ok()?;
        let run = RunId(rest.rsplit(':').next()?.parse().ok()?);
        self.runs.contains_key(&run).then_some(run)
    }
}

/// Whether this process, dead or alive, is a direct child.
fn is_child(pid: i32) -> bool {
    Stat::of(pid).is_some_and(|stat| stat.is_ours())
}

impl Member {
    fn identity(&self) -> (i32, u64) {
        (self.pid, self.stat.started)
    }

    /// Signals this very process. (A setuid process may not be signalled; that is not reported.)
    fn signal(&self, signal: Signal) {
        if self.pinned {
            let _ = kill(Pid::from_raw(self.pid), signal);
            return;
        }
        let Ok(handle) = PidFd::open(self.pid) else {
            return;
        };
        // The handle refers to the process that has the PID now; it must be the one that was listed.
        if Stat::of(self.pid).is_some_and(|stat| stat.started == self.stat.started) {
            handle.signal(signal);
        }
    }
}

/// A process and everything below it, parents before children, those that have ended and were not reaped included.
pub(in crate::sys) fn descent(root: i32) -> Vec<(i32, Stat)> {
    let known = |pid| Some((pid, Stat::of(pid)?));
    let mut found: Vec<_> = known(root).into_iter().collect();
    let mut next = 0;
    while let Some((pid, stat)) = found.get(next) {
        let children = procfs::children_of(*pid, stat);
        found.extend(children.into_iter().filter_map(known));
        next += 1;
    }
    found
}
