//! Gives each run a cgroup with its limits, or says why its limits do not hold.

use super::{Cgroup, Delegation};
use crate::config::{Id, Limits};
use crate::supervisor::{Failure, RunId};
use crate::sys::errno::failure;
use std::fs::File;

/// The cgroups of the runs, where there are any.
#[derive(Debug)]
pub struct Cgroups(Result<Delegation, Failure>);

/// Where a run that is about to begin will live.
#[derive(Debug, Default)]
pub(in crate::sys) struct PendingCgroup {
    cgroup: Option<Cgroup>,
    procs_file: Option<File>,
    /// Why its limits will not hold, or not all of them.
    unenforced: Option<String>,
}

/// Where a run lives.
#[derive(Debug, Default)]
pub(in crate::sys) struct RunCgroup {
    pub(in crate::sys) cgroup: Option<Cgroup>,
    /// Why its limits do not hold, or not all of them.
    pub(in crate::sys) unenforced: Option<String>,
}

impl Cgroups {
    /// With what [`Delegation::take`] has found.
    pub fn new(taken: Result<Delegation, Failure>) -> Self {
        Self(taken)
    }

    /// The delegated cgroup, where there is one.
    pub fn delegation(&self) -> Option<&Delegation> {
        self.0.as_ref().ok()
    }

    /// Why limits like these are not enforced, or not all of them; `None` if they are, or none is set.
    pub fn why_unenforced(&self, limits: &Limits) -> Option<String> {
        match &self.0 {
            _ if *limits == Limits::default() => None,
            Ok(delegation) => delegation.shortfall(limits),
            Err(failure) => Some(failure.message.clone()),
        }
    }

    /// Makes a cgroup for a run and writes its limits. Nothing here keeps a run from being started:
    /// a kiosk without limits is better than none.
    pub(in crate::sys) fn prepare(&self, id: &Id, run: RunId, limits: &Limits) -> PendingCgroup {
        let unenforced = self.why_unenforced(limits);
        let Some(delegation) = self.delegation() else {
            return PendingCgroup {
                unenforced,
                ..PendingCgroup::default()
            };
        };
        let cgroup = match delegation.make(id, run) {
            Ok(cgroup) => cgroup,
            Err(failure) => return PendingCgroup::outside(id, limits, failure.message),
        };
        let procs_file = match cgroup.procs_file() {
            Ok(procs_file) => procs_file,
            Err(error) => {
                let _ = cgroup.remove();
                return PendingCgroup::outside(
                    id,
                    limits,
                    failure("enter its cgroup", &error).message,
                );
            }
        };
        let written = cgroup.limit(limits).err().map(|failure| failure.message);
        PendingCgroup {
            cgroup: Some(cgroup),
            procs_file: Some(procs_file),
            unenforced: written.or(unenforced),
        }
    }

    /// Whether this process is in the cgroup of this run.
    pub(in crate::sys) fn holds(&self, id: &Id, run: RunId, pid: u32) -> bool {
        self.delegation()
            .is_some_and(|delegation| delegation.group(id, run).holds(pid))
    }

    /// The cgroup of a run that an earlier daemon has begun, its limits written again: its controllers may have
    /// been away in between. `main` is its main process, if that lives.
    pub(in crate::sys) fn resume(
        &self,
        id: &Id,
        run: RunId,
        limits: &Limits,
        main: Option<u32>,
    ) -> RunCgroup {
        let unenforced = self.why_unenforced(limits);
        let cgroup = self
            .delegation()
            .map(|delegation| delegation.group(id, run))
            .filter(|cgroup| main.map_or(cgroup.directory().is_dir(), |pid| cgroup.holds(pid)));
        match cgroup {
            Some(cgroup) => RunCgroup {
                unenforced: cgroup
                    .limit(limits)
                    .err()
                    .map(|failure| failure.message)
                    .or(unenforced),
                cgroup: Some(cgroup),
            },
            None => RunCgroup {
                unenforced: unenforced.or_else(|| {
                    let has_limits = *limits != Limits::default();
                    has_limits.then(|| "it was started without a cgroup of its own".to_owned())
                }),
                cgroup: None,
            },
        }
    }
}

impl PendingCgroup {
    /// None, although there should be one.
    fn outside(id: &Id, limits: &Limits, why: String) -> Self {
        log::warn!("{id} runs without a cgroup of its own: {why}");
        Self {
            unenforced: (*limits != Limits::default()).then_some(why),
            ..Self::default()
        }
    }

    /// The file by which the run enters; once.
    pub(in crate::sys) fn procs_file(&mut self) -> Option<File> {
        self.procs_file.take()
    }

    /// The run could not be started. What is left of the attempt is in the cgroup.
    pub(in crate::sys) fn cancel(self) -> Option<Cgroup> {
        self.cgroup
    }

    /// The run has begun, with this main process, which was not reaped yet.
    pub(in crate::sys) fn joined(self, id: &Id, limits: &Limits, pid: u32) -> RunCgroup {
        let joined = match self.cgroup {
            Some(cgroup) if !cgroup.holds(pid) => {
                let _ = cgroup.remove();
                PendingCgroup::outside(id, limits, "it could not enter its cgroup".to_owned())
            }
            cgroup => PendingCgroup { cgroup, ..self },
        };
        RunCgroup {
            cgroup: joined.cgroup,
            unenforced: joined.unenforced,
        }
    }
}
