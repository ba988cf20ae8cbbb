//! Malformed and random requests: the daemon survives, answers with the right status or not at all, and serves others.

use crate::harness::{Kiosk, kiosk};
use std::net::Shutdown;
use std::rc::Rc;

/// Sends bytes, shuts down the sending side, and returns the response.
async fn shout(kiosk: &Kiosk, bytes: &[u8]) -> Vec<u8> {
    let mut client = kiosk.connect().await;
    let bytes = client.with_credential(bytes);
    // The server may close the connection in the middle of it.
    let _ = smol::io::AsyncWriteExt::write_all(&mut client.stream, &bytes).await;
    let _ = client.stream.shutdown(Shutdown::Write);
    client.rest().await
}

/// The status codes of all responses.
fn statuses(answer: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(answer);
    let answers = text.split("HTTP/1.1 ").skip(1);
    answers
        .filter_map(|rest| rest.get(..3)?.parse().ok())
        .collect()
}

/// A small random number generator (SplitMix64) with a fixed seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as usize % sides
    }
}

#[test]
fn a_truncated_request_has_no_effect() {
    kiosk(async |kiosk| {
        let request = "PUT /api/processes/data-sync HTTP/1.1\r\nHost: localhost\r\n\
                       Content-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"name\":\"x\"}";
        for cut in 0..request.len() {
            let answer = shout(&kiosk, &request.as_bytes()[..cut]).await;
            assert!(matches!(statuses(&answer)[..], [] | [400]), "{cut}");
            assert!(kiosk.received_command().is_none(), "{cut}");
        }
        assert_eq!(statuses(&shout(&kiosk, request.as_bytes()).await), [200]);
    });
}

#[test]
fn random_bytes_are_refused() {
    kiosk(async |kiosk| {
        let mut dice = Dice(1);
        for _ in 0..300 {
            let length = dice.roll(2000);
            let bytes: Vec<u8> = (0..length).map(|_| dice.roll(256) as u8).collect();
            let answer = shout(&kiosk, &bytes).await;
            assert!(
                statuses(&answer)
                    .iter()
                    .all(|status| (400..500).contains(status))
            );
        }
        assert_eq!(kiosk.get("/healthz").await.status, 200);
    });
}

#[test]
fn requests_with_random_damage_never_get_a_server_error() {
    kiosk(async |kiosk| {
        let sound = "PUT /api/processes/data-sync?x=%41 HTTP/1.1\r\nHost: localhost:8081\r\n\
                     Content-Type: application/json\r\nContent-Length: 27\r\n\
                     Origin: http://localhost:8081\r\nIf-Match: \"0123456789abcdef\"\r\n\
                     Connection: keep-alive\r\n\r\n{\"name\":[1,{\"a\":null}],\"x\":1}\
                     GET /api/processes HTTP/1.1\r\nHost: [::1]\r\n\r\n";
        let mut dice = Dice(2);
        for _ in 0..1000 {
            let mut bytes = sound.as_bytes().to_vec();
            for _ in 0..=dice.roll(4) {
                let place = dice.roll(bytes.len());
                match dice.roll(4) {
                    0 => bytes[place] = dice.roll(256) as u8,
                    1 => bytes.insert(place, b"\r\n:, \0{}\"%"[dice.roll(10)]),
                    2 => drop(bytes.remove(place)),
                    _ => bytes.extend_from_within(place..),
                }
            }
            let answer = shout(&kiosk, &bytes).await;
            let wrong = |status: &&u16| **status >= 500 && **status != 505;
            assert_eq!(statuses(&answer).iter().find(wrong), None, "{bytes:?}");
        }
        assert_eq!(kiosk.get("/healthz").await.status, 200);
    });
}

#[test]
fn wrong_types_reach_the_supervisor_unchanged_and_do_no_harm() {
    kiosk(async |kiosk| {
        for value in [
            "null",
            "1e999999",
            "-0",
            "[[[]]]",
            "{\"a\":{}}",
            "\"\\ud800\"",
        ] {
            let body = format!("{{\"name\":{value},\"command\":{value}}}");
            let answer = kiosk.put("/api/processes/data-sync", &body).await;
            assert!(
                matches!(answer.status, 200 | 400),
                "{value}: {}",
                answer.status
            );
        }
    });
}

#[test]
fn other_clients_are_served_during_a_flood() {
    kiosk(async |kiosk: Rc<Kiosk>| {
        let flood = "GET /api/processes HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(5000);
        let flooding = kiosk.executor.spawn({
            let kiosk = kiosk.clone();
            async move {
                let mut client = kiosk.connect().await;
                let flood = client.with_credential(flood.as_bytes());
                let mut sender = client.stream.clone();
                let sending = async {
                    let sent = smol::io::AsyncWriteExt::write_all(&mut sender, &flood);
                    sent.await.expect("all is taken in");
                };
                let reading = async {
                    for _ in 0..5000 {
                        assert_eq!(client.answer().await.status, 200);
                    }
                };
                smol::future::zip(sending, reading).await;
            }
        });
        for _ in 0..3 {
            assert_eq!(kiosk.get("/healthz").await.status, 200);
        }
        assert!(
            !flooding.is_finished(),
            "it is served in between, not after"
        );
        flooding.await;
    });
}
