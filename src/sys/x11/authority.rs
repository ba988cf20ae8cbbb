//! Finds the cookie by which an X server lets its clients in (Xsecurity(7), MIT-MAGIC-COOKIE-1).

use crate::config::Display;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsFd;
use std::path::PathBuf;

/// The one way to be let in that matters on a machine of one's own.
const METHOD: &[u8] = b"MIT-MAGIC-COOKIE-1";

/// How much of a file of cookies is read: each has about 50 bytes.
const FILE_MAX: u64 = 64 * 1024;

/// The name of the method and the cookie, or both empty: many servers let in whoever runs as the same user.
///
/// The server knows best which file it has its cookies from, so it is asked first, by its command line.
pub(super) fn cookie(display: &Display, server: &impl AsFd) -> (Vec<u8>, Vec<u8>) {
    let of_server = file_of_server(server);
    let own = std::env::var_os("XAUTHORITY").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".Xauthority"));
    let files = [of_server, own, home].into_iter().flatten();
    let mut cookies = files.filter_map(|file| {
        let mut bytes = Vec::new();
        let file = File::open(file).ok()?;
        file.take(FILE_MAX).read_to_end(&mut bytes).ok()?;
        find(&bytes, display)
    });
    match cookies.next() {
        Some(cookie) => (METHOD.to_vec(), cookie),
        None => (Vec::new(), Vec::new()),
    }
}

/// The file that the server was given with `-auth`.
fn file_of_server(server: &impl AsFd) -> Option<PathBuf> {
    let pid = getsockopt(&server.as_fd(), PeerCredentials).ok()?.pid();
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let mut words = line.split(|byte| *byte == 0);
    words.find(|word| *word == b"-auth")?;
    let file = std::str::from_utf8(words.next()?).ok()?;
    file.starts_with('/').then(|| file.into())
}

/// The cookie for a display. An entry without a number is for every display (Xau(3): family, then address, number,
/// name and data, each behind its length in two bytes, high byte first).
fn find(bytes: &[u8], display: &Display) -> Option<Vec<u8>> {
    let Display::X(number) = display else {
        return None;
    };
    let number = number.to_string();
    let mut rest = bytes;
    loop {
        let (_family, after) = rest.split_at_checked(2)?;
        rest = after;
        let [_address, theirs, name, cookie] = [
            field(&mut rest)?,
            field(&mut rest)?,
            field(&mut rest)?,
            field(&mut rest)?,
        ];
        if name == METHOD && (theirs.is_empty() || theirs == number.as_bytes()) {
            return Some(cookie.to_vec());
        }
    }
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<2>()?;
    let (field, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    *rest = after;
    Some(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: &str, name: &[u8], cookie: &[u8]) -> Vec<u8> {
        let mut bytes = vec![1, 0];
        for field in [b"kiosk", number.as_bytes(), name, cookie] {
            bytes.extend((field.len() as u16).to_be_bytes());
            bytes.extend(field);
        }
        bytes
    }

    #[test]
    fn the_cookie_of_a_display_is_found() {
        let file = [
            entry("1", METHOD, b"one"),
            entry("0", b"XDM-AUTHORIZATION-1", b"other"),
            entry("0", METHOD, b"nought"),
            entry("", METHOD, b"any"),
        ]
        .concat();
        let found = |display| find(&file, &display);
        assert_eq!(found(Display::X(0)).as_deref(), Some(&b"nought"[..]));
        assert_eq!(found(Display::X(1)).as_deref(), Some(&b"one"[..]));
        assert_eq!(found(Display::X(7)).as_deref(), Some(&b"any"[..]));
        assert_eq!(found(Display::Wayland(0)), None);
        for length in 0..entry("1", METHOD, b"one").len() {
            assert_eq!(find(&file[..length], &Display::X(1)), None);
        }
    }
}
