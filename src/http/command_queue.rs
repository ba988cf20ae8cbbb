//! The queue between clients and the supervisor: commands in one direction, replies in the other.

use crate::supervisor::{self, Command, Outcome, Refusal, Ticket};
use heapless::LinearMap;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// How many commands may be under way at once. Each takes at most as long as a save, so only a disk that hangs fills
/// the queue.
pub const CAPACITY: usize = 32;

/// The clients' side.
#[derive(Clone, Debug)]
pub struct CommandSender(Rc<Shared>);

/// The loop's side.
#[derive(Debug)]
pub struct CommandQueue(Rc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    entries: RefCell<LinearMap<Ticket, Entry, CAPACITY>>,
    next_ticket: Cell<u64>,
    /// Whether a client waits for the loop to poll the queue.
    pinged: Cell<bool>,
    queued: event_listener::Event,
    answered: event_listener::Event,
}

#[derive(Debug)]
enum Entry {
    /// Queued; the loop has not taken it.
    Queued(Command),
    /// Taken by the loop; the client waits.
    Taken,
    /// Taken by the loop; the client has gone, which the supervisor does not know yet.
    Abandoned,
    /// Taken by the loop; the supervisor knows that the client has gone.
    Withdrawn,
    /// Answered; the client has not collected the reply.
    Answered(Outcome),
}

impl CommandSender {
    /// Both sides of an empty queue.
    pub fn new() -> (CommandSender, CommandQueue) {
        let shared = Rc::<Shared>::default();
        (CommandSender(shared.clone()), CommandQueue(shared))
    }

    /// Sends a command and waits for the reply. If the client goes away before the loop takes the command, the command
    /// is dropped; later, the supervisor gets [`supervisor::Event::CommandWithdrawn`].
    ///
    /// # Errors
    /// The refusal of the supervisor; [`Refusal::Busy`] if the queue is full.
    pub async fn send(&self, command: impl Into<Command>) -> Outcome {
        let shared = &*self.0;
        let ticket = Ticket(shared.next_ticket.get());
        if (shared
            .entries
            .borrow_mut()
            .insert(ticket, Entry::Queued(command.into())))
        .is_err()
        {
            return Err(Refusal::Busy);
        }
        shared.next_ticket.set(ticket.0 + 1);
        shared.queued.notify(1);
        let _guard = EntryGuard { shared, ticket };
        loop {
            let answered = shared.answered.listen();
            if let Some(Entry::Answered(outcome)) = shared.entries.borrow_mut().get_mut(&ticket) {
                let outcome = std::mem::replace(outcome, Err(Refusal::Busy));
                return outcome;
            }
            answered.await;
        }
    }

    /// Resolves once the loop polls the queue again.
    pub async fn ping(&self) {
        let shared = &*self.0;
        let answered = shared.answered.listen();
        shared.pinged.set(true);
        shared.queued.notify(1);
        let mut answered = answered;
        while shared.pinged.get() {
            answered.await;
            answered = shared.answered.listen();
        }
    }
}

/// Releases the entry when the client has its reply or has gone.
struct EntryGuard<'a> {
    shared: &'a Shared,
    ticket: Ticket,
}

impl Drop for EntryGuard<'_> {
    fn drop(&mut self) {
        let mut entries = self.shared.entries.borrow_mut();
        match entries.get_mut(&self.ticket) {
            Some(entry @ Entry::Taken) => {
                *entry = Entry::Abandoned;
                self.shared.queued.notify(1);
            }
            _ => {
                entries.remove(&self.ticket);
            }
        }
    }
}

impl CommandQueue {
    /// The next command in order of arrival, or the withdrawal of an earlier one. Dropping the future loses nothing.
    pub async fn next(&self) -> supervisor::Event {
        let shared = &*self.0;
        loop {
            let asked = shared.queued.listen();
            if shared.pinged.take() {
                shared.answered.notify(usize::MAX);
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

    /// Replies to the client of this ticket, unless it has gone.
    pub fn reply(&self, ticket: Ticket, outcome: Outcome) {
        let mut entries = self.0.entries.borrow_mut();
        match entries.get_mut(&ticket) {
            Some(entry @ Entry::Taken) => {
                *entry = Entry::Answered(outcome);
                self.0.answered.notify(usize::MAX);
            }
            Some(Entry::Abandoned | Entry::Withdrawn) => {
                entries.remove(&ticket);
            }
            _ => log::error!("second reply to command {}", ticket.0),
        }
    }

    fn take_withdrawn(&self) -> Option<Ticket> {
        let mut entries = self.0.entries.borrow_mut();
        let (ticket, entry) =
            (entries.iter_mut()).find(|(_, entry)| matches!(entry, Entry::Abandoned))?;
        *entry = Entry::Withdrawn;
        Some(*ticket)
    }

    fn take(&self) -> Option<(Ticket, Command)> {
        let mut entries = self.0.entries.borrow_mut();
        let (ticket, entry) = (entries.iter_mut())
            .filter(|(_, entry)| matches!(entry, Entry::Queued(_)))
            .min_by_key(|(ticket, _)| **ticket)?;
        match std::mem::replace(entry, Entry::Taken) {
            Entry::Queued(request) => Some((*ticket, request)),
            Entry::Taken | Entry::Abandoned | Entry::Withdrawn | Entry::Answered(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::{Done, Edit, Event};
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
    fn the_supervisor_learns_once_that_a_client_left_after_its_command_was_taken() {
        let (sender, requests) = CommandSender::new();
        block_on(async {
            let mut sending = Box::pin(sender.send(Command::Reload));
            assert!(poll_once(sending.as_mut()).await.is_none());
            let (taken, _) = taken(&requests).await;
            let mut next = pin!(requests.next());
            assert!(poll_once(next.as_mut()).await.is_none());
            drop(sending);
            let event = next.await;
            assert!(matches!(event, Event::CommandWithdrawn { ticket } if ticket == taken));
            assert!(poll_once(requests.next()).await.is_none());
            requests.reply(taken, Ok(Done::Accepted));
        });
        assert!(requests.0.entries.borrow().is_empty());
    }

    #[test]
    fn commands_are_taken_in_order_and_each_gets_its_own_reply() {
        let (sender, requests) = CommandSender::new();
        let supervisor = async {
            let (first, request) = taken(&requests).await;
            assert!(matches!(request, Command::Reload));
            let (second, _) = taken(&requests).await;
            requests.reply(second, Err(Refusal::Outdated));
            requests.reply(first, Ok(Done::Accepted));
        };
        let clients = zip(
            sender.send(Command::Reload),
            sender.send(Edit::Create(serde_json::Map::new())),
        );
        let ((), answers) = block_on(zip(supervisor, clients));
        assert_eq!(answers, (Ok(Done::Accepted), Err(Refusal::Outdated)));
        assert!(requests.0.entries.borrow().is_empty());
    }

    #[test]
    fn a_client_that_leaves_early_withdraws_its_command() {
        let (sender, requests) = CommandSender::new();
        block_on(async {
            assert!(poll_once(sender.send(Command::Reload)).await.is_none());
            assert!(poll_once(requests.next()).await.is_none());
        });
    }

    #[test]
    fn the_reply_to_a_client_that_has_left_is_dropped() {
        let (sender, requests) = CommandSender::new();
        block_on(async {
            let ticket = {
                let mut sending = pin!(sender.send(Command::Reload));
                assert!(poll_once(sending.as_mut()).await.is_none());
                taken(&requests).await.0
            };
            requests.reply(ticket, Ok(Done::Accepted));
        });
        assert!(requests.0.entries.borrow().is_empty());
    }

    #[test]
    fn a_full_queue_refuses_commands() {
        let (sender, requests) = CommandSender::new();
        block_on(async {
            let mut waiting = Vec::new();
            for _ in 0..CAPACITY {
                let mut sending = Box::pin(sender.send(Command::Reload));
                assert!(poll_once(sending.as_mut()).await.is_none());
                waiting.push(sending);
            }
            assert_eq!(sender.send(Command::Reload).await, Err(Refusal::Busy));
            let (ticket, _) = taken(&requests).await;
            requests.reply(ticket, Ok(Done::Changed));
            assert_eq!(waiting.swap_remove(0).await, Ok(Done::Changed));
            assert!(poll_once(sender.send(Command::Reload)).await.is_none());
        });
    }

    #[test]
    fn a_ping_is_answered_only_when_the_loop_polls() {
        let (sender, requests) = CommandSender::new();
        block_on(async {
            assert!(poll_once(sender.ping()).await.is_none());
            let mut ping = pin!(sender.ping());
            assert!(poll_once(ping.as_mut()).await.is_none());
            assert!(poll_once(requests.next()).await.is_none());
            ping.await;
        });
    }
}
