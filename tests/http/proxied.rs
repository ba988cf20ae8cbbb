//! The listener for a trusted proxy takes the client's address from the PROXY line and nothing else.

use crate::harness::{Answer, Client, Kiosk, kiosk, kiosk_with};
use ossuary::http::{Limits, Listener, serve};
use serde_json::json;
use smol::net::TcpStream;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

/// Opens the listener.
fn behind(kiosk: &Kiosk) -> SocketAddr {
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = tcp.local_addr().expect("its address");
    let listener = Listener::proxy(tcp).expect("a listener");
    let serving = serve(kiosk.api.clone(), listener, kiosk.executor.clone());
    kiosk.executor.spawn(serving).detach();
    address
}

async fn connect(address: SocketAddr) -> Client {
    Client::new(TcpStream::connect(address).await.expect("a connection"))
}

async fn sign_in(address: SocketAddr, from: &str, password: &str) -> Answer {
    let mut client = connect(address).await;
    let line = format!("PROXY TCP4 {from} 127.0.0.1 50000 443\r\n");
    client.send(line).await;
    let body = json!({"password": password}).to_string();
    let json = "Content-Type: application/json\r\n";
    client.ask("POST", "/api/login", json, &body).await;
    client.answer().await
}

#[test]
fn behind_a_trusted_proxy_each_client_is_counted_by_its_own_address() {
    kiosk(async |kiosk| {
        let address = behind(&kiosk);
        let password = "correct horse";
        let owned = kiosk.api.auth.set_first_password(password).await;
        owned.expect("it is saved");
        for _ in 0..5 {
            let wrong = sign_in(address, "192.0.2.7", "guess guess").await;
            wrong.expect_problem(401, "wrong-password");
        }
        let slowed = sign_in(address, "192.0.2.7", password).await;
        slowed.expect_problem(429, "too-many-tries");
        assert_eq!(sign_in(address, "192.0.2.8", password).await.status, 200);
        let sessions = kiosk.get("/api/sessions").await.json();
        assert_eq!(sessions["sessions"][0]["address"], "192.0.2.8");
    });
}

#[test]
fn a_connection_without_a_whole_proxy_line_is_closed_without_an_answer() {
    kiosk(async |kiosk| {
        let address = behind(&kiosk);
        for line in [
            "",
            "PROXY UNKNOWN\r\n",
            "PROXY TCP4 192.0.2.7 127.0.0.1 50000\r\n",
            "PROXY TCP4 192.0.2.7 127.0.0.1 50000 443\n",
            "\r\nPROXY TCP4 192.0.2.7 127.0.0.1 50000 443\r\n",
            "PROXY TCP9 192.0.2.7 127.0.0.1 50000 443\r\n",
        ] {
            let mut client = connect(address).await;
            client.send(line).await;
            client.ask("GET", "/healthz", "", "").await;
            assert!(client.rest().await.is_empty(), "{line:?}");
        }
        let mut client = connect(address).await;
        client
            .send("PROXY TCP6 2001:db8::7 ::1 50000 443\r\n")
            .await;
        client.ask("GET", "/healthz", "", "").await;
        assert_eq!(client.answer().await.text(), "ok\n");
        // The other listener does not accept a PROXY line.
        let mut client = kiosk.connect().await;
        client
            .send("PROXY TCP4 192.0.2.7 127.0.0.1 50000 443\r\n")
            .await;
        client.ask("GET", "/healthz", "", "").await;
        client.answer().await.expect_problem(400, "malformed");
    });
}

#[test]
fn a_missing_proxy_line_times_out_like_a_head() {
    let limits = Limits {
        head: Duration::from_millis(20),
        ..Limits::default()
    };
    kiosk_with(limits, async |kiosk| {
        let address = behind(&kiosk);
        for begun in ["", "PROXY TCP4 192.0.2"] {
            let mut client = connect(address).await;
            client.send(begun).await;
            assert!(client.rest().await.is_empty());
        }
    });
}

#[test]
fn the_listener_of_a_proxy_is_on_a_loopback_address() {
    let open = TcpListener::bind("0.0.0.0:0").expect("a free port");
    assert!(Listener::proxy(open).is_err());
}
