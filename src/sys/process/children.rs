//! The runs: starts them, signals and kills their trees, and reports their ends.
//!
//! A run is over when its main process was reaped and nothing of its tree lives any more. Main processes are
//! waited for by pidfd, one small task each. Everything else in a tree is noticed by SIGCHLD, because the
//! daemon is a subreaper; see [`super::tree`]. A crash that leaves nothing behind costs a
//! handful of system calls, and an idle kiosk none.

use super::account::{Account, Accounts};
use super::inherited_run::{self, InheritedRun, Part};
use super::launch::{Launch, RunIdentity};
use super::output::{Buffer, Tap};
use super::pidfd::PidFd;
use super::readiness::{self, NotifySocket};
use super::spawn::{Output, Spawned, spawn, spawn_helper};
use super::tree::{self, ProcessTrees};
use super::vfork::{SpawnedChild, VforkSpawner};
use crate::config::{Id, Limits, Ready, ReadySign, StopSignal};
use crate::logs::{Log, Logs, Stream};
use crate::supervisor::{Ending, Event, Failure, RunId, SavedRun};
use crate::sys::cgroup::{Cgroup, Cgroups, RunCgroup, Usage, Watch};
use crate::sys::errno::failure;
use crate::sys::procfs;
use crate::sys::service::fd_store;
use crate::sys::service::signals::ChildEnds;
use crate::sys::storage::run_dir::RunDir;
use crate::sys::time::clock;
use async_process::{Child, ExitStatus};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use smol::channel::Sender;
use smol::{LocalExecutor, Task};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::task::{Context, Waker};

mod command;
mod helper;

/// All runs. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Children(Rc<Inner>);

struct Inner {
    executor: Rc<LocalExecutor<'static>>,
    events: Sender<Event>,
    run_dir: Rc<RunDir>,
    buffer: Rc<Buffer>,
    accounts: RefCell<Accounts>,
    spawner: RefCell<VforkSpawner>,
    cgroups: Cgroups,
    trees: RefCell<ProcessTrees>,
    runs: RefCell<BTreeMap<RunId, Run>>,
}

struct Run {
    id: Id,
    /// Its main process.
    pid: u32,
    /// The same, and never another one.
    main: Rc<PidFd>,
    phase: Phase,
    /// Everything in it is to die.
    killing: bool,
    account: Rc<Account>,
    /// Why its limits do not hold, or not all of them.
    unenforced: Option<String>,
    taps: Vec<Rc<Tap>>,
    notify: Option<Rc<NotifySocket>>,
    /// Our end of the socket that it is driven over, where it is.
    control: Option<UnixStream>,
    /// Watches for the sign of readiness; dropped with the run.
    readiness: Option<Task<()>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The main process runs, or its end was not noticed yet.
    Main,
    /// It has ended, and the event that says so has not been taken in yet.
    Reporting,
    /// Only others of its tree live.
    Rest,
}

impl Children {
    /// Makes the daemon the reaper of everything it starts, and looks after it on `executor`.
    /// Sends what happens to `events`. With `cgroups`, each run has its own.
    /// Once a process.
    ///
    /// # Errors
    /// No descriptor left, or a kernel before Linux 3.4.
    pub fn new(
        executor: &Rc<LocalExecutor<'static>>,
        events: Sender<Event>,
        run_dir: &Rc<RunDir>,
        cgroups: Cgroups,
    ) -> Result<Self, Failure> {
        prctl::set_child_subreaper(true)
            .map_err(|e| failure("become the reaper of orphans", &e.into()))?;
        let ends = ChildEnds::new().map_err(|e| failure("watch for ends of children", &e))?;
        let watch = match cgroups.delegation() {
            Some(_) => Some(Watch::new().map_err(|e| failure("watch for ends of cgroups", &e))?),
            None => None,
        };
        let spawner = VforkSpawner::new().map_err(|e| failure("make ready for children", &e))?;
        let inner = Rc::new(Inner {
            executor: executor.clone(),
            events,
            run_dir: run_dir.clone(),
            buffer: Buffer::new(),
            accounts: RefCell::default(),
            spawner: RefCell::new(spawner),
            cgroups,
            trees: RefCell::new(ProcessTrees::new(run_dir.path(), watch.clone())),
            runs: RefCell::default(),
        });
        let mut driver = Box::pin(async_process::driver());
        // Once polled it counts as driven, and no thread is started for it.
        let _ = driver
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        executor.spawn(driver).detach();
        executor.spawn(watch_children(inner.clone(), ends)).detach();
        if let Some(watch) = watch {
            executor.spawn(watch_cgroups(inner.clone(), watch)).detach();
        }
        Ok(Self(inner))
    }

    /// Starts a run of a process; its output goes into `log`, its PID into `RUN_DIR/<id>.pid`.
    /// `Exited` follows, exactly once, and `TreeGone` if that says so.
    ///
    /// # Errors
    /// It cannot be executed; nothing follows.
    pub fn spawn(
        &self,
        run: RunId,
        id: &Id,
        launch: &Launch,
        log: &Rc<Log>,
    ) -> Result<u32, Failure> {
        let inner = &self.0;
        let account = inner.accounts.borrow_mut().choose(launch.user.as_deref())?;
        let notify = match launch.notify {
            true => Some(Rc::new(NotifySocket::bind(
                inner.run_dir.path(),
                run,
                account.uid,
            )?)),
            false => None,
        };
        let identity = RunIdentity {
            run_dir: inner.run_dir.path(),
            id,
            run: run.0,
            notify_socket: notify.as_ref().map(|socket| socket.path().to_owned()),
        };
        let mut prepared = inner.cgroups.prepare(id, run, &launch.limits);
        let procs_file = prepared.procs_file();
        let mut spawner = inner.spawner.borrow_mut();
        let Spawned {
            child: SpawnedChild { pid, handle },
            out,
            err,
            control,
            mut warnings,
        } = match spawn(&mut spawner, launch, &account, &identity, procs_file) {
            Ok(spawned) => spawned,
            Err(failure) => {
                let cgroup = prepared.cancel();
                inner.trees.borrow_mut().kill_cancelled(run, cgroup);
                return Err(failure);
            }
        };
        let RunCgroup { cgroup, unenforced } = prepared.joined(id, &launch.limits, pid);
        inner.trees.borrow_mut().began(run, pid as i32, cgroup);
        if let Some(why) = &unenforced {
            warnings.push(format!("runs without its limits: {why}"));
        }
        if let Err(error) = inner.run_dir.write_pid(id, pid) {
            log::warn!("{error}");
        }
        for warning in warnings {
            log::warn!("{id} {warning}");
            log.note(&warning, clock::now());
        }
        let record = Run {
            id: id.clone(),
            pid,
            main: Rc::new(handle),
            phase: Phase::Main,
            killing: false,
            account,
            unenforced,
            taps: vec![
                Tap::new(out, log.writer(Stream::Stdout), &inner.buffer),
                Tap::new(err, log.writer(Stream::Stderr), &inner.buffer),
            ],
            notify,
            control,
            readiness: None,
        };
        inner.watch_over(run, record);
        self.keep(run);
        Ok(pid)
    }

    /// Watches for the sign of readiness of a run until it is seen (`Ready`) or the run ends. A probe
    /// command is executed as `probe` says.
    pub fn await_ready(&self, run: RunId, ready: &Ready, probe: Option<Launch>) {
        let inner = &self.0;
        let mut runs = inner.runs.borrow_mut();
        let Some(record) = runs
            .get_mut(&run)
            .filter(|record| record.phase == Phase::Main)
        else {
            return;
        };
        let sign = ready.sign.clone();
        let notify = record.notify.clone();
        let children = self.clone();
        record.readiness = Some(inner.executor.spawn(async move {
            match sign {
                ReadySign::Started => {}
                ReadySign::Http { url } => readiness::http(&url).await,
                ReadySign::Tcp { port } => readiness::tcp(port).await,
                ReadySign::Command { .. } => match probe {
                    Some(launch) => {
                        readiness::command(run, async || children.beside(run, &launch).await).await
                    }
                    None => return log::error!("run {run} has no probe to be ready by"),
                },
                ReadySign::Notify => match notify {
                    Some(socket) => socket.ready().await,
                    None => return log::error!("run {run} has no socket to be ready by"),
                },
            }
            let _ = children.0.events.send(Event::Ready { run }).await;
        }));
    }

    /// The socket over which a run is driven, where it is.
    ///
    /// # Errors
    /// No descriptor left.
    pub fn control(&self, run: RunId) -> io::Result<Option<UnixStream>> {
        let runs = self.0.runs.borrow();
        let control = runs.get(&run).and_then(|record| record.control.as_ref());
        control.map(UnixStream::try_clone).transpose()
    }

    /// A variable from the environment of a run: of its main process, or of the first below it that has it.
    pub fn variable(&self, run: RunId, name: &str) -> Option<String> {
        let pid = self.0.runs.borrow().get(&run)?.pid as i32;
        let mut tree = tree::descent(pid).into_iter();
        tree.find_map(|(pid, _)| procfs::variable(pid, name))
    }

    /// Sends the polite signal to everything in the tree of a run; what is stopped (SIGSTOP) is
    /// woken, so that it hears. A run that is over is no error.
    pub fn signal(&self, run: RunId, signal: StopSignal) {
        let signal = match signal {
            StopSignal::Term => Signal::SIGTERM,
            StopSignal::Int => Signal::SIGINT,
            StopSignal::Hup => Signal::SIGHUP,
            StopSignal::Quit => Signal::SIGQUIT,
            StopSignal::Usr1 => Signal::SIGUSR1,
            StopSignal::Usr2 => Signal::SIGUSR2,
            StopSignal::Kill => return self.kill(run),
        };
        let mut trees = self.0.trees.borrow_mut();
        trees.signal(run, &[signal, Signal::SIGCONT]);
    }

    /// Kills the tree of a run, and what it forks meanwhile, until nothing is left.
    pub fn kill(&self, run: RunId) {
        if let Some(record) = self.0.runs.borrow_mut().get_mut(&run) {
            record.killing = true;
            self.0.trees.borrow_mut().kill(run);
        }
    }

    /// Kills descendants that belong to no known run, and returns how many. To be
    /// called when every run is over and the daemon is about to leave.
    pub fn kill_unknown_descendants(&self) -> usize {
        self.0.trees.borrow_mut().kill_unknown_descendants()
    }

    /// Why the limits of a process are not enforced, or not all of them; `None` if they are. If it runs,
    /// this is about its run; if not, about the next one.
    pub fn why_unenforced(&self, id: &Id, limits: &Limits) -> Option<String> {
        let runs = self.0.runs.borrow();
        match runs.values().find(|record| record.id == *id) {
            Some(record) if *limits != Limits::default() => record.unenforced.clone(),
            _ => self.0.cgroups.why_unenforced(limits),
        }
    }

    /// What the run of a process uses now, if it has one and the system counts it.
    pub fn usage(&self, id: &Id) -> Usage {
        let runs = self.0.runs.borrow();
        let trees = self.0.trees.borrow();
        let of_main =
            |(_, record): &(&RunId, &Run)| record.id == *id && record.phase == Phase::Main;
        let cgroup = runs
            .iter()
            .find(of_main)
            .and_then(|(run, _)| trees.cgroup(*run));
        cgroup.map_or_else(Usage::default, |cgroup| cgroup.usage())
    }

    /// Executes a command beside a run, in the same surroundings and as the same user, and waits for its end.
    /// Dropped before that, it kills it. Its output is discarded.
    ///
    /// # Errors
    /// The run is over, or the command cannot be executed.
    pub async fn beside(&self, run: RunId, launch: &Launch) -> Result<ExitStatus, Failure> {
        let (id, account) = {
            let runs = self.0.runs.borrow();
            let Some(record) = runs.get(&run) else {
                return Err(Failure::system(format!("run {run} is over")));
            };
            (record.id.clone(), record.account.clone())
        };
        let discard = async |child: &mut Child| child.status().await;
        self.execute(&id, run, launch, &account, Output::Discarded, discard)
            .await
    }

    /// Executes a program beside a run, or beside none, and has `follow` wait for its end. Dropped before that, it kills
    /// the program.
    async fn execute<T>(
        &self,
        id: &Id,
        run: RunId,
        launch: &Launch,
        account: &Account,
        output: Output,
        follow: impl AsyncFnOnce(&mut Child) -> io::Result<T>,
    ) -> Result<T, Failure> {
        let mut helper = self.helper(id, run, launch, account, output)?;
        let result = follow(&mut helper.child).await;
        drop(helper);
        self.0.reap_and_report().await;
        result.map_err(|e| failure(format_args!("wait for {}", launch.argv[0]), &e))
    }
}

impl Children {
    /// Starts a child beside a run; beside none where there is no such run.
    ///
    /// # Errors
    /// It cannot be executed.
    fn helper(
        &self,
        id: &Id,
        run: RunId,
        launch: &Launch,
        account: &Account,
        output: Output,
    ) -> Result<Helper, Failure> {
        let identity = RunIdentity {
            run_dir: self.0.run_dir.path(),
            id,
            run: run.0,
            notify_socket: None,
        };
        // What belongs to a run lives in its cgroup, under its limits.
        let procs_file = {
            let trees = self.0.trees.borrow();
            trees
                .cgroup(run)
                .and_then(|cgroup| cgroup.procs_file().ok())
        };
        let child = spawn_helper(launch, account, &identity, output, procs_file)?;
        let pid = child.id() as i32;
        self.0.trees.borrow_mut().helper_began(pid);
        Ok(Helper {
            child,
            inner: self.0.clone(),
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
        let mut trees = inner.trees.borrow_mut();
        trees.began(run, running.pid as i32, cgroup);
        if found.ended {
            trees.main_was_reaped(run);
        } else if let Err(error) = inner.run_dir.write_pid(id, running.pid) {
            log::warn!("{error}");
        }
        drop(trees);
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
    fn keep(&self, run: RunId) {
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

impl Run {
    /// Copies of the descriptors by which the run is followed, by name.
    fn descriptors(&self, run: RunId) -> Vec<(String, OwnedFd)> {
        let control = self.control.as_ref();
        let parts = [(Part::Main, self.main.copy())]
            .into_iter()
            .chain(
                [Part::Stdout, Part::Stderr]
                    .into_iter()
                    .zip(self.taps.iter().map(|tap| tap.pipe())),
            )
            .chain(
                self.notify
                    .as_ref()
                    .map(|socket| (Part::Notify, socket.descriptor())),
            )
            .chain(control.map(|control| (Part::Control, control.try_clone().map(OwnedFd::from))));
        inherited_run::copies(&self.id, run, parts)
    }
}

/// A child beside a run; killed when it is no longer waited for.
struct Helper {
    child: Child,
    inner: Rc<Inner>,
}

impl Drop for Helper {
    fn drop(&mut self) {
        let pid = self.child.id() as i32;
        let mut trees = self.inner.trees.borrow_mut();
        if !matches!(self.child.try_status(), Ok(Some(_))) {
            // Not reaped yet, so the PID and the group are still its own.
            let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL);
        }
        trees.helper_ended(pid);
    }
}

/// Looks whenever the last process in the cgroup of a rest has gone.
async fn watch_cgroups(inner: Rc<Inner>, watch: Rc<Watch>) {
    loop {
        watch.changed().await;
        inner.reap_and_report().await;
    }
}

/// Looks whenever a child has ended.
async fn watch_children(inner: Rc<Inner>, mut ends: ChildEnds) {
    loop {
        match ends.next().await {
            Ok(()) => inner.reap_and_report().await,
            Err(error) => return log::error!("ends of children are no longer noticed: {error}"),
        }
    }
}

impl Inner {
    /// Carries what a run prints into its log, and waits for the end of its main process.
    fn watch_over(self: &Rc<Self>, run: RunId, record: Run) {
        for tap in &record.taps {
            self.executor.spawn(tap.clone().flow()).detach();
        }
        let follow = self.clone().follow(run, record.main.clone());
        self.runs.borrow_mut().insert(run, record);
        self.executor.spawn(follow).detach();
    }

    /// Waits for the end of the main process of a run, and reports it. If that is not a child, its exit status is unknown: how
    /// it ended.
    async fn follow(self: Rc<Self>, run: RunId, main: Rc<PidFd>) {
        if let Err(error) = main.ended().await {
            log::error!("run {run} is no longer watched: {error}");
        }
        let ending = self.trees.borrow_mut().main_ended(run);
        let ending = match self.ran_out_of_memory(run, ending) {
            true => Ending::OutOfMemory,
            false => ending,
        };
        let tree_left = self.after_main(run);
        let _ = self
            .events
            .send(Event::Exited {
                run,
                ending,
                tree_left,
            })
            .await;
        if tree_left {
            if let Some(record) = self.runs.borrow_mut().get_mut(&run) {
                record.phase = Phase::Rest;
            }
            self.reap_and_report().await;
        }
    }

    /// Whether it was the kernel that killed a main process, for want of memory, and not we.
    fn ran_out_of_memory(&self, run: RunId, ending: Ending) -> bool {
        const KILLED: Ending = Ending::Signal(Signal::SIGKILL as i32);
        let runs = self.runs.borrow();
        matches!(ending, KILLED | Ending::Unknown)
            && runs.get(&run).is_some_and(|record| !record.killing)
            && (self.trees.borrow().cgroup(run)).is_some_and(Cgroup::ran_out_of_memory)
    }

    /// Tidies up after a main process. True if others of its tree live on.
    fn after_main(&self, run: RunId) -> bool {
        let mut runs = self.runs.borrow_mut();
        let mut trees = self.trees.borrow_mut();
        let Some(record) = runs.get_mut(&run) else {
            return false;
        };
        record.taps.drain(..).for_each(|tap| tap.drain());
        record.readiness = None;
        record.notify = None;
        record.phase = Phase::Reporting;
        self.run_dir.remove_pid(&record.id);
        if record.killing {
            trees.kill(run);
        }
        let left = trees.is_left(run);
        if !left {
            trees.gone(run);
            inherited_run::forget(&record.id, run);
            runs.remove(&run);
        }
        left
    }

    /// Reaps orphans that have ended, continues to kill trees that are to end, and reports which are gone.
    async fn reap_and_report(&self) {
        self.trees.borrow_mut().reap();
        for run in self.forget_gone_runs() {
            let _ = self.events.send(Event::TreeGone { run }).await;
        }
    }

    /// Forgets the runs whose trees are gone, and returns them.
    fn forget_gone_runs(&self) -> Vec<RunId> {
        let mut runs = self.runs.borrow_mut();
        let mut trees = self.trees.borrow_mut();
        let mut gone = Vec::new();
        runs.retain(|run, record| {
            if record.killing {
                trees.kill(*run);
            }
            let over = record.phase == Phase::Rest && !trees.is_left(*run);
            if over {
                log::debug!("nothing of {} run {run} is left", record.id);
                trees.gone(*run);
                inherited_run::forget(&record.id, *run);
                gone.push(*run);
            }
            !over
        });
        gone
    }
}
