//! The checks before every route (Host, Origin, credentials, media type), and the header fields of every response.
//!
//! A browser is not trusted: the page on the kiosk's screen and any site that the operator visits can send requests to
//! this server. Three checks keep them out. `Host` must name this machine, against DNS rebinding. `Origin` must be this
//! site. And changes must be JSON, which another site cannot send without a CORS preflight, which this server never
//! grants.
//!
//! Then the caller must be authorized: each route of the table declares what it needs.

use super::auth_service::AuthService;
use super::caller::Caller;
use super::error::{Error, ErrorKind};
use crate::auth::{Authorization, Needs, RequestCredential};
use crate::config::Authority;
use picoserve::request::RequestParts;

/// Sent with every response. Scripts, styles and images load from this origin only; no other site may frame, read or
/// embed a response; media types are not sniffed and no referrer is sent.
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

/// Checks Host and Origin. `hostname` is called only if `Host` is a name that is not among `hosts`, the further names
/// of this machine.
///
/// # Errors
/// The request comes from another site.
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
    // Browsers that omit Origin send this field.
    if !matches!(parts.method(), "GET" | "HEAD")
        && let Some(Ok(site @ ("cross-site" | "same-site"))) = field("sec-fetch-site")
    {
        return Err(foreign_origin(site));
    }
    Ok(())
}

/// Checks whether a caller may use a route. An expired credential is treated like none.
///
/// # Errors
/// The caller is not authorized.
pub fn authorize(auth: &AuthService, needs: Needs, pass: &Caller) -> Result<(), Error> {
    match needs.authorize(pass.principal()) {
        Authorization::Granted => Ok(()),
        Authorization::Unauthenticated => Err(auth.unauthenticated()),
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

/// The credential that a request presents.
pub fn credential(parts: &RequestParts<'_>) -> RequestCredential {
    let field = |name: &str| {
        let value = parts.headers().get(name)?;
        Some(value.as_str().unwrap_or_default())
    };
    RequestCredential::read(field("authorization"), field("cookie"))
}

/// Checks the media type of a body.
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

/// The port in a `Host`, if any.
pub fn port(host: &str) -> Option<u16> {
    Authority::parse(host).ok()?.port
}

/// An IP address is always this machine's own: DNS rebinding needs a name.
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
    // A machine may know its full domain name; clients on its network use the first label.
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
    fn addresses_and_names_of_this_machine_are_accepted() {
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
    fn names_of_other_machines_are_refused() {
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
