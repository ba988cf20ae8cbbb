//! Keeps the door: the pure room `trust` with a file to write to, a thread for passwords, and a bell for those whose
//! way in has ended.

use super::api::json::Disclosure;
use super::error::{Error, Kind};
use super::reply::Later;
use crate::auth::{
    ClaimCode, Client, Credentials, Guesser, Hash, Name, Owner, Presented, RateLimit, Role, Secret,
    Session, Sessions, Token, Who, device_cookie, recognise_device,
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
const QUEUE: usize = 8;

/// What the keeper needs of the system.
pub trait CredentialStore {
    /// Fills `bytes` with what nobody can guess.
    fn random(&self, bytes: &mut [u8]);

    /// Writes the credentials durably, or not at all.
    ///
    /// # Errors
    /// They could not be written; what was there still is.
    fn keep(&self, credentials: Vec<u8>) -> Later<'_, Result<(), Failure>>;

    /// Keeps the sessions for the next daemon of this boot.
    fn keep_sessions(&self, sessions: &[u8]);

    /// Does something that takes long beside the loop, and resolves when it is done.
    fn work(&self, work: Box<dyn FnOnce() + Send>) -> Later<'static, ()>;
}

/// How somebody was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Not at all: as far as anybody may come.
    Nobody,
    /// By the unix socket.
    Local,
    /// By the cookie of this session.
    Session(Name, Role),
    /// By this token.
    Token(Name, Role),
}

impl Pass {
    /// Whom it names.
    pub fn who(&self) -> Who {
        match self {
            Pass::Nobody => Who::Stranger,
            Pass::Local => Who::Local,
            Pass::Session(_, role) | Pass::Token(_, role) => Who::Holder(*role),
        }
    }

    /// How much of the configuration its holder may read: all of it needs the role `admin`.
    pub fn disclosure(&self) -> Disclosure {
        match self {
            Pass::Local | Pass::Session(_, Role::Admin) | Pass::Token(_, Role::Admin) => {
                Disclosure::Full
            }
            Pass::Nobody | Pass::Session(..) | Pass::Token(..) => Disclosure::Redacted,
        }
    }

    /// Whether it is this session.
    pub fn is_session(&self, name: &Name) -> bool {
        matches!(self, Pass::Session(own, _) if own == name)
    }
}

/// A session as it begins: its name, and what its holder shows from now on.
#[derive(Debug)]
pub struct Opened {
    /// By which it is listed.
    pub name: Name,
    /// For the cookie.
    pub secret: Secret,
}

/// Somebody who wants to come in.
#[derive(Clone, Debug)]
pub struct Visitor<'a> {
    /// As the rate limit counts it; `None` for a client of the unix socket, which is not limited.
    pub guesser: Option<Guesser>,
    /// The address as people read it.
    pub address: String,
    /// What the program calls itself.
    pub agent: &'a str,
}

/// Who may come in.
pub struct AuthService {
    vault: Box<dyn CredentialStore>,
    clock: fn() -> Moment,
    credentials: RefCell<Credentials>,
    sessions: RefCell<Sessions>,
    throttle: RefCell<RateLimit>,
    /// Held over a whole change of the credentials.
    changing: Mutex<()>,
    /// Held while a password is being hashed, by whoever does it: a client that leaves does not make room for another.
    hashing: Arc<Mutex<()>>,
    /// Whose passwords are being tried, or wait for it.
    queue: RefCell<Vec<Option<Guesser>>>,
    /// Rings when somebody's way in has ended.
    ended: Event,
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
            vault,
            clock,
            credentials: RefCell::new(credentials),
            sessions: RefCell::new(sessions),
            throttle: RefCell::new(RateLimit::new()),
            changing: Mutex::new(()),
            hashing: Arc::default(),
            queue: RefCell::default(),
            ended: Event::new(),
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

    // ---- at the door ----

    /// How far somebody may come who shows this.
    pub fn pass(&self, presented: &Presented) -> Pass {
        match presented {
            Presented::Nothing | Presented::Nonsense => Pass::Nobody,
            Presented::Token(secret) => {
                let credentials = self.credentials();
                let token = credentials.token(&secret.digest());
                token.map_or(Pass::Nobody, |token| {
                    Pass::Token(token.id.clone(), token.role)
                })
            }
            Presented::Session(secrets) => {
                let mut sessions = self.sessions.borrow_mut();
                let now = (self.clock)();
                let mut admitted = secrets.iter().filter_map(|secret| {
                    let session = sessions.admit(&secret.digest(), now)?;
                    Some(Pass::Session(session.name.clone(), session.role))
                });
                admitted.next().unwrap_or(Pass::Nobody)
            }
        }
    }

    /// Whether somebody who was let in still would be. Asking counts as a use of the session.
    pub fn still(&self, pass: &Pass) -> bool {
        match pass {
            Pass::Nobody | Pass::Local => true,
            Pass::Session(name, _) => self.sessions.borrow_mut().goes_on(name, (self.clock)()),
            Pass::Token(id, _) => self.credentials().has_token(id),
        }
    }

    /// Resolves when somebody who was let in would not be any more. An end that comes with time rings no bell:
    /// [`Keeper::still`] is to be asked now and then.
    pub async fn ended(&self, pass: &Pass) {
        loop {
            let ended = self.ended.listen();
            if !self.still(pass) {
                return;
            }
            ended.await;
        }
    }

    // ---- coming in ----

    /// How the rate limit counts a client that sends these cookies.
    pub fn guesser(&self, client: Client, cookies: &str) -> Guesser {
        let device = match self.credentials().owner() {
            Owner::Somebody(hash) => recognise_device(hash, cookies),
            Owner::Nobody(_) | Owner::Unknown(_) => None,
        };
        device.map_or(Guesser::Stranger(client), Guesser::Device)
    }

    /// A device cookie for a browser that has signed in, while the kiosk has an owner.
    pub fn device_cookie(&self) -> Option<String> {
        let secret = Secret::from_random(self.random());
        match self.credentials().owner() {
            Owner::Somebody(hash) => Some(device_cookie(hash, &secret)),
            Owner::Nobody(_) | Owner::Unknown(_) => None,
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
        from: &Visitor<'_>,
    ) -> Result<Opened, Error> {
        self.check_code(code, from)?;
        let hash = self.hash(password, from.guesser).await?;
        let _changing = self.changing.lock().await;
        // Somebody else may have been quicker meanwhile.
        self.check_code(code, from)?;
        let owned = self.credentials().owned(hash);
        self.own(owned, None).await?;
        log::info!("the kiosk was claimed from {}", from.address);
        self.succeeded(from);
        Ok(self.open(Role::Admin, from))
    }

    fn check_code(&self, code: &str, from: &Visitor<'_>) -> Result<(), Error> {
        self.may_try(from)?;
        let credentials = self.credentials();
        let Some(known) = credentials.claim_code() else {
            return Err(Error::new(
                Kind::Claimed,
                "somebody has claimed this kiosk already; root on it can reset that: ossuary passwd --reset",
            ));
        };
        if known.is(code) {
            return Ok(());
        }
        self.failed(from);
        Err(Error::new(
            Kind::WrongCode,
            "this is not the code on the kiosk's screen",
        ))
    }

    /// Signs in whoever knows the password.
    ///
    /// # Errors
    /// It is wrong or was tried too often, or there is none.
    pub async fn sign_in(&self, password: String, from: &Visitor<'_>) -> Result<Opened, Error> {
        self.check_password(password, from).await?;
        self.succeeded(from);
        Ok(self.open(Role::Admin, from))
    }

    /// Signs in whoever comes first by the link that was made for it.
    ///
    /// # Errors
    /// It was used already, or never made.
    pub fn accept_invitation(&self, secret: &str, from: &Visitor<'_>) -> Result<Opened, Error> {
        let digest = Secret::from_cookie(secret).map(|secret| secret.digest());
        let is_invited = digest.is_some_and(|digest| self.sessions.borrow_mut().accept(&digest));
        if !is_invited {
            let why = "this link was used already; sign in with the password";
            return Err(Error::new(Kind::WrongPassword, why));
        }
        Ok(self.open(Role::Admin, from))
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

    async fn check_password(&self, password: String, from: &Visitor<'_>) -> Result<(), Error> {
        let owner = self.credentials().owner().clone();
        let hash = match owner {
            Owner::Somebody(hash) => hash,
            Owner::Nobody(_) => return Err(unclaimed()),
            Owner::Unknown(_) => return Err(sealed()),
        };
        self.may_try(from)?;
        let is_right = self
            .slowly(from.guesser, move || hash.is_of(&password))
            .await?;
        if is_right {
            return Ok(());
        }
        self.failed(from);
        log::warn!("a wrong password from {}", from.address);
        Err(Error::new(
            Kind::WrongPassword,
            "this is not the password of this kiosk",
        ))
    }

    fn open(&self, role: Role, from: &Visitor<'_>) -> Opened {
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
        Opened { name, secret }
    }

    fn may_try(&self, from: &Visitor<'_>) -> Result<(), Error> {
        let Some(guesser) = from.guesser else {
            return Ok(());
        };
        let may = self.throttle.borrow().may_try(guesser, (self.clock)());
        may.map_err(|wait| Error::too_many_tries(whole_seconds(wait)))
    }

    fn failed(&self, from: &Visitor<'_>) {
        if let Some(guesser) = from.guesser {
            self.throttle.borrow_mut().failed(guesser, (self.clock)());
        }
    }

    fn succeeded(&self, from: &Visitor<'_>) {
        if let Some(guesser) = from.guesser {
            self.throttle.borrow_mut().succeeded(guesser);
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
        pass: &Pass,
        from: &Visitor<'_>,
    ) -> Result<(), Error> {
        let is_owned = self.credentials().claim_code().is_none();
        if is_owned && *pass != Pass::Local {
            let Some(current) = current else {
                return Err(Error::invalid(
                    "current",
                    "is missing; it is the current password",
                ));
            };
            self.check_password(current, from).await?;
        }
        let hash = self.hash(password, from.guesser).await?;
        let _changing = self.changing.lock().await;
        let kept = match pass {
            Pass::Session(name, _) => Some(name),
            _ => None,
        };
        let mut credentials = self.credentials().owned(hash);
        // What root made before the first password was set is no token of an earlier owner.
        if revoke_tokens && is_owned {
            credentials = credentials.without_tokens();
        }
        self.own(credentials, kept).await?;
        log::info!("the password was set from {}", from.address);
        Ok(())
    }

    /// Gives a kiosk that nobody owns its first password; one that somebody owns keeps its own.
    ///
    /// # Errors
    /// It could not be saved.
    pub async fn own_with(&self, password: &str) -> Result<(), Error> {
        let hash = self.hash(password, None).await?;
        let _changing = self.changing.lock().await;
        if self.claim_code().is_none() {
            return Ok(());
        }
        let owned = self.credentials().owned(hash);
        self.own(owned, None).await
    }

    /// Forgets password, tokens and sessions; the kiosk is nobody's, and this is the code that claims it.
    ///
    /// # Errors
    /// It could not be saved; nothing has changed.
    pub async fn reset(&self) -> Result<ClaimCode, Error> {
        let _changing = self.changing.lock().await;
        let code = self.new_code();
        self.adopt(Credentials::unclaimed(code.clone())).await?;
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
    pub async fn confirm(
        &self,
        password: Option<String>,
        pass: &Pass,
        from: &Visitor<'_>,
    ) -> Result<(), Error> {
        if !matches!(pass, Pass::Session(..)) {
            return Ok(());
        }
        let Some(password) = password else {
            let detail = "is missing; it is your password, asked for once more";
            return Err(Error::invalid("password", detail));
        };
        self.check_password(password, from).await?;
        self.succeeded(from);
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
        let _changing = self.changing.lock().await;
        if let Owner::Unknown(_) = self.credentials().owner() {
            return Err(sealed());
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
            "" => Error::new(Kind::Invalid, why),
            field => Error::invalid(field, why),
        })?;
        self.adopt(more).await?;
        Ok((token, secret))
    }

    /// Revokes a token; whether there was one.
    ///
    /// # Errors
    /// It could not be saved: the token is still good.
    pub async fn remove_token(&self, id: &str) -> Result<bool, Error> {
        let _changing = self.changing.lock().await;
        let Some(fewer) = self.credentials().without_token(id) else {
            return Ok(false);
        };
        self.adopt(fewer).await?;
        self.ended.notify(usize::MAX);
        Ok(true)
    }

    /// Resolves once a session, a token or the owner is another.
    pub fn changed(&self) -> EventListener {
        self.ended.listen()
    }

    async fn own(&self, owned: Credentials, kept: Option<&Name>) -> Result<(), Error> {
        self.adopt(owned).await?;
        self.sessions.borrow_mut().end_others(kept);
        self.sessions_changed();
        Ok(())
    }

    /// Saves the credentials, then goes by them.
    async fn adopt(&self, credentials: Credentials) -> Result<(), Error> {
        let kept = self.vault.keep(credentials.to_bytes()).await;
        kept.map_err(|failure| Error::new(Kind::NotSaved, failure.message))?;
        self.credentials.replace(credentials);
        Ok(())
    }

    fn sessions_changed(&self) {
        self.vault.keep_sessions(&self.sessions.borrow().to_bytes());
        self.ended.notify(usize::MAX);
    }

    // ---- slow and random ----

    async fn hash(&self, password: &str, guesser: Option<Guesser>) -> Result<Hash, Error> {
        let (password, salt) = (password.to_owned(), self.random());
        let hash = self
            .slowly(guesser, move || Hash::make(&password, salt))
            .await?;
        hash.map_err(|why| Error::new(Kind::Busy, format!("cannot hash the password: {why}")))
    }

    /// Does what takes long and much memory: one at a time, and nobody waits twice.
    async fn slowly<T: Send + 'static>(
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
        if mine > 0 && guesser.is_some() || self.queue.borrow().len() >= QUEUE {
            return Err(Error::new(
                Kind::Busy,
                "another password is being tried; try again in a moment",
            ));
        }
        self.queue.borrow_mut().push(guesser);
        let _place = Place {
            keeper: self,
            guesser,
        };
        let turn = self.hashing.lock_arc().await;
        let (done, result) = channel::bounded(1);
        let work = Box::new(move || {
            // Nobody listens any more when the client was given up.
            let _ = done.try_send(work());
            drop(turn);
        });
        self.vault.work(work).await;
        result
            .recv()
            .await
            .map_err(|_| Error::new(Kind::Busy, "the password could not be tried"))
    }

    fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.vault.random(&mut bytes);
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
struct Place<'k> {
    keeper: &'k AuthService,
    guesser: Option<Guesser>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut queue = self.keeper.queue.borrow_mut();
        if let Some(place) = queue.iter().position(|other| *other == self.guesser) {
            queue.swap_remove(place);
        }
    }
}

/// What a stranger is told at the door.
pub fn who_are_you(keeper: &AuthService) -> Error {
    match keeper.credentials().owner() {
        Owner::Nobody(_) => unclaimed(),
        Owner::Unknown(_) => sealed(),
        Owner::Somebody(_) => Error::new(
            Kind::SignIn,
            "sign in first, or send a token: Authorization: Bearer",
        ),
    }
}

fn unclaimed() -> Error {
    Error::new(
        Kind::Unclaimed,
        "nobody has claimed this kiosk yet; open its page and enter the code on its screen",
    )
}

fn sealed() -> Error {
    Error::new(
        Kind::Sealed,
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
    pub fn keeper(clock: fn() -> Moment) -> Rc<AuthService> {
        let mut bytes = [0; 8];
        MemoryStore.random(&mut bytes);
        let credentials = Credentials::unclaimed(ClaimCode::from_random(bytes));
        let keeper = AuthService::new(Box::new(MemoryStore), clock, credentials, Sessions::new());
        Rc::new(keeper)
    }
}

impl CredentialStore for MemoryStore {
    fn random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("Linux has getrandom(2) since 3.17");
    }

    fn keep(&self, _credentials: Vec<u8>) -> Later<'_, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }

    fn keep_sessions(&self, _sessions: &[u8]) {}

    fn work(&self, work: Box<dyn FnOnce() + Send>) -> Later<'static, ()> {
        Box::pin(async move { work() })
    }
}
