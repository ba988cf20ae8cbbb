//! Authenticates clients and changes credentials.
//!
//! [`crate::auth`] decides; this service owns its state, saves it through [`CredentialStore`] before it applies it, and
//! notifies those whose access may have ended. [`HashQueue`] does what is slow.

mod hash_queue;
mod store;

pub use store::{CredentialStore, MemoryStore};

use crate::auth::{
    ClaimCode, ClientAddress, Credentials, Guesser, Name, Owner, RateLimit, RequestCredential,
    Role, Secret, Session, Sessions, Token, device_cookie, recognise_device,
};
use crate::http::caller::Caller;
use crate::http::error::{Error, ErrorKind};
use crate::time::Moment;
use event_listener::{Event, EventListener};
use hash_queue::HashQueue;
use smol::lock::Mutex;
use std::cell::{Ref, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// A session that was just opened.
#[derive(Debug)]
pub struct NewSession {
    /// Identifies it in lists.
    pub name: Name,
    /// The value of its cookie.
    pub secret: Secret,
}

/// The client that tries to sign in.
#[derive(Clone, Debug)]
pub struct ClientInfo<'a> {
    /// The key for the rate limit; `None` for a client of the unix socket, which is not limited.
    pub guesser: Option<Guesser>,
    /// The address, for people.
    pub address: String,
    /// The user agent.
    pub agent: &'a str,
}

/// Authenticates clients and changes credentials.
pub struct AuthService {
    store: Box<dyn CredentialStore>,
    clock: fn() -> Moment,
    credentials: RefCell<Credentials>,
    sessions: RefCell<Sessions>,
    rate_limit: RefCell<RateLimit>,
    /// Held during a change of the credentials, including the save.
    change_lock: Mutex<()>,
    hash_queue: HashQueue,
    /// Notified when access may have ended or the owner has changed.
    access_changed: Event,
}

impl AuthService {
    /// A service with these credentials and sessions.
    pub fn new(
        store: Box<dyn CredentialStore>,
        clock: fn() -> Moment,
        credentials: Credentials,
        sessions: Sessions,
    ) -> Self {
        Self {
            store,
            clock,
            credentials: RefCell::new(credentials),
            sessions: RefCell::new(sessions),
            rate_limit: RefCell::new(RateLimit::new()),
            change_lock: Mutex::new(()),
            hash_queue: HashQueue::default(),
            access_changed: Event::new(),
        }
    }

    /// The service of an unclaimed kiosk, which stores nothing.
    pub fn in_memory(clock: fn() -> Moment) -> Rc<Self> {
        let mut bytes = [0; 8];
        MemoryStore.fill_random(&mut bytes);
        let credentials = Credentials::unclaimed(ClaimCode::from_random(bytes));
        let store = Box::new(MemoryStore);
        Rc::new(Self::new(store, clock, credentials, Sessions::new()))
    }

    /// The current credentials.
    pub fn credentials(&self) -> Ref<'_, Credentials> {
        self.credentials.borrow()
    }

    /// The claim code, while the kiosk is unclaimed.
    pub fn claim_code(&self) -> Option<String> {
        self.credentials().claim_code().map(ToString::to_string)
    }

    /// All open sessions.
    pub fn sessions(&self) -> Vec<Session> {
        self.sessions.borrow_mut().list((self.clock)()).to_vec()
    }

    // ---- authentication ----

    /// The caller that presents this credential.
    pub fn authenticate(&self, presented: &RequestCredential) -> Caller {
        match presented {
            RequestCredential::None | RequestCredential::Invalid => Caller::Anonymous,
            RequestCredential::Token(secret) => {
                let credentials = self.credentials();
                let token = credentials.token(&secret.digest());
                token.map_or(Caller::Anonymous, |token| {
                    Caller::Token(token.id.clone(), token.role)
                })
            }
            RequestCredential::Session(secrets) => {
                let mut sessions = self.sessions.borrow_mut();
                let now = (self.clock)();
                let mut admitted = secrets.iter().filter_map(|secret| {
                    let session = sessions.admit(&secret.digest(), now)?;
                    Some(Caller::Session(session.name.clone(), session.role))
                });
                admitted.next().unwrap_or(Caller::Anonymous)
            }
        }
    }

    /// Whether the access of a caller is still valid. Counts as a use of the session.
    pub fn is_valid(&self, caller: &Caller) -> bool {
        match caller {
            Caller::Anonymous | Caller::Local => true,
            Caller::Session(name, _) => self.sessions.borrow_mut().touch(name, (self.clock)()),
            Caller::Token(id, _) => self.credentials().has_token(id),
        }
    }

    /// Resolves when the access of a caller is revoked. There is no notification when a session expires: poll
    /// [`AuthService::is_valid`] periodically.
    pub async fn revoked(&self, caller: &Caller) {
        loop {
            let changed = self.access_changed.listen();
            if !self.is_valid(caller) {
                return;
            }
            changed.await;
        }
    }

    /// Resolves once sessions, tokens or the owner may have changed.
    pub fn changed(&self) -> EventListener {
        self.access_changed.listen()
    }

    /// The error for a caller without a valid credential.
    pub fn unauthenticated(&self) -> Error {
        match self.credentials().owner() {
            Owner::Unclaimed(_) => unclaimed(),
            Owner::Unreadable(_) => credentials_unreadable(),
            Owner::Password(_) => Error::new(
                ErrorKind::SignInRequired,
                "sign in first, or send a token: Authorization: Bearer",
            ),
        }
    }

    // ---- signing in ----

    /// The key of the rate limit for a client that sends these cookies.
    pub fn guesser(&self, client: ClientAddress, cookies: &str) -> Guesser {
        let device = match self.credentials().owner() {
            Owner::Password(hash) => recognise_device(hash, cookies),
            Owner::Unclaimed(_) | Owner::Unreadable(_) => None,
        };
        device.map_or(Guesser::Address(client), Guesser::Device)
    }

    /// A device cookie for a browser that has signed in, if there is a password.
    pub fn device_cookie(&self) -> Option<String> {
        let secret = Secret::from_random(self.random());
        match self.credentials().owner() {
            Owner::Password(hash) => Some(device_cookie(hash, &secret)),
            Owner::Unclaimed(_) | Owner::Unreadable(_) => None,
        }
    }

    /// Claims the kiosk: sets the first password and signs in.
    ///
    /// # Errors
    /// The code is wrong, the client is locked out, the kiosk is claimed already, or the change could not be saved.
    pub async fn claim(
        &self,
        code: &str,
        password: &str,
        from: &ClientInfo<'_>,
    ) -> Result<NewSession, Error> {
        self.check_code(code, from)?;
        let hash = self.hash_queue.hash(&*self.store, password, from.guesser);
        let hash = hash.await?;
        let _changing = self.change_lock.lock().await;
        // Another client may have claimed the kiosk in the meantime.
        self.check_code(code, from)?;
        let owned = self.credentials().with_password(hash);
        self.save_and_end_sessions(owned, None).await?;
        log::info!("the kiosk was claimed from {}", from.address);
        self.note_success(from);
        Ok(self.open_session(Role::Admin, from))
    }

    /// Signs in with the password.
    ///
    /// # Errors
    /// It is wrong, the client is locked out, or there is no password.
    pub async fn sign_in(
        &self,
        password: String,
        from: &ClientInfo<'_>,
    ) -> Result<NewSession, Error> {
        self.check_password(password, from).await?;
        self.note_success(from);
        Ok(self.open_session(Role::Admin, from))
    }

    /// Signs in with the secret of a link; the first client wins.
    ///
    /// # Errors
    /// It was used already, or there is no such link.
    pub fn accept_invitation(
        &self,
        secret: &str,
        from: &ClientInfo<'_>,
    ) -> Result<NewSession, Error> {
        let digest = Secret::from_cookie(secret).map(|secret| secret.digest());
        let is_invited = digest.is_some_and(|digest| self.sessions.borrow_mut().accept(&digest));
        if !is_invited {
            let why = "this link was used already; sign in with the password";
            return Err(Error::new(ErrorKind::WrongPassword, why));
        }
        Ok(self.open_session(Role::Admin, from))
    }

    /// Creates the secret of a link that signs in once.
    pub fn invite(&self) -> Secret {
        let secret = Secret::from_random(self.random());
        self.sessions.borrow_mut().invite(secret.digest());
        secret
    }

    /// Ends a session; returns whether there was one.
    pub fn end_session(&self, name: &str) -> bool {
        let ended = self.sessions.borrow_mut().end(name);
        self.sessions_changed();
        ended
    }

    fn open_session(&self, role: Role, from: &ClientInfo<'_>) -> NewSession {
        let secret = Secret::from_random(self.random());
        let name = Name::from_random(self.random());
        let session = Session::new(
            name.clone(),
            secret.digest(),
            role,
            from.address.clone(),
            from.agent,
            (self.clock)(),
        );
        self.sessions.borrow_mut().open(session);
        // This may have ended another session.
        self.sessions_changed();
        NewSession { name, secret }
    }

    // ---- checking codes and passwords ----

    /// Asks the holder of a session for the password again, so that a stolen session cannot create a credential that
    /// outlives it. Callers with a token or through the unix socket are not asked.
    ///
    /// # Errors
    /// It is missing or wrong, or the client is locked out.
    pub async fn confirm_password(
        &self,
        password: Option<String>,
        caller: &Caller,
        from: &ClientInfo<'_>,
    ) -> Result<(), Error> {
        if !matches!(caller, Caller::Session(..)) {
            return Ok(());
        }
        let Some(password) = password else {
            let detail = "is missing; enter your password again";
            return Err(Error::invalid("password", detail));
        };
        self.check_password(password, from).await?;
        self.note_success(from);
        Ok(())
    }

    fn check_code(&self, code: &str, from: &ClientInfo<'_>) -> Result<(), Error> {
        self.check_rate_limit(from)?;
        let credentials = self.credentials();
        let Some(known) = credentials.claim_code() else {
            return Err(Error::new(
                ErrorKind::Claimed,
                "this kiosk was claimed already; root on it can reset the credentials: ossuary passwd --reset",
            ));
        };
        if known.matches(code) {
            return Ok(());
        }
        self.note_failure(from);
        Err(Error::new(
            ErrorKind::WrongCode,
            "this is not the code on the kiosk's screen",
        ))
    }

    async fn check_password(&self, password: String, from: &ClientInfo<'_>) -> Result<(), Error> {
        let owner = self.credentials().owner().clone();
        let hash = match owner {
            Owner::Password(hash) => hash,
            Owner::Unclaimed(_) => return Err(unclaimed()),
            Owner::Unreadable(_) => return Err(credentials_unreadable()),
        };
        self.check_rate_limit(from)?;
        let verified = (self.hash_queue).verify(&*self.store, password, hash, from.guesser);
        if verified.await? {
            return Ok(());
        }
        self.note_failure(from);
        log::warn!("wrong password from {}", from.address);
        Err(Error::new(
            ErrorKind::WrongPassword,
            "this is not the password of this kiosk",
        ))
    }

    fn check_rate_limit(&self, from: &ClientInfo<'_>) -> Result<(), Error> {
        let Some(guesser) = from.guesser else {
            return Ok(());
        };
        let allowed = self.rate_limit.borrow().may_try(guesser, (self.clock)());
        allowed.map_err(|wait| Error::rate_limited(whole_seconds(wait)))
    }

    fn note_failure(&self, from: &ClientInfo<'_>) {
        if let Some(guesser) = from.guesser {
            (self.rate_limit.borrow_mut()).failed(guesser, (self.clock)());
        }
    }

    fn note_success(&self, from: &ClientInfo<'_>) {
        if let Some(guesser) = from.guesser {
            self.rate_limit.borrow_mut().succeeded(guesser);
        }
    }

    // ---- changing credentials ----

    /// Sets a new password, which ends all other sessions and, with `revoke_tokens`, all tokens. A client that is not
    /// on the machine itself must know the current one.
    ///
    /// # Errors
    /// The current one is wrong, the client is locked out, or the change could not be saved.
    pub async fn change_password(
        &self,
        password: &str,
        current: Option<String>,
        revoke_tokens: bool,
        caller: &Caller,
        from: &ClientInfo<'_>,
    ) -> Result<(), Error> {
        let is_owned = self.credentials().claim_code().is_none();
        if is_owned && *caller != Caller::Local {
            let Some(current) = current else {
                let detail = "is missing; it is the current password";
                return Err(Error::invalid("current", detail));
            };
            self.check_password(current, from).await?;
        }
        let hash = self.hash_queue.hash(&*self.store, password, from.guesser);
        let hash = hash.await?;
        let _changing = self.change_lock.lock().await;
        let kept = match caller {
            Caller::Session(name, _) => Some(name),
            _ => None,
        };
        let mut credentials = self.credentials().with_password(hash);
        // Tokens that root created before the kiosk was claimed do not belong to an earlier owner.
        if revoke_tokens && is_owned {
            credentials = credentials.without_tokens();
        }
        self.save_and_end_sessions(credentials, kept).await?;
        log::info!("the password was set from {}", from.address);
        Ok(())
    }

    /// Sets the password of an unclaimed kiosk; one that is claimed keeps its own.
    ///
    /// # Errors
    /// The change could not be saved.
    pub async fn set_first_password(&self, password: &str) -> Result<(), Error> {
        let hash = self.hash_queue.hash(&*self.store, password, None).await?;
        let _changing = self.change_lock.lock().await;
        if self.claim_code().is_none() {
            return Ok(());
        }
        let owned = self.credentials().with_password(hash);
        self.save_and_end_sessions(owned, None).await
    }

    /// Resets password, tokens and sessions; returns the new claim code.
    ///
    /// # Errors
    /// The change could not be saved; nothing has changed.
    pub async fn reset(&self) -> Result<ClaimCode, Error> {
        let _changing = self.change_lock.lock().await;
        let code = ClaimCode::from_random(self.random());
        let unclaimed = Credentials::unclaimed(code.clone());
        self.save_and_end_sessions(unclaimed, None).await?;
        log::warn!("password, tokens and sessions were reset; the claim code is {code}");
        Ok(code)
    }

    /// Creates a token, whose secret is returned only here.
    ///
    /// # Errors
    /// The name is invalid, there are too many tokens, or the change could not be saved.
    pub async fn add_token(
        &self,
        name: String,
        role: Role,
        created: String,
    ) -> Result<(Token, Secret), Error> {
        let _changing = self.change_lock.lock().await;
        if let Owner::Unreadable(_) = self.credentials().owner() {
            return Err(credentials_unreadable());
        }
        let secret = Secret::from_random(self.random());
        let token = Token {
            id: Name::from_random(self.random()),
            name,
            role,
            digest: secret.digest(),
            created,
        };
        let more = self.credentials().with_token(token.clone());
        let more = more.map_err(|(field, why)| match field {
            "" => Error::new(ErrorKind::Invalid, why),
            field => Error::invalid(field, why),
        })?;
        self.save(more).await?;
        Ok((token, secret))
    }

    /// Revokes a token; returns whether there was one.
    ///
    /// # Errors
    /// The change could not be saved; the token is still valid.
    pub async fn remove_token(&self, id: &str) -> Result<bool, Error> {
        let _changing = self.change_lock.lock().await;
        let Some(fewer) = self.credentials().without_token(id) else {
            return Ok(false);
        };
        self.save(fewer).await?;
        self.access_changed.notify(usize::MAX);
        Ok(true)
    }

    async fn save_and_end_sessions(
        &self,
        credentials: Credentials,
        kept: Option<&Name>,
    ) -> Result<(), Error> {
        self.save(credentials).await?;
        self.sessions.borrow_mut().end_others(kept);
        self.sessions_changed();
        Ok(())
    }

    /// Saves the credentials, then applies them.
    async fn save(&self, credentials: Credentials) -> Result<(), Error> {
        let saved = self.store.save_credentials(credentials.to_bytes()).await;
        saved.map_err(|failure| Error::new(ErrorKind::NotSaved, failure.message))?;
        self.credentials.replace(credentials);
        Ok(())
    }

    fn sessions_changed(&self) {
        self.store.save_sessions(&self.sessions.borrow().to_bytes());
        self.access_changed.notify(usize::MAX);
    }

    fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.store.fill_random(&mut bytes);
        bytes
    }
}

impl std::fmt::Debug for AuthService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthService")
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

fn unclaimed() -> Error {
    Error::new(
        ErrorKind::Unclaimed,
        "this kiosk is not claimed yet; open its web UI and enter the code on its screen",
    )
}

fn credentials_unreadable() -> Error {
    Error::new(
        ErrorKind::CredentialsUnreadable,
        "the credentials of this kiosk cannot be read, so no one can sign in; root on it can reset them: ossuary passwd --reset",
    )
}

fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_millis().div_ceil(1000).try_into()).unwrap_or(u64::MAX)
}
