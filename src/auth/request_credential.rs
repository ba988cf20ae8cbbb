//! Parses the credential that a request presents. The input is untrusted.

use super::secret::Secret;

/// The name of the session cookie for a client that names no port.
const COOKIE_NAME: &str = "ossuary";

/// The name of the session cookie at a port. Browsers send a cookie to every port of a host, so another server on the
/// host would replace a cookie of the same name.
pub fn cookie_name(port: Option<u16>) -> String {
    match port {
        Some(port) => format!("{COOKIE_NAME}-{port}"),
        None => COOKIE_NAME.to_owned(),
    }
}

/// Whether this is the session cookie of any port. Earlier versions used the name without a port.
fn is_session_cookie(name: &str) -> bool {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match name.strip_prefix(COOKIE_NAME) {
        Some("") => true,
        Some(rest) => rest.strip_prefix('-').is_some_and(is_port),
        None => false,
    }
}

/// The credential that a request presents.
#[derive(Clone, Debug)]
pub enum RequestCredential {
    /// No credential for this server.
    None,
    /// Every cookie that may be the session's; at least one.
    Session(Vec<Secret>),
    /// A token.
    Token(Secret),
    /// A credential that is not well-formed.
    Invalid,
}

impl RequestCredential {
    /// Parses the fields `Authorization` and `Cookie`. With `Authorization` the cookies are ignored.
    pub fn read(authorization: Option<&str>, cookies: Option<&str>) -> Self {
        if let Some(authorization) = authorization {
            return token(authorization)
                .map_or(RequestCredential::Invalid, RequestCredential::Token);
        }
        let values: Vec<&str> = cookies.into_iter().flat_map(session_cookies).collect();
        let secrets: Vec<Secret> = (values.iter())
            .filter_map(|value| Secret::from_cookie(value))
            .collect();
        match (values.is_empty(), secrets.is_empty()) {
            (true, _) => RequestCredential::None,
            (false, true) => RequestCredential::Invalid,
            (false, false) => RequestCredential::Session(secrets),
        }
    }
}

/// `Bearer TOKEN` (RFC 6750, section 2.1).
fn token(authorization: &str) -> Option<Secret> {
    let (scheme, token) = authorization.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    Secret::from_token(is_bearer.then_some(token)?.trim_matches(' '))
}

/// The values of all session cookies (RFC 6265, section 4.2.1). There can be several: browsers also send those that
/// other ports of the host have set, in an order that does not identify their origin.
fn session_cookies(cookies: &str) -> impl Iterator<Item = &str> {
    (cookies.split(';'))
        .filter_map(|pair| pair.split_once('='))
        .filter(|(name, _)| is_session_cookie(name.trim()))
        .map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(authorization: Option<&str>, cookies: Option<&str>) -> &'static str {
        match RequestCredential::read(authorization, cookies) {
            RequestCredential::None => "none",
            RequestCredential::Session(_) => "session",
            RequestCredential::Token(_) => "token",
            RequestCredential::Invalid => "invalid",
        }
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let secret = Secret::from_random([3; 32]).to_cookie();
        for cookies in [
            format!("ossuary={secret}"),
            format!("theme=dark; ossuary={secret}; lang=en"),
            format!("theme;ossuary= {secret} ;"),
            format!("ossuary=x; ossuary={secret}"),
            format!("ossuary-8081={secret}; ossuary-8082=x; ossuary="),
        ] {
            assert_eq!(kind(None, Some(&cookies)), "session", "{cookies}");
        }
        assert_eq!(kind(None, Some("theme=dark")), "none");
        assert_eq!(kind(None, Some(&format!("xossuary={secret}"))), "none");
        assert_eq!(kind(None, Some(&format!("ossuary-x={secret}"))), "none");
        assert_eq!(kind(None, Some(&format!("ossuary-={secret}"))), "none");
        assert_eq!(kind(None, Some("ossuary=")), "invalid");
        assert_eq!(kind(None, None), "none");
    }

    #[test]
    fn anything_but_a_token_in_authorization_is_invalid() {
        let secret = Secret::from_random([3; 32]);
        let (token, cookie) = (secret.to_token(), secret.to_cookie());
        let cookies = format!("ossuary={cookie}");
        assert_eq!(kind(Some(&format!("Bearer {token}")), None), "token");
        assert_eq!(
            kind(Some(&format!("bearer  {token}")), Some(&cookies)),
            "token"
        );
        for other in [
            "",
            "Bearer",
            &token,
            &format!("Basic {token}"),
            &format!("Bearer {cookie}"),
        ] {
            assert_eq!(kind(Some(other), Some(&cookies)), "invalid", "{other}");
        }
    }
}
