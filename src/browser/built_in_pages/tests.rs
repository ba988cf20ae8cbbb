use super::*;

const HOSTILE: &str =
    "</title></style><script>alert(1)</script><img src=x onerror=\"alert('2')\">\u{202e}&amp;";

fn facts() -> Facts {
    Facts {
        hostname: "gallery".into(),
        links: vec![
            "http://gallery.local:8081/".into(),
            "http://192.0.2.7:8081/".into(),
        ],
        claim_code: None,
    }
}

fn pages(text: &str) -> [BuiltIn; 3] {
    [
        BuiltIn::Welcome,
        BuiltIn::Offline {
            url: format!("https://{text}/{text}"),
            error: text.into(),
        },
        BuiltIn::Failed {
            name: text.into(),
            reason: text.into(),
        },
    ]
}

#[test]
fn untrusted_text_does_not_become_markup_on_any_page() {
    let hostile = Facts {
        hostname: HOSTILE.into(),
        links: vec![HOSTILE.into(); 3],
        claim_code: Some(HOSTILE.into()),
    };
    let harmless = Facts {
        hostname: "x".into(),
        links: vec!["x".into(); 3],
        claim_code: Some("x".into()),
    };
    let tags = |page: &str| page.matches('<').count();
    for (page, plain) in pages(HOSTILE).iter().zip(pages("x")) {
        let document = render(page, &hostile);
        assert_eq!(
            tags(&document),
            tags(&render(&plain, &harmless)),
            "{document}"
        );
        assert!(!document.contains('\u{202e}') && !document.contains("&amp;amp;amp;"));
    }
}

#[test]
fn a_page_sends_no_requests() {
    for page in pages("canvas.example") {
        let document = render(&page, &facts());
        for reference in ["src=", "href=", "url(", "@import", "fetch("] {
            assert!(!document.contains(reference), "{reference} in {document}");
        }
    }
}

#[test]
fn every_page_shows_the_host_name_and_the_links_to_the_web_ui() {
    for page in pages("canvas.example") {
        let document = render(&page, &facts());
        assert!(document.starts_with("<!doctype html>"), "{document}");
        for text in [
            ">gallery<",
            ">gallery.local<wbr>:8081<",
            ">192.0.2.7<wbr>:8081<",
            "class=\"qr\"",
        ] {
            assert!(document.contains(text), "{text} in {document}");
        }
    }
}

#[test]
fn a_kiosk_without_a_network_shows_that_instead_of_a_link() {
    let alone = Facts {
        links: Vec::new(),
        ..facts()
    };
    let document = render(&BuiltIn::Welcome, &alone);
    assert!(document.contains("No network connection"));
    assert!(!document.contains("class=\"qr\""));
}

#[test]
fn only_the_welcome_page_shows_the_claim_code() {
    let unclaimed = Facts {
        claim_code: Some("7QFM-2KXD".into()),
        ..facts()
    };
    for page in pages("canvas.example") {
        let document = render(&page, &unclaimed);
        assert_eq!(document.contains("7QFM-2KXD"), page == BuiltIn::Welcome);
    }
    assert!(!render(&BuiltIn::Welcome, &facts()).contains("laim code"));
}

#[test]
fn the_notice_is_one_expression_for_any_host_name() {
    let hostile = Facts {
        hostname: HOSTILE.into(),
        links: vec!["http://\"+alert(1)+\"/".into()],
        claim_code: None,
    };
    let script = overlay(&hostile);
    let arguments =
        r#"\u003c/script>\u003cimg src=x onerror=\"alert('2')\">&amp;","\"+alert(1)+\"")"#;
    assert!(script.ends_with(arguments), "{script}");
    assert!(!script.contains("<script"), "{script}");
}

#[test]
fn a_built_in_page_is_recognized_by_its_url() {
    let failed = BuiltIn::Failed {
        name: "Shop".into(),
        reason: "it hangs".into(),
    };
    for (page, expected_name) in [
        (BuiltIn::Welcome, "about:welcome"),
        (failed, "about:failed"),
    ] {
        let (name, address) = address(&page, &facts());
        assert_eq!(name, expected_name);
        assert_eq!(name_at(&address), Some(expected_name));
    }
    for foreign in [
        "http://page/",
        "data:text/html,about:offline",
        "data:text/html;charset=utf-8;ossuary=else;base64,",
        "",
    ] {
        assert_eq!(name_at(foreign), None, "{foreign}");
    }
}

#[test]
fn the_script_changes_exactly_when_the_welcome_page_changes() {
    let stamp = |files: &WelcomeFiles| {
        let script = files.script.trim_end().to_owned();
        let stamp = script.strip_prefix("stands(\"")?.strip_suffix("\")")?;
        let known = format!("const stamp=\"{stamp}\"");
        files.page.contains(&known).then(|| stamp.to_owned())
    };
    let first = stamp(&welcome_files(&facts())).unwrap();
    assert_eq!(stamp(&welcome_files(&facts())).unwrap(), first);
    let claimable = Facts {
        claim_code: Some("7QFM-2KXD".into()),
        ..facts()
    };
    assert_ne!(stamp(&welcome_files(&claimable)).unwrap(), first);
    // With `http-equiv="refresh"` the browser would write each reload to its history.
    let page = welcome_files(&facts()).page;
    assert!(!page.contains("http-equiv"), "{page}");
}
