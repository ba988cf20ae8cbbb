//! What an earlier daemon has left: processes that live on, and what it knew of them.
//!
//! Where descriptors were handed over, the kiosk goes on: what runs and can be followed is adopted, what cannot is
//! ended. Otherwise that daemon was killed on a machine without an fd store: what it left is ended. In both cases the
//! supervisor begins with what was remembered in this boot of the machine: what the operator started and stopped
//! stays so.

use crate::logs::Logs;
use crate::supervisor::{Memory, RunId};
use crate::sys::cgroup::Cgroups;
use crate::sys::process::children::{Children, InheritedRun};
use crate::sys::process::stale_runs;
use crate::sys::service::fd_store::InheritedDescriptors;
use crate::sys::storage::run_dir::RunDir;
use std::collections::{BTreeMap, BTreeSet};

/// What is taken over.
pub struct Inherited {
    /// What was known of each process.
    pub memories: Vec<Memory>,
    found: BTreeMap<RunId, InheritedRun>,
    last_run: u64,
}

impl Inherited {
    /// Finds what can be gone on with, and ends what cannot. What was remembered counts if the daemon before this one
    /// died in this boot of the machine (`same_boot`), or handed descriptors over.
    pub async fn claim(
        run_dir: &RunDir,
        cgroups: &Cgroups,
        handover: &mut InheritedDescriptors,
        same_boot: bool,
    ) -> Self {
        let mut memories = Vec::new();
        let mut found = BTreeMap::new();
        if same_boot || !handover.is_empty() {
            memories = run_dir.memories();
            for memory in &memories {
                let Some(running) = memory.running() else {
                    continue;
                };
                let id = &memory.process.id;
                if let Some(foundling) = InheritedRun::find(id, running, cgroups, handover) {
                    found.insert(running.run, foundling);
                }
            }
        }
        let kept: BTreeSet<RunId> = found.keys().copied().collect();
        let left = cgroups.delegation().map(|all| all.leftovers(&kept));
        let ended = stale_runs::end(run_dir.path(), &kept, &left.unwrap_or_default()).await;
        if ended > 0 {
            log::warn!("ended {ended} processes that an earlier daemon had left behind");
        }
        if let Some(delegation) = cgroups.delegation() {
            delegation.sweep();
        }
        if memories.is_empty() {
            run_dir.clean();
        } else {
            run_dir.tidy(&kept);
        }
        let runs = memories.iter().filter_map(Memory::running);
        let last_run = runs.map(|running| running.run.0).max().unwrap_or(0);
        Self {
            memories,
            found,
            last_run,
        }
    }

    /// Goes on with the runs; one that cannot be gone on with has ended, as far as anybody knows.
    pub fn adopt(&mut self, children: &Children, logs: &Logs) {
        for memory in &mut self.memories {
            let Some(running) = memory.running() else {
                continue;
            };
            let id = &memory.process.id;
            let adopted = match self.found.remove(&running.run) {
                Some(found) => children.adopt(id, running, found, logs),
                None => {
                    memory.lose_run();
                    continue;
                }
            };
            match adopted {
                Ok(()) => log::info!("{id}: run {} goes on, pid {}", running.run, running.pid),
                Err(failure) => {
                    log::error!("{failure}");
                    memory.lose_run();
                }
            }
        }
    }

    /// Above every run that an earlier daemon has left, those that could not be adopted included.
    pub fn next_run(&self) -> u64 {
        self.last_run + 1
    }
}
