//! A compositor that means harm.

use super::*;
use crate::sys::test::Dir;
use smol::future::{block_on, or};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixListener;

/// A conversation with the stand-in of the compositor.
fn session(name: &str) -> (Session, UnixStream, Dir) {
    let dir = Dir::new(name);
    let socket = dir.path().join("wayland-9");
    let listener = UnixListener::bind(&socket).unwrap();
    let display = "wayland-9".parse().unwrap();
    let session = block_on(Session::open(&display, &socket)).unwrap();
    let compositor = listener.accept().unwrap().0;
    (session, compositor, dir)
}

/// An event is written as a request is.
fn event(object: u32, opcode: u16, argument: u32) -> Vec<u8> {
    Request::new(object, opcode).number(argument).into_bytes()
}

/// Answers every round trip, as often as it is asked, and then says of the callback's number `times` over that it is free.
fn answer_round_trips(mut compositor: UnixStream, times: usize) {
    let mut inbox = Vec::new();
    let mut piece = [0; PIECE];
    while let Ok(length @ 1..) = compositor.read(&mut piece) {
        inbox.extend_from_slice(&piece[..length]);
        while let Ok(Some(request)) = Event::take(&mut inbox) {
            if (request.object, request.opcode) != (DISPLAY, DISPLAY_SYNC) {
                continue;
            }
            let callback = request.arguments().number();
            let mut answer = event(callback, 0, 7);
            answer.extend(event(DISPLAY, DISPLAY_DELETE_ID, callback).repeat(times));
            // The rest is not read once the conversation has ended.
            let _ = compositor.write_all(&answer);
        }
    }
}

#[test]
fn a_number_that_is_freed_more_than_once_is_given_to_one_object_only() {
    let (mut session, compositor, _dir) = session("wayland-free");
    let answers = std::thread::spawn(move || answer_round_trips(compositor, 100));
    block_on(async {
        for _ in 0..20 {
            session.round_trip().await.unwrap();
        }
    });
    assert!(session.free.len() <= 1, "{} numbers", session.free.len());
    let (one, other) = (session.new_object(), session.new_object());
    assert_ne!(one, other);
    drop(session);
    answers.join().unwrap();
}

#[test]
fn an_id_in_use_is_not_free_even_if_the_compositor_says_so() {
    let (mut session, mut compositor, _dir) = session("wayland-use");
    let object = session.new_object();
    let free = event(DISPLAY, DISPLAY_DELETE_ID, object);
    compositor.write_all(&free).unwrap();
    compositor.shutdown(Shutdown::Write).unwrap();
    assert!(block_on(session.news()).is_err(), "it says no more");
    assert_ne!(session.new_object(), object);
}

#[test]
fn a_compositor_that_never_frees_a_number_is_left() {
    let (mut session, compositor, _dir) = session("wayland-never");
    let answers = std::thread::spawn(move || answer_round_trips(compositor, 0));
    let left = block_on(async {
        for _ in 0..DYING_MAX {
            session.round_trip().await.unwrap();
        }
        session.round_trip().await
    });
    let why = left.unwrap_err().message;
    assert!(why.contains("never frees"), "{why}");
    drop(session);
    answers.join().unwrap();
}

#[test]
fn a_compositor_that_sends_without_pause_leaves_the_loop_its_turn() {
    const FLOOD: usize = 64 * 1024;
    let (mut session, mut compositor, _dir) = session("wayland-flood");
    // Events that are of no interest, all there before anybody reads.
    let events = event(FIRST_FREE + 1000, 0, 0);
    let flood = events.repeat(FLOOD / events.len());
    compositor.write_all(&flood).unwrap();
    compositor.shutdown(Shutdown::Write).unwrap();
    let turns = Cell::new(0);
    let others = async {
        loop {
            turns.set(turns.get() + 1);
            yield_now().await;
        }
    };
    // The compositor says no more after its flood.
    assert!(block_on(or(session.news(), others)).is_err());
    assert!(turns.get() >= FLOOD / PIECE - 1, "{} turns", turns.get());
}
