//! A minimal HTTP/1.1 client for one request a connection (RFC 9112).
//!
//! Written by hand instead of with a parser crate: three headers matter, the peer is our own daemon, and the program is
//! 3 kB smaller.

use serde::Serialize;
use std::io::{self, BufRead, Read};

/// The largest head of a response; that of the daemon has some hundred bytes.
const MAX_HEAD: u64 = 16 << 10;

/// A request.
#[derive(Clone, Debug, Default)]
pub struct Request {
    method: &'static str,
    target: String,
    headers: String,
    body: Option<Vec<u8>>,
}

impl Request {
    /// A request for a path and query, which must be percent-encoded.
    pub fn new(method: &'static str, target: impl Into<String>) -> Self {
        Self {
            method,
            target: target.into(),
            ..Self::default()
        }
    }

    /// A `GET` request.
    pub fn get(target: impl Into<String>) -> Self {
        Self::new("GET", target)
    }

    /// Adds a header; control characters are removed from its value.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push_str(name);
        self.headers.push_str(": ");
        self.headers
            .extend(value.chars().filter(|c| !c.is_control()));
        self.headers.push_str("\r\n");
        self
    }

    /// A `POST` request with an empty object.
    pub fn post(target: impl Into<String>) -> Self {
        Self::new("POST", target).body("{}")
    }

    /// Sets this value as the body.
    #[must_use]
    pub fn json(self, body: &impl Serialize) -> Self {
        self.body(serde_json::to_vec(body).expect("a JSON value can be written"))
    }

    /// Sets a body, which is JSON.
    #[must_use]
    pub fn body(mut self, json: impl Into<Vec<u8>>) -> Self {
        self.body = Some(json.into());
        self.header("Content-Type", "application/json")
    }

    /// The bytes that are sent.
    pub fn to_bytes(&self) -> Vec<u8> {
        let length = self.body.as_ref().map_or(0, Vec::len);
        // Without `Content-Length: 0` a server may refuse a `POST` with status 411.
        let length = match self.method {
            "GET" => String::new(),
            _ => format!("Content-Length: {length}\r\n"),
        };
        let head = format!(
            "{} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{}{length}\r\n",
            self.method, self.target, self.headers
        );
        let mut bytes = head.into_bytes();
        bytes.extend(self.body.iter().flatten());
        bytes
    }
}

/// The head of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// The entity tag, with its quotes.
    pub etag: Option<String>,
    /// The length of the body; `None` if it ends with the connection. The daemon sends no chunks.
    length: Option<u64>,
}

impl Head {
    /// Reads the head, skipping informational responses (1xx).
    ///
    /// # Errors
    /// An error of the socket, or `InvalidData` if this is not HTTP.
    pub fn read(reader: &mut impl BufRead) -> io::Result<Head> {
        let mut reader = reader.take(MAX_HEAD);
        loop {
            let head = Head::read_one(&mut reader)?;
            if head.status >= 200 {
                return Ok(head);
            }
        }
    }

    fn read_one(reader: &mut impl BufRead) -> io::Result<Head> {
        let first = line(reader)?;
        let status = first
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.split(' ').nth(1)?.parse().ok())
            .filter(|status| (100..600).contains(status));
        let Some(status) = status else {
            return Err(invalid(format!("{first:?} is not an HTTP status line")));
        };
        let has_body = !matches!(status, 100..200 | 204 | 304);
        let mut length = (!has_body).then_some(0);
        let mut etag = None;
        loop {
            let header = line(reader)?;
            if header.is_empty() {
                return Ok(Head {
                    status,
                    etag,
                    length,
                });
            }
            let Some((name, value)) = header.split_once(':') else {
                return Err(invalid(format!("{header:?} is not a header")));
            };
            let value = value.trim();
            if name.eq_ignore_ascii_case("etag") {
                etag = Some(value.to_owned());
            } else if name.eq_ignore_ascii_case("content-length") && has_body {
                let parsed = value.parse();
                length = Some(parsed.map_err(|_| invalid(format!("{value:?} is not a length")))?);
            }
        }
    }
}

/// One line without its line break; invalid UTF-8 is replaced.
fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(cut());
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

fn cut() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the connection was closed in the middle of the response",
    )
}

/// The body of a response.
#[derive(Debug)]
pub struct Body<R> {
    reader: R,
    /// What is left of a body with a length.
    left: Option<u64>,
}

impl<R: BufRead> Body<R> {
    /// The body that follows `head`.
    pub fn new(reader: R, head: &Head) -> Self {
        let left = head.length;
        Self { reader, left }
    }
}

impl<R: BufRead> Read for Body<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(left) = &mut self.left else {
            return self.reader.read(buffer);
        };
        let got = self.reader.by_ref().take(*left).read(buffer)?;
        *left -= got as u64;
        match got {
            0 if *left > 0 && !buffer.is_empty() => Err(cut()),
            got => Ok(got),
        }
    }
}

/// The target of a request about a process, with a suffix such as `/start`.
pub fn target(id: &str, rest: &str) -> String {
    format!("/api/processes/{}{rest}", segment(id))
}

/// A percent-encoded segment of a path (RFC 3986), so that an id that an operator typed cannot become another path.
pub fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            // The dot is encoded because `..` is the parent.
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut wire: &[u8]) -> io::Result<(u16, String)> {
        let head = Head::read(&mut wire)?;
        let mut text = String::new();
        Body::new(wire, &head).read_to_string(&mut text)?;
        Ok((head.status, text))
    }

    #[test]
    fn a_body_ends_where_its_framing_says() {
        for (wire, text) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhithere", "hi"),
            ("HTTP/1.1 200 OK\r\n\r\nall of it", "all of it"),
            ("HTTP/1.0 200\n\nbare newlines", "bare newlines"),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                "",
            ),
        ] {
            assert_eq!(
                read(wire.as_bytes()).unwrap(),
                (200, text.to_owned()),
                "{wire}"
            );
        }
        let wire = b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nxxxxx";
        assert_eq!(read(wire).unwrap(), (204, String::new()));
    }

    #[test]
    fn an_incomplete_response_is_an_error() {
        let wire = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        for end in 0..wire.len() {
            assert!(read(&wire.as_bytes()[..end]).is_err(), "{}", &wire[..end]);
        }
    }

    #[test]
    fn other_bytes_than_http_are_an_error() {
        let endless = [b"HTTP/1.1 200 OK\r\nx: ".as_slice(), &[b'x'; 20_000]].concat();
        for wire in [
            b"SSH-2.0-OpenSSH_9.2\r\n\r\n".as_slice(),
            b"HTTP/1.1 2x0 OK\r\n\r\n",
            b"HTTP/1.1 999 Odd\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"\xff\xfe\n",
            &endless,
        ] {
            assert!(read(wire).is_err(), "{}", String::from_utf8_lossy(wire));
        }
    }

    #[test]
    fn a_request_is_written_as_http() {
        let request = Request::new("PUT", "/api/config")
            .header("If-Match", "\"12\"\r\nEvil: yes")
            .body("{}");
        assert_eq!(
            String::from_utf8(request.to_bytes()).unwrap(),
            "PUT /api/config HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             If-Match: \"12\"Evil: yes\r\nContent-Type: application/json\r\n\
             Content-Length: 2\r\n\r\n{}"
        );
    }

    #[test]
    fn an_id_cannot_become_another_path() {
        assert_eq!(segment("data-sync_2"), "data-sync_2");
        assert_eq!(segment("../config"), "%2E%2E%2Fconfig");
        assert_eq!(segment("a b?c#ü"), "a%20b%3Fc%23%C3%BC");
    }
}
