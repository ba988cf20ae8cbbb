//! An X server without a screen, whose picture can be read as it is.

use crate::kiosk::{fresh_dir, wait_for};
use crate::scene::Screen;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Its size: the places below lie in it.
const SIZE: (usize, usize) = (800, 600);

/// The corners, and a place in between that is not the middle, where an X server puts its pointer.
const PLACES: [(usize, usize); 5] = [(200, 150), (1, 1), (1, 598), (798, 1), (798, 598)];

/// Where the server puts its pointer, until it is moved.
pub const POINTER: (usize, usize) = (400, 300);

/// A colour: red, green, blue.
pub type Colour = [u8; 3];

/// An X server without a screen.
pub struct Xvfb {
    pub name: String,
    server: Child,
    /// The server draws into a file in here.
    dir: PathBuf,
    file: File,
    picture: Picture,
}

/// The layout of an image in the format of the X window dump.
pub struct Picture {
    /// Width and height.
    pub size: (usize, usize),
    /// Where its pixels begin, and how many bytes a line has.
    begin: usize,
    line: usize,
}

impl Picture {
    /// By its header's own words, big-endian (XWDFile.h): how large it is itself, width, height, the bytes of a
    /// line, and the number of colours between it and the pixels.
    pub fn of(dump: &[u8]) -> Option<Picture> {
        let word = |index: usize| {
            let bytes = dump.get(index * 4..index * 4 + 4)?;
            Some(u32::from_be_bytes(bytes.try_into().ok()?) as usize)
        };
        Some(Picture {
            size: (word(4)?, word(5)?),
            begin: word(0)? + word(19)? * 12,
            line: word(12)?,
        })
    }

    /// Where a pixel stands: blue, green, red, nothing.
    pub fn at(&self, (x, y): (usize, usize)) -> usize {
        self.begin + y * self.line + x * 4
    }
}

impl Xvfb {
    /// On a free display. The lowest ones are left to tests that need them by their numbers.
    pub fn start() -> Xvfb {
        let started = (100..190).find_map(Xvfb::try_start);
        started.expect("Xvfb is installed, and there are free displays")
    }

    /// On this display, once it is free.
    pub fn at(number: u8) -> Xvfb {
        let mut started = None;
        wait_for("a free display", || {
            started = Xvfb::try_start(number);
            started.is_some()
        });
        started.unwrap()
    }

    fn try_start(number: u8) -> Option<Xvfb> {
        let name = format!(":{number}");
        let screen = format!("{}x{}x24", SIZE.0, SIZE.1);
        let dir = fresh_dir();
        let mut server = Command::new("Xvfb")
            .args([&name, "-displayfd", "1", "-screen", "0", &screen])
            .args(["-nolisten", "tcp", "-ac", "-fbdir"])
            .arg(&dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb is installed");
        // It prints its number once it has started, and nothing if the display is taken.
        let mut number = String::new();
        let mut said = BufReader::new(server.stdout.take().unwrap());
        said.read_line(&mut number).unwrap();
        if number.trim().is_empty() {
            let _ = server.wait();
            let _ = fs::remove_dir_all(&dir);
            return None;
        }
        let file = File::open(dir.join("Xvfb_screen0")).unwrap();
        let mut header = [0; 100];
        file.read_exact_at(&mut header, 0).unwrap();
        Some(Xvfb {
            name,
            server,
            dir,
            file,
            picture: Picture::of(&header).unwrap(),
        })
    }

    /// Does something, and returns every colour that was on the screen meanwhile, wherever it was, in the
    /// order in which they came. The picture is looked at thousands of times a second: a frame that any
    /// screen could show is seen.
    pub fn watch<T>(&self, something: impl FnOnce() -> T) -> (T, Vec<Colour>) {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let mut seen = Vec::new();
                let mut last = PLACES.map(|place| self.colour(place));
                seen.extend(last);
                while !is_over.load(Ordering::Relaxed) {
                    for (last, place) in last.iter_mut().zip(PLACES) {
                        let colour = self.colour(place);
                        if *last != colour {
                            *last = colour;
                            seen.push(colour);
                        }
                    }
                    thread::sleep(Duration::from_micros(200));
                }
                seen.dedup();
                seen
            });
            let result = something();
            is_over.store(true, Ordering::Relaxed);
            (result, watcher.join().unwrap())
        })
    }

    /// A picture for people, where the test was asked for one.
    pub fn photograph(&self, name: &str) {
        if let Some(directory) = std::env::var_os("OSSUARY_SCREENSHOTS") {
            let file = PathBuf::from(directory).join(name);
            let _ = Command::new("import")
                .args(["-window", "root", "-display", &self.name])
                .arg(file)
                .status();
        }
    }
}

impl Screen for Xvfb {
    fn display(&self) -> &str {
        &self.name
    }

    fn surroundings(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    fn size(&self) -> (usize, usize) {
        SIZE
    }

    fn colour(&self, place: (usize, usize)) -> Colour {
        let mut pixel = [0; 4];
        let at = self.picture.at(place) as u64;
        self.file.read_exact_at(&mut pixel, at).unwrap();
        [pixel[2], pixel[1], pixel[0]]
    }

    fn is_all(&self, colour: Colour) -> bool {
        PLACES.iter().all(|place| self.colour(*place) == colour)
    }
}

impl Drop for Xvfb {
    fn drop(&mut self) {
        // A server that is asked politely removes its socket.
        crate::kiosk::signal(self.server.id(), "TERM");
        let _ = self.server.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}
