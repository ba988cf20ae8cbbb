//! The sessions: bounded in number, each with an end.
//!
//! A session ends when it is unused for [`SESSION_IDLE_MAX`], when it is [`SESSION_LIFETIME`] old, when a user ends it,
//! when the password changes, and at a reboot: sessions are kept in memory that survives the daemon, not on disk.

use super::random_name::Name;
use super::role::Role;
use super::secret::Digest;
use crate::time::Moment;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The most sessions at once: some devices of a few people. Another one ends the least recently used.
pub const SESSIONS_MAX: usize = 32;

/// How long a session may be unused: a phone that is used again a week later is still signed in.
pub const SESSION_IDLE_MAX: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// The longest lifetime of a session.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// The longest user agent that is kept, in characters.
const AGENT_MAX: usize = 200;

/// A signed-in client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Identifies the session in lists and when it is ended.
    pub name: Name,
    /// The role of its holder.
    pub role: Role,
    /// The address that it was opened from.
    pub from: String,
    /// The user agent that opened it.
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
    /// The digest of the secret of a link that signs in once.
    invitation: Option<Digest>,
}

impl Sessions {
    /// No sessions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Parses the sessions that an earlier daemon of this boot has stored. Invalid bytes yield no sessions.
    pub fn read(bytes: &[u8], now: Moment) -> Self {
        let mut open: Vec<Session> = serde_json::from_slice(bytes).unwrap_or_default();
        open.truncate(SESSIONS_MAX);
        // The last use is not stored each time, so each session counts as used now.
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

    /// The sessions as the next daemon reads them.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(&self.open).expect("strings and numbers are serializable")
    }

    /// Opens a session. If there are too many, the least recently used one ends.
    pub fn open(&mut self, session: Session) {
        self.drop_ended(session.opened);
        if self.open.len() >= SESSIONS_MAX {
            let least_recent = self.open.iter().enumerate();
            if let Some((index, _)) = least_recent.min_by_key(|(_, session)| session.used) {
                self.open.remove(index);
            }
        }
        self.open.push(session);
    }

    /// The session of a secret, which counts as used now.
    pub fn admit(&mut self, digest: &Digest, now: Moment) -> Option<&Session> {
        let index = (self.open.iter())
            .position(|session| session.digest == *digest && now < session.ends())?;
        let session = &mut self.open[index];
        session.used = session.used.max(now);
        Some(session)
    }

    /// Whether a session is still open; counts as a use. For event streams, which authenticate once.
    pub fn touch(&mut self, name: &Name, now: Moment) -> bool {
        let session = self.open.iter_mut().find(|session| session.name == *name);
        session.is_some_and(|session| {
            let is_open = now < session.ends();
            if is_open {
                session.used = session.used.max(now);
            }
            is_open
        })
    }

    /// Ends a session; returns whether there was one.
    pub fn end(&mut self, name: &str) -> bool {
        let before = self.open.len();
        self.open.retain(|session| session.name.as_str() != name);
        self.open.len() < before
    }

    /// Ends all sessions but this one, and the invitation.
    pub fn end_others(&mut self, kept: Option<&Name>) {
        self.open.retain(|session| Some(&session.name) == kept);
        self.invitation = None;
    }

    /// All open sessions, oldest first.
    pub fn list(&mut self, now: Moment) -> &[Session] {
        self.drop_ended(now);
        &self.open
    }

    /// Lets the holder of a secret sign in once.
    pub fn invite(&mut self, digest: Digest) {
        self.invitation = Some(digest);
    }

    /// Whether this is the secret of the invitation, which is then used up.
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
    fn an_unused_session_ends() {
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
    fn a_session_in_use_ends_at_its_lifetime() {
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
    fn one_session_too_many_ends_the_least_recently_used() {
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
    fn an_ended_session_is_not_admitted() {
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
    fn sessions_survive_the_daemon() {
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
        // A file of another boot, whose clock started at zero.
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

    /// Compares with a model that remembers everything: only open sessions are admitted, and their number is bounded.
    #[test]
    fn no_session_is_admitted_after_its_end() {
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
                    let index = rng.usize(..model.len());
                    let (tried, opened, used) = &mut model[index];
                    let may = now < (*used + SESSION_IDLE_MAX).min(*opened + SESSION_LIFETIME);
                    match sessions.admit(&digest(*tried), now) {
                        Some(_) => {
                            assert!(may, "{tried} was admitted after its end");
                            *used = now;
                        }
                        // It has ended or was replaced by a newer one; final either way.
                        None => drop(model.swap_remove(index)),
                    }
                }
                _ => {}
            }
            assert!(sessions.open.len() <= SESSIONS_MAX);
        }
    }
}
