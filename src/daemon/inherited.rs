//! What an earlier daemon passed on: running processes, and what it remembered of them.
//!
//! If descriptors were passed on, the runs that can be followed are adopted and the others are ended. Otherwise that
//! daemon was killed on a machine without an fd store, and all its runs are ended. In both cases the supervisor starts
//! with the memories of this boot, so what the operator started and stopped stays so.

use crate::logs::Logs;
use crate::supervisor::{Memory, RunId};
use crate::sys::cgroup::Cgroups;
use crate::sys::process::children::Children;
use crate::sys::process::inherited_run::InheritedRun;
use crate::sys::process::stale_runs;
use crate::sys::service::fd_store::InheritedDescriptors;
use crate::sys::storage::run_dir::RunDir;
use std::collections::{BTreeMap, BTreeSet};

/// The inherited state.
pub struct Inherited {
    /// What the earlier daemon remembered of each process.
    pub memories: Vec<Memory>,
    inherited_runs: BTreeMap<RunId, InheritedRun>,
    last_run: u64,
}

impl Inherited {
    /// Finds the runs that can be adopted and ends the others. Memories count if the earlier daemon died in this boot
    /// (`same_boot`) or passed descriptors on.
    pub async fn claim(
        run_dir: &RunDir,
        cgroups: &Cgroups,
        descriptors: &mut InheritedDescriptors,
        same_boot: bool,
    ) -> Self {
        let mut memories = Vec::new();
        let mut found = BTreeMap::new();
        if same_boot || !descriptors.is_empty() {
            memories = run_dir.memories();
            for memory in &memories {
                let Some(running) = memory.running() else {
                    continue;
                };
                let id = &memory.process.id;
                if let Some(run) = InheritedRun::find(id, running, cgroups, descriptors) {
                    found.insert(running.run, run);
                }
            }
        }
        let kept: BTreeSet<RunId> = found.keys().copied().collect();
        let left = cgroups.delegation().map(|all| all.stale_runs(&kept));
        let ended = stale_runs::end(run_dir.path(), &kept, &left.unwrap_or_default()).await;
        if ended > 0 {
            log::warn!("ended {ended} processes of an earlier daemon");
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
            inherited_runs: found,
            last_run,
        }
    }

    /// Adopts the runs. One that cannot be adopted counts as ended.
    pub fn adopt(&mut self, children: &Children, logs: &Logs) {
        for memory in &mut self.memories {
            let Some(running) = memory.running() else {
                continue;
            };
            let id = &memory.process.id;
            let adopted = match self.inherited_runs.remove(&running.run) {
                Some(found) => children.adopt(id, running, found, logs),
                None => {
                    memory.lose_run();
                    continue;
                }
            };
            match adopted {
                Ok(()) => log::info!("{id}: adopted run {}, pid {}", running.run, running.pid),
                Err(failure) => {
                    log::error!("{failure}");
                    memory.lose_run();
                }
            }
        }
    }

    /// The first run id that no earlier daemon has used.
    pub fn next_run(&self) -> u64 {
        self.last_run + 1
    }
}
