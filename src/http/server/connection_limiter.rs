//! Who is connected: makes room for whoever comes, so that nobody can keep others out.
//!
//! A connection that waits for its client (to send a request, or to take in an
//! answer) can be replaced at any time. One whose request is being worked on cannot,
//! nor can an event stream; those are bounded by the mailbox and by a limit of their own.

use super::limits::{HELD_FREE, Limits};
use crate::http::error::{Error, Kind};
use smol::Task;
use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;

/// Whom a connection is counted against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// The unix socket: root, or its group.
    Local,
    /// An IPv4 address.
    V4([u8; 4]),
    /// An IPv6 network of 64 bits, which is what one device is given.
    V6([u8; 8]),
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Address::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Address::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It waits for its client; the number tells who has waited longest.
    Waiting(u64),
    /// Its request is being worked on.
    Busy,
    /// It sends events for as long as its client listens.
    Streaming,
}

#[derive(Debug)]
struct SlotState {
    /// A client behind a proxy is known later than its connection.
    address: Cell<Address>,
    standing: Cell<Standing>,
    held: Cell<usize>,
    task: RefCell<Option<Task<()>>>,
}

/// All connections.
#[derive(Debug, Default)]
pub struct ConnectionLimiter {
    seats: RefCell<Vec<Rc<SlotState>>>,
    waits: Cell<u64>,
    requests: Cell<u64>,
}

impl ConnectionLimiter {
    /// Nobody yet.
    pub fn new() -> Rc<Self> {
        Rc::default()
    }

    /// How many are connected.
    pub fn size(&self) -> usize {
        self.seats.borrow().len()
    }

    /// How many of them are event streams.
    pub fn streams(&self) -> usize {
        self.count(|seat| seat.standing.get() == Standing::Streaming)
    }

    /// How many requests were worked on since the start.
    pub fn requests(&self) -> u64 {
        self.requests.get()
    }

    /// Takes in a new connection. Where there is no room, the one that has waited longest
    /// goes: one of the same address if that has its share, otherwise one of the
    /// address that has the most.
    ///
    /// # Errors
    /// Everybody who could go is busy.
    pub fn admit(self: &Rc<Self>, address: Address, limits: &Limits) -> Result<Slot, Error> {
        let here = self.count(|seat| seat.address.get() == address);
        if here >= limits.connections_per_address {
            self.dismiss_one_of(|seat| seat.address.get() == address)?;
        } else if self.size() >= limits.connections {
            let most = self.address_with_most_waiting();
            self.dismiss_one_of(|seat| Some(seat.address.get()) == most)?;
        }
        let seat = Rc::new(SlotState {
            address: Cell::new(address),
            standing: Cell::new(Standing::Waiting(self.next_wait())),
            held: Cell::new(0),
            task: RefCell::new(None),
        });
        self.seats.borrow_mut().push(seat.clone());
        Ok(Slot {
            crowd: self.clone(),
            seat,
        })
    }

    /// Lets go of the one that has waited longest, because the system has no more descriptors.
    pub fn dismiss_any(&self) {
        let _ = self.dismiss_one_of(|_| true);
    }

    fn dismiss_one_of(&self, whom: impl Fn(&SlotState) -> bool) -> Result<(), Error> {
        let mut seats = self.seats.borrow_mut();
        let longest = (seats.iter().enumerate())
            .filter(|(_, seat)| whom(seat))
            .filter_map(|(place, seat)| match seat.standing.get() {
                Standing::Waiting(since) => Some((since, place)),
                Standing::Busy | Standing::Streaming => None,
            })
            .min();
        let (_, place) = longest.ok_or_else(|| crowded("too many connections"))?;
        let seat = seats.swap_remove(place);
        drop(seats);
        // A task that is dropped is cancelled, and its socket closed with it.
        drop(seat.task.take());
        Ok(())
    }

    fn address_with_most_waiting(&self) -> Option<Address> {
        let seats = self.seats.borrow();
        let waits = |seat: &&Rc<SlotState>| matches!(seat.standing.get(), Standing::Waiting(_));
        (seats.iter().filter(waits))
            .map(|seat| {
                let of_it = |other: &&Rc<SlotState>| other.address.get() == seat.address.get();
                (seats.iter().filter(of_it).count(), seat.address.get())
            })
            .max_by_key(|(count, _)| *count)
            .map(|(_, address)| address)
    }

    fn count(&self, whom: impl Fn(&SlotState) -> bool) -> usize {
        self.seats.borrow().iter().filter(|seat| whom(seat)).count()
    }

    fn held(&self, whom: impl Fn(&SlotState) -> bool) -> usize {
        let seats = self.seats.borrow();
        let held = |seat: &Rc<SlotState>| seat.held.get().saturating_sub(HELD_FREE);
        seats.iter().filter(|seat| whom(seat)).map(held).sum()
    }

    fn next_wait(&self) -> u64 {
        self.waits.set(self.waits.get() + 1);
        self.waits.get()
    }
}

/// One connection's place in the crowd; it is free again when this is dropped.
#[derive(Debug)]
pub struct Slot {
    crowd: Rc<ConnectionLimiter>,
    seat: Rc<SlotState>,
}

impl Slot {
    /// The place itself, for [`Place::hold_task`].
    pub fn place(&self) -> Place {
        Place(self.seat.clone())
    }

    /// Whether it came through the unix socket.
    pub fn is_local(&self) -> bool {
        self.seat.address.get() == Address::Local
    }

    /// It is a client of another address, as the proxy in front says. Where that has its share, its connection that has
    /// waited longest goes.
    ///
    /// # Errors
    /// All connections of that address are busy.
    pub fn comes_from(&self, address: Address, limits: &Limits) -> Result<(), Error> {
        if self.seat.address.get() == address {
            return Ok(());
        }
        let there = self.crowd.count(|seat| seat.address.get() == address);
        if there >= limits.connections_per_address {
            self.crowd
                .dismiss_one_of(|seat| seat.address.get() == address)?;
        }
        self.seat.address.set(address);
        Ok(())
    }

    /// It waits for its client from now on, and holds nothing.
    pub fn waits(&self) {
        self.seat.held.set(0);
        self.listens();
    }

    /// It waits for its client to take in what it holds.
    pub fn listens(&self) {
        let since = self.crowd.next_wait();
        self.seat.standing.set(Standing::Waiting(since));
    }

    /// Its request is being worked on.
    pub fn works(&self) {
        self.crowd.requests.set(self.crowd.requests.get() + 1);
        self.seat.standing.set(Standing::Busy);
    }

    /// It becomes an event stream.
    ///
    /// # Errors
    /// There are too many already.
    pub fn streams(&self, limits: &Limits) -> Result<(), Error> {
        let streams = |seat: &SlotState| seat.standing.get() == Standing::Streaming;
        let of_it =
            |seat: &SlotState| streams(seat) && seat.address.get() == self.seat.address.get();
        if self.crowd.count(streams) >= limits.streams
            || self.crowd.count(of_it) >= limits.streams_per_address
        {
            return Err(crowded("too many event streams"));
        }
        self.seat.standing.set(Standing::Streaming);
        Ok(())
    }

    /// It holds `bytes` bytes of a body or an answer.
    ///
    /// # Errors
    /// Too much is held already, by all or by its address.
    pub fn holds(&self, bytes: usize, limits: &Limits) -> Result<(), Error> {
        self.seat.held.set(bytes);
        if bytes > HELD_FREE
            && (self.crowd.held(|_| true) > limits.held_bytes
                || self
                    .crowd
                    .held(|seat| seat.address.get() == self.seat.address.get())
                    > limits.held_bytes / 2)
        {
            self.seat.held.set(0);
            return Err(crowded("too many large bodies and answers"));
        }
        Ok(())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut seats = self.crowd.seats.borrow_mut();
        if let Some(place) = seats.iter().position(|seat| Rc::ptr_eq(seat, &self.seat)) {
            seats.swap_remove(place);
        }
        drop(seats);
        if let Some(task) = self.seat.task.take() {
            task.detach();
        }
    }
}

/// Where the task of a connection is kept, so that it can be ended from outside.
#[derive(Debug)]
pub struct Place(Rc<SlotState>);

impl Place {
    /// Keeps the task that serves this connection.
    pub fn hold_task(self, task: Task<()>) {
        self.0.task.replace(Some(task));
    }
}

fn crowded(detail: &str) -> Error {
    Error::new(Kind::Busy, format!("{detail}; try again in a moment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Address = Address::V4([192, 0, 2, 1]);
    const B: Address = Address::V4([192, 0, 2, 2]);

    fn limits() -> Limits {
        Limits {
            connections: 4,
            connections_per_address: 3,
            streams: 2,
            streams_per_address: 1,
            held_bytes: 100_000,
            ..Limits::default()
        }
    }

    fn is_here(crowd: &ConnectionLimiter, guest: &Slot) -> bool {
        let seats = crowd.seats.borrow();
        seats.iter().any(|seat| Rc::ptr_eq(seat, &guest.seat))
    }

    #[test]
    fn an_address_with_its_share_loses_its_longest_idle_connection_to_its_newest() {
        let crowd = ConnectionLimiter::new();
        let [first, second, third] = [(); 3].map(|()| crowd.admit(A, &limits()).expect("room"));
        first.waits();
        let fourth = crowd
            .admit(A, &limits())
            .expect("one of its own makes room");
        assert!(!is_here(&crowd, &second));
        assert!(
            [&first, &third, &fourth]
                .iter()
                .all(|guest| is_here(&crowd, guest))
        );
    }

    #[test]
    fn a_full_house_loses_one_of_those_who_have_the_most() {
        let crowd = ConnectionLimiter::new();
        let other = crowd.admit(B, &limits()).expect("room");
        let many = [(); 3].map(|()| crowd.admit(A, &limits()).expect("room"));
        crowd
            .admit(B, &limits())
            .expect("one of the many makes room");
        assert!(is_here(&crowd, &other));
        assert!(!is_here(&crowd, &many[0]));
    }

    #[test]
    fn whoever_is_worked_for_stays() {
        let crowd = ConnectionLimiter::new();
        let guests = [(); 3].map(|()| crowd.admit(A, &limits()).expect("room"));
        guests.iter().for_each(Slot::works);
        assert!(crowd.admit(A, &limits()).is_err());
        assert!(crowd.admit(B, &limits()).is_ok());
    }

    #[test]
    fn streams_have_a_limit_of_their_own_and_one_for_each_address() {
        let crowd = ConnectionLimiter::new();
        let [one, two] = [(); 2].map(|()| crowd.admit(A, &limits()).expect("room"));
        let other = crowd.admit(B, &limits()).expect("room");
        assert!(one.streams(&limits()).is_ok());
        assert!(two.streams(&limits()).is_err());
        assert!(other.streams(&limits()).is_ok());
        drop(one);
        assert!(two.streams(&limits()).is_ok());
    }

    #[test]
    fn what_is_held_has_a_limit_and_an_address_gets_half_of_it() {
        let crowd = ConnectionLimiter::new();
        let [one, two] = [(); 2].map(|()| crowd.admit(A, &limits()).expect("room"));
        let other = crowd.admit(B, &limits()).expect("room");
        assert!(one.holds(60_000, &limits()).is_ok());
        assert!(two.holds(60_000, &limits()).is_err());
        assert!(two.holds(HELD_FREE, &limits()).is_ok());
        assert!(other.holds(60_000, &limits()).is_ok());
        one.waits();
        assert!(two.holds(60_000, &limits()).is_ok());
    }

    #[test]
    fn one_device_counts_as_one_whichever_of_its_addresses_it_uses() {
        let address = |text: &str| Address::from(text.parse::<IpAddr>().expect("an address"));
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:2"));
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_eq!(address("::ffff:192.0.2.1"), A);
    }
}
