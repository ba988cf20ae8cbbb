//! A client of an X server that is slow, or sends without pause.

use super::X;
use super::connection::Connection;
use crate::config::{Display, Rotation};
use crate::sys::display::server::Server;
use crate::sys::test::Dir;
use smol::future::{block_on, or, yield_now};
use std::cell::Cell;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;
use x11rb_protocol::protocol::randr::{
    Connection as Plug, GET_CRTC_INFO_REQUEST, GET_OUTPUT_INFO_REQUEST,
    GET_OUTPUT_PROPERTY_REQUEST, GET_SCREEN_RESOURCES_CURRENT_REQUEST, GetCrtcInfoReply,
    GetOutputInfoReply, GetOutputPropertyReply, GetScreenResourcesCurrentReply, ModeInfo,
    QUERY_VERSION_REQUEST, QueryVersionReply, Rotation as Way, SET_CRTC_CONFIG_REQUEST,
    SET_SCREEN_SIZE_REQUEST, SetCrtcConfigReply, X11_EXTENSION_NAME,
};
use x11rb_protocol::protocol::xproto::{
    GRAB_SERVER_REQUEST, INTERN_ATOM_REQUEST, InternAtomReply, QUERY_EXTENSION_REQUEST,
    QueryExtensionReply, Screen, Setup, UNGRAB_SERVER_REQUEST,
};
use x11rb_protocol::x11_utils::Serialize;

/// What RandR's requests begin with here.
const RANDR: u8 = 140;

/// A test that has not ended by then hangs.
const HANGS: Duration = Duration::from_secs(20);

/// Where a server of X listens, and the display that leads to it.
fn listen(dir: &Dir) -> (UnixListener, PathBuf, Display) {
    let socket = dir.path().join("X9");
    let listener = UnixListener::bind(&socket).unwrap();
    (listener, socket, ":9".parse().unwrap())
}

/// Lets a client in.
fn welcome(client: &mut UnixStream) {
    let mut head = [0; 12];
    client.read_exact(&mut head).unwrap();
    let length = |at: usize| usize::from(u16::from_ne_bytes([head[at], head[at + 1]]));
    let rest = length(6).next_multiple_of(4) + length(8).next_multiple_of(4);
    client.read_exact(&mut vec![0; rest]).unwrap();
    let root = Screen {
        root: 1,
        ..Screen::default()
    };
    let setup = Setup {
        status: 1,
        protocol_major_version: 11,
        roots: vec![root],
        ..Setup::default()
    };
    let mut setup = setup.serialize();
    let words = u16::try_from(setup.len() / 4 - 2).unwrap();
    setup[6..8].copy_from_slice(&words.to_ne_bytes());
    client.write_all(&setup).unwrap();
}

/// The next request: its first two bytes. Nothing once the client has gone.
fn request(client: &mut UnixStream) -> Option<(u8, u8, Vec<u8>)> {
    let mut head = [0; 4];
    client.read_exact(&mut head).ok()?;
    let words = usize::from(u16::from_ne_bytes([head[2], head[3]]));
    let mut rest = vec![0; words * 4 - 4];
    client.read_exact(&mut rest).ok()?;
    Some((head[0], head[1], rest))
}

/// An answer to the request of this number.
fn answer(bytes: &[u8], sequence: u16) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().max(32).next_multiple_of(4), 0);
    let words = (bytes.len() as u32 - 32) / 4;
    bytes[2..4].copy_from_slice(&sequence.to_ne_bytes());
    bytes[4..8].copy_from_slice(&words.to_ne_bytes());
    bytes
}

/// Serves a client that may turn one output of 800 by 600. While the server is grabbed, no answer leaves it: changing the
/// mode takes so long. What was asked for between the grab and its end is returned, with the end of the grab.
fn serve_slowly(mut client: UnixStream) -> Vec<(u8, u8)> {
    welcome(&mut client);
    let (mut sequence, mut held, mut grabbed) = (0, Vec::new(), None);
    while let Some((major, minor, rest)) = request(&mut client) {
        sequence += 1;
        let reply = match (major, minor) {
            (QUERY_EXTENSION_REQUEST, _) => {
                let reply = QueryExtensionReply {
                    present: rest
                        .windows(5)
                        .any(|name| name == X11_EXTENSION_NAME.as_bytes()),
                    major_opcode: RANDR,
                    first_event: 90,
                    ..QueryExtensionReply::default()
                };
                Some(reply.serialize().to_vec())
            }
            (INTERN_ATOM_REQUEST, _) => Some(InternAtomReply::default().serialize().to_vec()),
            (RANDR, QUERY_VERSION_REQUEST) => {
                let reply = QueryVersionReply {
                    major_version: 1,
                    minor_version: 3,
                    ..QueryVersionReply::default()
                };
                Some(reply.serialize().to_vec())
            }
            (RANDR, GET_SCREEN_RESOURCES_CURRENT_REQUEST) => {
                let mode = ModeInfo {
                    id: 4,
                    width: 800,
                    height: 600,
                    ..ModeInfo::default()
                };
                let reply = GetScreenResourcesCurrentReply {
                    crtcs: vec![3],
                    outputs: vec![2],
                    modes: vec![mode],
                    ..GetScreenResourcesCurrentReply::default()
                };
                Some(reply.serialize())
            }
            (RANDR, GET_OUTPUT_INFO_REQUEST) => {
                let reply = GetOutputInfoReply {
                    crtc: 3,
                    connection: Plug::CONNECTED,
                    name: b"HDMI-1".to_vec(),
                    ..GetOutputInfoReply::default()
                };
                Some(reply.serialize())
            }
            (RANDR, GET_CRTC_INFO_REQUEST) => {
                let reply = GetCrtcInfoReply {
                    mode: 4,
                    rotation: Way::ROTATE0,
                    rotations: Way::ROTATE0 | Way::ROTATE270,
                    ..GetCrtcInfoReply::default()
                };
                Some(reply.serialize())
            }
            (RANDR, GET_OUTPUT_PROPERTY_REQUEST) => {
                Some(GetOutputPropertyReply::default().serialize())
            }
            (RANDR, SET_CRTC_CONFIG_REQUEST) => {
                Some(SetCrtcConfigReply::default().serialize().to_vec())
            }
            _ => None,
        };
        if (major, minor) == (GRAB_SERVER_REQUEST, 0) {
            grabbed = Some(Vec::new());
        }
        if let Some(asked) = &mut grabbed {
            asked.push((major, minor));
        }
        held.extend(reply.map(|reply| answer(&reply, sequence)));
        let is_over = major == UNGRAB_SERVER_REQUEST;
        if grabbed.is_none() || is_over {
            held.drain(..)
                .for_each(|reply| client.write_all(&reply).unwrap());
        }
        if is_over {
            break;
        }
    }
    grabbed.unwrap_or_default()
}

#[test]
fn a_server_that_is_slow_to_turn_its_screen_is_never_left_grabbed_and_dark() {
    let dir = Dir::new("x11-turn");
    let (listener, socket, display) = listen(&dir);
    let server = std::thread::spawn(move || serve_slowly(listener.accept().unwrap().0));
    let turned = async {
        let mut x = X::connect(&display, &socket).await.unwrap();
        x.turn(Rotation::Quarter).await
    };
    let late = async {
        smol::Timer::after(HANGS).await;
        panic!("the server is grabbed and dark until it answers, and nothing makes it end");
    };
    block_on(or(turned, late)).unwrap();
    let asked = server.join().unwrap();
    assert_eq!(
        asked,
        [
            (GRAB_SERVER_REQUEST, 0),
            (RANDR, SET_CRTC_CONFIG_REQUEST),
            (RANDR, SET_SCREEN_SIZE_REQUEST),
            (RANDR, SET_CRTC_CONFIG_REQUEST),
            (UNGRAB_SERVER_REQUEST, 0),
        ]
    );
}

#[test]
fn a_server_that_sends_without_pause_leaves_the_loop_its_turn() {
    const FLOOD: usize = 64 * 1024;
    let dir = Dir::new("x11-flood");
    let (listener, socket, display) = listen(&dir);
    let server = std::thread::spawn(move || {
        let mut client = listener.accept().unwrap().0;
        welcome(&mut client);
        // Events that are of no interest, all there before anybody reads.
        client.write_all(&[2; FLOOD]).unwrap();
    });
    block_on(async {
        let mut connection = Connection::open(&display, &socket).await.unwrap();
        server.join().unwrap();
        let turns = Cell::new(0);
        let others = async {
            loop {
                turns.set(turns.get() + 1);
                yield_now().await;
            }
        };
        // The server has gone after its flood.
        let gone = or(connection.news(), others).await;
        assert!(gone.is_err());
        assert!(turns.get() >= FLOOD / 4096 - 1, "{} turns", turns.get());
    });
}
