//! The description matches the routes.

use crate::harness::kiosk;
use ossuary::auth::Needs;
use ossuary::http::api::routes::ROUTES;
use serde_json::Value;
use std::collections::BTreeSet;

/// (method, path, status codes) of everything in the description.
fn described(document: &Value) -> BTreeSet<(String, String, BTreeSet<u16>)> {
    let paths = document["paths"].as_object().expect("paths");
    let operations = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().expect("a path item");
        (item.iter())
            .filter(|(key, _)| *key != "parameters")
            .map(move |(method, operation)| (method, path, operation))
    });
    operations
        .map(|(method, path, operation)| {
            let responses = operation["responses"].as_object().expect("responses");
            assert!(responses.contains_key("default"), "{method} {path}");
            let codes = responses.keys().filter_map(|code| code.parse().ok());
            (method.to_uppercase(), path.clone(), codes.collect())
        })
        .collect()
}

#[test]
fn the_description_matches_the_routes() {
    kiosk(async |kiosk| {
        let document = kiosk.get("/api/openapi.json").await.json();
        assert_eq!(document["openapi"], "3.1.0");
        let routes = (ROUTES.iter())
            .map(|route| {
                let codes = route.answers.iter().copied().collect();
                (route.method.to_string(), route.path.to_string(), codes)
            })
            .collect::<BTreeSet<(String, String, BTreeSet<u16>)>>();
        let described = described(&document);
        let undescribed: Vec<_> = routes.difference(&described).collect();
        let unrouted: Vec<_> = described.difference(&routes).collect();
        assert!(undescribed.is_empty(), "not described: {undescribed:#?}");
        assert!(unrouted.is_empty(), "not so in the router: {unrouted:#?}");
    });
}

/// Generated clients send a credential where the description says so, and only there.
#[test]
fn open_routes_are_described_as_open() {
    kiosk(async |kiosk| {
        let document = kiosk.get("/api/openapi.json").await.json();
        let needed = serde_json::json!([{"token": []}, {"session": []}]);
        assert_eq!(document["security"], needed);
        for route in ROUTES {
            let method = route.method.to_lowercase();
            let security = &document["paths"][route.path][&method]["security"];
            let is_open = security
                .as_array()
                .is_some_and(|ways| ways.is_empty() || ways.contains(&serde_json::json!({})));
            assert_eq!(is_open, route.needs == Needs::Nothing, "{route:?}");
            assert!(is_open || security.is_null(), "{route:?}");
        }
    });
}

#[test]
fn every_reference_in_the_description_resolves() {
    fn check(value: &Value, document: &Value) {
        match value {
            Value::Object(map) => {
                if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
                    let pointer = reference.strip_prefix('#').expect("a local reference");
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                map.values().for_each(|value| check(value, document));
            }
            Value::Array(values) => values.iter().for_each(|value| check(value, document)),
            _ => (),
        }
    }
    kiosk(async |kiosk| {
        let document = kiosk.get("/api/openapi.json").await.json();
        check(&document, &document);
    });
}
