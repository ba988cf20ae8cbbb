//! Runs change hands: from a daemon that is killed, or that becomes another program, to the next.

use super::{Children, Phase, Run};
use crate::config::Id;
use crate::logs::{Logs, Stream};
use crate::supervisor::{Failure, RunId, SavedRun};
use crate::sys::cgroup::{Cgroups, RunCgroup};
use crate::sys::errno::failure;
use crate::sys::process::output::Tap;
use crate::sys::process::pidfd::PidFd;
use crate::sys::process::readiness::NotifySocket;
use crate::sys::procfs::Stat;
use crate::sys::service::fd_store::{self, InheritedDescriptors};
use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

/// What a run is followed by, and under which names it changes hands.
const PID: &str = "pid";
const OUT: &str = "out";
const ERR: &str = "err";
const NOTIFY: &str = "notify";
const CONTROL: &str = "control";

/// A run whose processes live on, and by what to follow it.
pub struct InheritedRun {
    main: PidFd,
    /// Its main process has ended while no daemon lived, and another process has reaped it.
    ended: bool,
    out: OwnedFd,
    err: OwnedFd,
    notify: Option<OwnedFd>,
    control: Option<OwnedFd>,
}

impl InheritedRun {
    /// The run of a process, if it can be followed from here on: everything was handed over, and its tree
    /// can be distinguished from others, because it has a cgroup or is a child.
    pub fn find(
        id: &Id,
        running: &SavedRun,
        cgroups: &Cgroups,
        from: &mut InheritedDescriptors,
    ) -> Option<Self> {
        let mut take = |what| from.take(&name(id, running.run, what));
        let (pid, out, err, notify) = (take(PID), take(OUT), take(ERR), take(NOTIFY));
        let control = take(CONTROL);
        let main = PidFd::from(pid?);
        let us = std::process::id() as i32;
        let is_child = Stat::of(running.pid as i32).is_some_and(|stat| stat.parent == us);
        let ended = !is_child && main.has_ended();
        let is_known = is_child || ended || cgroups.holds(id, running.run, running.pid);
        is_known.then_some(Self {
            main,
            ended,
            out: out?,
            err: err?,
            notify,
            control,
        })
    }
}

impl Children {
    /// Adopts a run of an earlier daemon. Its output goes to its log in `logs`.
    /// `Exited` follows as after a start, at once where it has ended meanwhile.
    ///
    /// # Errors
    /// Its descriptors are not what they should be, or its account is gone.
    pub fn adopt(
        &self,
        id: &Id,
        running: &SavedRun,
        found: InheritedRun,
        logs: &Logs,
    ) -> Result<(), Failure> {
        let inner = &self.0;
        let run = running.run;
        let process = &running.process;
        let account = inner
            .accounts
            .borrow_mut()
            .choose(process.user.as_deref())?;
        let log = logs.ensure(id, process.log.memory_kib as usize * 1024);
        let odd = |error: io::Error| failure(format_args!("adopt {id}"), &error);
        let out = smol::Async::new(PipeReader::from(found.out)).map_err(odd)?;
        let err = smol::Async::new(PipeReader::from(found.err)).map_err(odd)?;
        let resume = |stream| log.resume(stream, logs.take_partial_line(id, stream));
        let taps = vec![
            Tap::new(out, resume(Stream::Stdout), &inner.buffer),
            Tap::new(err, resume(Stream::Stderr), &inner.buffer),
        ];
        let notify = found
            .notify
            .map(|fd| NotifySocket::from_earlier(inner.run_dir.path(), run, fd))
            .transpose()?
            .map(Rc::new);
        let alive = (!found.ended).then_some(running.pid);
        let RunCgroup { cgroup, unenforced } =
            inner.cgroups.resume(id, run, &process.limits, alive);
        let mut family = inner.family.borrow_mut();
        family.began(run, running.pid as i32, cgroup);
        if found.ended {
            family.main_was_reaped(run);
        } else if let Err(error) = inner.run_dir.write_pid(id, running.pid) {
            log::warn!("{error}");
        }
        drop(family);
        let record = Run {
            id: id.clone(),
            pid: running.pid,
            main: Rc::new(found.main),
            phase: Phase::Main,
            killing: false,
            account,
            unenforced,
            taps,
            notify,
            control: found.control.map(UnixStream::from),
            readiness: None,
        };
        inner.watch_over(run, record);
        Ok(())
    }

    /// All descriptors by which runs are followed, by name, for the program we are about to become.
    pub fn descriptors(&self) -> Vec<(String, OwnedFd)> {
        let runs = self.0.runs.borrow();
        runs.iter()
            .flat_map(|(run, record)| record.descriptors(*run))
            .collect()
    }

    /// Has the service manager keep what a run is followed by.
    pub(super) fn keep(&self, run: RunId) {
        if !fd_store::is_kept() {
            return;
        }
        if let Some(record) = self.0.runs.borrow().get(&run) {
            for (name, fd) in record.descriptors(run) {
                fd_store::keep(&name, fd);
            }
        }
    }
}

/// A run is over and is no longer followed.
pub(super) fn let_go(id: &Id, run: RunId) {
    if !fd_store::is_kept() {
        return;
    }
    for what in [PID, OUT, ERR, NOTIFY, CONTROL] {
        fd_store::forget(&name(id, run, what));
    }
}

impl Run {
    fn descriptors(&self, run: RunId) -> Vec<(String, OwnedFd)> {
        let mut descriptors = Vec::with_capacity(5);
        let mut add = |what, fd: io::Result<OwnedFd>| match fd {
            Ok(fd) => descriptors.push((name(&self.id, run, what), fd)),
            Err(error) => log::warn!("{} run {run} cannot be handed over: {error}", self.id),
        };
        add(PID, self.main.copy());
        for (what, tap) in [OUT, ERR].into_iter().zip(&self.taps) {
            add(what, tap.pipe());
        }
        if let Some(socket) = &self.notify {
            add(NOTIFY, socket.descriptor());
        }
        if let Some(control) = &self.control {
            add(CONTROL, control.try_clone().map(OwnedFd::from));
        }
        descriptors
    }
}

fn name(id: &Id, run: RunId, what: &str) -> String {
    format!("{id}.{run}.{what}")
}
