//! Parses URLs, in one place: the server that the configuration accepts is the one that is connected to and compared.

use super::text_checks::check_text;
// Only parses addresses; opens no socket.
use core::net::{Ipv4Addr, Ipv6Addr};

/// The scheme of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `http://`
    Http,
    /// `https://`
    Https,
    /// `file://`
    File,
    /// `about:`
    About,
    /// `chrome://`
    Chrome,
}

/// The parsed URL of a page (RFC 3986, interpreted like a browser: WHATWG URL).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Url<'a> {
    /// The scheme; it may be written in upper or lower case.
    pub scheme: Scheme,
    /// The server of an `http` or `https` URL.
    pub authority: Option<Authority<'a>>,
    /// Path, query and fragment.
    rest: &'a str,
}

/// Host and port, as in a URL or in the header `Host`, without user and password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// A name, or an address without the brackets of IPv6.
    pub host: &'a str,
    /// The port, if it is given.
    pub port: Option<u16>,
    /// Host and port as they were written.
    pub text: &'a str,
}

impl<'a> Url<'a> {
    /// Parses a URL that a display process may show: `http`, `https`, `file`, `about` or `chrome`. Others (`javascript:`,
    /// `data:`) contain their content.
    ///
    /// # Errors
    /// What is allowed, in one sentence.
    pub fn parse(url: &'a str) -> Result<Self, &'static str> {
        const WRONG: &str =
            "must be a URL that starts with http://, https://, file://, about: or chrome://";
        check_text(url)?;
        if url.contains(char::is_whitespace) {
            return Err("must have no spaces; write %20 instead");
        }
        let (scheme, rest) = url.split_once(':').ok_or(WRONG)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            "file" => Scheme::File,
            "about" => Scheme::About,
            "chrome" => Scheme::Chrome,
            _ => return Err(WRONG),
        };
        let local = |rest| Url {
            scheme,
            authority: None,
            rest,
        };
        match (scheme, rest.strip_prefix("//")) {
            (Scheme::Http | Scheme::Https, Some(rest)) => {
                // Browsers interpret a backslash as a slash.
                let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
                let (authority, rest) = rest.split_at(end);
                let server = authority.rsplit_once('@').map_or(authority, |(_, it)| it);
                Ok(Url {
                    scheme,
                    authority: Some(Authority::parse(server)?),
                    rest,
                })
            }
            (Scheme::File, Some(path)) if path.contains('/') => Ok(local(path)),
            (Scheme::Chrome, Some(page)) if !page.is_empty() => Ok(local(page)),
            (Scheme::About, None) if !rest.is_empty() => Ok(local(rest)),
            _ => Err(WRONG),
        }
    }

    /// Host and port to connect to, of an `http` or `https` URL.
    pub fn server(&self) -> Option<(&'a str, u16)> {
        let default = match self.scheme {
            Scheme::Https => 443,
            _ => 80,
        };
        let authority = self.authority?;
        Some((authority.host, authority.port.unwrap_or(default)))
    }

    /// Path and query: the target of an HTTP request.
    pub fn target(&self) -> String {
        let target = self.rest.split('#').next().unwrap_or_default();
        format!("/{}", target.strip_prefix(['/', '\\']).unwrap_or(target))
    }

    /// The origin of an `http` or `https` URL.
    pub fn origin(&self) -> Option<Origin<'a>> {
        let (host, port) = self.server()?;
        Some(Origin {
            scheme: self.scheme,
            host,
            port,
        })
    }
}

/// Scheme, host and port.
#[derive(Clone, Copy, Debug, Eq)]
pub struct Origin<'a> {
    scheme: Scheme,
    host: &'a str,
    port: u16,
}

impl PartialEq for Origin<'_> {
    fn eq(&self, other: &Origin<'_>) -> bool {
        self.scheme == other.scheme
            && self.host.eq_ignore_ascii_case(other.host)
            && self.port == other.port
    }
}

impl<'a> Authority<'a> {
    /// Parses `HOST` or `HOST:PORT`.
    ///
    /// # Errors
    /// What is allowed, in one sentence.
    pub fn parse(text: &'a str) -> Result<Self, &'static str> {
        let (host, port) = match text.strip_prefix('[') {
            Some(inside) => {
                let (host, after) = (inside.split_once(']'))
                    .filter(|(host, _)| host.parse::<Ipv6Addr>().is_ok())
                    .ok_or("must have an IPv6 address in its brackets, as in http://[::1]/")?;
                let port = match after {
                    "" => "",
                    after => (after.strip_prefix(':')).ok_or("must have `:` before its port")?,
                };
                (host, port)
            }
            None => text.split_once(':').unwrap_or((text, "")),
        };
        if text.parse::<Ipv6Addr>().is_ok() {
            return Err("must have its IPv6 address in brackets, as in http://[::1]/");
        }
        if host.is_empty() {
            return Err("must name a host, as in http://example.com/");
        }
        if host.contains(['<', '>', '^', '|', '[', ']', '@', '/', '\\', '?', '#']) {
            return Err("must name a host without special characters");
        }
        const PORT: &str = "must have a port from 0 to 65535, or none";
        let port = match port {
            "" => None,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().map_err(|_| PORT)?)
            }
            _ => return Err(PORT),
        };
        Ok(Self {
            host,
            port,
            text: text.strip_suffix(':').unwrap_or(text),
        })
    }

    /// Whether the host is `localhost` or a loopback address, which needs no network.
    pub fn is_loopback(&self) -> bool {
        let host = self.host;
        host.eq_ignore_ascii_case("localhost")
            || (host.parse::<Ipv4Addr>()).is_ok_and(|address| address.is_loopback())
            || (host.parse::<Ipv6Addr>()).is_ok_and(|address| address.is_loopback())
    }

    /// Whether the host is an address rather than a name.
    pub fn is_address(&self) -> bool {
        self.host.parse::<Ipv4Addr>().is_ok() || self.host.parse::<Ipv6Addr>().is_ok()
    }
}

/// Checks that a display process may show the page at `url`.
///
/// # Errors
/// What is allowed, in one sentence.
pub fn check_url(url: &str) -> Result<(), &'static str> {
    Url::parse(url).map(drop)
}

/// Checks the URL of a readiness check: plain `http` only, because it asks this machine or one on its network.
///
/// # Errors
/// What is allowed, in one sentence.
pub(super) fn check_http_url(url: &str) -> Result<(), &'static str> {
    const WRONG: &str = "must be a URL that starts with http://";
    match Url::parse(url) {
        Ok(url) if url.scheme == Scheme::Http => Ok(()),
        Ok(_) => Err(WRONG),
        Err(_)
            if !url
                .get(..7)
                .is_some_and(|it| it.eq_ignore_ascii_case("http://")) =>
        {
            Err(WRONG)
        }
        Err(why) => Err(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_parsed_like_a_browser_does() {
        // The URL; host and port to connect to; host and port as written; path and query.
        for (url, server, shown, target) in [
            ("http://localhost", ("localhost", 80), "localhost", "/"),
            (
                "HTTP://Localhost:81",
                ("Localhost", 81),
                "Localhost:81",
                "/",
            ),
            (
                "hTTps://example.org/a:1?b@c",
                ("example.org", 443),
                "example.org",
                "/a:1?b@c",
            ),
            ("http://host:/", ("host", 80), "host", "/"),
            ("https://host:?q", ("host", 443), "host", "/?q"),
            (
                "http://10.0.0.1:81?x#y",
                ("10.0.0.1", 81),
                "10.0.0.1:81",
                "/?x",
            ),
            (
                "http://[::1]:8080/a?b#c",
                ("::1", 8080),
                "[::1]:8080",
                "/a?b",
            ),
            ("https://[fd00::1]", ("fd00::1", 443), "[fd00::1]", "/"),
            ("http://[::1]:/", ("::1", 80), "[::1]", "/"),
            ("http://u:p@host:8080/", ("host", 8080), "host:8080", "/"),
            ("http://u:p@q@[::1]:1/x", ("::1", 1), "[::1]:1", "/x"),
            ("http://u:@host", ("host", 80), "host", "/"),
            (
                "http://host\\@evil.example/",
                ("host", 80),
                "host",
                "/@evil.example/",
            ),
            ("http://host#@evil.example/", ("host", 80), "host", "/"),
            (
                "http://host?@evil.example/",
                ("host", 80),
                "host",
                "/?@evil.example/",
            ),
            ("https://例え.jp/", ("例え.jp", 443), "例え.jp", "/"),
        ] {
            let parsed = Url::parse(url).unwrap_or_else(|why| panic!("{url}: {why}"));
            assert_eq!(parsed.server(), Some(server), "{url}");
            assert_eq!(parsed.authority.map(|it| it.text), Some(shown), "{url}");
            assert_eq!(parsed.target(), target, "{url}");
        }
        for url in [
            "file:///srv/kiosk/index.html",
            "about:blank",
            "chrome://gpu",
            "FILE:///x",
        ] {
            assert_eq!(Url::parse(url).map(|url| url.server()), Ok(None), "{url}");
        }
    }

    #[test]
    fn an_invalid_url_is_refused() {
        for url in [
            "",
            "example.com",
            "//example.com",
            "http:example.com",
            "http://",
            "https:///path",
            "http://:80/",
            "http://@/",
            "http://u:p@/",
            "http://host:99999/",
            "http://host:abc/",
            "http://host:+80/",
            "http://host:80:80/",
            "http://::1/",
            "http://fe80::1:8080/",
            "http://[::1/",
            "http://[::1]8080/",
            "http://[localhost]/",
            "http://[]/",
            "http://<script>/",
            "file:x",
            "about:",
            "chrome://",
            "javascript:alert(1)",
            "data:text/html,x",
            "ftp://x/",
            "http://a b/",
            "http://a\n/",
        ] {
            assert!(check_url(url).is_err(), "{url:?} was accepted");
        }
        assert_eq!(
            check_url("http://::1/"),
            Err("must have its IPv6 address in brackets, as in http://[::1]/")
        );
    }

    #[test]
    fn a_readiness_check_uses_plain_http() {
        for url in [
            "http://localhost:3000/health",
            "HTTP://localhost",
            "http://h:/",
        ] {
            assert_eq!(check_http_url(url), Ok(()), "{url}");
        }
        for (url, why) in [
            (
                "https://localhost/",
                "must be a URL that starts with http://",
            ),
            ("localhost:3000", "must be a URL that starts with http://"),
            ("", "must be a URL that starts with http://"),
            ("ééééééé", "must be a URL that starts with http://"),
            ("http://", "must name a host, as in http://example.com/"),
            ("http://a b/", "must have no spaces; write %20 instead"),
        ] {
            assert_eq!(check_http_url(url), Err(why), "{url}");
        }
    }

    #[test]
    fn pages_of_the_same_server_have_the_same_origin() {
        let origin = |url| Url::parse(url).unwrap().origin();
        for (one, two) in [
            ("http://a/x", "HTTP://A:80/y?z"),
            ("https://a:443/", "https://u:p@a/"),
            ("http://[::1]:80/", "http://[::1]"),
        ] {
            assert_eq!(origin(one), origin(two));
        }
        for (one, two) in [
            ("http://a/", "https://a/"),
            ("http://a/", "http://a:81/"),
            ("http://a/", "http://b/"),
        ] {
            assert_ne!(origin(one), origin(two));
        }
        assert_eq!(origin("file:///a"), None);
    }

    #[test]
    fn loopback_hosts_are_recognized() {
        let is_loopback = |text| Authority::parse(text).unwrap().is_loopback();
        for text in [
            "localhost",
            "LocalHost:3000",
            "127.0.0.1",
            "127.9.9.9:80",
            "[::1]:1",
        ] {
            assert!(is_loopback(text), "{text}");
        }
        for text in [
            "localhost.evil.example",
            "127.evil.example",
            "10.0.0.1",
            "[::2]",
        ] {
            assert!(!is_loopback(text), "{text}");
        }
    }
}
