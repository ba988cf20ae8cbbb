//! The driver of one run: runs page commands and answers each exactly once.
//!
//! Commands that only observe the page have their own queue, so that a screenshot can be taken while the next page is
//! prepared. Each queue runs one command at a time.

use super::built_in_pages::Facts;
use crate::supervisor::{Event, Failure, Requester, RunId, Ticket};
use crate::supervisor::{PageCommand, PageCommandResult, PageObservation};
use smol::channel::{Receiver, Sender, bounded};
use smol::{LocalExecutor, Task};
use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

/// Commands that may wait in each queue. The supervisor has one or two pending; the rest are those of clients, which
/// must not fill the command queue of the API.
const QUEUE: usize = 8;

/// What a driver needs of the daemon.
pub struct DriverContext {
    /// The run.
    pub run: RunId,
    /// Whether its pages show the pointer (`flags.cursor`).
    pub pointer: Pointer,
    /// Runs the tasks of the driver.
    pub executor: Rc<LocalExecutor<'static>>,
    /// Receives observations and answers.
    pub events: Sender<Event>,
    /// Writes a line to the log of the process.
    pub note: Box<dyn Fn(&str)>,
    /// The facts that the built-in pages show.
    pub facts: Box<dyn Fn() -> Facts>,
}

/// Whether the pointer is visible over a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pointer {
    /// As the page sets it.
    Shown,
    /// Never.
    Hidden,
}

impl DriverContext {
    /// Reports an observation.
    pub(super) async fn report(&self, observation: PageObservation) {
        let run = self.run;
        // Sending fails only after the loop has ended.
        let _ = self
            .events
            .send(Event::PageObserved { run, observation })
            .await;
    }
}

/// A future of a driven program.
pub(super) type Later<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A driven program.
pub(super) trait Program {
    /// Runs a command. Ends in bounded time, soon after it was cancelled.
    fn run<'a>(
        &'a self,
        command: &'a PageCommand,
        cancelled: &'a Cancelled,
    ) -> Later<'a, Result<PageCommandResult, Failure>>;

    /// Why a command cannot be run, if that is known without trying. It is then answered without queueing.
    fn refuse(&self, _command: &PageCommand) -> Option<Failure> {
        None
    }

    /// Handles events of the program, for as long as the run lives.
    fn watch(&self) -> Later<'_, ()>;
}

/// Whether a command was cancelled.
#[derive(Clone, Debug)]
pub(super) struct Cancelled(Receiver<Infallible>);

impl Cancelled {
    /// Creates it with the sender that cancels the command when dropped.
    fn new() -> (Self, Sender<Infallible>) {
        let (sender, receiver) = bounded(1);
        (Self(receiver), sender)
    }

    fn is_cancelled(&self) -> bool {
        self.0.is_closed()
    }

    /// Resolves once the command is cancelled.
    pub(super) async fn wait(&self) {
        let Err(_) = self.0.recv().await;
    }
}

/// The driver of one run. The program continues when it is dropped.
pub struct Driver {
    run: RunId,
    observe: Sender<Job>,
    change: Sender<Job>,
    pending: Rc<RefCell<Pending>>,
    program: Rc<dyn Program>,
    _tasks: [Task<()>; 3],
}

struct Job {
    number: u64,
    command: PageCommand,
    requester: Requester,
    cancelled: Cancelled,
}

/// Commands without an answer yet.
#[derive(Default)]
struct Pending {
    next: u64,
    open: Vec<PendingCommand>,
}

struct PendingCommand {
    number: u64,
    command: PageCommand,
    requester: Requester,
    /// Dropped to cancel the command.
    cancel_on_drop: Option<Sender<Infallible>>,
}

impl Driver {
    /// Starts to drive a program.
    pub(super) fn new(program: impl Program + 'static, context: Rc<DriverContext>) -> Self {
        let program: Rc<dyn Program> = Rc::new(program);
        let pending = Rc::<RefCell<Pending>>::default();
        let queue = || {
            let (sender, jobs) = bounded(QUEUE);
            let work = run_jobs(program.clone(), jobs, pending.clone(), context.clone());
            (sender, context.executor.spawn(work))
        };
        let ((observe, observing), (change, changing)) = (queue(), queue());
        let watching = {
            let program = program.clone();
            context.executor.spawn(async move { program.watch().await })
        };
        Self {
            run: context.run,
            observe,
            change,
            pending,
            program,
            _tasks: [observing, changing, watching],
        }
    }

    /// Queues a command. Its answer is sent to the loop, or returned if it is refused immediately.
    pub fn run(&self, command: PageCommand, requester: Requester) -> Option<Event> {
        let queue = match command {
            PageCommand::Observe | PageCommand::Screenshot { .. } => &self.observe,
            _ => &self.change,
        };
        if let Some(why) = self.program.refuse(&command) {
            return Some(answer(self.run, command, requester, Err(why)));
        }
        let mut pending = self.pending.borrow_mut();
        let number = pending.next;
        let (cancelled, cancel_on_drop) = Cancelled::new();
        let job = Job {
            number,
            command: command.clone(),
            requester,
            cancelled,
        };
        if queue.try_send(job).is_err() {
            let busy = Failure::system("too many commands wait for this page; try again");
            return Some(answer(self.run, command, requester, Err(busy)));
        }
        pending.next += 1;
        pending.open.push(PendingCommand {
            number,
            command,
            requester,
            cancel_on_drop: Some(cancel_on_drop),
        });
        None
    }

    /// Cancels the command with this ticket. It is still answered.
    pub fn cancel(&self, ticket: Ticket) {
        let mut pending = self.pending.borrow_mut();
        let open =
            (pending.open.iter_mut()).find(|open| open.requester == Requester::Client(ticket));
        if let Some(open) = open {
            open.cancel_on_drop = None;
        }
    }

    /// The run has ended: returns the answers to all pending commands.
    pub fn end(self) -> impl Iterator<Item = Event> {
        let run = self.run;
        let open = std::mem::take(&mut self.pending.borrow_mut().open);
        open.into_iter()
            .map(move |open| answer(run, open.command, open.requester, Err(ended())))
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Driver({})", self.run)
    }
}

/// The failure of a command whose run has ended.
pub fn ended() -> Failure {
    Failure::system("the browser has ended")
}

/// The failure of a cancelled command.
pub(super) fn cancelled() -> Failure {
    Failure::system("it was cancelled")
}

/// The event that answers a command.
pub fn answer(
    run: RunId,
    command: PageCommand,
    requester: Requester,
    result: Result<PageCommandResult, Failure>,
) -> Event {
    Event::PageCommandDone {
        run,
        command,
        requester,
        result,
    }
}

async fn run_jobs(
    program: Rc<dyn Program>,
    jobs: Receiver<Job>,
    pending: Rc<RefCell<Pending>>,
    context: Rc<DriverContext>,
) {
    while let Ok(job) = jobs.recv().await {
        let result = match job.cancelled.is_cancelled() {
            true => Err(cancelled()),
            false => program.run(&job.command, &job.cancelled).await,
        };
        let answer = answer(context.run, job.command, job.requester, result);
        let sent = context.events.send(answer);
        // The loop cannot call `end` between the two: it is either sent or pending.
        if sent.await.is_ok() {
            let mut pending = pending.borrow_mut();
            pending.open.retain(|open| open.number != job.number);
        }
    }
}
