//! What counts as the address of a page.

use super::checks::check_text;

/// Finds out whether a display process may show the page at `url`: `http`, `https`,
/// `file`, `about` or `chrome`. What else a browser takes (`javascript:`, `data:`)
/// is a program rather than an address.
///
/// # Errors
/// What would be right, in one sentence.
pub fn check_url(url: &str) -> Result<(), &'static str> {
    const WRONG: &str =
        "must be an address that begins with http://, https://, file://, about: or chrome://";
    check_text(url)?;
    if url.contains(char::is_whitespace) {
        return Err("must have no spaces; write %20 instead");
    }
    let (scheme, rest) = url.split_once(':').ok_or(WRONG)?;
    match (
        scheme.to_ascii_lowercase().as_str(),
        rest.strip_prefix("//"),
    ) {
        ("http" | "https", Some(rest)) => check_host(rest),
        ("file", Some(path)) if path.contains('/') => Ok(()),
        ("chrome", Some(page)) if !page.is_empty() => Ok(()),
        ("about", None) if !rest.is_empty() => Ok(()),
        _ => Err(WRONG),
    }
}

/// Finds out whether readiness may be asked for at `url`: plain `http` only, for it
/// is this machine, or one beside it, that is asked.
///
/// # Errors
/// What would be right, in one sentence.
pub(super) fn check_http_url(url: &str) -> Result<(), &'static str> {
    const WRONG: &str = "must be an address that begins with http://";
    check_text(url)?;
    if url.contains(char::is_whitespace) {
        return Err("must have no spaces; write %20 instead");
    }
    let scheme = url.get(..7).ok_or(WRONG)?;
    if !scheme.eq_ignore_ascii_case("http://") {
        return Err(WRONG);
    }
    check_host(&url[7..])
}

/// Something must stand between `//` and the path, and a port must be one.
fn check_host(rest: &str) -> Result<(), &'static str> {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    // The colons of an IPv6 address stand in brackets.
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (host, ""),
    };
    if name.is_empty() {
        return Err("must name a host, as in http://example.com/");
    }
    if !port.is_empty() && port.parse::<u16>().is_err() {
        return Err("must have a port from 0 to 65535, or none");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_pages_are_taken() {
        for url in [
            "https://lumencanvas.studio/canvas/abc",
            "HTTP://localhost:8081",
            "http://[::1]:3000/?a=b&c=d#e",
            "http://user:word@kiosk.local/",
            "file:///srv/kiosk/index.html",
            "about:blank",
            "chrome://gpu",
            "https://例え.jp/",
        ] {
            assert_eq!(check_url(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for url in [
            "",
            "example.com",
            "//example.com",
            "http:example.com",
            "http://",
            "https:///path",
            "http://:80/",
            "http://host:99999/",
            "http://host:abc/",
            "file:x",
            "about:",
            "chrome://",
            "javascript:alert(1)",
            "data:text/html,x",
            "ftp://x/",
            "http://a b/",
            "http://a\n/",
        ] {
            assert!(check_url(url).is_err(), "{url:?} was taken");
        }
    }

    #[test]
    fn readiness_is_asked_for_by_plain_http() {
        assert_eq!(check_http_url("http://localhost:3000/health"), Ok(()));
        for url in [
            "https://localhost/",
            "http://",
            "localhost:3000",
            "",
            "ééééééé",
        ] {
            assert!(check_http_url(url).is_err(), "{url:?} was taken");
        }
    }
}
