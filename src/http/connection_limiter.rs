//! Bounds connections and event streams, such that no client can keep others out.
//!
//! A connection that waits for its client (to send a request or to receive a response) may be evicted at any time. One
//! whose request is being handled, or that streams events, may not; the command queue and the limit of streams bound
//! those.

use super::error::{Error, ErrorKind};
use super::limits::{HELD_FREE, Limits};
use crate::auth::ClientAddress;
use smol::Task;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The network under which a connection is counted; `None` for the unix socket.
type Network = Option<ClientAddress>;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Activity {
    /// It waits for its client; the smallest number has waited longest.
    Waiting(u64),
    /// Its request is being handled.
    Busy,
    /// It streams events until its client disconnects.
    Streaming,
}

#[derive(Debug)]
struct SlotState {
    /// A client behind a proxy is known later than its connection.
    network: Cell<Network>,
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
    /// Without connections.
    pub fn new() -> Rc<Self> {
        Rc::default()
    }

    /// The number of connections.
    pub fn size(&self) -> usize {
        self.slots.borrow().len()
    }

    /// The number of event streams.
    pub fn streams(&self) -> usize {
        self.count(|slot| slot.activity.get() == Activity::Streaming)
    }

    /// How many requests were handled since the start.
    pub fn requests(&self) -> u64 {
        self.request_counter.get()
    }

    /// Takes a slot for a new connection. If there is none, it evicts the connection that has waited longest: one of
    /// the same address if that has used its share, otherwise one of the address with the most connections.
    ///
    /// # Errors
    /// All candidates for eviction are busy.
    pub fn admit(
        self: &Rc<Self>,
        client: Option<ClientAddress>,
        limits: &Limits,
    ) -> Result<Slot, Error> {
        let network = client.map(ClientAddress::network);
        let here = self.count(|slot| slot.network.get() == network);
        if here >= limits.connections_per_address {
            self.evict_one_of(|slot| slot.network.get() == network)?;
        } else if self.size() >= limits.connections {
            let most = self.network_with_most_waiting();
            self.evict_one_of(|slot| Some(slot.network.get()) == most)?;
        }
        let slot = Rc::new(SlotState {
            network: Cell::new(network),
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

    /// Evicts the connection that has waited longest, because the process has no more descriptors.
    pub fn evict_any(&self) {
        let _ = self.evict_one_of(|_| true);
    }

    fn evict_one_of(&self, matches: impl Fn(&SlotState) -> bool) -> Result<(), Error> {
        let mut slots = self.slots.borrow_mut();
        let longest = (slots.iter().enumerate())
            .filter(|(_, slot)| matches(slot))
            .filter_map(|(index, slot)| match slot.activity.get() {
                Activity::Waiting(since) => Some((since, index)),
                Activity::Busy | Activity::Streaming => None,
            })
            .min();
        let (_, index) = longest.ok_or_else(|| busy("too many connections"))?;
        let slot = slots.swap_remove(index);
        drop(slots);
        // Dropping a task cancels it, which closes its socket.
        drop(slot.task.take());
        Ok(())
    }

    fn network_with_most_waiting(&self) -> Option<Network> {
        let slots = self.slots.borrow();
        let waits = |slot: &&Rc<SlotState>| matches!(slot.activity.get(), Activity::Waiting(_));
        (slots.iter().filter(waits))
            .map(|slot| {
                let of_it = |other: &&Rc<SlotState>| other.network.get() == slot.network.get();
                (slots.iter().filter(of_it).count(), slot.network.get())
            })
            .max_by_key(|(count, _)| *count)
            .map(|(_, network)| network)
    }

    fn count(&self, matches: impl Fn(&SlotState) -> bool) -> usize {
        self.slots
            .borrow()
            .iter()
            .filter(|slot| matches(slot))
            .count()
    }

    fn held(&self, matches: impl Fn(&SlotState) -> bool) -> usize {
        let slots = self.slots.borrow();
        let held = |slot: &Rc<SlotState>| slot.held_bytes.get().saturating_sub(HELD_FREE);
        slots.iter().filter(|slot| matches(slot)).map(held).sum()
    }

    fn next_wait(&self) -> u64 {
        self.wait_counter.set(self.wait_counter.get() + 1);
        self.wait_counter.get()
    }
}

/// The slot of one connection; dropping it releases the slot.
#[derive(Debug)]
pub struct Slot {
    limiter: Rc<ConnectionLimiter>,
    state: Rc<SlotState>,
}

impl Slot {
    /// Where the task of the connection is stored.
    pub fn task_holder(&self) -> TaskHolder {
        TaskHolder(self.state.clone())
    }

    /// Whether it came through the unix socket.
    pub fn is_local(&self) -> bool {
        self.state.network.get().is_none()
    }

    /// Counts the connection under the address that the proxy reports. If that address has used its share, this evicts
    /// its connection that has waited longest.
    ///
    /// # Errors
    /// All connections of that address are busy.
    pub fn set_client(&self, client: ClientAddress, limits: &Limits) -> Result<(), Error> {
        let network = Some(client.network());
        if self.state.network.get() == network {
            return Ok(());
        }
        let there = self.limiter.count(|slot| slot.network.get() == network);
        if there >= limits.connections_per_address {
            self.limiter
                .evict_one_of(|slot| slot.network.get() == network)?;
        }
        self.state.network.set(network);
        Ok(())
    }

    /// The connection waits for a request and holds no memory.
    pub fn start_waiting(&self) {
        self.state.held_bytes.set(0);
        self.start_sending();
    }

    /// The connection waits for its client to receive a response.
    pub fn start_sending(&self) {
        let since = self.limiter.next_wait();
        self.state.activity.set(Activity::Waiting(since));
    }

    /// The request is being handled.
    pub fn start_work(&self) {
        self.limiter
            .request_counter
            .set(self.limiter.request_counter.get() + 1);
        self.state.activity.set(Activity::Busy);
    }

    /// The connection becomes an event stream.
    ///
    /// # Errors
    /// There are too many streams.
    pub fn start_stream(&self, limits: &Limits) -> Result<(), Error> {
        let streams = |slot: &SlotState| slot.activity.get() == Activity::Streaming;
        let of_it =
            |slot: &SlotState| streams(slot) && slot.network.get() == self.state.network.get();
        if self.limiter.count(streams) >= limits.streams
            || self.limiter.count(of_it) >= limits.streams_per_address
        {
            return Err(busy("too many event streams"));
        }
        self.state.activity.set(Activity::Streaming);
        Ok(())
    }

    /// The connection holds `bytes` bytes of a body or a response.
    ///
    /// # Errors
    /// The limit of all connections or of its address is exceeded.
    pub fn hold(&self, bytes: usize, limits: &Limits) -> Result<(), Error> {
        self.state.held_bytes.set(bytes);
        if bytes > HELD_FREE
            && (self.limiter.held(|_| true) > limits.held_bytes
                || self
                    .limiter
                    .held(|slot| slot.network.get() == self.state.network.get())
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
        if let Some(index) = slots.iter().position(|slot| Rc::ptr_eq(slot, &self.state)) {
            slots.swap_remove(index);
        }
        drop(slots);
        if let Some(task) = self.state.task.take() {
            task.detach();
        }
    }
}

/// Stores the task of a connection, so that the limiter can cancel it.
#[derive(Debug)]
pub struct TaskHolder(Rc<SlotState>);

impl TaskHolder {
    /// Stores the task that serves this connection.
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
    use std::net::IpAddr;

    const A: Option<ClientAddress> = v4([192, 0, 2, 1]);
    const B: Option<ClientAddress> = v4([192, 0, 2, 2]);

    const fn v4([a, b, c, d]: [u8; 4]) -> Option<ClientAddress> {
        let address = std::net::Ipv4Addr::new(a, b, c, d);
        Some(ClientAddress(address.to_ipv6_mapped().octets()))
    }

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
    fn an_address_that_has_used_its_share_replaces_its_longest_idle_connection() {
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
    fn a_full_server_evicts_from_the_address_with_the_most_connections() {
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
    fn a_busy_connection_is_not_evicted() {
        let limiter = ConnectionLimiter::new();
        let slots = [(); 3].map(|()| limiter.admit(A, &limits()).expect("room"));
        slots.iter().for_each(Slot::start_work);
        assert!(limiter.admit(A, &limits()).is_err());
        assert!(limiter.admit(B, &limits()).is_ok());
    }

    #[test]
    fn streams_have_a_limit_and_one_per_address() {
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
    fn held_bytes_have_a_limit_of_which_an_address_gets_half() {
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
    fn all_addresses_of_a_device_count_as_one() {
        let address =
            |text: &str| ClientAddress::from(text.parse::<IpAddr>().expect("an address")).network();
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:2"));
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_eq!(Some(address("::ffff:192.0.2.1")), A);
    }
}
