//! From one page to the next, with every frame on the screen looked at.

use crate::health::{print_elapsed, runs};
use crate::kiosk::{credential, wait_for};
use crate::scene::{Scene, Screen};
use crate::stage::{NAVY, PURPLE, Site, TEAL};
use crate::xvfb::{Colour, Xvfb};
use serde_json::json;
use std::io::Write;
use std::net::TcpStream;
use std::time::Instant;

/// Shows a page, and returns every colour that was on the screen until it had its own.
fn show(scene: &Scene<Xvfb>, page: &str, transition: &str, colour: Colour) -> Vec<Colour> {
    let ((), seen) = scene.screen.watch(|| {
        let begun = Instant::now();
        let body = json!({"url": scene.site.page(page), "transition": transition});
        let answer = scene
            .kiosk
            .send("POST", "/api/processes/screen/navigate", body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        print_elapsed(&format!("shown by a {transition} after"), begun);
        let asked = scene.site.asked_at(page) - begun;
        println!("asked for after: {:.2} s", asked.as_secs_f32());
        wait_for("the page", || scene.screen.is_all(colour));
    });
    seen
}

/// Whether a colour lies between two others, which differ in red and green only, within the rounding of a
/// blend of pictures.
fn is_blend(colour: Colour, one: Colour, other: Colour) -> bool {
    colour
        .iter()
        .zip(one)
        .zip(other)
        .all(|((part, one), other)| {
            (one.min(other).saturating_sub(2)..=one.max(other).saturating_add(2)).contains(part)
        })
        && (i16::from(colour[0]) + i16::from(colour[1]) - 128).abs() <= 8
}

#[test]
fn between_two_pages_there_is_nothing_but_the_two() {
    let scene = Scene::with("teal");
    let before = scene.until_well("teal");
    wait_for("the page", || scene.screen.is_all(TEAL));
    for run in 0..runs() {
        let (there, back) = (format!("purple?{run}"), format!("teal?{run}"));
        for (page, old, new) in [(there, TEAL, PURPLE), (back, PURPLE, TEAL)] {
            let seen = show(&scene, &page, "cut", new);
            let stray = seen.iter().find(|colour| ![old, new].contains(colour));
            assert_eq!(stray, None, "{page}: {seen:?}");
        }
    }
    assert_eq!(scene.kiosk.process("screen")["pid"], before["pid"]);
}

#[test]
fn a_page_fades_into_the_next_without_a_flash() {
    let scene = Scene::with("teal");
    scene.until_well("teal");
    wait_for("the page", || scene.screen.is_all(TEAL));
    for run in 0..runs() {
        let (there, back) = (format!("purple?{run}"), format!("teal?{run}"));
        for (page, new) in [(there, PURPLE), (back, TEAL)] {
            let seen = show(&scene, &page, "fade", new);
            let stray = seen.iter().find(|colour| !is_blend(**colour, TEAL, PURPLE));
            assert_eq!(stray, None, "{page}: {seen:?}");
            assert!(seen.len() > 2, "{page}: that was a cut: {seen:?}");
        }
    }
}

#[test]
fn a_page_whose_client_has_gone_before_it_was_there_is_never_seen() {
    let scene = Scene::with("teal");
    scene.until_well("teal");
    wait_for("the page", || scene.screen.is_all(TEAL));
    let page = "purple?held";
    let ((), seen) = scene.screen.watch(|| {
        let body = json!({"url": scene.site.page(page)}).to_string();
        let mut client = TcpStream::connect(scene.kiosk.address).unwrap();
        write!(
            client,
            "POST /api/processes/screen/navigate HTTP/1.1\r\nHost: localhost\r\n{}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            credential(scene.kiosk.address),
            body.len()
        )
        .unwrap();
        wait_for("its question", || scene.site.asked(page) == 1);
        drop(client);
        // Its turn comes after the other one's.
        scene.navigate("navy");
        wait_for("the page", || scene.screen.is_all(NAVY));
    });
    let stray = seen.iter().find(|colour| ![TEAL, NAVY].contains(colour));
    assert_eq!(stray, None, "{seen:?}");
}

#[test]
fn a_page_that_cannot_be_loaded_is_never_seen() {
    let scene = Scene::with("teal");
    scene.until_well("teal");
    wait_for("the page", || scene.screen.is_all(TEAL));
    let missing = Site::reserve();
    for _ in 0..runs() {
        for url in [missing.page("purple"), scene.site.page("missing")] {
            let (answer, seen) = scene.screen.watch(|| {
                let path = "/api/processes/screen/navigate";
                scene.kiosk.send("POST", path, json!({"url": url}))
            });
            assert_eq!(answer.status, 409, "{}", answer.text());
            assert!(answer.text().contains("stays"), "{}", answer.text());
            assert_eq!(seen, [TEAL]);
        }
    }
}
