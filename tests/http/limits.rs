//! Limits: no client keeps others out, and no use of memory is unbounded.

use crate::harness::{Client, kiosk, kiosk_with};
use ossuary::http::{self, Limits, Listener};
use smol::Async;
use smol::net::TcpStream;
use smol::net::unix::UnixStream;
use std::time::Duration;

const SOON: Duration = Duration::from_millis(50);

#[test]
fn five_hundred_idle_connections_keep_no_client_out() {
    kiosk(async |kiosk| {
        let mut idle = Vec::new();
        for _ in 0..500 {
            idle.push(kiosk.connect().await);
        }
        for _ in 0..10 {
            assert_eq!(kiosk.get("/api/processes").await.status, 200);
        }
        let metrics = kiosk.get("/metrics").await;
        let open = (metrics.text().lines())
            .find_map(|line| line.strip_prefix("ossuary_http_connections "))
            .and_then(|count| count.parse::<usize>().ok());
        let limits = Limits::default();
        assert!(open <= Some(limits.connections_per_address), "{open:?}");
        assert!(
            idle[0].rest().await.is_empty(),
            "the longest idle one was closed"
        );
    });
}

#[test]
fn a_connection_of_another_address_survives_a_flood_of_idle_ones() {
    kiosk(async |kiosk| {
        let mut patient = kiosk.connect().await;
        patient.ask("GET", "/healthz", "", "").await;
        assert_eq!(patient.answer().await.status, 200);
        let from = "127.0.0.2:0".parse().expect("an address");
        let mut idle = Vec::new();
        for _ in 0..500 {
            let socket = connect_from(from, kiosk.address).await;
            idle.push(socket);
        }
        patient.ask("GET", "/healthz", "", "").await;
        assert_eq!(patient.answer().await.status, 200);
    });
}

/// Another client of the same machine: loopback has 16 million addresses. The listener is served on this thread, so
/// this must not block while its backlog is full.
pub async fn connect_from(from: std::net::SocketAddr, to: std::net::SocketAddr) -> TcpStream {
    use nix::errno::Errno;
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage};
    use nix::sys::socket::{bind, connect, socket};
    use std::os::fd::AsRawFd;
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Inet, SockType::Stream, flags, None).expect("a socket");
    bind(socket.as_raw_fd(), &SockaddrStorage::from(from)).expect("an address of our own");
    match connect(socket.as_raw_fd(), &SockaddrStorage::from(to)) {
        Ok(()) | Err(Errno::EINPROGRESS) => (),
        Err(error) => panic!("no connection: {error}"),
    }
    let stream = Async::try_from(std::net::TcpStream::from(socket)).expect("a stream");
    stream.writable().await.expect("a stream can be watched");
    let error = stream.get_ref().take_error().expect("its state");
    assert!(error.is_none(), "no connection: {error:?}");
    stream.into()
}

#[test]
fn a_silent_client_is_disconnected() {
    let limits = Limits {
        first_byte: SOON,
        ..Limits::default()
    };
    kiosk_with(limits, async |kiosk| {
        assert!(kiosk.connect().await.rest().await.is_empty());
    });
}

#[test]
fn a_client_that_becomes_silent_is_disconnected() {
    let limits = Limits {
        idle: SOON,
        ..Limits::default()
    };
    kiosk_with(limits, async |kiosk| {
        let mut client = kiosk.connect().await;
        client.ask("GET", "/healthz", "", "").await;
        assert_eq!(client.answer().await.status, 200);
        assert!(client.rest().await.is_empty());
    });
}

#[test]
fn a_slow_head_times_out_however_steadily_it_arrives() {
    let limits = Limits {
        head: SOON,
        ..Limits::default()
    };
    kiosk_with(limits, async |kiosk| {
        let mut client = kiosk.connect().await;
        let stream = client.stream.clone();
        let dripping = kiosk.executor.spawn(async move {
            let mut dripping = Client::new(stream);
            dripping
                .send("GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
                .await;
            loop {
                smol::Timer::after(SOON / 10).await;
                let one = smol::io::AsyncWriteExt::write_all(&mut dripping.stream, b"x").await;
                if one.is_err() {
                    return;
                }
            }
        });
        client.answer().await.expect_problem(408, "too-slow");
        dripping.cancel().await;
    });
}

#[test]
fn a_slow_body_times_out() {
    let limits = Limits {
        body: SOON,
        ..Limits::default()
    };
    kiosk_with(limits, async |kiosk| {
        let mut client = kiosk.connect().await;
        client
            .send(
                "PUT /api/config HTTP/1.1\r\nHost: localhost\r\n\
                 Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
            )
            .await;
        let answer = client.answer().await;
        answer.expect_problem(408, "too-slow");
        assert!(client.rest().await.is_empty());
        assert!(kiosk.received_command().is_none());
    });
}

#[test]
fn a_client_that_does_not_read_responses_is_disconnected() {
    let limits = Limits {
        write: SOON,
        ..Limits::default()
    };
    kiosk_with(limits, async |kiosk| {
        let mut client = kiosk.connect().await;
        let ask = "GET /api/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1000);
        let ask = client.with_credential(ask.as_bytes());
        let _ = smol::io::AsyncWriteExt::write_all(&mut client.stream, &ask).await;
        // Reads nothing until the daemon has given up.
        while kiosk
            .get("/metrics")
            .await
            .text()
            .contains("ossuary_http_connections 2")
        {}
    });
}

#[test]
fn a_head_that_is_too_long_is_refused_before_it_ends() {
    kiosk(async |kiosk| {
        let mut client = kiosk.connect().await;
        client
            .send("GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
            .await;
        client.send(vec![b'x'; 16 * 1024]).await;
        client.answer().await.expect_problem(431, "head-too-large");
        assert!(client.rest().await.is_empty());
        let path = format!("/{}", "x".repeat(3000));
        kiosk
            .get(&path)
            .await
            .expect_problem(414, "target-too-long");
    });
}

#[test]
fn a_client_that_sends_only_empty_lines_is_disconnected() {
    kiosk(async |kiosk| {
        let mut client = kiosk.connect().await;
        client.send("\r\n".repeat(1000)).await;
        client.answer().await.expect_problem(400, "malformed");
        assert!(client.rest().await.is_empty());
    });
}

#[test]
fn a_body_that_is_too_long_is_refused_before_it_is_sent() {
    kiosk(async |kiosk| {
        let mut client = kiosk.connect().await;
        let head = "PUT /api/config HTTP/1.1\r\nHost: localhost\r\n\
                    Content-Type: application/json\r\nContent-Length: ";
        client
            .send(format!("{head}{}\r\n\r\n", 256 * 1024 + 1))
            .await;
        client.answer().await.expect_problem(413, "body-too-large");
        let whole = " ".repeat(300 * 1024);
        kiosk
            .put("/api/config", &whole)
            .await
            .expect_problem(413, "body-too-large");
        let just = format!("{{}}{}", " ".repeat(256 * 1024 - 2));
        assert_eq!(kiosk.put("/api/config", &just).await.status, 200);
    });
}

#[test]
fn a_refused_body_is_neither_read_nor_taken_for_a_request() {
    kiosk(async |kiosk| {
        let body = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(5000);
        let mut client = kiosk.connect().await;
        client
            .ask(
                "PUT",
                "/nothing",
                "Content-Type: application/json\r\n",
                &body,
            )
            .await;
        let answer = client.answer().await;
        answer.expect_problem(404, "not-found");
        assert_eq!(answer.field("connection"), Some("close"));
        assert!(client.rest().await.is_empty());
    });
}

#[test]
fn too_many_large_bodies_at_once_are_refused_with_retry_after() {
    let limits = Limits {
        held_bytes: 200 * 1024,
        ..Limits::default()
    };
    kiosk_with(limits, async |kiosk| {
        let body = format!("{{}}{}", " ".repeat(150 * 1024));
        kiosk
            .put("/api/config", &body)
            .await
            .expect_problem(503, "busy");
        let body = format!("{{}}{}", " ".repeat(90 * 1024));
        assert_eq!(kiosk.put("/api/config", &body).await.status, 200);
    });
}

#[test]
fn keep_alive_and_pipelining_work() {
    kiosk(async |kiosk| {
        let mut client = kiosk.connect().await;
        let put = "PUT /api/processes/data-sync HTTP/1.1\r\nHost: localhost\r\n\
                   Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
        let get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let missing = "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n";
        client
            .send([put, get, missing, put, "\r\n", get].concat())
            .await;
        for expected in [200, 200, 404, 200, 200] {
            let answer = client.answer().await;
            assert_eq!(answer.status, expected);
            assert_eq!(answer.field("connection"), Some("keep-alive"));
        }
        client
            .ask("GET", "/healthz", "Connection: close\r\n", "")
            .await;
        let last = client.answer().await;
        assert_eq!(last.field("connection"), Some("close"));
        assert!(client.rest().await.is_empty());
    });
}

#[test]
fn a_client_that_expects_100_continue_gets_it() {
    kiosk(async |kiosk| {
        let mut client = kiosk.connect().await;
        client
            .send(
                "PUT /api/config HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n\
                 Content-Type: application/json\r\nContent-Length: 2\r\n\r\n",
            )
            .await;
        assert_eq!(client.head().await.status, 100);
        client.send("{}").await;
        assert_eq!(client.answer().await.status, 200);
    });
}

#[test]
fn the_unix_socket_accepts_any_host() {
    kiosk(async |kiosk| {
        let name = format!("ossuary-http-test-{}.sock", std::process::id());
        let path = std::env::temp_dir().join(name);
        let listener = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
        let listener = Listener::unix(listener, Box::new(|_| true)).expect("a listener");
        let serving = (kiosk.executor).spawn(http::serve(
            kiosk.api.clone(),
            listener,
            kiosk.executor.clone(),
        ));
        let mut client = Client::new(UnixStream::connect(&path).await.expect("a connection"));
        let get = "GET /api/status HTTP/1.1\r\nHost: any.example\r\n\r\n";
        for _ in 0..2 {
            client.send(get).await;
            assert_eq!(client.answer().await.json()["version"], "1.2.3");
        }
        serving.cancel().await;
        std::fs::remove_file(&path).expect("the socket is ours");
    });
}

#[test]
fn a_listener_that_refuses_clients_for_lack_of_slots_is_alive() {
    let limits = Limits {
        connections: 2,
        connections_per_address: 2,
        ..Limits::default()
    };
    kiosk_with(limits, async |kiosk| {
        let mut streams = Vec::new();
        for _ in 0..2 {
            let mut stream = kiosk.connect().await;
            stream.ask("GET", "/api/events", "", "").await;
            assert_eq!(stream.head().await.status, 200);
            streams.push(stream);
        }
        for _ in 0..3 {
            let turned_away = kiosk.connect().await.answer().await;
            assert_eq!(turned_away.status, 503);
            kiosk.api.liveness.ask();
            assert!(!kiosk.api.liveness.is_answered());
            kiosk.api.liveness.answered().await;
        }
    });
}
