//! Drives the page of one run: takes orders, and answers each of them exactly once.
//!
//! Orders that only look go one way, those that change the page another, so that a picture can be
//! taken while the next page is being prepared. On each way one is carried out at a time.

use super::built_in_pages::Facts;
use crate::supervisor::page::{PageCommand, PageCommandResult, PageObservation};
use crate::supervisor::{Event, Failure, RunId, Ticket};
use smol::channel::{Receiver, Sender, bounded};
use smol::{LocalExecutor, Task};
use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

/// Orders that may wait on each way. The mind has one or two under way; the rest are clients, who must not fill the
/// counter at which all others wait.
const WAITING: usize = 8;

/// What a driver is told, and whom it tells.
pub struct DriverContext {
    /// The run.
    pub run: RunId,
    /// Whether the pointer is to be seen on its pages (`flags.cursor`).
    pub pointer: Pointer,
    /// Where it does its work.
    pub executor: Rc<LocalExecutor<'static>>,
    /// Takes what was seen and what came of orders.
    pub events: Sender<Event>,
    /// Writes a line into the log of the process.
    pub note: Box<dyn Fn(&str)>,
    /// What the pages of our own tell of the kiosk.
    pub facts: Box<dyn Fn() -> Facts>,
}

/// What becomes of the pointer over a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pointer {
    /// As the page says.
    Shown,
    /// It is nowhere to be seen, whatever the page says.
    Hidden,
}

impl DriverContext {
    /// Tells what was seen.
    pub(super) async fn saw(&self, sight: PageObservation) {
        let run = self.run;
        // A loop that takes nothing any more has ended.
        let _ = self
            .events
            .send(Event::PageObserved {
                run,
                observation: sight,
            })
            .await;
    }
}

/// A future of a program that is driven.
pub(super) type Later<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A program that can be driven, each in its own way.
pub(super) trait Program {
    /// Carries out an order. Ends in a bounded time; soon where it was withdrawn.
    fn obey<'a>(
        &'a self,
        order: &'a PageCommand,
        withdrawn: &'a Withdrawn,
    ) -> Later<'a, Result<PageCommandResult, Failure>>;

    /// Why an order cannot be carried out, where that is known without trying: it is answered at once, however many
    /// others wait.
    fn why_not(&self, _order: &PageCommand) -> Option<Failure> {
        None
    }

    /// What goes on beside the orders, for as long as the run lives.
    fn live(&self) -> Later<'_, ()>;
}

/// Whether an order is not wanted any more.
#[derive(Clone, Debug)]
pub(super) struct Withdrawn(Receiver<Infallible>);

impl Withdrawn {
    /// An order, and what withdraws it when it is dropped.
    fn new() -> (Self, Sender<Infallible>) {
        let (sender, receiver) = bounded(1);
        (Self(receiver), sender)
    }

    fn has_happened(&self) -> bool {
        self.0.is_closed()
    }

    /// Resolves once it is withdrawn.
    pub(super) async fn happens(&self) {
        let Err(_) = self.0.recv().await;
    }
}

/// The driver of one run. Dropped, it lets go of the program, which lives on.
pub struct Driver {
    run: RunId,
    looks: Sender<Job>,
    changes: Sender<Job>,
    owed: Rc<RefCell<Owed>>,
    program: Rc<dyn Program>,
    _tasks: [Task<()>; 3],
}

struct Job {
    number: u64,
    order: PageCommand,
    ticket: Option<Ticket>,
    withdrawn: Withdrawn,
}

/// Orders that are not answered yet.
#[derive(Default)]
struct Owed {
    next: u64,
    open: Vec<Open>,
}

struct Open {
    number: u64,
    order: PageCommand,
    ticket: Option<Ticket>,
    /// Dropped when it is withdrawn.
    wanted: Option<Sender<Infallible>>,
}

impl Driver {
    /// Begins to drive a program.
    pub(super) fn new(program: impl Program + 'static, around: Rc<DriverContext>) -> Self {
        let program: Rc<dyn Program> = Rc::new(program);
        let owed = Rc::<RefCell<Owed>>::default();
        let way = || {
            let (sender, jobs) = bounded(WAITING);
            let work = carry_out(program.clone(), jobs, owed.clone(), around.clone());
            (sender, around.executor.spawn(work))
        };
        let ((looks, looking), (changes, changing)) = (way(), way());
        let living = {
            let program = program.clone();
            around.executor.spawn(async move { program.live().await })
        };
        Self {
            run: around.run,
            looks,
            changes,
            owed,
            program,
            _tasks: [looking, changing, living],
        }
    }

    /// Has an order carried out. What comes of it is told to the loop; at once where too many wait already.
    pub fn steer(&self, order: PageCommand, ticket: Option<Ticket>) -> Option<Event> {
        let way = match order {
            PageCommand::Observe | PageCommand::Screenshot { .. } => &self.looks,
            _ => &self.changes,
        };
        if let Some(why) = self.program.why_not(&order) {
            return Some(answer(self.run, order, ticket, Err(why)));
        }
        let mut owed = self.owed.borrow_mut();
        let number = owed.next;
        let (withdrawn, wanted) = Withdrawn::new();
        let job = Job {
            number,
            order: order.clone(),
            ticket,
            withdrawn,
        };
        if way.try_send(job).is_err() {
            let busy = Failure::system("the page is busy with other orders; try again");
            return Some(answer(self.run, order, ticket, Err(busy)));
        }
        owed.next += 1;
        owed.open.push(Open {
            number,
            order,
            ticket,
            wanted: Some(wanted),
        });
        None
    }

    /// The client with this ticket does not want its order any more. It is still answered.
    pub fn withdraw(&self, ticket: Ticket) {
        let mut owed = self.owed.borrow_mut();
        let open = (owed.open.iter_mut()).find(|open| open.ticket == Some(ticket));
        if let Some(open) = open {
            open.wanted = None;
        }
    }

    /// The run is over: the answers that are still owed.
    pub fn end(self) -> impl Iterator<Item = Event> {
        let run = self.run;
        let open = std::mem::take(&mut self.owed.borrow_mut().open);
        open.into_iter()
            .map(move |open| answer(run, open.order, open.ticket, Err(ended())))
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Driver({})", self.run)
    }
}

/// Nobody is there to obey.
pub fn ended() -> Failure {
    Failure::system("the browser has ended")
}

/// It is not wanted any more.
pub(super) fn withdrawn() -> Failure {
    Failure::system("it was cancelled")
}

/// What came of an order, as the loop is told.
pub fn answer(
    run: RunId,
    order: PageCommand,
    ticket: Option<Ticket>,
    result: Result<PageCommandResult, Failure>,
) -> Event {
    Event::PageCommandDone {
        run,
        command: order,
        ticket,
        result,
    }
}

async fn carry_out(
    program: Rc<dyn Program>,
    jobs: Receiver<Job>,
    owed: Rc<RefCell<Owed>>,
    around: Rc<DriverContext>,
) {
    while let Ok(job) = jobs.recv().await {
        let result = match job.withdrawn.has_happened() {
            true => Err(withdrawn()),
            false => program.obey(&job.order, &job.withdrawn).await,
        };
        let answer = answer(around.run, job.order, job.ticket, result);
        let told = around.events.send(answer);
        // Either it is told or it is owed: nothing happens between the two.
        if told.await.is_ok() {
            let mut owed = owed.borrow_mut();
            owed.open.retain(|open| open.number != job.number);
        }
    }
}
