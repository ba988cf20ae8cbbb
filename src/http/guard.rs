//! The door in front of all routes: where a request comes from, whether its sender may use the route, and what every
//! answer says.
//!
//! Whoever is inside a browser is not trusted to be the operator: the page on the
//! screen and any site the operator visits can send requests here too. Three things
//! keep them out. The `Host` they name must be this machine, or a site whose name is
//! suddenly said to have this machine's address (DNS rebinding) would be this site.
//! The `Origin` must be this site. And a change comes as JSON, which another site
//! cannot send without asking first, and nobody here says yes (there is no CORS).
//!
//! Then whoever sends it must be somebody who may: each route of the table says what it needs.

use super::auth_service::{AuthService, Caller, unauthenticated};
use super::error::{Error, ErrorKind};
use crate::auth::{Authorization, Needs, RequestCredential};
use crate::config::Authority;
use picoserve::request::RequestParts;

/// Said with every answer. Scripts, styles and pictures come from here alone; no other
/// site may show, read or embed anything of it; nothing is guessed or passed on.
pub const SECURITY_HEADERS: [(&str, &str); 4] = [
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
];

/// Looks at where a request comes from. `hostname` is asked only where the client called the machine by a name
/// that is not among `hosts`, the names it has beside its own.
///
/// # Errors
/// It comes from somewhere else.
pub fn check_origin(
    parts: &RequestParts<'_>,
    hosts: &[String],
    hostname: &dyn Fn() -> String,
) -> Result<(), Error> {
    let field = |name: &str| parts.headers().get(name).map(|value| value.as_str());
    let Some(Ok(host)) = field("host") else {
        return Err(Error::new(
            ErrorKind::Malformed,
            "the field Host is not text",
        ));
    };
    if !is_this_machine(host, hosts, hostname) {
        return Err(Error::new(
            ErrorKind::ForeignHost,
            format!("this machine is not called {host}; use its address, or its name"),
        ));
    }
    if let Some(origin) = field("origin") {
        let origin = origin.unwrap_or_default();
        let site = (origin.strip_prefix("http://")).or_else(|| origin.strip_prefix("https://"));
        if !site.is_some_and(|site| site.eq_ignore_ascii_case(host)) {
            return Err(foreign_origin(origin));
        }
    }
    // Browsers that leave out Origin still tell this.
    if !matches!(parts.method(), "GET" | "HEAD")
        && let Some(Ok(site @ ("cross-site" | "same-site"))) = field("sec-fetch-site")
    {
        return Err(foreign_origin(site));
    }
    Ok(())
}

/// Looks at who sends a request. A stranger who shows something that was good once is told so like any other.
///
/// # Errors
/// It is nobody who may use this route.
pub fn authorize(auth: &AuthService, needs: Needs, pass: &Caller) -> Result<(), Error> {
    match needs.authorize(pass.principal()) {
        Authorization::Granted => Ok(()),
        Authorization::Unauthenticated => Err(unauthenticated(auth)),
        Authorization::Forbidden if needs == Needs::Local => Err(Error::new(
            ErrorKind::NotAllowed,
            "only root on the kiosk itself may do this: ossuary passwd --reset",
        )),
        Authorization::Forbidden => Err(Error::new(
            ErrorKind::NotAllowed,
            format!("this needs the role {}", needs.as_str()),
        )),
    }
}

/// What a request shows to be let in.
pub fn credential(parts: &RequestParts<'_>) -> RequestCredential {
    let field = |name: &str| {
        let value = parts.headers().get(name)?;
        Some(value.as_str().unwrap_or_default())
    };
    RequestCredential::read(field("authorization"), field("cookie"))
}

/// Looks at the sort of body a request brings.
///
/// # Errors
/// It is not JSON.
pub fn check_media_type(parts: &RequestParts<'_>, body: usize) -> Result<(), Error> {
    if body == 0 {
        return Ok(());
    }
    let content_type = parts.headers().get("content-type");
    let media_type = (content_type.as_ref())
        .and_then(|value| value.as_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    if !media_type.trim().eq_ignore_ascii_case("application/json") {
        return Err(Error::new(
            ErrorKind::MediaType,
            "the body must be JSON and say so: Content-Type: application/json",
        ));
    }
    Ok(())
}

/// The port in a `Host`, where there is one.
pub fn port(host: &str) -> Option<u16> {
    let (_, port) = host.rsplit_once(':')?;
    port.parse().ok()
}

/// An address is always this machine's own: a site elsewhere cannot be called by it.
fn is_this_machine(host: &str, hosts: &[String], hostname: &dyn Fn() -> String) -> bool {
    let Ok(authority) = Authority::parse(host) else {
        return false;
    };
    let name = authority.host;
    if authority.is_address() || name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    if hosts.iter().any(|known| name.eq_ignore_ascii_case(known)) {
        return true;
    }
    let hostname = hostname();
    // A machine that knows its domain says its whole name; its neighbours use the first part.
    let short = hostname.split('.').next().unwrap_or_default();
    let is_called = |called: &str| !called.is_empty() && name.eq_ignore_ascii_case(called);
    is_called(&hostname)
        || is_called(short)
        || (name.len() == short.len() + ".local".len()
            && name.is_char_boundary(short.len())
            && is_name_and_local(name, short))
}

fn is_name_and_local(name: &str, short: &str) -> bool {
    let (first, domain) = name.split_at(short.len());
    !short.is_empty() && first.eq_ignore_ascii_case(short) && domain.eq_ignore_ascii_case(".local")
}

fn foreign_origin(origin: &str) -> Error {
    Error::new(
        ErrorKind::ForeignOrigin,
        format!("a page of another site cannot drive this kiosk ({origin})"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(host: &str) -> bool {
        is_this_machine(host, &["lobby.example.com".into()], &|| {
            "Kiosk-7.example.org".into()
        })
    }

    #[test]
    fn the_machine_may_be_called_by_its_addresses_and_names() {
        for host in [
            "localhost",
            "LOCALHOST:8081",
            "127.0.0.1",
            "192.168.1.20:8081",
            "[::1]",
            "[fe80::1]:8081",
            "kiosk-7",
            "kiosk-7:80",
            "KIOSK-7.local:8081",
            "kiosk-7.example.org",
            "Lobby.example.com:443",
        ] {
            assert!(accepts(host), "{host}");
        }
    }

    #[test]
    fn a_name_that_somebody_else_may_own_is_refused() {
        for host in [
            "",
            ":8081",
            "evil.example",
            "kiosk-7.evil.example",
            "kiosk-7.localx",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "::1",
            "[::1",
            "[localhost]",
            "xkiosk-7.local",
            ".local",
            "kiosk-7.local.",
        ] {
            assert!(!accepts(host), "{host}");
        }
        assert!(!is_this_machine(".local", &[], &String::new));
        assert!(!is_this_machine("", &[], &String::new));
    }
}
