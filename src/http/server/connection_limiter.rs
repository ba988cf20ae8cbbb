//! Who is connected: makes room for whoever comes, so that nobody can keep others out.
//!
//! A connection that waits for its client (to send a request, or to take in an
//! answer) can be replaced at any time. One whose request is being worked on cannot,
//! nor can an event stream; those are bounded by the mailbox and by a limit of their own.

use super::limits::{HELD_FREE, Limits};
use crate::http::error::{Error, ErrorKind};
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
enum Activity {
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
    activity: Cell<Activity>,
    held_bytes: Cell<usize>,
    task: RefCell<Option<Task<()>>>,
}

/// All connections.
#[derive(Debug, Default)]
pub struct ConnectionLimiter {
    slots: RefCell<Vec<Rc<SlotState>>>,
    wait_counter: Cell<u64>,
    request_counter: Cell<u64>,
}

impl ConnectionLimiter {
    /// Nobody yet.
    pub fn new() -> Rc<Self> {
        Rc::default()
    }

    /// How many are connected.
    pub fn size(&self) -> usize {
        self.slots.borrow().len()
    }

    /// How many of them are event streams.
    pub fn streams(&self) -> usize {
        self.count(|slot| slot.activity.get() == Activity::Streaming)
    }

    /// How many requests were worked on since the start.
    pub fn requests(&self) -> u64 {
        self.request_counter.get()
    }

    /// Takes in a new connection. Where there is no room, the one that has waited longest
    /// goes: one of the same address if that has its share, otherwise one of the
    /// address that has the most.
    ///
    /// # Errors
    /// Everybody who could go is busy.
    pub fn admit(self: &Rc<Self>, address: Address, limits: &Limits) -> Result<Slot, Error> {
        let here = self.count(|slot| slot.address.get() == address);
        if here >= limits.connections_per_address {
            self.evict_one_of(|slot| slot.address.get() == address)?;
        } else if self.size() >= limits.connections {
            let most = self.address_with_most_waiting();
            self.evict_one_of(|slot| Some(slot.address.get()) == most)?;
        }
        let slot = Rc::new(SlotState {
            address: Cell::new(address),
            activity: Cell::new(Activity::Waiting(self.next_wait())),
            held_bytes: Cell::new(0),
            task: RefCell::new(None),
        });
        self.slots.borrow_mut().push(slot.clone());
        Ok(Slot {
            limiter: self.clone(),
            state: slot,
        })
    }

    /// Lets go of the one that has waited longest, because the system has no more descriptors.
    pub fn evict_any(&self) {
        let _ = self.evict_one_of(|_| true);
    }

    fn evict_one_of(&self, whom: impl Fn(&SlotState) -> bool) -> Result<(), Error> {
        let mut slots = self.slots.borrow_mut();
        let longest = (slots.iter().enumerate())
            .filter(|(_, slot)| whom(slot))
            .filter_map(|(place, slot)| match slot.activity.get() {
                Activity::Waiting(since) => Some((since, place)),
                Activity::Busy | Activity::Streaming => None,
            })
            .min();
        let (_, place) = longest.ok_or_else(|| busy("too many connections"))?;
        let slot = slots.swap_remove(place);
        drop(slots);
        // A task that is dropped is cancelled, and its socket closed with it.
        drop(slot.task.take());
        Ok(())
    }

    fn address_with_most_waiting(&self) -> Option<Address> {
        let slots = self.slots.borrow();
        let waits = |slot: &&Rc<SlotState>| matches!(slot.activity.get(), Activity::Waiting(_));
        (slots.iter().filter(waits))
            .map(|slot| {
                let of_it = |other: &&Rc<SlotState>| other.address.get() == slot.address.get();
                (slots.iter().filter(of_it).count(), slot.address.get())
            })
            .max_by_key(|(count, _)| *count)
            .map(|(_, address)| address)
    }

    fn count(&self, whom: impl Fn(&SlotState) -> bool) -> usize {
        self.slots.borrow().iter().filter(|slot| whom(slot)).count()
    }

    fn held(&self, whom: impl Fn(&SlotState) -> bool) -> usize {
        let slots = self.slots.borrow();
        let held = |slot: &Rc<SlotState>| slot.held_bytes.get().saturating_sub(HELD_FREE);
        slots.iter().filter(|slot| whom(slot)).map(held).sum()
    }

    fn next_wait(&self) -> u64 {
        self.wait_counter.set(self.wait_counter.get() + 1);
        self.wait_counter.get()
    }
}

/// One connection's place in the limiter; it is free again when this is dropped.
#[derive(Debug)]
pub struct Slot {
    limiter: Rc<ConnectionLimiter>,
    state: Rc<SlotState>,
}

impl Slot {
    /// The place itself, for [`Place::hold_task`].
    pub fn task_holder(&self) -> TaskHolder {
        TaskHolder(self.state.clone())
    }

    /// Whether it came through the unix socket.
    pub fn is_local(&self) -> bool {
        self.state.address.get() == Address::Local
    }

    /// It is a client of another address, as the proxy in front says. Where that has its share, its connection that has
    /// waited longest goes.
    ///
    /// # Errors
    /// All connections of that address are busy.
    pub fn set_address(&self, address: Address, limits: &Limits) -> Result<(), Error> {
        if self.state.address.get() == address {
            return Ok(());
        }
        let there = self.limiter.count(|slot| slot.address.get() == address);
        if there >= limits.connections_per_address {
            self.limiter
                .evict_one_of(|slot| slot.address.get() == address)?;
        }
        self.state.address.set(address);
        Ok(())
    }

    /// It waits for its client from now on, and holds nothing.
    pub fn start_waiting(&self) {
        self.state.held_bytes.set(0);
        self.start_sending();
    }

    /// It waits for its client to take in what it holds.
    pub fn start_sending(&self) {
        let since = self.limiter.next_wait();
        self.state.activity.set(Activity::Waiting(since));
    }

    /// Its request is being worked on.
    pub fn start_work(&self) {
        self.limiter
            .request_counter
            .set(self.limiter.request_counter.get() + 1);
        self.state.activity.set(Activity::Busy);
    }

    /// It becomes an event stream.
    ///
    /// # Errors
    /// There are too many already.
    pub fn start_stream(&self, limits: &Limits) -> Result<(), Error> {
        let streams = |slot: &SlotState| slot.activity.get() == Activity::Streaming;
        let of_it =
            |slot: &SlotState| streams(slot) && slot.address.get() == self.state.address.get();
        if self.limiter.count(streams) >= limits.streams
            || self.limiter.count(of_it) >= limits.streams_per_address
        {
            return Err(busy("too many event streams"));
        }
        self.state.activity.set(Activity::Streaming);
        Ok(())
    }

    /// It holds `bytes` bytes of a body or an answer.
    ///
    /// # Errors
    /// Too much is held already, by all or by its address.
    pub fn hold(&self, bytes: usize, limits: &Limits) -> Result<(), Error> {
        self.state.held_bytes.set(bytes);
        if bytes > HELD_FREE
            && (self.limiter.held(|_| true) > limits.held_bytes
                || self
                    .limiter
                    .held(|slot| slot.address.get() == self.state.address.get())
                    > limits.held_bytes / 2)
        {
            self.state.held_bytes.set(0);
            return Err(busy("too many large bodies and answers"));
        }
        Ok(())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut slots = self.limiter.slots.borrow_mut();
        if let Some(place) = slots.iter().position(|slot| Rc::ptr_eq(slot, &self.state)) {
            slots.swap_remove(place);
        }
        drop(slots);
        if let Some(task) = self.state.task.take() {
            task.detach();
        }
    }
}

/// Where the task of a connection is kept, so that it can be ended from outside.
#[derive(Debug)]
pub struct TaskHolder(Rc<SlotState>);

impl TaskHolder {
    /// Keeps the task that serves this connection.
    pub fn hold_task(self, task: Task<()>) {
        self.0.task.replace(Some(task));
    }
}

fn busy(detail: &str) -> Error {
    Error::new(ErrorKind::Busy, format!("{detail}; try again in a moment"))
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

    fn is_here(limiter: &ConnectionLimiter, slot: &Slot) -> bool {
        let slots = limiter.slots.borrow();
        slots.iter().any(|state| Rc::ptr_eq(state, &slot.state))
    }

    #[test]
    fn an_address_with_its_share_loses_its_longest_idle_connection_to_its_newest() {
        let limiter = ConnectionLimiter::new();
        let [first, second, third] = [(); 3].map(|()| limiter.admit(A, &limits()).expect("room"));
        first.start_waiting();
        let fourth = limiter
            .admit(A, &limits())
            .expect("one of its own makes room");
        assert!(!is_here(&limiter, &second));
        assert!(
            [&first, &third, &fourth]
                .iter()
                .all(|slot| is_here(&limiter, slot))
        );
    }

    #[test]
    fn a_full_house_loses_one_of_those_who_have_the_most() {
        let limiter = ConnectionLimiter::new();
        let other = limiter.admit(B, &limits()).expect("room");
        let many = [(); 3].map(|()| limiter.admit(A, &limits()).expect("room"));
        limiter
            .admit(B, &limits())
            .expect("one of the many makes room");
        assert!(is_here(&limiter, &other));
        assert!(!is_here(&limiter, &many[0]));
    }

    #[test]
    fn whoever_is_worked_for_stays() {
        let limiter = ConnectionLimiter::new();
        let slots = [(); 3].map(|()| limiter.admit(A, &limits()).expect("room"));
        slots.iter().for_each(Slot::start_work);
        assert!(limiter.admit(A, &limits()).is_err());
        assert!(limiter.admit(B, &limits()).is_ok());
    }

    #[test]
    fn streams_have_a_limit_of_their_own_and_one_for_each_address() {
        let limiter = ConnectionLimiter::new();
        let [one, two] = [(); 2].map(|()| limiter.admit(A, &limits()).expect("room"));
        let other = limiter.admit(B, &limits()).expect("room");
        assert!(one.start_stream(&limits()).is_ok());
        assert!(two.start_stream(&limits()).is_err());
        assert!(other.start_stream(&limits()).is_ok());
        drop(one);
        assert!(two.start_stream(&limits()).is_ok());
    }

    #[test]
    fn what_is_held_has_a_limit_and_an_address_gets_half_of_it() {
        let limiter = ConnectionLimiter::new();
        let [one, two] = [(); 2].map(|()| limiter.admit(A, &limits()).expect("room"));
        let other = limiter.admit(B, &limits()).expect("room");
        assert!(one.hold(60_000, &limits()).is_ok());
        assert!(two.hold(60_000, &limits()).is_err());
        assert!(two.hold(HELD_FREE, &limits()).is_ok());
        assert!(other.hold(60_000, &limits()).is_ok());
        one.start_waiting();
        assert!(two.hold(60_000, &limits()).is_ok());
    }

    #[test]
    fn one_device_counts_as_one_whichever_of_its_addresses_it_uses() {
        let address = |text: &str| Address::from(text.parse::<IpAddr>().expect("an address"));
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:2"));
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_eq!(address("::ffff:192.0.2.1"), A);
    }
}
