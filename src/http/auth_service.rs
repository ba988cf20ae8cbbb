//! Keeps the door: the pure room `trust` with a file to write to, a thread for passwords, and a bell for those whose
//! way in has ended.

use super::api::json::Disclosure;
use super::error::{Error, ErrorKind};
use super::reply::BoxFuture;
use crate::auth::{
    ClaimCode, ClientAddress, Credentials, Guesser, Hash, Name, Owner, Principal, RateLimit,
    RequestCredential, Role, Secret, Session, Sessions, Token, device_cookie, recognise_device,
};
use crate::supervisor::Failure;
use crate::time::Moment;
use event_listener::{Event, EventListener};
use smol::channel;
use smol::lock::Mutex;
use std::cell::{Ref, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Passwords that are being tried or wait for it, one for each client. On a small board each takes some tenths of a
/// second, and whoever waits for longer than a few of them tries again anyway.
const QUEUE_MAX: usize = 8;

/// What the keeper needs of the system.
pub trait CredentialStore {
    /// Fills `bytes` with what nobody can guess.
    fn fill_random(&self, bytes: &mut [u8]);

    /// Writes the credentials durably, or not at all.
    ///
    /// # Errors
    /// They could not be written; what was there still is.
    fn save_credentials(&self, credentials: Vec<u8>) -> BoxFuture<'_, Result<(), Failure>>;

    /// Keeps the sessions for the next daemon of this boot.
    fn save_sessions(&self, sessions: &[u8]);

    /// Does something that takes long beside the loop, and resolves when it is done.
    fn run_blocking(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()>;
}

/// How somebody was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Not at all: as far as anybody may come.
    Anonymous,
    /// By the unix socket.
    Local,
    /// By the cookie of this session.
    Session(Name, Role),
    /// By this token.
    Token(Name, Role),
}

impl Caller {
    /// Whom it names.
    pub fn principal(&self) -> Principal {
        match self {
            Caller::Anonymous => Principal::Anonymous,
            Caller::Local => Principal::Local,
            Caller::Session(_, role) | Caller::Token(_, role) => Principal::Holder(*role),
        }
    }

    /// How much of the configuration its holder may read: all of it needs the role `admin`.
    pub fn disclosure(&self) -> Disclosure {
        match self {
            Caller::Local | Caller::Session(_, Role::Admin) | Caller::Token(_, Role::Admin) => {
                Disclosure::Full
            }
            Caller::Anonymous | Caller::Session(..) | Caller::Token(..) => Disclosure::Redacted,
        }
    }

    /// Whether it is this session.
    pub fn is_session(&self, name: &Name) -> bool {
        matches!(self, Caller::Session(own, _) if own == name)
    }
}

/// A session as it begins: its name, and what its holder shows from now on.
#[derive(Debug)]
pub struct NewSession {
    /// By which it is listed.
    pub name: Name,
    /// For the cookie.
    pub secret: Secret,
}

/// Somebody who wants to come in.
#[derive(Clone, Debug)]
pub struct ClientInfo<'a> {
    /// As the rate limit counts it; `None` for a client of the unix socket, which is not limited.
    pub guesser: Option<Guesser>,
    /// The address as people read it.
    pub address: String,
    /// What the program calls itself.
    pub agent: &'a str,
}

/// Who may come in.
pub struct AuthService {
    store: Box<dyn CredentialStore>,
    clock: fn() -> Moment,
    credentials: RefCell<Credentials>,
    sessions: RefCell<Sessions>,
    rate_limit: RefCell<RateLimit>,
    /// Held over a whole change of the credentials.
    change_lock: Mutex<()>,
    /// Held while a password is being hashed, by whoever does it: a client that leaves does not make room for another.
    hashing: Arc<Mutex<()>>,
    /// Whose passwords are being tried, or wait for it.
    queue: RefCell<Vec<Option<Guesser>>>,
    /// Rings when somebody's way in has ended.
    access_changed: Event,
}

impl AuthService {
    /// A keeper of these credentials and sessions.
    pub fn new(
        vault: Box<dyn CredentialStore>,
        clock: fn() -> Moment,
        credentials: Credentials,
        sessions: Sessions,
    ) -> Self {
        Self {
            store: vault,
            clock,
            credentials: RefCell::new(credentials),
            sessions: RefCell::new(sessions),
            rate_limit: RefCell::new(RateLimit::new()),
            change_lock: Mutex::new(()),
            hashing: Arc::default(),
            queue: RefCell::default(),
            access_changed: Event::new(),
        }
    }

    /// The credentials as they are now.
    pub fn credentials(&self) -> Ref<'_, Credentials> {
        self.credentials.borrow()
    }

    /// The code, while nobody has claimed the kiosk, as it is shown.
    pub fn claim_code(&self) -> Option<String> {
        self.credentials().claim_code().map(ToString::to_string)
    }

    /// All sessions that are open.
    pub fn sessions(&self) -> Vec<Session> {
        self.sessions.borrow_mut().list((self.clock)()).to_vec()
    }

    // ---- at the probe ----

    /// How far somebody may come who shows this.
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

    /// Whether somebody who was let in still would be. Asking counts as a use of the session.
    pub fn is_valid(&self, pass: &Caller) -> bool {
        match pass {
            Caller::Anonymous | Caller::Local => true,
            Caller::Session(name, _) => self.sessions.borrow_mut().touch(name, (self.clock)()),
            Caller::Token(id, _) => self.credentials().has_token(id),
        }
    }

    /// Resolves when somebody who was let in would not be any more. An end that comes with time rings no bell:
    /// [`Keeper::still`] is to be asked now and then.
    pub async fn revoked(&self, pass: &Caller) {
        loop {
            let ended = self.access_changed.listen();
            if !self.is_valid(pass) {
                return;
            }
            ended.await;
        }
    }

    // ---- coming in ----

    /// How the rate limit counts a client that sends these cookies.
    pub fn guesser(&self, client: ClientAddress, cookies: &str) -> Guesser {
        let device = match self.credentials().owner() {
            Owner::Password(hash) => recognise_device(hash, cookies),
            Owner::Unclaimed(_) | Owner::Unreadable(_) => None,
        };
        device.map_or(Guesser::Address(client), Guesser::Device)
    }

    /// A device cookie for a browser that has signed in, while the kiosk has an owner.
    pub fn device_cookie(&self) -> Option<String> {
        let secret = Secret::from_random(self.random());
        match self.credentials().owner() {
            Owner::Password(hash) => Some(device_cookie(hash, &secret)),
            Owner::Unclaimed(_) | Owner::Unreadable(_) => None,
        }
    }

    /// Makes the kiosk that of whoever knows the code, and signs them in.
    ///
    /// # Errors
    /// The code is wrong or was tried too often; somebody owns the kiosk; it could not be saved.
    pub async fn claim(
        &self,
        code: &str,
        password: &str,
        from: &ClientInfo<'_>,
    ) -> Result<NewSession, Error> {
        self.check_code(code, from)?;
        let hash = self.hash(password, from.guesser).await?;
        let _changing = self.change_lock.lock().await;
        // Somebody else may have been quicker meanwhile.
        self.check_code(code, from)?;
        let owned = self.credentials().with_password(hash);
        self.save_and_end_sessions(owned, None).await?;
        log::info!("the kiosk was claimed from {}", from.address);
        self.note_success(from);
        Ok(self.open_session(Role::Admin, from))
    }

    fn check_code(&self, code: &str, from: &ClientInfo<'_>) -> Result<(), Error> {
        self.check_rate_limit(from)?;
        let credentials = self.credentials();
        let Some(known) = credentials.claim_code() else {
            return Err(Error::new(
                ErrorKind::Claimed,
                "somebody has claimed this kiosk already; root on it can reset that: ossuary passwd --reset",
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

    /// Signs in whoever knows the password.
    ///
    /// # Errors
    /// It is wrong or was tried too often, or there is none.
    pub async fn sign_in(
        &self,
        password: String,
        from: &ClientInfo<'_>,
    ) -> Result<NewSession, Error> {
        self.check_password(password, from).await?;
        self.note_success(from);
        Ok(self.open_session(Role::Admin, from))
    }

    /// Signs in whoever comes first by the link that was made for it.
    ///
    /// # Errors
    /// It was used already, or never made.
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

    /// Makes the secret of a link that signs in once.
    pub fn invite(&self) -> Secret {
        let secret = Secret::from_random(self.random());
        self.sessions.borrow_mut().invite(secret.digest());
        secret
    }

    /// Ends a session; whether there was one.
    pub fn end_session(&self, name: &str) -> bool {
        let ended = self.sessions.borrow_mut().end(name);
        self.sessions_changed();
        ended
    }

    async fn check_password(&self, password: String, from: &ClientInfo<'_>) -> Result<(), Error> {
        let owner = self.credentials().owner().clone();
        let hash = match owner {
            Owner::Password(hash) => hash,
            Owner::Unclaimed(_) => return Err(unclaimed()),
            Owner::Unreadable(_) => return Err(credentials_unreadable()),
        };
        self.check_rate_limit(from)?;
        let is_right = self
            .run_hashing(from.guesser, move || hash.verify(&password))
            .await?;
        if is_right {
            return Ok(());
        }
        self.note_failure(from);
        log::warn!("a wrong password from {}", from.address);
        Err(Error::new(
            ErrorKind::WrongPassword,
            "this is not the password of this kiosk",
        ))
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
        // One more may have ended another.
        self.sessions_changed();
        NewSession { name, secret }
    }

    fn check_rate_limit(&self, from: &ClientInfo<'_>) -> Result<(), Error> {
        let Some(guesser) = from.guesser else {
            return Ok(());
        };
        let may = self.rate_limit.borrow().may_try(guesser, (self.clock)());
        may.map_err(|wait| Error::rate_limited(whole_seconds(wait)))
    }

    fn note_failure(&self, from: &ClientInfo<'_>) {
        if let Some(guesser) = from.guesser {
            self.rate_limit.borrow_mut().failed(guesser, (self.clock)());
        }
    }

    fn note_success(&self, from: &ClientInfo<'_>) {
        if let Some(guesser) = from.guesser {
            self.rate_limit.borrow_mut().succeeded(guesser);
        }
    }

    // ---- changing who may come in ----

    /// Gives the kiosk a new password, which ends every other session and, where `revoke_tokens` says so, every token.
    /// A client that is not on the machine itself has to know the current one.
    ///
    /// # Errors
    /// The current one is wrong or was tried too often; it could not be saved.
    pub async fn change_password(
        &self,
        password: &str,
        current: Option<String>,
        revoke_tokens: bool,
        pass: &Caller,
        from: &ClientInfo<'_>,
    ) -> Result<(), Error> {
        let is_owned = self.credentials().claim_code().is_none();
        if is_owned && *pass != Caller::Local {
            let Some(current) = current else {
                return Err(Error::invalid(
                    "current",
                    "is missing; it is the current password",
                ));
            };
            self.check_password(current, from).await?;
        }
        let hash = self.hash(password, from.guesser).await?;
        let _changing = self.change_lock.lock().await;
        let kept = match pass {
            Caller::Session(name, _) => Some(name),
            _ => None,
        };
        let mut credentials = self.credentials().with_password(hash);
        // What root made before the first password was set is no token of an earlier owner.
        if revoke_tokens && is_owned {
            credentials = credentials.without_tokens();
        }
        self.save_and_end_sessions(credentials, kept).await?;
        log::info!("the password was set from {}", from.address);
        Ok(())
    }

    /// Gives a kiosk that nobody owns its first password; one that somebody owns keeps its own.
    ///
    /// # Errors
    /// It could not be saved.
    pub async fn set_first_password(&self, password: &str) -> Result<(), Error> {
        let hash = self.hash(password, None).await?;
        let _changing = self.change_lock.lock().await;
        if self.claim_code().is_none() {
            return Ok(());
        }
        let owned = self.credentials().with_password(hash);
        self.save_and_end_sessions(owned, None).await
    }

    /// Forgets password, tokens and sessions; the kiosk is nobody's, and this is the code that claims it.
    ///
    /// # Errors
    /// It could not be saved; nothing has changed.
    pub async fn reset(&self) -> Result<ClaimCode, Error> {
        let _changing = self.change_lock.lock().await;
        let code = self.new_code();
        self.save(Credentials::unclaimed(code.clone())).await?;
        self.sessions.borrow_mut().end_others(None);
        self.sessions_changed();
        log::warn!("password, tokens and sessions were reset; the claim code is {code}");
        Ok(code)
    }

    /// A code for a kiosk that nobody owns.
    pub fn new_code(&self) -> ClaimCode {
        ClaimCode::from_random(self.random())
    }

    /// Asks for the password again: a session that was stolen must not become a credential that outlives it.
    /// The unix socket and tokens are not asked.
    ///
    /// # Errors
    /// It is missing, wrong or was tried too often.
    pub async fn confirm_password(
        &self,
        password: Option<String>,
        pass: &Caller,
        from: &ClientInfo<'_>,
    ) -> Result<(), Error> {
        if !matches!(pass, Caller::Session(..)) {
            return Ok(());
        }
        let Some(password) = password else {
            let detail = "is missing; it is your password, asked for once more";
            return Err(Error::invalid("password", detail));
        };
        self.check_password(password, from).await?;
        self.note_success(from);
        Ok(())
    }

    /// Makes a token, which is shown this once.
    ///
    /// # Errors
    /// Its name is none, there are too many, or it could not be saved.
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

    /// Revokes a token; whether there was one.
    ///
    /// # Errors
    /// It could not be saved: the token is still good.
    pub async fn remove_token(&self, id: &str) -> Result<bool, Error> {
        let _changing = self.change_lock.lock().await;
        let Some(fewer) = self.credentials().without_token(id) else {
            return Ok(false);
        };
        self.save(fewer).await?;
        self.access_changed.notify(usize::MAX);
        Ok(true)
    }

    /// Resolves once a session, a token or the owner is another.
    pub fn changed(&self) -> EventListener {
        self.access_changed.listen()
    }

    async fn save_and_end_sessions(
        &self,
        owned: Credentials,
        kept: Option<&Name>,
    ) -> Result<(), Error> {
        self.save(owned).await?;
        self.sessions.borrow_mut().end_others(kept);
        self.sessions_changed();
        Ok(())
    }

    /// Saves the credentials, then goes by them.
    async fn save(&self, credentials: Credentials) -> Result<(), Error> {
        let kept = self.store.save_credentials(credentials.to_bytes()).await;
        kept.map_err(|failure| Error::new(ErrorKind::NotSaved, failure.message))?;
        self.credentials.replace(credentials);
        Ok(())
    }

    fn sessions_changed(&self) {
        self.store.save_sessions(&self.sessions.borrow().to_bytes());
        self.access_changed.notify(usize::MAX);
    }

    // ---- slow and random ----

    async fn hash(&self, password: &str, guesser: Option<Guesser>) -> Result<Hash, Error> {
        let (password, salt) = (password.to_owned(), self.random());
        let hash = self
            .run_hashing(guesser, move || Hash::make(&password, salt))
            .await?;
        hash.map_err(|why| Error::new(ErrorKind::Busy, format!("cannot hash the password: {why}")))
    }

    /// Does what takes long and much memory: one at a time, and nobody waits twice.
    async fn run_hashing<T: Send + 'static>(
        &self,
        guesser: Option<Guesser>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let mine = self
            .queue
            .borrow()
            .iter()
            .filter(|other| **other == guesser)
            .count();
        if mine > 0 && guesser.is_some() || self.queue.borrow().len() >= QUEUE_MAX {
            return Err(Error::new(
                ErrorKind::Busy,
                "another password is being tried; try again in a moment",
            ));
        }
        self.queue.borrow_mut().push(guesser);
        let _place = QueuePlace {
            auth: self,
            guesser,
        };
        let turn = self.hashing.lock_arc().await;
        let (done, result) = channel::bounded(1);
        let work = Box::new(move || {
            // Nobody listens any more when the client was given up.
            let _ = done.try_send(work());
            drop(turn);
        });
        self.store.run_blocking(work).await;
        result
            .recv()
            .await
            .map_err(|_| Error::new(ErrorKind::Busy, "the password could not be tried"))
    }

    fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.store.fill_random(&mut bytes);
        bytes
    }
}

impl std::fmt::Debug for AuthService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper")
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

/// A place in the queue of passwords, free when this is dropped.
struct QueuePlace<'k> {
    auth: &'k AuthService,
    guesser: Option<Guesser>,
}

impl Drop for QueuePlace<'_> {
    fn drop(&mut self) {
        let mut queue = self.auth.queue.borrow_mut();
        if let Some(place) = queue.iter().position(|other| *other == self.guesser) {
            queue.swap_remove(place);
        }
    }
}

/// What a stranger is told at the door.
pub fn unauthenticated(auth: &AuthService) -> Error {
    match auth.credentials().owner() {
        Owner::Unclaimed(_) => unclaimed(),
        Owner::Unreadable(_) => credentials_unreadable(),
        Owner::Password(_) => Error::new(
            ErrorKind::SignInRequired,
            "sign in first, or send a token: Authorization: Bearer",
        ),
    }
}

fn unclaimed() -> Error {
    Error::new(
        ErrorKind::Unclaimed,
        "nobody has claimed this kiosk yet; open its page and enter the code on its screen",
    )
}

fn credentials_unreadable() -> Error {
    Error::new(
        ErrorKind::CredentialsUnreadable,
        "the credentials of this kiosk cannot be read, so nobody is let in; root on it can reset them: ossuary passwd --reset",
    )
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis()
        .div_ceil(1000)
        .try_into()
        .unwrap_or(u64::MAX)
}

/// A vault that keeps nothing, for a kiosk that lives no longer than its memory.
#[derive(Debug)]
pub struct MemoryStore;

impl MemoryStore {
    /// A keeper of nobody's kiosk.
    pub fn auth_service(clock: fn() -> Moment) -> Rc<AuthService> {
        let mut bytes = [0; 8];
        MemoryStore.fill_random(&mut bytes);
        let credentials = Credentials::unclaimed(ClaimCode::from_random(bytes));
        let auth = AuthService::new(Box::new(MemoryStore), clock, credentials, Sessions::new());
        Rc::new(auth)
    }
}

impl CredentialStore for MemoryStore {
    fn fill_random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("Linux has getrandom(2) since 3.17");
    }

    fn save_credentials(&self, _credentials: Vec<u8>) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }

    fn save_sessions(&self, _sessions: &[u8]) {}

    fn run_blocking(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        Box::pin(async move { work() })
    }
}
