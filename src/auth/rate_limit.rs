//! The rate limit for passwords and codes: a lockout for each guesser, and one bucket for all unknown clients together.
//!
//! A guesser has a few free tries, then waits twice as long after each failure. With that alone, ten thousand addresses
//! could guess ten thousand times as often. So failures of unknown clients also fill one leaky bucket, and while it is
//! full no unknown client may try. A single network cannot fill the bucket: its lockout is longer than the bucket needs
//! to drain.
//!
//! An unknown client is counted by its network ([`ClientAddress`]). A browser that has signed in before is counted by
//! its device cookie ([`Device`]) only, so neither the bucket nor failures from the same network (such as all clients
//! behind one proxy) lock it out.

use super::device_cookie::Device;
use crate::time::Moment;
use core::net::IpAddr;
use std::collections::BTreeMap;
use std::time::Duration;

/// Failures without a lockout: people mistype.
const FREE_TRIES: u32 = 5;

/// The lockout after the first failure beyond those; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest lockout: short enough for an owner who has just found the password.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// After this time without a failure a guesser is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(15 * 60);

/// The most guessers that are remembered. A full table drops the address that failed longest ago, which the bucket
/// still limits. Devices are dropped last: each has signed in once.
const GUESSERS_MAX: usize = 512;

/// Failures of unknown clients that the bucket holds.
const BUCKET_SIZE: u32 = 60;

/// How long one failure takes to drain: ten a minute. A single address at its longest lockout adds one a minute.
const DRAIN_INTERVAL: Duration = Duration::from_secs(6);

/// A client's address: IPv6, or IPv4 mapped into it (RFC 4291, section 2.5.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientAddress(pub [u8; 16]);

impl ClientAddress {
    /// The network that is counted as one client: the first 64 bits of IPv6, because one machine can use all addresses
    /// of them.
    pub fn network(self) -> Self {
        let is_v4 = self.0[..10] == [0; 10] && self.0[10..12] == [0xFF; 2];
        let mut network = self;
        if !is_v4 {
            network.0[8..].fill(0);
        }
        network
    }
}

impl From<IpAddr> for ClientAddress {
    fn from(address: IpAddr) -> Self {
        Self(match address {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => address.octets(),
        })
    }
}

/// A client that tries a password or a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guesser {
    /// A client without a device cookie.
    Address(ClientAddress),
    /// A browser that has signed in before.
    Device(Device),
}

impl Guesser {
    /// The key under which failures are counted.
    fn key(self) -> Self {
        match self {
            Guesser::Address(client) => Guesser::Address(client.network()),
            device => device,
        }
    }
}

/// The failures of one guesser.
#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Moment,
}

impl Failures {
    fn is_forgotten(&self, now: Moment) -> bool {
        now.since(self.last) >= FORGET_AFTER
    }

    /// The end of the lockout.
    fn locked_until(&self) -> Moment {
        let Some(beyond) = self.count.checked_sub(FREE_TRIES) else {
            return self.last;
        };
        let wait = FIRST_WAIT.saturating_mul(1 << beyond.min(16));
        self.last + wait.min(LONGEST_WAIT)
    }
}

/// The failures of all guessers.
#[derive(Debug, Default)]
pub struct RateLimit {
    guessers: BTreeMap<Guesser, Failures>,
    /// When the bucket will be empty; this determines how full it is.
    empty_at: Moment,
}

impl RateLimit {
    /// Without failures.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether this guesser may try now.
    ///
    /// # Errors
    /// The remaining lockout, never zero.
    pub fn may_try(&self, guesser: Guesser, now: Moment) -> Result<(), Duration> {
        let own = self.guessers.get(&guesser.key());
        let own = own.map_or(now, Failures::locked_until).since(now);
        let all = match guesser {
            Guesser::Device(_) => Duration::ZERO,
            // The bucket must have room for one more failure.
            Guesser::Address(_) => (self.empty_at.since(now) + DRAIN_INTERVAL)
                .saturating_sub(DRAIN_INTERVAL * BUCKET_SIZE),
        };
        match own.max(all) {
            Duration::ZERO => Ok(()),
            wait => Err(wait),
        }
    }

    /// Records a failure.
    pub fn failed(&mut self, guesser: Guesser, now: Moment) {
        let guesser = guesser.key();
        self.guessers.retain(|_, record| !record.is_forgotten(now));
        if self.guessers.len() >= GUESSERS_MAX && !self.guessers.contains_key(&guesser) {
            let is_device = |guesser: &Guesser| matches!(guesser, Guesser::Device(_));
            let oldest = (self.guessers.iter())
                .min_by_key(|(guesser, record)| (is_device(guesser), record.last));
            if let Some(oldest) = oldest.map(|(guesser, _)| *guesser) {
                self.guessers.remove(&oldest);
            }
        }
        let record = self.guessers.entry(guesser).or_insert(Failures {
            count: 0,
            last: now,
        });
        record.count = record.count.saturating_add(1);
        record.last = now;
        if let Guesser::Address(_) = guesser {
            self.empty_at = self.empty_at.max(now) + DRAIN_INTERVAL;
        }
    }

    /// Forgets the failures of a guesser that has signed in.
    pub fn succeeded(&mut self, guesser: Guesser) {
        self.guessers.remove(&guesser.key());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Hash, Secret, device_cookie, recognise_device};

    const OWNER: Guesser = client(0);

    const fn client(number: u32) -> Guesser {
        let [a, b, c, d] = number.to_be_bytes();
        Guesser::Address(ClientAddress([
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, a, b, c, d,
        ]))
    }

    /// An address in an IPv6 network of 64 bits.
    fn address(network: u8, interface: u64) -> Guesser {
        let mut bytes = [0x20, 1, 0xD, 0xB8, 0, 0, 0, network, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes[8..].copy_from_slice(&interface.to_be_bytes());
        Guesser::Address(ClientAddress(bytes))
    }

    fn known(number: u8) -> Guesser {
        let owner = Hash::import(
            "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        );
        let owner = owner.expect("a hash");
        let cookie = device_cookie(&owner, &Secret::from_random([number; 32]));
        let device = recognise_device(&owner, &format!("ossuary-device={cookie}"));
        Guesser::Device(device.expect("a device"))
    }

    fn at(seconds: u64) -> Moment {
        Moment::from_boot(Duration::from_secs(seconds))
    }

    /// Tries as often as allowed from `from` on, for this many seconds; returns the number of tries.
    fn attack(rate_limit: &mut RateLimit, clients: &[Guesser], seconds: u64) -> u32 {
        let mut tries = 0;
        for second in 0..seconds {
            for client in clients {
                while rate_limit.may_try(*client, at(second)).is_ok() {
                    rate_limit.failed(*client, at(second));
                    tries += 1;
                }
            }
        }
        tries
    }

    #[test]
    fn waits_grow_and_end() {
        let mut rate_limit = RateLimit::new();
        let mut waits = Vec::new();
        let mut now = at(1000);
        for _ in 0..14 {
            let wait = rate_limit.may_try(OWNER, now).err().unwrap_or_default();
            waits.push(wait.as_secs());
            now = now + wait;
            assert!(rate_limit.may_try(OWNER, now).is_ok());
            rate_limit.failed(OWNER, now);
        }
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert!(rate_limit.may_try(OWNER, now + FORGET_AFTER).is_ok());
        rate_limit.failed(OWNER, now + FORGET_AFTER);
        assert!(
            rate_limit.may_try(OWNER, now + FORGET_AFTER).is_ok(),
            "as good as new"
        );
    }

    #[test]
    fn an_attacker_on_one_address_never_locks_out_another_address() {
        let mut rate_limit = RateLimit::new();
        for second in 0..24 * 60 * 60 {
            let attacker = client(666);
            while rate_limit.may_try(attacker, at(second)).is_ok() {
                rate_limit.failed(attacker, at(second));
            }
            assert!(
                rate_limit.may_try(OWNER, at(second)).is_ok(),
                "after {second} s"
            );
        }
    }

    #[test]
    fn very_many_addresses_get_ten_guesses_a_minute_together() {
        let mut rate_limit = RateLimit::new();
        let clients: Vec<Guesser> = (1..=10_000).map(client).collect();
        let hour = 60 * 60;
        let tries = attack(&mut rate_limit, &clients, hour);
        assert!(tries <= BUCKET_SIZE + 60 * 10 + 1, "{tries}");
        assert!(rate_limit.guessers.len() <= GUESSERS_MAX);
    }

    #[test]
    fn a_browser_that_has_signed_in_before_is_never_locked_out_by_others() {
        let mut rate_limit = RateLimit::new();
        let clients: Vec<Guesser> = (0..=10_000).map(client).collect();
        attack(&mut rate_limit, &clients, 60);
        assert!(
            rate_limit.may_try(OWNER, at(59)).is_err(),
            "its address waits"
        );
        assert!(rate_limit.may_try(known(1), at(59)).is_ok());
    }

    #[test]
    fn a_stolen_device_cookie_guesses_no_faster_than_an_address() {
        let mut rate_limit = RateLimit::new();
        let tries = attack(&mut rate_limit, &[known(1)], 60 * 60);
        assert!(tries <= FREE_TRIES + 70, "{tries}");
        assert!(rate_limit.may_try(known(2), at(60 * 60)).is_ok());
        assert!(rate_limit.may_try(OWNER, at(60 * 60)).is_ok());
    }

    #[test]
    fn a_machine_with_many_ipv6_addresses_is_one_guesser() {
        let mut rate_limit = RateLimit::new();
        let machine: Vec<Guesser> = (0..1000).map(|number| address(1, number)).collect();
        let tries = attack(&mut rate_limit, &machine, 60);
        assert!(tries <= FREE_TRIES + 7, "{tries}");
        assert!(rate_limit.may_try(address(2, 1), at(59)).is_ok());
    }

    #[test]
    fn a_sign_in_clears_earlier_failures() {
        let mut rate_limit = RateLimit::new();
        for _ in 0..FREE_TRIES + 3 {
            rate_limit.failed(OWNER, at(5));
        }
        assert!(rate_limit.may_try(OWNER, at(5)).is_err());
        rate_limit.succeeded(OWNER);
        assert!(rate_limit.may_try(OWNER, at(5)).is_ok());
    }

    /// Invariants: memory is bounded, a wait never exceeds its bound, and after a long enough pause everyone may try
    /// again.
    #[test]
    fn memory_and_waits_are_bounded() {
        let mut rng = fastrand::Rng::with_seed(9);
        for _ in 0..20 {
            let mut rate_limit = RateLimit::new();
            let mut now = at(rng.u64(0..1000));
            let population = rng.u32(1..5000);
            for _ in 0..5000 {
                now = now + Duration::from_millis(rng.u64(0..10_000));
                let guesser = client(rng.u32(0..population));
                match rate_limit.may_try(guesser, now) {
                    Ok(()) if rng.u8(..) < 5 => rate_limit.succeeded(guesser),
                    Ok(()) => rate_limit.failed(guesser, now),
                    Err(wait) => {
                        assert!(!wait.is_zero());
                        assert!(wait <= LONGEST_WAIT.max(DRAIN_INTERVAL), "{wait:?}");
                    }
                }
                assert!(rate_limit.guessers.len() <= GUESSERS_MAX);
            }
            let later = now + FORGET_AFTER;
            for guesser in 0..population {
                assert!(rate_limit.may_try(client(guesser), later).is_ok());
            }
        }
    }
}
