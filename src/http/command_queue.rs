//! The counter between clients and the mind: requests go over it one way, answers the other.

use crate::supervisor::{self, Command, Outcome, Refusal, Ticket};
use heapless::LinearMap;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// How many requests may be under way at once. Each is answered within the time of one
/// save, so only a disk that hangs ever fills the counter; then it is better said
/// than kept secret.
pub const CAPACITY: usize = 32;

/// The client's side.
#[derive(Clone, Debug)]
pub struct CommandSender(Rc<Shared>);

/// The loop's side.
#[derive(Debug)]
pub struct CommandQueue(Rc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    entries: RefCell<LinearMap<Ticket, Entry, CAPACITY>>,
    next_ticket: Cell<u64>,
    /// Somebody wants to know whether the loop still comes round.
    pinged: Cell<bool>,
    queued: event_listener::Event,
    answered: event_listener::Event,
}

#[derive(Debug)]
enum Entry {
    /// Not yet taken by the loop.
    Queued(Command),
    /// The mind has it; somebody waits.
    Taken,
    /// The mind has it; the client has gone, which the mind does not know yet.
    Abandoned,
    /// The mind has it, and knows that the client has gone.
    Withdrawn,
    /// To be collected.
    Answered(Outcome),
}

impl CommandSender {
    /// An empty counter: both of its sides.
    pub fn new() -> (CommandSender, CommandQueue) {
        let counter = Rc::<Shared>::default();
        (CommandSender(counter.clone()), CommandQueue(counter))
    }

    /// Asks the mind, and waits for its answer. A client that goes away before the
    /// request is taken has not asked; of one that goes away later the mind hears
    /// ([`supervisor::Event::Withdrawn`]).
    ///
    /// # Errors
    /// What the mind refuses; [`Refusal::Busy`] when the counter is full.
    pub async fn send(&self, request: Command) -> Outcome {
        let counter = &*self.0;
        let ticket = Ticket(counter.next_ticket.get());
        if (counter
            .entries
            .borrow_mut()
            .insert(ticket, Entry::Queued(request)))
        .is_err()
        {
            return Err(Refusal::Busy);
        }
        counter.next_ticket.set(ticket.0 + 1);
        counter.queued.notify(1);
        let _leaving = EntryGuard { counter, ticket };
        loop {
            let answered = counter.answered.listen();
            if let Some(Entry::Answered(outcome)) = counter.entries.borrow_mut().get_mut(&ticket) {
                let outcome = std::mem::replace(outcome, Err(Refusal::Busy));
                return outcome;
            }
            answered.await;
        }
    }

    /// Resolves once the loop has come round to ask for the next request.
    pub async fn ping(&self) {
        let counter = &*self.0;
        let answered = counter.answered.listen();
        counter.pinged.set(true);
        counter.queued.notify(1);
        let mut answered = answered;
        while counter.pinged.get() {
            answered.await;
            answered = counter.answered.listen();
        }
    }
}

/// Gives the place free when the client has its answer, or has gone.
struct EntryGuard<'a> {
    counter: &'a Shared,
    ticket: Ticket,
}

impl Drop for EntryGuard<'_> {
    fn drop(&mut self) {
        let mut places = self.counter.entries.borrow_mut();
        match places.get_mut(&self.ticket) {
            Some(place @ Entry::Taken) => {
                *place = Entry::Abandoned;
                self.counter.queued.notify(1);
            }
            _ => {
                places.remove(&self.ticket);
            }
        }
    }
}

impl CommandQueue {
    /// The next request, in the order they came, or that the client of an earlier one has gone. The future may be
    /// dropped at any time: nothing is lost.
    pub async fn next(&self) -> supervisor::Event {
        let counter = &*self.0;
        loop {
            let asked = counter.queued.listen();
            if counter.pinged.take() {
                counter.answered.notify(usize::MAX);
            }
            if let Some(ticket) = self.take_withdrawn() {
                return supervisor::Event::CommandWithdrawn { ticket };
            }
            if let Some((ticket, request)) = self.take() {
                return supervisor::Event::Command {
                    ticket,
                    command: request,
                };
            }
            asked.await;
        }
    }

    /// Gives the answer to whoever holds the ticket; nobody is told if the client has gone.
    pub fn reply(&self, ticket: Ticket, outcome: Outcome) {
        let mut places = self.0.entries.borrow_mut();
        match places.get_mut(&ticket) {
            Some(place @ Entry::Taken) => {
                *place = Entry::Answered(outcome);
                self.0.answered.notify(usize::MAX);
            }
            Some(Entry::Abandoned | Entry::Withdrawn) => {
                places.remove(&ticket);
            }
            _ => log::error!("a second answer to request {}", ticket.0),
        }
    }

    fn take_withdrawn(&self) -> Option<Ticket> {
        let mut places = self.0.entries.borrow_mut();
        let (ticket, place) =
            (places.iter_mut()).find(|(_, place)| matches!(place, Entry::Abandoned))?;
        *place = Entry::Withdrawn;
        Some(*ticket)
    }

    fn take(&self) -> Option<(Ticket, Command)> {
        let mut places = self.0.entries.borrow_mut();
        let (ticket, place) = (places.iter_mut())
            .filter(|(_, place)| matches!(place, Entry::Queued(_)))
            .min_by_key(|(ticket, _)| **ticket)?;
        match std::mem::replace(place, Entry::Taken) {
            Entry::Queued(request) => Some((*ticket, request)),
            Entry::Taken | Entry::Abandoned | Entry::Withdrawn | Entry::Answered(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::{Done, Event};
    use smol::future::{block_on, poll_once, zip};
    use std::pin::pin;

    async fn taken(requests: &CommandQueue) -> (Ticket, Command) {
        match requests.next().await {
            Event::Command {
                ticket,
                command: request,
            } => (ticket, request),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_mind_hears_once_of_a_client_that_leaves_after_its_request_was_taken() {
        let (mailbox, requests) = CommandSender::new();
        block_on(async {
            let mut asking = Box::pin(mailbox.send(Command::Reload));
            assert!(poll_once(asking.as_mut()).await.is_none());
            let (taken, _) = taken(&requests).await;
            let mut next = pin!(requests.next());
            assert!(poll_once(next.as_mut()).await.is_none());
            drop(asking);
            let heard = next.await;
            assert!(matches!(heard, Event::CommandWithdrawn { ticket } if ticket == taken));
            assert!(poll_once(requests.next()).await.is_none());
            requests.reply(taken, Ok(Done::Accepted));
        });
        assert!(requests.0.entries.borrow().is_empty());
    }

    #[test]
    fn requests_are_taken_in_order_and_each_gets_its_own_answer() {
        let (mailbox, requests) = CommandSender::new();
        let mind = async {
            let (first, request) = taken(&requests).await;
            assert!(matches!(request, Command::Reload));
            let (second, _) = taken(&requests).await;
            requests.reply(second, Err(Refusal::Outdated));
            requests.reply(first, Ok(Done::Accepted));
        };
        let clients = zip(
            mailbox.send(Command::Reload),
            mailbox.send(Command::Create(serde_json::Map::new())),
        );
        let ((), answers) = block_on(zip(mind, clients));
        assert_eq!(answers, (Ok(Done::Accepted), Err(Refusal::Outdated)));
        assert!(requests.0.entries.borrow().is_empty());
    }

    #[test]
    fn a_client_that_leaves_before_its_request_is_taken_has_not_asked() {
        let (mailbox, requests) = CommandSender::new();
        block_on(async {
            assert!(poll_once(mailbox.send(Command::Reload)).await.is_none());
            assert!(poll_once(requests.next()).await.is_none());
        });
    }

    #[test]
    fn the_answer_to_a_client_that_has_left_is_dropped() {
        let (mailbox, requests) = CommandSender::new();
        block_on(async {
            let ticket = {
                let mut asking = pin!(mailbox.send(Command::Reload));
                assert!(poll_once(asking.as_mut()).await.is_none());
                taken(&requests).await.0
            };
            requests.reply(ticket, Ok(Done::Accepted));
        });
        assert!(requests.0.entries.borrow().is_empty());
    }

    #[test]
    fn a_full_counter_says_so() {
        let (mailbox, requests) = CommandSender::new();
        block_on(async {
            let mut waiting = Vec::new();
            for _ in 0..CAPACITY {
                let mut asking = Box::pin(mailbox.send(Command::Reload));
                assert!(poll_once(asking.as_mut()).await.is_none());
                waiting.push(asking);
            }
            assert_eq!(mailbox.send(Command::Reload).await, Err(Refusal::Busy));
            let (ticket, _) = taken(&requests).await;
            requests.reply(ticket, Ok(Done::Changed));
            assert_eq!(waiting.swap_remove(0).await, Ok(Done::Changed));
            assert!(poll_once(mailbox.send(Command::Reload)).await.is_none());
        });
    }

    #[test]
    fn a_knock_is_answered_by_a_loop_that_comes_round_and_by_no_other() {
        let (mailbox, requests) = CommandSender::new();
        block_on(async {
            assert!(poll_once(mailbox.ping()).await.is_none());
            let mut knock = pin!(mailbox.ping());
            assert!(poll_once(knock.as_mut()).await.is_none());
            assert!(poll_once(requests.next()).await.is_none());
            knock.await;
        });
    }
}
