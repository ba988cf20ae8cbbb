//! Authorization of all routes with all credentials; claiming, signing in and out.

use crate::harness::{Answer, Client, Kiosk, advance_clock, kiosk};
use crate::limits::connect_from;
use ossuary::auth::{Needs, Role, SESSION_LIFETIME};
use ossuary::http::api::routes::ROUTES;
use serde_json::{Value, json};
use std::time::Duration;

const PASSWORD: &str = "correct horse";

/// Every method and path of the description with the role that it declares; HEAD for each GET.
fn described(document: &Value) -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("a path item") {
            if method != "parameters" {
                let role = operation["x-role"].as_str().expect("a role").to_owned();
                all.push((method.to_uppercase(), path.clone(), role));
            }
        }
    }
    assert_eq!(all.len(), ROUTES.len());
    let gets = all
        .clone()
        .into_iter()
        .filter(|(method, ..)| method == "GET");
    all.extend(gets.map(|(_, path, role)| ("HEAD".to_owned(), path, role)));
    all
}

/// The status of the response; the events of a stream are not read.
async fn status(kiosk: &Kiosk, method: &str, path: &str, fields: &str) -> Answer {
    let id = match path.starts_with("/page") {
        true => "app.js",
        false => "data-sync",
    };
    let path = path.replace("{id}", id);
    let mut client = kiosk.connect_anonymously().await;
    client.ask(method, &path, fields, "").await;
    client.head().await
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// Claims the kiosk; returns the cookie in the form of a request.
async fn claim(kiosk: &Kiosk) -> String {
    let code = kiosk.api.auth.claim_code().expect("it is unclaimed");
    let body = json!({"code": code, "password": PASSWORD}).to_string();
    cookie(&kiosk.post_anonymously("/api/claim", &body).await)
}

async fn sign_in(kiosk: &Kiosk) -> String {
    let body = json!({"password": PASSWORD}).to_string();
    cookie(&kiosk.post_anonymously("/api/login", &body).await)
}

#[track_caller]
fn cookie(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let set = answer.field("set-cookie").expect("a cookie");
    let (pair, attributes) = set.split_once("; ").expect("attributes");
    assert_eq!(
        attributes,
        "Path=/; Max-Age=7776000; HttpOnly; SameSite=Strict"
    );
    format!("Cookie: {pair}\r\n")
}

#[test]
fn every_route_admits_exactly_the_roles_of_its_description() {
    kiosk(async |kiosk| {
        let document = kiosk.get("/api/openapi.json").await.json();
        for (method, path, role) in described(&document) {
            let listed = if method == "HEAD" { "GET" } else { &method };
            let mut routes = ROUTES.iter();
            let route = routes.find(|route| route.method == listed && route.path == path);
            let route = route.expect("a route");
            assert_eq!(role, route.needs.as_str(), "{method} {path}");
            let anonymous = status(&kiosk, &method, &path, "").await.status;
            match route.needs {
                Needs::Nothing => assert!(
                    ![401, 403].contains(&anonymous),
                    "{method} {path}: {anonymous}"
                ),
                _ => assert_eq!(anonymous, 401, "{method} {path}"),
            }
            for (has, token) in Role::ALL.iter().zip(&kiosk.tokens) {
                let got = status(&kiosk, &method, &path, &bearer(token)).await.status;
                let may = match route.needs {
                    Needs::Nothing => true,
                    Needs::View => true,
                    Needs::Operate => *has >= Role::Operate,
                    Needs::Admin => *has == Role::Admin,
                    Needs::Local => false,
                };
                match may {
                    true => assert!(
                        ![401, 403].contains(&got),
                        "{method} {path} as {has:?}: {got}"
                    ),
                    false => assert_eq!(got, 403, "{method} {path} as {has:?}"),
                }
            }
        }
    });
}

#[test]
fn an_invalid_credential_is_none() {
    kiosk(async |kiosk| {
        let ended = claim(&kiosk).await;
        let expired = sign_in(&kiosk).await;
        assert_eq!(
            status(&kiosk, "GET", "/api/status", &expired).await.status,
            200
        );
        kiosk
            .call_anonymously("POST", "/api/logout", &ended, "")
            .await;
        advance_clock(SESSION_LIFETIME);
        let revoked = kiosk
            .post("/api/tokens", r#"{"name": "x", "role": "admin"}"#)
            .await
            .json();
        let path = format!("/api/tokens/{}", revoked["id"].as_str().expect("an id"));
        assert_eq!(kiosk.call("DELETE", &path, "", "").await.status, 204);
        let unknown = "ossuary_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for bad in [
            ended,
            expired,
            bearer(revoked["token"].as_str().expect("a token")),
            bearer(unknown),
            bearer(""),
            bearer("x"),
            format!("Authorization: Basic {unknown}\r\n"),
            "Authorization: \r\n".to_owned(),
            "Cookie: ossuary=x\r\n".to_owned(),
            "Cookie: ossuary=\r\n".to_owned(),
            format!("Cookie: ossuary={}\r\n", "A".repeat(43)),
        ] {
            for route in ROUTES {
                let got = status(&kiosk, route.method, route.path, &bad).await;
                match route.needs {
                    Needs::Nothing => assert_ne!(got.status, 403),
                    _ => {
                        assert_eq!(
                            got.status, 401,
                            "{} {} with {bad}",
                            route.method, route.path
                        );
                        assert!(got.field("www-authenticate").is_some());
                    }
                }
            }
        }
    });
}

#[test]
fn an_unclaimed_kiosk_shows_its_state_and_asks_for_the_code() {
    kiosk(async |kiosk| {
        let front = kiosk.get_anonymously("/api/claim").await.json();
        assert_eq!(
            front,
            json!({"claimed": false, "hostname": "kiosk", "role": null})
        );
        kiosk
            .get_anonymously("/api/status")
            .await
            .expect_problem(401, "unclaimed");
        let login = kiosk
            .post_anonymously("/api/login", r#"{"password": "anything"}"#)
            .await;
        login.expect_problem(401, "unclaimed");
        let wrong = r#"{"code": "2222-2222", "password": "correct horse"}"#;
        kiosk
            .post_anonymously("/api/claim", wrong)
            .await
            .expect_problem(401, "wrong-code");

        let code = kiosk.api.auth.claim_code().expect("it is unclaimed");
        let short = json!({"code": code, "password": "sesame"}).to_string();
        let refused = kiosk.post_anonymously("/api/claim", &short).await;
        assert_eq!(refused.expect_problem(422, "invalid")["field"], "password");

        let cookie = claim(&kiosk).await;
        assert_eq!(kiosk.api.auth.claim_code(), None);
        let front = kiosk
            .call_anonymously("GET", "/api/claim", &cookie, "")
            .await
            .json();
        assert_eq!(
            front,
            json!({"claimed": true, "hostname": "kiosk", "role": "admin"})
        );
        kiosk
            .get_anonymously("/api/status")
            .await
            .expect_problem(401, "sign-in");
        let again = json!({"code": code, "password": PASSWORD}).to_string();
        kiosk
            .post_anonymously("/api/claim", &again)
            .await
            .expect_problem(409, "claimed");
    });
}

#[test]
fn the_secret_of_a_token_is_shown_once_and_a_hash_never() {
    kiosk(async |kiosk| {
        let made = kiosk
            .post("/api/tokens", r#"{"name": "lobby", "role": "view"}"#)
            .await;
        assert_eq!(made.status, 201);
        let token = made.json();
        let id = token["id"].as_str().expect("an id");
        assert_eq!(made.field("location"), Some(&*format!("/api/tokens/{id}")));
        let listed = kiosk.get("/api/tokens").await;
        let lobby = &listed.json()["tokens"][3];
        assert_eq!(
            (&lobby["name"], &lobby["role"]),
            (&json!("lobby"), &json!("view"))
        );
        assert!(
            !listed
                .text()
                .contains(token["token"].as_str().expect("a secret"))
        );
        assert!(!listed.text().contains("digest"));
        for (body, field) in [
            (r#"{"role": "view"}"#, "name"),
            (r#"{"name": "", "role": "view"}"#, "name"),
            (r#"{"name": "x", "role": "root"}"#, "role"),
            (r#"{"name": "x", "role": "view", "more": 1}"#, "more"),
        ] {
            let refused = kiosk.post("/api/tokens", body).await;
            assert_eq!(refused.expect_problem(422, "invalid")["field"], field);
        }
    });
}

#[test]
fn a_stream_ends_with_its_session_or_token() {
    kiosk(async |kiosk| {
        let cookie = claim(&kiosk).await;
        for path in ["/api/events", "/api/processes/data-sync/logs/stream"] {
            let mine = sign_in(&kiosk).await;
            let mut stream = listen(&kiosk, path, &mine).await;
            kiosk
                .call_anonymously("POST", "/api/logout", &mine, "")
                .await;
            stream.rest().await;
            assert_eq!(status(&kiosk, "GET", path, &cookie).await.status, 200);

            let made = kiosk
                .post("/api/tokens", r#"{"name": "x", "role": "operate"}"#)
                .await
                .json();
            let token = bearer(made["token"].as_str().expect("a token"));
            let mut stream = listen(&kiosk, path, &token).await;
            let path = format!("/api/tokens/{}", made["id"].as_str().expect("an id"));
            kiosk.call("DELETE", &path, "", "").await;
            stream.rest().await;
        }
    });
}

#[test]
fn a_stream_ends_when_its_session_expires() {
    let limits = ossuary::http::Limits {
        heartbeat: Duration::from_millis(20),
        ..Default::default()
    };
    crate::harness::kiosk_with(limits, async |kiosk| {
        let cookie = claim(&kiosk).await;
        let mut stream = listen(&kiosk, "/api/events", &cookie).await;
        advance_clock(SESSION_LIFETIME);
        stream.rest().await;
    });
}

async fn listen(kiosk: &Kiosk, path: &str, fields: &str) -> Client {
    let mut client = kiosk.connect_anonymously().await;
    client.ask("GET", path, fields, "").await;
    assert_eq!(client.head().await.status, 200);
    client
}

#[test]
fn sessions_are_listed_and_ended_one_by_one() {
    kiosk(async |kiosk| {
        let mine = claim(&kiosk).await;
        let other = sign_in(&kiosk).await;
        let listed = kiosk
            .call_anonymously("GET", "/api/sessions", &mine, "")
            .await
            .json();
        let sessions = listed["sessions"].as_array().expect("sessions");
        let current: Vec<&Value> = sessions.iter().map(|session| &session["current"]).collect();
        assert_eq!(current, [true, false]);
        assert_eq!(sessions[0]["address"], "127.0.0.1");
        let path = format!(
            "/api/sessions/{}",
            sessions[1]["id"].as_str().expect("an id")
        );
        assert_eq!(
            kiosk
                .call_anonymously("DELETE", &path, &mine, "")
                .await
                .status,
            204
        );
        let gone = kiosk.call_anonymously("DELETE", &path, &mine, "").await;
        gone.expect_problem(404, "no-such-session");
        assert_eq!(
            status(&kiosk, "GET", "/api/status", &other).await.status,
            401
        );
        assert_eq!(
            status(&kiosk, "GET", "/api/status", &mine).await.status,
            200
        );
    });
}

#[test]
fn a_new_password_ends_every_other_session_and_needs_the_old_one() {
    kiosk(async |kiosk| {
        let mine = claim(&kiosk).await;
        let other = sign_in(&kiosk).await;
        let put = async |body: Value| {
            let fields = format!("{mine}Content-Type: application/json\r\n");
            kiosk
                .call_anonymously("PUT", "/api/password", &fields, &body.to_string())
                .await
        };
        let missing = put(json!({"password": "battery staple"})).await;
        assert_eq!(missing.expect_problem(422, "invalid")["field"], "current");
        let wrong = put(json!({"password": "battery staple", "current": "something"})).await;
        wrong.expect_problem(401, "wrong-password");
        assert_eq!(
            status(&kiosk, "GET", "/api/status", &other).await.status,
            200
        );
        let right = put(json!({"password": "battery staple", "current": PASSWORD})).await;
        assert_eq!(right.status, 204, "{}", right.text());
        assert_eq!(
            status(&kiosk, "GET", "/api/status", &other).await.status,
            401
        );
        assert_eq!(
            status(&kiosk, "GET", "/api/status", &mine).await.status,
            200
        );
        let old = json!({"password": PASSWORD}).to_string();
        kiosk
            .post_anonymously("/api/login", &old)
            .await
            .expect_problem(401, "wrong-password");
    });
}

/// Browsers send a cookie to every port of a host: another server there may have set one of the same name.
#[test]
fn a_cookie_of_another_server_on_the_host_does_no_harm() {
    kiosk(async |kiosk| {
        let mine = claim(&kiosk).await;
        let mine = mine.trim().strip_prefix("Cookie: ").expect("a cookie");
        let other = "A".repeat(43);
        for cookies in [
            format!("ossuary=x; {mine}"),
            format!("ossuary={other}; {mine}"),
            format!("ossuary-8081={other}; {mine}; ossuary-3000=x"),
            format!("{mine}; ossuary={other}"),
        ] {
            let fields = format!("Cookie: {cookies}\r\n");
            let got = status(&kiosk, "GET", "/api/status", &fields).await.status;
            assert_eq!(got, 200, "{cookies}");
        }
        let fields = format!("Cookie: ossuary={other}; ossuary=x\r\n");
        let got = status(&kiosk, "GET", "/api/status", &fields).await.status;
        assert_eq!(got, 401);
    });
}

#[test]
fn the_cookie_is_named_after_the_port() {
    kiosk(async |kiosk| {
        claim(&kiosk).await;
        let body = json!({"password": PASSWORD}).to_string();
        for (host, name) in [
            ("localhost", "ossuary="),
            ("localhost:8081", "ossuary-8081="),
            ("[::1]", "ossuary="),
            ("[::1]:80", "ossuary-80="),
        ] {
            let mut client = kiosk.connect_anonymously().await;
            let request = format!(
                "POST /api/login HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            );
            client.send(request).await;
            let answer = client.answer().await;
            let set = answer.field("set-cookie").expect("a cookie");
            assert!(set.starts_with(name), "{host}: {set}");
            let (pair, _) = set.split_once("; ").expect("attributes");
            let fields = format!("Cookie: {pair}\r\n");
            let got = status(&kiosk, "GET", "/api/status", &fields).await.status;
            assert_eq!(got, 200, "{host}");
        }
    });
}

#[test]
fn a_new_password_revokes_tokens_unless_requested_otherwise() {
    kiosk(async |kiosk| {
        let mine = claim(&kiosk).await;
        let fields = format!("{mine}Content-Type: application/json\r\n");
        let put = async |body: Value| {
            let body = body.to_string();
            kiosk
                .call_anonymously("PUT", "/api/password", &fields, &body)
                .await
        };
        let tokens = || kiosk.api.auth.credentials().tokens().len();
        let new = "battery staple";
        let body = json!({"password": new, "current": PASSWORD, "revoke_tokens": "no"});
        let refused = put(body).await.expect_problem(422, "invalid");
        assert_eq!(refused["field"], "revoke_tokens");
        let kept = put(json!({"password": new, "current": PASSWORD, "revoke_tokens": false})).await;
        assert_eq!((kept.status, tokens()), (204, 3));
        let view = bearer(&kiosk.tokens[0]);
        let mut stream = listen(&kiosk, "/api/events", &view).await;
        let revoked = put(json!({"password": PASSWORD, "current": new})).await;
        assert_eq!((revoked.status, tokens()), (204, 0));
        stream.rest().await;
        let got = status(&kiosk, "GET", "/api/status", &view).await.status;
        assert_eq!(got, 401);
        let got = status(&kiosk, "GET", "/api/status", &mine).await.status;
        assert_eq!(got, 200, "the session that changed it stays");
    });
}

/// A stolen session must not be able to create a token, which outlives it.
#[test]
fn a_session_creates_a_token_only_with_the_password() {
    kiosk(async |kiosk| {
        let mine = claim(&kiosk).await;
        let fields = format!("{mine}Content-Type: application/json\r\n");
        let make = async |password: Value| {
            let mut body = json!({"name": "x", "role": "view"});
            if !password.is_null() {
                body["password"] = password;
            }
            let body = body.to_string();
            kiosk
                .call_anonymously("POST", "/api/tokens", &fields, &body)
                .await
        };
        let missing = make(Value::Null).await.expect_problem(422, "invalid");
        assert_eq!(missing["field"], "password");
        let wrong = make(json!("something else")).await;
        wrong.expect_problem(401, "wrong-password");
        assert_eq!(kiosk.api.auth.credentials().tokens().len(), 3);
        assert_eq!(make(json!(PASSWORD)).await.status, 201);
        for _ in 0..5 {
            make(json!("guess guess"))
                .await
                .expect_problem(401, "wrong-password");
        }
        make(json!(PASSWORD))
            .await
            .expect_problem(429, "too-many-tries");
    });
}

#[test]
fn the_body_of_an_open_route_is_limited_to_4_kib() {
    kiosk(async |kiosk| {
        let password = |length: usize| {
            let rest = json!({"password": ""}).to_string().len();
            json!({"password": "x".repeat(length - rest)}).to_string()
        };
        for (path, method) in [("/api/login", "POST"), ("/api/claim", "POST")] {
            let json = "Content-Type: application/json\r\n";
            let long = kiosk
                .call_anonymously(method, path, json, &password(4097))
                .await;
            long.expect_problem(413, "body-too-large");
            let just = kiosk
                .call_anonymously(method, path, json, &password(4096))
                .await;
            assert_ne!(just.status, 413, "{path}");
        }
    });
}

#[test]
fn a_link_signs_in_once() {
    kiosk(async |kiosk| {
        let secret = kiosk.api.auth.invite().to_cookie();
        let body = json!({"invitation": secret}).to_string();
        let mine = cookie(&kiosk.post_anonymously("/api/login", &body).await);
        assert_eq!(
            status(&kiosk, "GET", "/api/status", &mine).await.status,
            200
        );
        let second = kiosk.post_anonymously("/api/login", &body).await;
        second.expect_problem(401, "wrong-password");
    });
}

#[test]
fn guessing_is_rate_limited_and_other_addresses_are_not_affected() {
    kiosk(async |kiosk| {
        claim(&kiosk).await;
        let from = "127.0.0.2:0".parse().expect("an address");
        let guess = async |password: &str| {
            let mut client = Client::new(connect_from(from, kiosk.address).await);
            let body = json!({"password": password}).to_string();
            let json = "Content-Type: application/json\r\n";
            client.ask("POST", "/api/login", json, &body).await;
            client.answer().await
        };
        for _ in 0..5 {
            guess("guess guess")
                .await
                .expect_problem(401, "wrong-password");
        }
        let slowed = guess(PASSWORD).await;
        slowed.expect_problem(429, "too-many-tries");
        assert_eq!(slowed.field("retry-after"), Some("1"));
        sign_in(&kiosk).await;
        advance_clock(Duration::from_secs(1));
        assert_eq!(guess(PASSWORD).await.status, 200);
    });
}

/// Behind a proxy all clients have the same address.
#[test]
fn a_browser_that_has_signed_in_before_is_not_locked_out_by_others() {
    kiosk(async |kiosk| {
        claim(&kiosk).await;
        let json = "Content-Type: application/json\r\n";
        let try_with = async |fields: &str, password: &str| {
            let body = json!({"password": password}).to_string();
            let fields = format!("{fields}{json}");
            kiosk
                .call_anonymously("POST", "/api/login", &fields, &body)
                .await
        };
        let first = try_with("", PASSWORD).await;
        let set = (first.fields.iter())
            .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
            .find_map(|(_, set)| set.strip_prefix("ossuary-device="))
            .expect("a device cookie");
        let (value, attributes) = set.split_once("; ").expect("attributes");
        assert_eq!(
            attributes,
            "Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict"
        );
        let device = format!("Cookie: ossuary-device={value}\r\n");
        for _ in 0..5 {
            let wrong = try_with("", "guess guess").await;
            wrong.expect_problem(401, "wrong-password");
        }
        let slowed = try_with("", PASSWORD).await;
        slowed.expect_problem(429, "too-many-tries");
        let forged = format!("Cookie: ossuary-device={}\r\n", value.replace('.', ".A"));
        let slowed = try_with(&forged, PASSWORD).await;
        slowed.expect_problem(429, "too-many-tries");
        assert_eq!(try_with(&device, PASSWORD).await.status, 200);
        let got = status(&kiosk, "GET", "/api/status", &device).await.status;
        assert_eq!(got, 401, "it is no credential");
        for _ in 0..5 {
            let wrong = try_with(&device, "guess guess").await;
            wrong.expect_problem(401, "wrong-password");
        }
        let slowed = try_with(&device, PASSWORD).await;
        slowed.expect_problem(429, "too-many-tries");
    });
}

#[test]
fn a_page_of_another_site_can_neither_claim_nor_sign_in() {
    kiosk(async |kiosk| {
        let code = kiosk.api.auth.claim_code().expect("it is unclaimed");
        let body = json!({"code": code, "password": PASSWORD}).to_string();
        let json = "Content-Type: application/json\r\n";
        for foreign in [
            "Origin: http://evil.example\r\n",
            "Origin: http://localhost:3000\r\n",
            "Origin: null\r\n",
            "Sec-Fetch-Site: cross-site\r\n",
            "Sec-Fetch-Site: same-site\r\n",
        ] {
            let fields = format!("{json}{foreign}");
            for path in ["/api/claim", "/api/login", "/api/logout"] {
                let refused = kiosk.call_anonymously("POST", path, &fields, &body).await;
                refused.expect_problem(403, "foreign-origin");
            }
        }
        let form = "Content-Type: text/plain\r\n";
        let refused = kiosk
            .call_anonymously("POST", "/api/claim", form, &body)
            .await;
        refused.expect_problem(415, "media-type");
        assert!(kiosk.api.auth.claim_code().is_some());
    });
}

#[test]
fn a_session_over_tls_has_a_secure_cookie() {
    kiosk(async |kiosk| {
        claim(&kiosk).await;
        let body = json!({"password": PASSWORD}).to_string();
        let fields = "Content-Type: application/json\r\nOrigin: https://localhost\r\n";
        let answer = kiosk
            .call_anonymously("POST", "/api/login", fields, &body)
            .await;
        let set = answer.field("set-cookie").expect("a cookie");
        assert!(
            set.ends_with("; HttpOnly; SameSite=Strict; Secure"),
            "{set}"
        );
    });
}
