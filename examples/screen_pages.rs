//! Prints the built-in pages, by name, and the scripts that show and remove the notice, as JSON. The tests of the web UI
//! open them in a browser.

use ossuary::browser::built_in_pages::{Facts, NO_OVERLAY, overlay, render};
use ossuary::supervisor::BuiltIn;
use serde_json::json;

fn main() {
    let facts = Facts {
        hostname: "gallery-entrance".into(),
        links: vec![
            "http://gallery-entrance.local:8081/".into(),
            "http://192.168.178.123:8081/".into(),
            "http://[fd00:1234:5678:9abc:dea6:32ff:fe01:2345]:8081/".into(),
        ],
        claim_code: None,
    };
    let unclaimed = Facts {
        claim_code: Some("7QFM-2KXD".into()),
        ..facts.clone()
    };
    let alone = Facts {
        links: Vec::new(),
        ..facts.clone()
    };
    let offline = BuiltIn::Offline {
        url: "https://lumencanvas.studio/canvas/8f14e45f-ceea-467f-9d3a-2b1c0e7a6d55?room=entrance"
            .into(),
        error: "net::ERR_NAME_NOT_RESOLVED".into(),
    };
    let failed = BuiltIn::Failed {
        name: "Gallery Display".into(),
        reason: "6 crashes in 15 minutes, the last: killed by SIGSEGV".into(),
    };
    let long = BuiltIn::Offline {
        url: format!(
            "https://{}.example/{}",
            "a-long-name.".repeat(20),
            "path/".repeat(400)
        ),
        error: "net::ERR_CERT_AUTHORITY_INVALID".into(),
    };
    let pages = json!({
        "welcome": render(&BuiltIn::Welcome, &facts),
        "unclaimed": render(&BuiltIn::Welcome, &unclaimed),
        "alone": render(&BuiltIn::Welcome, &alone),
        "offline": render(&offline, &facts),
        "long": render(&long, &facts),
        "failed": render(&failed, &facts),
    });
    println!(
        "{}",
        json!({ "pages": pages, "overlay": overlay(&facts), "noOverlay": NO_OVERLAY })
    );
}
