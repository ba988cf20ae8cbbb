//! Who may do what: credentials as they are kept, sessions as they come and go, and how often somebody may guess.
//!
//! Nothing here knows a clock, a file or a socket. `now` is handed in, and so is whatever has to be random; what is to
//! be written is handed out as bytes. `http/auth_service` is the room's hands.
//!
//! ```text
//! Authorization, Cookie ── presented ──► Secret ── digest ──► credentials (tokens), sessions ──► Role
//! a password ── throttle: may it be tried? ── password: is it the one? ──► a session
//! a route ── Needs ── judge(Who) ──► come in, 401 or 403
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
