//! Reads the credential that a request brings: strangers' bytes.

use super::secret::Secret;

/// The name of the session's cookie.
pub const COOKIE: &str = "ossuary";

/// What a request shows to be let in.
#[derive(Clone, Debug)]
pub enum Presented {
    /// Nothing that is meant for us.
    Nothing,
    /// The cookie of a session.
    Session(Secret),
    /// A token.
    Token(Secret),
    /// Something that never was a credential of ours.
    Nonsense,
}

impl Presented {
    /// Reads the header fields `Authorization` and `Cookie`. Whoever sends a token means it: a cookie beside it is not
    /// looked at.
    pub fn read(authorization: Option<&str>, cookies: Option<&str>) -> Self {
        if let Some(authorization) = authorization {
            return token(authorization).map_or(Presented::Nonsense, Presented::Token);
        }
        match cookies.and_then(cookie) {
            None => Presented::Nothing,
            Some(text) => Secret::from_cookie(text).map_or(Presented::Nonsense, Presented::Session),
        }
    }
}

/// `Bearer TOKEN` (RFC 6750, section 2.1).
fn token(authorization: &str) -> Option<Secret> {
    let (scheme, token) = authorization.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    Secret::from_token(is_bearer.then_some(token)?.trim_matches(' '))
}

/// The value of our cookie among those that were sent (RFC 6265, section 4.2.1). One that stands there twice
/// counts as it stands first: browsers send the one with the longer path first, and we set `Path=/`.
fn cookie(cookies: &str) -> Option<&str> {
    (cookies.split(';'))
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| name.trim() == COOKIE)
        .map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(authorization: Option<&str>, cookies: Option<&str>) -> &'static str {
        match Presented::read(authorization, cookies) {
            Presented::Nothing => "nothing",
            Presented::Session(_) => "session",
            Presented::Token(_) => "token",
            Presented::Nonsense => "nonsense",
        }
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let secret = Secret::from_random([3; 32]).to_cookie();
        for cookies in [
            format!("ossuary={secret}"),
            format!("theme=dark; ossuary={secret}; lang=en"),
            format!("theme;ossuary= {secret} ;"),
        ] {
            assert_eq!(kind(None, Some(&cookies)), "session", "{cookies}");
        }
        assert_eq!(kind(None, Some("theme=dark")), "nothing");
        assert_eq!(kind(None, Some(&format!("xossuary={secret}"))), "nothing");
        assert_eq!(kind(None, Some("ossuary=")), "nonsense");
        assert_eq!(kind(None, None), "nothing");
    }

    #[test]
    fn a_token_is_believed_and_anything_else_in_its_place_is_nonsense() {
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
            assert_eq!(kind(Some(other), Some(&cookies)), "nonsense", "{other}");
        }
    }
}
