//! Validates a request head before picoserve parses it.
//!
//! picoserve fails `two_lengths_or_an_obfuscated_length_are_refused` and
//! `a_line_that_is_malformed_or_does_not_end_in_cr_lf_is_refused` in `tests/http/smuggling.rs`: it treats an invalid
//! Content-Length as none, uses the first of two, and accepts folded fields and bare line feeds. Each lets two programs
//! disagree about where a request ends (request smuggling). Here a head either conforms to RFC 9112 or is refused, so picoserve only sees heads that can be read in
//! one way.

use crate::http::error::{Error, ErrorKind};
use crate::http::limits::{BODY_MAX, HEAD_MAX};
use memchr::memchr_iter;

/// The longest target; longer than that of any route.
const TARGET_MAX: usize = 2048;

/// The most fields; more than any browser or proxy sends.
const FIELDS_MAX: usize = 64;

/// Fields that may occur only once, because programs disagree about which of two applies.
const SINGLETON_FIELDS: [&str; 9] = [
    "authorization",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "last-event-id",
    "origin",
    "transfer-encoding",
];

/// The facts about a valid head that the server needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its length in bytes, with the empty line.
    pub length: usize,
    /// The length of the body.
    pub body: usize,
    /// Whether the client may send another request afterwards.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
    /// The range of scheme and authority in a target in absolute form ([`to_origin_form`]).
    pub absolute_prefix: Option<(usize, usize)>,
}

/// The length of the head at the start of `bytes`, or `None` if it is incomplete. The first `seen` bytes were searched
/// before.
///
/// # Errors
/// A line does not end in CR LF, or the head is longer than [`HEAD_MAX`].
pub fn find_end(bytes: &[u8], seen: usize) -> Result<Option<usize>, Error> {
    for feed in memchr_iter(b'\n', &bytes[seen..]).map(|at| at + seen) {
        if feed >= HEAD_MAX {
            break;
        }
        match &bytes[..feed] {
            [.., b'\r', b'\n', b'\r'] => return Ok(Some(feed + 1)),
            [.., b'\r'] => (),
            _ => {
                return Err(malformed(
                    "a line of the request head does not end in CR LF",
                ));
            }
        }
    }
    if bytes.len() >= HEAD_MAX {
        return Err(Error::new(
            ErrorKind::HeadTooLarge,
            format!("the request head is longer than {HEAD_MAX} bytes"),
        ));
    }
    Ok(None)
}

/// Validates a whole head, with its empty line.
///
/// # Errors
/// The first violation. The connection cannot be used any more, because it is unknown where the next request begins.
pub fn check(head: &[u8]) -> Result<Head, Error> {
    let mut lines = head
        .split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let request = check_request_line(lines.next().unwrap_or_default())?;
    let is_http_1_1 = request.is_http_1_1;
    let mut checked = Head {
        length: head.len(),
        body: 0,
        keep_alive: is_http_1_1,
        expects_continue: false,
        absolute_prefix: request.origin,
    };
    let mut seen = [false; SINGLETON_FIELDS.len()];
    for (number, line) in lines.take_while(|line| !line.is_empty()).enumerate() {
        if number == FIELDS_MAX {
            return Err(Error::new(
                ErrorKind::HeadTooLarge,
                format!("the request head has more than {FIELDS_MAX} fields"),
            ));
        }
        let (name, value) = field(line)?;
        if let Some(place) = SINGLETON_FIELDS
            .iter()
            .position(|once| name.eq_ignore_ascii_case(once))
            && std::mem::replace(&mut seen[place], true)
        {
            return Err(malformed(format!("two fields {name}")));
        }
        if name.eq_ignore_ascii_case("host") {
            check_authority(request.authority, value)?;
        } else if name.eq_ignore_ascii_case("content-length") {
            checked.body = content_length(value)?;
        } else if name.eq_ignore_ascii_case("connection") {
            checked.keep_alive &= !value
                .split(',')
                .any(|option| option.trim().eq_ignore_ascii_case("close"));
        } else if name.eq_ignore_ascii_case("expect") {
            if !value.eq_ignore_ascii_case("100-continue") {
                return Err(Error::new(
                    ErrorKind::Expectation,
                    format!("unsupported expectation: {value}"),
                ));
            }
            checked.expects_continue = is_http_1_1;
        }
    }
    let seen = |name| {
        SINGLETON_FIELDS
            .iter()
            .zip(seen)
            .any(|(once, seen)| *once == name && seen)
    };
    if seen("transfer-encoding") {
        return Err(Error::new(
            ErrorKind::LengthRequired,
            "a body must come with Content-Length, not Transfer-Encoding",
        ));
    }
    if !seen("host") {
        return Err(malformed("the request has no field Host"));
    }
    if checked.body > BODY_MAX {
        return Err(Error::new(
            ErrorKind::BodyTooLarge,
            format!("the body is longer than {BODY_MAX} bytes"),
        ));
    }
    Ok(checked)
}

/// Converts a target in absolute form to origin form: RFC 9112, section 3.2.2, requires servers to accept both.
/// [`check`] has verified that `Host` equals the authority that this removes.
pub fn to_origin_form(bytes: &mut Vec<u8>, head: &Head) {
    if let Some((start, end)) = head.absolute_prefix {
        let path: &[u8] = if bytes[end] == b'/' { b"" } else { b"/" };
        bytes.splice(start..end, path.iter().copied());
    }
}

/// The authority of a target in absolute form must equal `Host` (RFC 9112, section 3.2), so that no two programs see
/// different hosts.
fn check_authority(authority: Option<&str>, host: &str) -> Result<(), Error> {
    match authority {
        Some(authority) if !authority.eq_ignore_ascii_case(host) => Err(malformed(
            "Host must be the host and port that the request target names",
        )),
        _ => Ok(()),
    }
}

/// The parts of a request line.
struct RequestLine<'l> {
    /// Whether it is HTTP/1.1 rather than 1.0.
    is_http_1_1: bool,
    /// The host and port of a target in absolute form.
    authority: Option<&'l str>,
    /// The range of scheme and authority.
    origin: Option<(usize, usize)>,
}

fn check_request_line(line: &[u8]) -> Result<RequestLine<'_>, Error> {
    let bad = || malformed("the request line must be: METHOD /path HTTP/1.1");
    let line = std::str::from_utf8(line).map_err(|_| bad())?;
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(bad());
    };
    if method.is_empty() || method.len() > 16 || !method.bytes().all(is_token) {
        return Err(bad());
    }
    if target.len() > TARGET_MAX {
        return Err(Error::new(
            ErrorKind::TargetTooLong,
            format!("the request target is longer than {TARGET_MAX} bytes"),
        ));
    }
    let graphic = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
    let scheme = ["http://", "https://"].into_iter().find(|scheme| {
        let start = target.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let scheme = scheme.map(str::len);
    let authority = scheme.map(|scheme| {
        let rest = &target[scheme..];
        &rest[..rest.find(['/', '?']).unwrap_or(rest.len())]
    });
    let is_bad = authority.is_some_and(|authority| authority.is_empty() || authority.contains('@'));
    if (authority.is_none() && !target.starts_with('/')) || is_bad || !target.bytes().all(graphic) {
        return Err(malformed(
            "the request target must be a path, or a URL without a user name",
        ));
    }
    let start = method.len() + 1;
    let line = |is_http_1_1| RequestLine {
        is_http_1_1,
        authority,
        origin: (scheme.zip(authority))
            .map(|(scheme, authority)| (start, start + scheme + authority.len())),
    };
    match version {
        "HTTP/1.1" => Ok(line(true)),
        "HTTP/1.0" => Ok(line(false)),
        _ if version.starts_with("HTTP/") && version.bytes().all(graphic) => Err(Error::new(
            ErrorKind::Version,
            "only HTTP/1.1 and HTTP/1.0 are supported",
        )),
        _ => Err(bad()),
    }
}

/// Name and value of a field. As RFC 9112, section 5, requires, folded fields, white space before the colon and control
/// characters are refused.
fn field(line: &[u8]) -> Result<(&str, &str), Error> {
    let bad = || malformed("a field of the request head must be: Name: value");
    let line = std::str::from_utf8(line).map_err(|_| bad())?;
    let (name, value) = line.split_once(':').ok_or_else(bad)?;
    let printable = |byte: u8| byte == b'\t' || (byte >= b' ' && byte != 0x7f);
    if name.is_empty() || !name.bytes().all(is_token) || !value.bytes().all(printable) {
        return Err(bad());
    }
    Ok((name, value.trim_matches([' ', '\t'])))
}

/// Accepts digits only: no sign and no list.
fn content_length(value: &str) -> Result<usize, Error> {
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed("Content-Length must be a number"));
    }
    // A number that overflows is too large in any case.
    Ok(value.parse().unwrap_or(usize::MAX))
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn malformed(detail: impl Into<String>) -> Error {
    Error::new(ErrorKind::Malformed, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(head: &str) -> Result<Head, u16> {
        check(head.as_bytes()).map_err(|error| error.status())
    }

    #[test]
    fn a_valid_head_passes() {
        let head = "PUT /api/config?x=1 HTTP/1.1\r\nHost: kiosk:8081\r\ncontent-length: 12\r\nX-Odd:\r\n\r\n";
        let expected = Head {
            length: head.len(),
            body: 12,
            keep_alive: true,
            expects_continue: false,
            absolute_prefix: None,
        };
        assert_eq!(checked(head), Ok(expected));
        assert_eq!(find_end(head.as_bytes(), 0), Ok(Some(head.len())));
    }

    #[test]
    fn the_end_is_found_wherever_the_bytes_are_split() {
        let head = b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET";
        for cut in 0..head.len() {
            let early = find_end(&head[..cut], 0).expect("nothing is wrong with it");
            let length = early.or(find_end(head, cut).expect("nor with the rest"));
            assert_eq!(length, Some(head.len() - 3));
        }
    }

    #[test]
    fn an_ambiguous_length_is_refused() {
        for length in [
            "5\r\nContent-Length: 5",
            "5, 5",
            "+5",
            "-1",
            "0x5",
            "",
            "5 5",
        ] {
            let head = format!("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
            assert_eq!(checked(&head), Err(400), "{length}");
        }
        let both =
            "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(checked(both), Err(411));
        let huge = "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n";
        assert_eq!(checked(huge), Err(413));
    }

    #[test]
    fn a_head_with_malformed_lines_is_refused() {
        for head in [
            "GET / HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\rContent-Length: 5\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\0\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\r\r\nHost: x\r\n\r\n",
            "GET http://y/ HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET http://x:80/ HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET http://u@x/ HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET http:/// HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /\u{a0} HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /#x HTTP/1.1\r\nHost: x\r\n\r\n",
            "\r\n",
        ] {
            assert_eq!(checked(head), Err(400), "{head:?}");
        }
        assert_eq!(checked("GET / HTTP/2.0\r\nHost: x\r\n\r\n"), Err(505));
    }

    #[test]
    fn a_target_in_absolute_form_is_converted_to_origin_form() {
        for (target, host, origin) in [
            ("http://x/a?b", "x", "/a?b"),
            ("HTTP://X:80", "x:80", "/"),
            (
                "https://[::1]:8081?q=http://y/",
                "[::1]:8081",
                "/?q=http://y/",
            ),
            ("/a", "x", "/a"),
        ] {
            let mut bytes = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes();
            let head = check(&bytes).expect("nothing is wrong with it");
            to_origin_form(&mut bytes, &head);
            let expected = format!("GET {origin} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            assert_eq!(bytes, expected.into_bytes(), "{target}");
        }
    }

    #[test]
    fn a_bare_line_feed_is_refused_at_once() {
        assert!(find_end(b"GET / HTTP/1.1\n", 0).is_err());
        assert!(find_end(b"\n", 0).is_err());
    }

    #[test]
    fn an_endless_head_is_refused_at_its_limit() {
        assert_eq!(find_end(&[b'a'; HEAD_MAX - 1], 0), Ok(None));
        assert_eq!(
            find_end(&[b'a'; HEAD_MAX], 0).map_err(|error| error.status()),
            Err(431)
        );
        let fields = "A: b\r\n".repeat(FIELDS_MAX + 1);
        assert_eq!(
            checked(&format!("GET / HTTP/1.1\r\n{fields}\r\n")),
            Err(431)
        );
    }

    #[test]
    fn http_1_0_and_connection_close_end_the_connection() {
        let keeps = |head: &str| checked(head).map(|head| head.keep_alive);
        assert_eq!(keeps("GET / HTTP/1.0\r\nHost: x\r\n\r\n"), Ok(false));
        assert_eq!(
            keeps("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, Close\r\n\r\n"),
            Ok(false)
        );
    }
}
