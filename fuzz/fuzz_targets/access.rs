//! Arbitrary bytes as stored credentials: they grant no access unless they are valid; and no cookie or token is accepted
//! but the one that was issued.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ossuary::auth::{ClaimCode, Credentials, Hash, Owner, RequestCredential, Secret, Sessions};
use ossuary::time::Moment;

fuzz_target!(|bytes: &[u8]| {
    let credentials = Credentials::read(bytes);
    match credentials.owner() {
        Owner::Unreadable(_) => {
            assert!(credentials.tokens().is_empty());
            assert!(credentials.claim_code().is_none());
        }
        Owner::Unclaimed(_) | Owner::Password(_) => {
            let written = Credentials::read(&credentials.to_bytes());
            assert_eq!(written.owner(), credentials.owner());
            assert_eq!(written.tokens(), credentials.tokens());
        }
    }
    let _ = Sessions::read(bytes, Moment::default()).list(Moment::default());
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Some(code) = ClaimCode::read(text) {
        assert!(code.matches(&code.to_string()));
    }
    let _ = Hash::import(text);
    let issued = Secret::from_random([7; 32]).digest();
    let (first, second) = text.split_once('\n').unwrap_or((text, ""));
    for credential in [
        RequestCredential::read(Some(first), Some(second)),
        RequestCredential::read(None, Some(first)),
        RequestCredential::read(Some(first), None),
    ] {
        let secrets = match credential {
            RequestCredential::Session(secrets) => secrets,
            RequestCredential::Token(secret) => vec![secret],
            _ => Vec::new(),
        };
        for secret in secrets {
            // A parsed secret is written as the same secret.
            assert_eq!(
                Secret::from_cookie(&secret.to_cookie()).map(|same| same.digest()),
                Some(secret.digest())
            );
            assert_eq!(
                secret.digest() == issued,
                secret.to_cookie() == Secret::from_random([7; 32]).to_cookie()
            );
        }
    }
});
