//! Who is signed in: a bounded number of sessions, each with an end.
//!
//! A session ends when it was not used for [`IDLE`], when it is [`ABSOLUTE`] old, when somebody ends it, when the
//! password changes, and when the machine is booted: it is kept in memory that the daemon may die over, not on the
//! card.

use super::random_name::Name;
use super::role::Role;
use super::secret::Digest;
use crate::time::Moment;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Sessions at once: some devices of a few people. One more ends the one that was not used for the longest time, so
/// nobody is kept out.
pub const SESSIONS_MAX: usize = 32;

/// How long a session may be unused: a phone that comes back next week is still signed in.
pub const SESSION_IDLE_MAX: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// How long a session lasts at most.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// The longest name of a program that is kept, in characters. Browsers say much more than anybody wants to read.
const AGENT_MAX: usize = 200;

/// Somebody who is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// By which it is listed and ended.
    pub name: Name,
    /// What its holder may do.
    pub role: Role,
    /// The address it was opened from.
    pub from: String,
    /// What the program called itself that opened it.
    pub agent: String,
    /// When it was opened.
    pub opened: Moment,
    /// When it was last used.
    pub used: Moment,
    digest: Digest,
}

impl Session {
    /// A new session.
    pub fn new(
        name: Name,
        digest: Digest,
        role: Role,
        from: String,
        agent: &str,
        now: Moment,
    ) -> Self {
        Self {
            name,
            role,
            from,
            agent: agent.chars().take(AGENT_MAX).collect(),
            opened: now,
            used: now,
            digest,
        }
    }

    /// When it ends unless it is used before.
    pub fn ends(&self) -> Moment {
        (self.used + SESSION_IDLE_MAX).min(self.opened + SESSION_LIFETIME)
    }
}

/// All sessions.
#[derive(Debug, Default)]
pub struct Sessions {
    open: Vec<Session>,
    /// The secret of a link that signs in once.
    invitation: Option<Digest>,
}

impl Sessions {
    /// Nobody is signed in.
    pub fn new() -> Self {
        Self::default()
    }

    /// The sessions that an earlier daemon of this boot has kept. What is not understood is as good as none.
    pub fn read(bytes: &[u8], now: Moment) -> Self {
        let mut open: Vec<Session> = serde_json::from_slice(bytes).unwrap_or_default();
        open.truncate(SESSIONS_MAX);
        // Their last use is not written down each time: whoever was signed in just now still is.
        open.retain_mut(|session| {
            let is_open = session.opened <= now && now < session.ends();
            session.used = now;
            is_open
        });
        Self {
            open,
            invitation: None,
        }
    }

    /// As the next daemon finds them.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(&self.open).expect("texts and numbers can be written")
    }

    /// Opens a session. Where there are too many, the one that was not used for the longest time ends.
    pub fn open(&mut self, session: Session) {
        self.drop_ended(session.opened);
        if self.open.len() >= SESSIONS_MAX {
            let stalest = self.open.iter().enumerate();
            if let Some((place, _)) = stalest.min_by_key(|(_, session)| session.used) {
                self.open.remove(place);
            }
        }
        self.open.push(session);
    }

    /// Lets the holder of a secret in, and notes the use.
    pub fn admit(&mut self, digest: &Digest, now: Moment) -> Option<&Session> {
        let place = (self.open.iter())
            .position(|session| session.digest == *digest && now < session.ends())?;
        let session = &mut self.open[place];
        session.used = session.used.max(now);
        Some(session)
    }

    /// Whether a session is still open; it counts as used. For what goes on for as long as somebody looks.
    pub fn touch(&mut self, name: &Name, now: Moment) -> bool {
        let session = self.open.iter_mut().find(|session| session.name == *name);
        session.is_some_and(|session| {
            let goes_on = now < session.ends();
            if goes_on {
                session.used = session.used.max(now);
            }
            goes_on
        })
    }

    /// Ends a session; whether there was one.
    pub fn end(&mut self, name: &str) -> bool {
        let before = self.open.len();
        self.open.retain(|session| session.name.as_str() != name);
        self.open.len() < before
    }

    /// Ends all sessions but this one.
    pub fn end_others(&mut self, kept: Option<&Name>) {
        self.open.retain(|session| Some(&session.name) == kept);
        self.invitation = None;
    }

    /// All that are open, the one that was opened last standing last.
    pub fn list(&mut self, now: Moment) -> &[Session] {
        self.drop_ended(now);
        &self.open
    }

    /// Lets the holder of a secret sign in once, whoever comes first.
    pub fn invite(&mut self, digest: Digest) {
        self.invitation = Some(digest);
    }

    /// Whether this is the secret of the invitation, which is used up by that.
    pub fn accept(&mut self, digest: &Digest) -> bool {
        self.invitation.take_if(|kept| kept == digest).is_some()
    }

    fn drop_ended(&mut self, now: Moment) {
        self.open.retain(|session| now < session.ends());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn at(days: u32) -> Moment {
        Moment::from_boot(DAY * days)
    }

    fn digest(number: u32) -> Digest {
        Digest::of(&number.to_be_bytes())
    }

    fn session(number: u32, now: Moment) -> Session {
        let name = Name::from_random(number.to_be_bytes());
        Session::new(
            name,
            digest(number),
            Role::Admin,
            "192.0.2.1".into(),
            "a browser",
            now,
        )
    }

    #[test]
    fn a_session_that_is_not_used_ends() {
        let mut sessions = Sessions::new();
        sessions.open(session(1, at(0)));
        assert!(sessions.admit(&digest(1), at(13)).is_some());
        assert!(
            sessions.admit(&digest(1), at(26)).is_some(),
            "used in between"
        );
        assert!(sessions.admit(&digest(1), at(40)).is_none());
        assert!(sessions.list(at(40)).is_empty());
    }

    #[test]
    fn no_session_lasts_for_ever_however_often_it_is_used() {
        let mut sessions = Sessions::new();
        sessions.open(session(1, at(0)));
        let name = Name::from_random(1u32.to_be_bytes());
        for day in 0..90 {
            assert!(sessions.admit(&digest(1), at(day)).is_some(), "{day}");
            assert!(sessions.touch(&name, at(day)));
        }
        assert!(sessions.admit(&digest(1), at(90)).is_none());
        assert!(!sessions.touch(&name, at(90)));
    }

    #[test]
    fn one_more_than_there_may_be_ends_the_one_that_was_not_used_for_the_longest_time() {
        let mut sessions = Sessions::new();
        for number in 0..SESSIONS_MAX as u32 {
            sessions.open(session(number, at(0)));
        }
        sessions.admit(&digest(0), at(1));
        sessions.open(session(1000, at(2)));
        assert!(sessions.admit(&digest(0), at(2)).is_some());
        assert!(sessions.admit(&digest(1), at(2)).is_none());
        assert_eq!(sessions.list(at(2)).len(), SESSIONS_MAX);
    }

    #[test]
    fn what_is_ended_is_over() {
        let mut sessions = Sessions::new();
        for number in 1..=3 {
            sessions.open(session(number, at(0)));
        }
        assert!(sessions.end("00000002"));
        assert!(!sessions.end("00000002"));
        assert!(sessions.admit(&digest(2), at(0)).is_none());
        sessions.end_others(Some(&Name::from_random(3u32.to_be_bytes())));
        assert!(sessions.admit(&digest(1), at(0)).is_none());
        assert!(sessions.admit(&digest(3), at(0)).is_some());
    }

    #[test]
    fn sessions_outlive_the_daemon() {
        let mut sessions = Sessions::new();
        sessions.open(session(1, at(0)));
        sessions.open(session(2, at(10)));
        let bytes = sessions.to_bytes();
        let mut next = Sessions::read(&bytes, at(20));
        assert!(
            next.admit(&digest(1), at(20)).is_none(),
            "it was not used for too long"
        );
        assert!(next.admit(&digest(2), at(20)).is_some());
        // A file of another boot, whose clock began anew.
        assert!(Sessions::read(&bytes, at(5)).list(at(5)).len() < 2);
        assert!(Sessions::read(b"nonsense", at(0)).list(at(0)).is_empty());
    }

    #[test]
    fn an_invitation_is_accepted_once() {
        let mut sessions = Sessions::new();
        sessions.invite(digest(7));
        assert!(!sessions.accept(&digest(8)));
        assert!(sessions.accept(&digest(7)));
        assert!(!sessions.accept(&digest(7)));
    }

    /// Against a model that remembers everything: nobody is let in who should not be, and the number is bounded.
    #[test]
    fn whatever_happens_nobody_is_let_in_after_the_end() {
        let mut rng = fastrand::Rng::with_seed(4);
        let mut sessions = Sessions::new();
        let mut model: Vec<(u32, Moment, Moment)> = Vec::new();
        let mut now = at(0);
        for number in 0..20_000 {
            now = now + Duration::from_secs(rng.u64(0..60 * 60 * 12));
            match rng.u8(0..10) {
                0 => {
                    sessions.open(session(number, now));
                    model.push((number, now, now));
                }
                1 if !model.is_empty() => {
                    let (ended, ..) = model.swap_remove(rng.usize(..model.len()));
                    sessions.end(Name::from_random(ended.to_be_bytes()).as_str());
                    assert!(sessions.admit(&digest(ended), now).is_none());
                }
                _ if !model.is_empty() => {
                    let place = rng.usize(..model.len());
                    let (tried, opened, used) = &mut model[place];
                    let may = now < (*used + SESSION_IDLE_MAX).min(*opened + SESSION_LIFETIME);
                    match sessions.admit(&digest(*tried), now) {
                        Some(_) => {
                            assert!(may, "{tried} was let in after its end");
                            *used = now;
                        }
                        // It has ended, or made way for a newer one: for good, either way.
                        None => drop(model.swap_remove(place)),
                    }
                }
                _ => {}
            }
            assert!(sessions.open.len() <= SESSIONS_MAX);
        }
    }
}
