//! Who requested something.

/// Identifies a client that waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// Identifies an execution of a rule, or another attempt of the schedule to show a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExecutionId(pub u64);

/// Who requested something. It travels with the command and decides where the answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Requester {
    /// A client.
    Client(Ticket),
    /// A rule of the schedule.
    Schedule(ExecutionId),
    /// The daemon itself, which needs no answer.
    Daemon,
}
