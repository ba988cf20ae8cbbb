//! Request smuggling: a request whose end is ambiguous is refused, and nothing after it is read.
//!
//! The cases are the known ways to make servers and proxies disagree: two lengths, a length beside a transfer coding,
//! obfuscated codings and lengths, chunks, unusual line ends, folded lines, invalid UTF-8, and targets that name
//! another machine. Each is followed by a request that would stop a process.

use crate::harness::{Kiosk, kiosk};
use smol::future::yield_now;
use smol::io::AsyncWriteExt;
use std::net::Shutdown;

const SMUGGLED: &str = "POST /api/processes/data-sync/stop HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// The status codes of all responses to these bytes.
async fn answers(kiosk: &Kiosk, bytes: &[u8]) -> Vec<u16> {
    let mut client = kiosk.connect().await;
    let bytes = client.with_credential(bytes);
    // The server may close the connection in the middle of it.
    let _ = client.stream.write_all(&bytes).await;
    let _ = client.stream.shutdown(Shutdown::Write);
    statuses(&client.rest().await)
}

/// The status codes of consecutive responses.
fn statuses(bytes: &[u8]) -> Vec<u16> {
    let mut codes = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = rest.windows(4).position(|four| four == b"\r\n\r\n");
        let head = std::str::from_utf8(&rest[..end.expect("a whole head")]).expect("text");
        let code = head.strip_prefix("HTTP/1.1 ").expect("a status line");
        codes.push(code[..3].parse().expect("a status"));
        let length = (head.lines())
            .find_map(|line| line.strip_prefix("Content-Length: "))
            .map_or(0, |length| length.parse().expect("a number"));
        rest = &rest[head.len() + 4 + length..];
    }
    codes
}

/// Each of these is refused once, and the request behind it is not read.
fn refused(status: u16, requests: impl IntoIterator<Item = Vec<u8>>) {
    kiosk(async |kiosk| {
        for request in requests {
            let mut bytes = request.clone();
            bytes.extend_from_slice(SMUGGLED.as_bytes());
            let said = answers(&kiosk, &bytes).await;
            let request = String::from_utf8_lossy(&request);
            assert_eq!(said, [status], "{request:?}");
            assert!(kiosk.received_command().is_none(), "{request:?}");
        }
    });
}

/// A change with these fields, as whole lines, and this body.
fn with_fields(fields: &[u8], body: &[u8]) -> Vec<u8> {
    let head = b"POST /api/reload HTTP/1.1\r\nHost: localhost\r\n";
    [head, fields, b"\r\n", body].concat()
}

#[test]
fn two_lengths_or_an_obfuscated_length_are_refused() {
    let fields: [&[u8]; 18] = [
        b"Content-Length: 0\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 5\r\n",
        b"Content-Length: 0\r\nX: y\r\ncontent-length: 5\r\n",
        b"CONTENT-LENGTH: 0\r\nContent-LENGTH: 0\r\n",
        b"Content-Length: 5,5\r\n",
        b"Content-Length: 0 5\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: -5\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length: 5.0\r\n",
        b"Content-Length: 5e0\r\n",
        b"Content-Length: 0_5\r\n",
        b"Content-Length: \"5\"\r\n",
        b"Content-Length: 5;x\r\n",
        "Content-Length: \u{665}\r\n".as_bytes(),
        b"Content-Length: \x0b5\r\n",
        b"Content-Length:\r\n",
        b"Content-Length: \r\n",
    ];
    refused(400, fields.map(|fields| with_fields(fields, b"")));
    let huge = ["262145", "18446744073709551616", "99999999999999999999999"];
    refused(
        413,
        huge.map(|length| with_fields(format!("Content-Length: {length}\r\n").as_bytes(), b"")),
    );
}

#[test]
fn every_transfer_coding_is_refused() {
    let chunked: &[u8] = b"0\r\n\r\n";
    let fields: [&[u8]; 17] = [
        b"Transfer-Encoding: chunked\r\n",
        b"transfer-encoding:chunked\r\n",
        b"TRANSFER-ENCODING: CHUNKED\r\n",
        b"Transfer-Encoding:\tchunked\r\n",
        b"Transfer-Encoding: chunked\t \r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"Transfer-Encoding: identity, chunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: \"chunked\"\r\n",
        b"Transfer-Encoding: chunked;q=1\r\n",
        b"Transfer-Encoding:\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n",
        b"TE: trailers\r\nTrailer: Content-Length\r\nTransfer-Encoding: chunked\r\n",
    ];
    refused(411, fields.map(|fields| with_fields(fields, chunked)));
    let twice = b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n";
    let disguised: [&[u8]; 10] = [
        b"Transfer-Encoding : chunked\r\n",
        b" Transfer-Encoding: chunked\r\n",
        b"\tTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding\r\n : chunked\r\n",
        b"Transfer-Encoding:\r\n chunked\r\n",
        b"X: y\rTransfer-Encoding: chunked\r\n",
        b"X: y\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\0\r\n",
        b"Transfer-Encoding: \x0bchunked\r\n",
        b"Transfer-Encoding: \xffchunked\r\n",
    ];
    refused(
        400,
        disguised.map(|fields| with_fields(&[b"Content-Length: 5\r\n", fields].concat(), chunked)),
    );
    refused(400, [with_fields(twice, chunked)]);
    let older =
        b"POST /api/reload HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    refused(411, [[&older[..], chunked].concat()]);
}

/// Chunks can be as ambiguous as lengths; the server never reads any.
#[test]
fn a_chunked_body_is_refused_before_its_first_chunk() {
    let bodies: [&[u8]; 12] = [
        b"2\r\n{}\r\n0\r\n\r\n",
        b"2;x\r\n{}\r\n0\r\n\r\n",
        b"2;x=\"\r\n\"\r\n{}\r\n0\r\n\r\n",
        b"2;\n{}\r\n0\r\n\r\n",
        b"2 ;x=y\r\n{}\r\n0\r\n\r\n",
        b"0x2\r\n{}\r\n0\r\n\r\n",
        b"+2\r\n{}\r\n0\r\n\r\n",
        b"10000000000000002\r\n{}\r\n0\r\n\r\n",
        b"2\n{}\n0\n\n",
        b"2\r\n{}XX0\r\n\r\n",
        b"0\r\nContent-Length: 5\r\n\r\n",
        b"\r\n\r\n",
    ];
    let fields = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n";
    refused(411, bodies.map(|body| with_fields(fields, body)));
}

#[test]
fn a_line_that_is_malformed_or_does_not_end_in_cr_lf_is_refused() {
    let requests: [&[u8]; 28] = [
        // Bare line feeds.
        b"GET /healthz HTTP/1.1\nHost: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\n\n",
        b"\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        // Bare carriage returns.
        b"GET /healthz HTTP/1.1\r\r\nHost: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\r\n\r\n",
        b"GET /healthz HTTP/1.1\rHost: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\rb\r\n\r\n",
        b"\rGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        // Folded lines.
        b"GET /healthz HTTP/1.1\r\n Host: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n X: y\r\nHost: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n .evil.example\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: y\r\n\tz\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n \r\n\r\n",
        // Invalid names.
        b"GET /healthz HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost\t: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n: y\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX Y: z\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n(X): y\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        // Invalid UTF-8.
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: \0\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX\0: y\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: \x7f\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: \xff\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: \x1b[31m\r\n\r\n",
    ];
    refused(400, requests.map(<[u8]>::to_vec));
    refused(417, [with_fields(b"Expect: a miracle\r\n", b"")]);
}

#[test]
fn an_ambiguous_request_line_is_refused() {
    let lines: [&[u8]; 30] = [
        // Ambiguous host.
        b"GET http://evil.example/healthz HTTP/1.1",
        b"GET http://localhost:80/healthz HTTP/1.1",
        b"GET http://user@localhost/healthz HTTP/1.1",
        b"GET http://localhost@evil.example/healthz HTTP/1.1",
        b"GET http:///healthz HTTP/1.1",
        b"GET ftp://localhost/healthz HTTP/1.1",
        b"GET localhost/healthz HTTP/1.1",
        b"CONNECT localhost:80 HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"GET @evil.example/ HTTP/1.1",
        b"GET \\healthz HTTP/1.1",
        b"GET ?x HTTP/1.1",
        // Ambiguous end of the target.
        b"GET /healthz#x HTTP/1.1",
        b"GET /health z HTTP/1.1",
        b"GET /healthz  HTTP/1.1",
        b"GET  /healthz HTTP/1.1",
        b"GET\t/healthz HTTP/1.1",
        b" GET /healthz HTTP/1.1",
        b"GET /healthz\x0bHTTP/1.1",
        b"GET /healthz\0 HTTP/1.1",
        b"GET /health\xffz HTTP/1.1",
        b"GET /healthz",
        b"GET /healthz ",
        // Ambiguous version.
        b"GET /healthz HTTP/1.1 ",
        b"GET /healthz http/1.1",
        b"GET /healthz HTTP 1.1",
        b"GET /healthz HTTPS/1.1",
        b"PRI * HTTP/2.0",
        // Ambiguous method.
        b"GET\0 /healthz HTTP/1.1",
        b"(GET) /healthz HTTP/1.1",
    ];
    let whole = |line: &[u8]| [line, b"\r\nHost: localhost\r\n\r\n"].concat();
    refused(400, lines.map(whole));
    let versions: [&[u8]; 6] = ["2.0", "1.2", "0.9", "1.10", "01.1", "1.1.1"].map(str::as_bytes);
    refused(
        505,
        versions.map(|version| whole(&[b"GET /healthz HTTP/", version].concat())),
    );
}

#[test]
fn a_head_that_is_too_long_ends_the_connection() {
    let request = |target: &str, fields: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").into_bytes()
    };
    let long = "x".repeat(9000);
    let many = "X: y\r\n".repeat(65);
    refused(
        431,
        [
            request("/healthz", &format!("X: {long}\r\n")),
            request("/healthz", &format!("{long}: x\r\n")),
            request("/healthz", &many),
            request(&format!("/{long}"), ""),
        ],
    );
    refused(414, [request(&format!("/{}", &long[..2048]), "")]);
    refused(
        400,
        [[&long.as_bytes()[..17], b" / HTTP/1.1\r\nHost: x\r\n\r\n"].concat()],
    );
}

/// RFC 9112, section 3.2.2: a server must accept it.
#[test]
fn a_target_in_absolute_form_is_the_same_request_and_names_a_host_of_this_machine() {
    kiosk(async |kiosk| {
        let ask = async |target: &str, host: &str| {
            let mut client = kiosk.connect().await;
            let line = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            client.send(line).await;
            client.answer().await
        };
        for target in ["http://localhost/healthz", "HTTPS://LOCALHOST/healthz?x"] {
            assert_eq!(ask(target, "localhost").await.text(), "ok\n");
        }
        let front = ask("http://kiosk:8081", "kiosk:8081").await;
        assert_eq!(
            front.field("content-type"),
            Some("text/html; charset=utf-8")
        );
        let foreign = ask("http://evil.example/healthz", "evil.example").await;
        foreign.expect_problem(421, "foreign-host");
        let two = ask("http://localhost/healthz", "kiosk").await;
        two.expect_problem(400, "malformed");
    });
}

/// Fields that matter between proxies and servers have no effect.
#[test]
fn no_other_field_moves_the_end_of_a_request() {
    kiosk(async |kiosk| {
        for fields in [
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
            "Connection: keep-alive, Content-Length\r\nContent-Length: 0\r\n",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
            "Keep-Alive: timeout=1, max=1\r\n",
            "X-Content-Length: 70\r\n",
            "Content_Length: 70\r\n",
            "Content-Encoding: gzip\r\n",
            "X-HTTP-Method-Override: DELETE\r\n",
            "X-Original-URL: /api/tokens\r\nX-Rewrite-URL: /api/tokens\r\n",
            "X-Forwarded-Host: evil.example\r\nForwarded: host=evil.example\r\n",
        ] {
            let first = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
            let said = answers(&kiosk, (first + SMUGGLED).as_bytes()).await;
            assert_eq!(said, [200, 202], "{fields:?}");
            assert!(kiosk.received_command().is_some() && kiosk.received_command().is_none());
        }
    });
}

#[test]
fn a_body_is_never_taken_for_a_request() {
    kiosk(async |kiosk| {
        let length = SMUGGLED.len();
        let json = "Content-Type: application/json\r\n";
        for (line, fields, status) in [
            ("GET /healthz", json, 200),
            ("HEAD /healthz", json, 200),
            ("PUT /api/config", json, 400),
            ("POST /api/login", json, 400),
            ("DELETE /api/sessions/x", json, 404),
            ("OPTIONS /api/config", json, 204),
            ("PATCH /api/config", json, 405),
            ("GET /nothing", json, 404),
            ("GET /healthz", "", 415),
            ("PUT /api/config", "Content-Type: text/plain\r\n", 415),
            ("PUT /api/config", "Origin: http://evil.example\r\n", 403),
        ] {
            let head = format!(
                "{line} HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Length: {length}\r\n\r\n"
            );
            let mut client = kiosk.connect().await;
            client.send(head).await;
            client.credential.clear();
            client.send(SMUGGLED).await;
            let _ = client.stream.shutdown(Shutdown::Write);
            let method = line.split(' ').next().expect("a method");
            assert_eq!(client.answer_to(method).await.status, status, "{line}");
            assert!(client.rest().await.is_empty(), "{line}: a second answer");
            assert!(kiosk.received_command().is_none(), "{line}");
        }
    });
}

/// Packet boundaries must not decide what is a request and what is a body.
#[test]
fn pipelined_requests_are_the_same_wherever_they_are_split() {
    kiosk(async |kiosk| {
        let requests = "PUT /api/processes/data-sync HTTP/1.1\r\nHost: localhost\r\n\
                        Content-Type: application/json\r\nContent-Length: 4\r\n\r\n{}\r\n\
                        \r\nGET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n\
                        POST /api/processes/data-sync/stop HTTP/1.1\r\nHost: localhost\r\n\
                        Content-Length: 0\r\n\r\n\
                        HEAD /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n";
        let length = (kiosk.connect().await)
            .with_credential(requests.as_bytes())
            .len();
        for first in (0..length).step_by(3) {
            let second = first + (length - first) / 2;
            let mut client = kiosk.connect().await;
            let whole = client.with_credential(requests.as_bytes());
            for piece in [&whole[..first], &whole[first..second], &whole[second..]] {
                client.stream.write_all(piece).await.expect("sent");
                // Everything that has arrived is read before the rest is sent.
                for _ in 0..4 {
                    yield_now().await;
                }
            }
            for (method, status) in [("PUT", 200), ("GET", 404), ("POST", 202), ("HEAD", 200)] {
                let answer = client.answer_to(method).await;
                assert_eq!(
                    answer.status, status,
                    "{method}, cut at {first} and {second}"
                );
            }
            assert!(client.rest().await.is_empty());
            assert!(kiosk.received_command().is_some() && kiosk.received_command().is_some());
            assert!(
                kiosk.received_command().is_none(),
                "cut at {first} and {second}"
            );
        }
    });
}
