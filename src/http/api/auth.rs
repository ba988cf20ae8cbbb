//! Claiming, signing in and out, the password, and sessions.

use super::json::Context;
use crate::auth::{Name, Role, SESSION_LIFETIME, check_password, cookie_name, device_cookie_name};
use crate::http::auth_service::{ClientInfo, NewSession};
use crate::http::caller::Caller;
use crate::http::context::Api;
use crate::http::error::{Error, ErrorKind};
use crate::http::guard;
use crate::http::reply::{ApiRequest, Reply};
use crate::http::wall_time::Wallclock;
use serde::{Deserialize, Serialize};
use std::rc::Rc;
use std::time::Duration;

/// How long a browser keeps its device cookie: a year from its last sign-in.
const DEVICE_COOKIE_LIFETIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What a client without credentials may know, and the role of the caller.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ClaimView {
    claimed: bool,
    hostname: String,
    role: Option<Role>,
}

/// `GET /api/claim`
pub async fn show_claim(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let role = match &request.caller {
        Caller::Anonymous => None,
        Caller::Local => Some(Role::Admin),
        Caller::Session(_, role) | Caller::Token(_, role) => Some(*role),
    };
    let front = ClaimView {
        claimed: api.auth.claim_code().is_none(),
        hostname: (api.about.hostname)(),
        role,
    };
    Ok(Reply::json(200, &front))
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Claim {
    code: String,
    password: String,
}

/// `POST /api/claim`
pub async fn claim(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let Claim { code, password } = request.body()?;
    check_new_password(&password)?;
    let from = client_info(api, &request);
    let opened = api.auth.claim(&code, &password, &from).await?;
    Ok(signed_in(api, &request, &opened))
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    password: Option<String>,
    invitation: Option<String>,
}

/// `POST /api/login`: with the password, or with the secret of a link that signs in once.
pub async fn login(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let from = client_info(api, &request);
    let opened = match request.body()? {
        Login {
            password: Some(password),
            invitation: None,
        } => api.auth.sign_in(password, &from).await?,
        Login {
            password: None,
            invitation: Some(secret),
        } => api.auth.accept_invitation(&secret, &from)?,
        Login { password, .. } => {
            let detail = match password {
                None => "is missing",
                Some(_) => "must not be sent with an invitation",
            };
            return Err(Error::invalid("password", detail));
        }
    };
    Ok(signed_in(api, &request, &opened))
}

/// `POST /api/logout`: ends the session of the caller.
pub async fn logout(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    if let Caller::Session(name, _) = &request.caller {
        api.auth.end_session(name.as_str());
    }
    Ok(Reply::empty(204).with(
        "Set-Cookie",
        cookie(&cookie_name(port(&request)), "", Duration::ZERO, &request),
    ))
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    password: String,
    current: Option<String>,
    revoke_tokens: Option<bool>,
}

/// `PUT /api/password`
pub async fn set_password(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let NewPassword {
        password,
        current,
        revoke_tokens,
    } = request.body()?;
    check_new_password(&password)?;
    let (caller, from) = (&request.caller, client_info(api, &request));
    let revoke_tokens = revoke_tokens.unwrap_or(true);
    (api.auth
        .change_password(&password, current, revoke_tokens, caller, &from))
    .await?;
    Ok(Reply::empty(204))
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ResetView {
    code: String,
}

/// `DELETE /api/password`: resets the credentials and returns the new claim code.
pub async fn reset(api: &Rc<Api>, _request: ApiRequest<'_>) -> Result<Reply, Error> {
    let code = api.auth.reset().await?.to_string();
    Ok(Reply::json(200, &ResetView { code }))
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct SessionsView<'a> {
    sessions: Vec<SessionView<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SessionView<'a> {
    id: &'a Name,
    role: Role,
    address: &'a str,
    agent: &'a str,
    opened: Wallclock,
    used: Wallclock,
    ends: Wallclock,
    /// Whether it is the caller's own.
    current: bool,
}

/// `GET /api/sessions`
pub async fn list(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let boot = Context::of(api).boot();
    let sessions = api.auth.sessions();
    let sessions = (sessions.iter())
        .map(|session| SessionView {
            id: &session.name,
            role: session.role,
            address: &session.from,
            agent: &session.agent,
            opened: boot.at(session.opened),
            used: boot.at(session.used),
            ends: boot.at(session.ends()),
            current: request.caller.is_session(&session.name),
        })
        .collect();
    Ok(Reply::json(200, &SessionsView { sessions }))
}

/// `DELETE /api/sessions/{id}`
pub async fn end(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    match api.auth.end_session(request.id) {
        true => Ok(Reply::empty(204)),
        false => Err(Error::new(
            ErrorKind::NoSuchSession,
            format!("there is no session {}", request.id),
        )),
    }
}

pub fn client_info<'a>(api: &Api, request: &ApiRequest<'a>) -> ClientInfo<'a> {
    let agent = request.header("user-agent").unwrap_or_default();
    match request.client {
        Some(client) => ClientInfo {
            guesser: (request.caller != Caller::Local)
                .then(|| (api.auth).guesser(client, request.header("cookie").unwrap_or_default())),
            address: std::net::Ipv6Addr::from(client.0)
                .to_canonical()
                .to_string(),
            agent,
        },
        None => ClientInfo {
            guesser: None,
            address: "this machine".to_owned(),
            agent,
        },
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct SignedInView<'a> {
    session: &'a Name,
    #[cfg_attr(test, schemars(extend("enum" = ["admin"])))]
    role: &'static str,
}

fn signed_in(api: &Api, request: &ApiRequest<'_>, opened: &NewSession) -> Reply {
    let name = cookie_name(port(request));
    let session = cookie(&name, &opened.secret.to_cookie(), SESSION_LIFETIME, request);
    let view = SignedInView {
        session: &opened.name,
        role: "admin",
    };
    let reply = Reply::json(200, &view).with("Set-Cookie", session);
    match api.auth.device_cookie() {
        Some(value) => {
            let name = device_cookie_name(port(request));
            reply.with(
                "Set-Cookie",
                cookie(&name, &value, DEVICE_COOKIE_LIFETIME, request),
            )
        }
        None => reply,
    }
}

/// The port in the URL by which the client reaches the kiosk.
fn port(request: &ApiRequest<'_>) -> Option<u16> {
    request.header("host").and_then(guard::port)
}

/// Scripts cannot read the cookie (`HttpOnly`), other sites cannot have it sent (`SameSite=Strict`), and if the web UI
/// came over TLS it is never sent without (`Secure`).
fn cookie(name: &str, value: &str, lifetime: Duration, request: &ApiRequest<'_>) -> String {
    let seconds = lifetime.as_secs();
    let is_secure = request
        .header("origin")
        .is_some_and(|origin| origin.starts_with("https://"));
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

fn check_new_password(password: &str) -> Result<(), Error> {
    check_password(password).map_err(|why| Error::invalid("password", why))
}
