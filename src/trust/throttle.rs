//! Decides whether somebody may guess again: slower after each failure, for each client and for all together.
//!
//! A client has a few tries, then waits twice as long after each. That alone would let somebody with ten thousand
//! addresses guess ten thousand times as often, so failures of strangers also fill one bucket that drains slowly, and
//! while it is full no stranger may try. Whoever has signed in before is no stranger, and a single address that
//! attacks cannot fill the bucket: it waits more than the bucket needs. So no attacker on one address
//! locks the owner on another out; and whoever commands very many can keep out only those
//! who have never been here from where they come now.

use crate::time::Moment;
use std::collections::BTreeMap;
use std::time::Duration;

/// Tries that cost nothing but the try: people mistype.
const FREE: u32 = 5;

/// The wait after the first failure beyond those; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait: a person who has found the paper with the password should not have to go for a walk.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// After this time without a failure a client is as good as new.
const FORGIVEN: Duration = Duration::from_secs(15 * 60);

/// Clients whose failures are remembered. A full memory forgets the one that has failed longest ago: whoever has so
/// many addresses is held by the bucket.
const CLIENTS_MAX: usize = 512;

/// Clients that have signed in and are remembered for that: the devices of a household, or of a gallery's staff.
const KNOWN_MAX: usize = 32;

/// Failures of strangers that the bucket holds.
const BUCKET: u32 = 60;

/// How long one failure takes to drain: ten a minute. A single address at its longest wait adds one a minute.
const DRAIN: Duration = Duration::from_secs(6);

/// A client's address: IPv6, or IPv4 mapped into it (RFC 4291, section 2.5.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Client(pub [u8; 16]);

/// What is remembered of a client that has failed.
#[derive(Clone, Copy, Debug)]
struct Record {
    failures: u32,
    last: Moment,
}

impl Record {
    fn is_forgiven(&self, now: Moment) -> bool {
        now.since(self.last) >= FORGIVEN
    }

    /// Until when the client has to wait.
    fn until(&self) -> Moment {
        let Some(beyond) = self.failures.checked_sub(FREE) else {
            return self.last;
        };
        let wait = FIRST_WAIT.saturating_mul(1 << beyond.min(16));
        self.last + wait.min(LONGEST_WAIT)
    }
}

/// Who has failed, and how often.
#[derive(Debug, Default)]
pub struct Throttle {
    clients: BTreeMap<Client, Record>,
    /// The one that has signed in last stands last.
    known: Vec<Client>,
    /// When the bucket will be empty. How full it is follows from that.
    empty_at: Moment,
}

impl Throttle {
    /// Nobody has failed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether this client may try now.
    ///
    /// # Errors
    /// How long it has to wait, never zero.
    pub fn may_try(&self, client: Client, now: Moment) -> Result<(), Duration> {
        let own = self.clients.get(&client);
        let own = own.map_or(now, Record::until).since(now);
        let all = match self.known.contains(&client) {
            true => Duration::ZERO,
            // The newest failure must have had room.
            false => (self.empty_at.since(now) + DRAIN).saturating_sub(DRAIN * BUCKET),
        };
        match own.max(all) {
            Duration::ZERO => Ok(()),
            wait => Err(wait),
        }
    }

    /// It has tried, and failed.
    pub fn failed(&mut self, client: Client, now: Moment) {
        self.clients.retain(|_, record| !record.is_forgiven(now));
        if self.clients.len() >= CLIENTS_MAX && !self.clients.contains_key(&client) {
            let oldest = self.clients.iter().min_by_key(|(_, record)| record.last);
            if let Some(oldest) = oldest.map(|(client, _)| *client) {
                self.clients.remove(&oldest);
            }
        }
        let record = self.clients.entry(client).or_insert(Record {
            failures: 0,
            last: now,
        });
        record.failures = record.failures.saturating_add(1);
        record.last = now;
        if !self.known.contains(&client) {
            self.empty_at = self.empty_at.max(now) + DRAIN;
        }
    }

    /// It has signed in: what it has failed before is forgotten, and it is no stranger any more.
    pub fn succeeded(&mut self, client: Client) {
        self.clients.remove(&client);
        self.known.retain(|known| *known != client);
        if self.known.len() >= KNOWN_MAX {
            self.known.remove(0);
        }
        self.known.push(client);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Client = client(0);

    const fn client(number: u32) -> Client {
        let [a, b, c, d] = number.to_be_bytes();
        Client([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, a, b, c, d])
    }

    fn at(seconds: u64) -> Moment {
        Moment::from_boot(Duration::from_secs(seconds))
    }

    /// Tries as often as it may from `from` on, for so many seconds; how often that was.
    fn attack(throttle: &mut Throttle, clients: &[Client], seconds: u64) -> u32 {
        let mut tries = 0;
        for second in 0..seconds {
            for client in clients {
                while throttle.may_try(*client, at(second)).is_ok() {
                    throttle.failed(*client, at(second));
                    tries += 1;
                }
            }
        }
        tries
    }

    #[test]
    fn waits_grow_and_end() {
        let mut throttle = Throttle::new();
        let mut waits = Vec::new();
        let mut now = at(1000);
        for _ in 0..14 {
            let wait = throttle.may_try(OWNER, now).err().unwrap_or_default();
            waits.push(wait.as_secs());
            now = now + wait;
            assert!(throttle.may_try(OWNER, now).is_ok());
            throttle.failed(OWNER, now);
        }
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert!(throttle.may_try(OWNER, now + FORGIVEN).is_ok());
        throttle.failed(OWNER, now + FORGIVEN);
        assert!(
            throttle.may_try(OWNER, now + FORGIVEN).is_ok(),
            "as good as new"
        );
    }

    #[test]
    fn an_attacker_on_one_address_never_keeps_the_owner_on_another_out() {
        let mut throttle = Throttle::new();
        for second in 0..24 * 60 * 60 {
            let attacker = client(666);
            while throttle.may_try(attacker, at(second)).is_ok() {
                throttle.failed(attacker, at(second));
            }
            assert!(
                throttle.may_try(OWNER, at(second)).is_ok(),
                "after {second} s"
            );
        }
    }

    #[test]
    fn very_many_addresses_are_no_more_than_ten_guesses_a_minute() {
        let mut throttle = Throttle::new();
        let crowd: Vec<Client> = (1..=10_000).map(client).collect();
        let hour = 60 * 60;
        let tries = attack(&mut throttle, &crowd, hour);
        assert!(tries <= BUCKET + 60 * 10 + 1, "{tries}");
        assert!(throttle.clients.len() <= CLIENTS_MAX);
    }

    #[test]
    fn whoever_has_signed_in_before_is_let_in_through_any_attack() {
        let mut throttle = Throttle::new();
        throttle.succeeded(OWNER);
        let crowd: Vec<Client> = (1..=10_000).map(client).collect();
        attack(&mut throttle, &crowd, 60);
        assert!(
            throttle.may_try(client(20_000), at(59)).is_err(),
            "a stranger waits"
        );
        assert!(throttle.may_try(OWNER, at(59)).is_ok());
    }

    #[test]
    fn a_sign_in_makes_up_for_the_failures_before_it() {
        let mut throttle = Throttle::new();
        for _ in 0..FREE + 3 {
            throttle.failed(OWNER, at(5));
        }
        assert!(throttle.may_try(OWNER, at(5)).is_err());
        throttle.succeeded(OWNER);
        assert!(throttle.may_try(OWNER, at(5)).is_ok());
    }

    /// What holds whatever happens: memory is bounded, a wait is never longer than its bound, and once everybody
    /// has been quiet for long enough everybody may try.
    #[test]
    fn whatever_happens_memory_and_waits_are_bounded() {
        let mut rng = fastrand::Rng::with_seed(9);
        for _ in 0..20 {
            let mut throttle = Throttle::new();
            let mut now = at(rng.u64(0..1000));
            let population = rng.u32(1..5000);
            for _ in 0..5000 {
                now = now + Duration::from_millis(rng.u64(0..10_000));
                let somebody = client(rng.u32(0..population));
                match throttle.may_try(somebody, now) {
                    Ok(()) if rng.u8(..) < 5 => throttle.succeeded(somebody),
                    Ok(()) => throttle.failed(somebody, now),
                    Err(wait) => {
                        assert!(!wait.is_zero());
                        assert!(wait <= LONGEST_WAIT.max(DRAIN), "{wait:?}");
                    }
                }
                assert!(throttle.clients.len() <= CLIENTS_MAX);
                assert!(throttle.known.len() <= KNOWN_MAX);
            }
            let later = now + FORGIVEN;
            for somebody in 0..population {
                assert!(throttle.may_try(client(somebody), later).is_ok());
            }
        }
    }
}
