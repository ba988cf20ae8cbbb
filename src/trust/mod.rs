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

mod code;
mod credentials;
mod device;
mod name;
mod password;
mod presented;
mod role;
mod secret;
mod sessions;
mod throttle;

pub use code::ClaimCode;
pub use credentials::{Credentials, Owner, TOKENS_MAX, Token};
pub use device::{Device, device, device_cookie, device_cookie_name};
pub use name::Name;
pub use password::{Hash, PASSWORD_MAX, PASSWORD_MIN, check as check_password};
pub use presented::{Presented, cookie_name};
pub use role::{Needs, Role, Verdict, Who};
pub use secret::{Digest, Secret};
pub use sessions::{ABSOLUTE, IDLE, SESSIONS_MAX, Session, Sessions};
pub use throttle::{Client, Guesser, Throttle};
