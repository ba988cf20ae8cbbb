//! Any bytes are credentials that open the door to nobody, or what was written; and no cookie or token is let in but
//! the one that was handed out.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ossuary::time::Moment;
use ossuary::auth::{ClaimCode, Credentials, Hash, Owner, Presented, Secret, Sessions};

fuzz_target!(|bytes: &[u8]| {
    let credentials = Credentials::read(bytes);
    match credentials.owner() {
        Owner::Unknown(_) => {
            assert!(credentials.tokens().is_empty());
            assert!(credentials.claim_code().is_none());
        }
        Owner::Nobody(_) | Owner::Somebody(_) => {
            assert_eq!(Credentials::read(&credentials.to_bytes()), credentials);
        }
    }
    let _ = Sessions::read(bytes, Moment::default()).list(Moment::default());
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Some(code) = ClaimCode::read(text) {
        assert!(code.is(&code.to_string()));
    }
    let _ = Hash::import(text);
    let handed_out = Secret::from_random([7; 32]).digest();
    let (first, second) = text.split_once('\n').unwrap_or((text, ""));
    for presented in [
        Presented::read(Some(first), Some(second)),
        Presented::read(None, Some(first)),
        Presented::read(Some(first), None),
    ] {
        let secrets = match presented {
            Presented::Session(secrets) => secrets,
            Presented::Token(secret) => vec![secret],
            _ => Vec::new(),
        };
        for secret in secrets {
            // Whatever is read as a secret is written as the same secret.
            assert_eq!(
                Secret::from_cookie(&secret.to_cookie()).map(|same| same.digest()),
                Some(secret.digest())
            );
            assert_eq!(
                secret.digest() == handed_out,
                secret.to_cookie() == Secret::from_random([7; 32]).to_cookie()
            );
        }
    }
});
