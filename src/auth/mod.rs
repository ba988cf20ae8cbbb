//! Who may do what: stored credentials, sessions, roles and the rate limit.
//!
//! Nothing here reads a clock, a file or a socket. The caller passes `now` and random bytes, and stores the bytes it
//! gets back: see `http/auth_service`.
//!
//! ```text
//! Authorization, Cookie ── RequestCredential ──► Secret ── digest ──► tokens, sessions ──► Role
//! password ── RateLimit: may it be tried? ── Hash: is it the one? ──► a session
//! route ── Needs ── authorize(Principal) ──► granted, 401 or 403
//! ```

mod claim_code;
mod credentials;
mod device_cookie;
mod password;
mod random_name;
mod rate_limit;
mod request_credential;
mod role;
mod secret;
mod sessions;

pub use claim_code::ClaimCode;
pub use credentials::{Credentials, Owner, TOKENS_MAX, Token};
pub use device_cookie::{Device, device_cookie, device_cookie_name, recognise_device};
pub use password::{Hash, PASSWORD_MAX, PASSWORD_MIN, check as check_password};
pub use random_name::Name;
pub use rate_limit::{ClientAddress, Guesser, RateLimit};
pub use request_credential::{RequestCredential, cookie_name};
pub use role::{Authorization, Needs, Principal, Role};
pub use secret::{Digest, Secret};
pub use sessions::{SESSION_IDLE_MAX, SESSION_LIFETIME, SESSIONS_MAX, Session, Sessions};
