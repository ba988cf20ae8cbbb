//! The device cookie (OWASP, "Slow Down Online Guessing Attacks with Device Cookies"): it shows that a user has signed
//! in from this browser before, so that guesses made elsewhere do not lock this browser out.
//!
//! It is not a credential. It has a random part, by which failures of the browser are counted, and a message
//! authentication code over that part, keyed with the stored password hash. So the server stores nothing, the cookie
//! survives restarts, and a new password invalidates all of them.

use super::password::Hash;
use super::secret::{Digest, Secret};

/// The name of the cookie for a client that names no port.
const COOKIE_NAME: &str = "ossuary-device";

/// A browser that has signed in before, identified by the random part of its cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Device(Digest);

/// The name of the cookie at a port.
pub fn device_cookie_name(port: Option<u16>) -> String {
    match port {
        Some(port) => format!("{COOKIE_NAME}-{port}"),
        None => COOKIE_NAME.to_owned(),
    }
}

/// The value of the cookie for a browser that has signed in: `secret` is its random part.
pub fn device_cookie(owner: &Hash, secret: &Secret) -> String {
    format!(
        "{}.{}",
        secret.to_cookie(),
        authentication_code(owner, secret).to_cookie()
    )
}

/// The device of the first valid device cookie in a `Cookie` field (RFC 6265, section 4.2.1).
pub fn recognise_device(owner: &Hash, cookies: &str) -> Option<Device> {
    (cookies.split(';'))
        .filter_map(|pair| pair.split_once('='))
        .filter(|(name, _)| name.trim().starts_with(COOKIE_NAME))
        .find_map(|(_, value)| {
            let (random, shown) = value.trim().split_once('.')?;
            let (random, shown) = (Secret::from_cookie(random)?, Secret::from_cookie(shown)?);
            // Digests are compared, so the time it takes reveals nothing about the right code.
            (authentication_code(owner, &random).digest() == shown.digest())
                .then_some(Device(random.digest()))
        })
}

fn authentication_code(owner: &Hash, random: &Secret) -> Secret {
    // BLAKE2b needs no HMAC because it has no length extension. The random part has a fixed length.
    let message = format!("device cookie {} {}", random.to_cookie(), owner.as_str());
    Secret::from_random(Digest::of(message.as_bytes()).to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(number: u8) -> Hash {
        Hash::make("correct horse", [number; 16]).expect("memory")
    }

    #[test]
    fn a_cookie_is_valid_for_the_password_it_was_made_with_only() {
        let (owner, other) = (owner(1), owner(2));
        let cookie = device_cookie(&owner, &Secret::from_random([7; 32]));
        for name in ["ossuary-device", "ossuary-device-8081"] {
            let cookies = format!("theme=dark; ossuary-device=x.y; {name}={cookie}");
            assert!(recognise_device(&owner, &cookies).is_some(), "{name}");
            assert_eq!(recognise_device(&other, &cookies), None);
        }
        let second = device_cookie(&owner, &Secret::from_random([8; 32]));
        let devices = [cookie, second]
            .map(|cookie| recognise_device(&owner, &format!("ossuary-device={cookie}")));
        assert_ne!(devices[0], devices[1]);
    }

    #[test]
    fn a_forged_cookie_is_rejected() {
        let owner = owner(1);
        let (one, other) = (Secret::from_random([7; 32]), Secret::from_random([8; 32]));
        let good = device_cookie(&owner, &one);
        let (_, code) = good.split_once('.').expect("two parts");
        for bad in [
            String::new(),
            ".".to_owned(),
            one.to_cookie(),
            format!("{}.{code}", other.to_cookie()),
            format!("{}.{}", one.to_cookie(), one.to_cookie()),
            format!("{good}x"),
        ] {
            assert_eq!(
                recognise_device(&owner, &format!("ossuary-device={bad}")),
                None,
                "{bad}"
            );
        }
    }
}
