//! What a browser needs to be tested: pages to show, and switches that keep it from talking to anybody.

use crate::xvfb::Colour;
use nix::sys::socket::{
    AddressFamily, Backlog, Shutdown, SockFlag, SockType, SockaddrIn, bind, getsockname, listen,
    shutdown, socket,
};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What keeps a test's browser from talking to anybody, and lets it run as root in a machine without a GPU.
pub const SWITCHES: &str = "--no-sandbox --disable-gpu --disable-quic --disable-background-networking --disable-component-update --disable-sync --disable-extensions";

pub const TEAL: Colour = [0, 128, 128];
pub const PURPLE: Colour = [128, 0, 128];
pub const NAVY: Colour = [0, 0, 128];

/// A server of pages. `/teal` is a page of that colour, and so on; the others have their names below.
pub struct Site {
    address: SocketAddr,
    listener: Arc<TcpListener>,
    asked: Arc<Mutex<BTreeMap<String, usize>>>,
}

/// The address of a site that is not there yet: whoever asks is refused.
pub struct Reserved {
    socket: OwnedFd,
    address: SocketAddr,
}

impl Reserved {
    pub fn page(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    pub fn open(self) -> Site {
        listen(&self.socket, Backlog::MAXCONN).unwrap();
        Site::serve(TcpListener::from(self.socket))
    }
}

impl Site {
    pub fn open() -> Site {
        let any = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = any.local_addr().unwrap();
        drop(any);
        // A port that was asked for by its number stays the socket's while the site is closed.
        Site::serve(TcpListener::bind(address).unwrap())
    }

    pub fn reserve() -> Reserved {
        let (flags, anywhere) = (SockFlag::SOCK_CLOEXEC, SockaddrIn::new(127, 0, 0, 1, 0));
        let socket = socket(AddressFamily::Inet, SockType::Stream, flags, None).unwrap();
        bind(socket.as_raw_fd(), &anywhere).unwrap();
        let taken: SockaddrIn = getsockname(socket.as_raw_fd()).unwrap();
        Reserved {
            socket,
            address: SocketAddrV4::from(taken).into(),
        }
    }

    fn serve(listener: TcpListener) -> Site {
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<BTreeMap<String, usize>>>::default();
        let record = asked.clone();
        let listener = Arc::new(listener);
        let door = listener.clone();
        thread::spawn(move || {
            loop {
                match door.accept() {
                    Ok((client, _)) => {
                        let record = record.clone();
                        thread::spawn(move || serve(client, &record));
                    }
                    // Nobody may come in for a while.
                    Err(_) => thread::sleep(Duration::from_millis(5)),
                }
            }
        });
        Site {
            address,
            listener,
            asked,
        }
    }

    /// The server dies: whoever comes is refused.
    pub fn close(&self) {
        shutdown(self.listener.as_raw_fd(), Shutdown::Both).unwrap();
    }

    /// It is back, where it was.
    pub fn reopen(&self) {
        listen(&self.listener, Backlog::MAXCONN).unwrap();
    }

    pub fn page(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// How often a page was asked for.
    pub fn asked(&self, name: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.get(name).copied().unwrap_or(0)
    }
}

fn serve(client: TcpStream, asked: &Mutex<BTreeMap<String, usize>>) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let name = line.split(' ').nth(1)?.trim_start_matches('/').to_owned();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        if header.trim().is_empty() {
            break;
        }
    }
    let times = {
        let mut asked = asked.lock().unwrap();
        let times = asked.entry(name.clone()).or_default();
        *times += 1;
        *times
    };
    // What is ill the first time it is asked for, is well from then on.
    let (status, body) = match (name.split('?').next().unwrap_or_default(), times) {
        ("hangs-once", 1) => content("hang"),
        ("hangs-once", _) => content("teal"),
        ("empties-once", 1) => content("empties"),
        ("empties-once", _) => content("navy"),
        (name, _) => content(name),
    };
    let mut client = client;
    write!(
        client,
        "HTTP/1.1 {status}\r\nContent-Type: text/html\r\nCache-Control: max-age=3600\r\nContent-Security-Policy: img-src 'none'\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .ok()?;
    let _ = client.read(&mut [0]);
    Some(())
}

fn content(name: &str) -> (&'static str, String) {
    let coloured = |colour: &str, more: &str| {
        format!(
            "<!doctype html><title>{name}</title><body style='margin:0;background:{colour}'><p>{name}</p>{more}"
        )
    };
    match name {
        "favicon.ico" | "missing" => ("404 Not Found", coloured("red", "")),
        "empty" => ("200 OK", String::new()),
        // What a page does to its own world must not deceive anybody who looks at it.
        "liar" => (
            "200 OK",
            "<!doctype html><title>liar</title><script>
                Document.prototype.querySelectorAll = () => [document.documentElement];
                Element.prototype.checkVisibility = () => true;
                globalThis.getComputedStyle = () => ({ backgroundImage: 'url(x)' });
            </script>"
                .to_owned(),
        ),
        "hang" => (
            "200 OK",
            coloured(
                "teal",
                "<script>onload = () => setTimeout(() => { while (true); }, 500)</script>",
            ),
        ),
        "empties" => (
            "200 OK",
            coloured(
                "teal",
                "<script>onload = () => setTimeout(() => document.documentElement.remove(), 500)</script>",
            ),
        ),
        // Three seconds of every five it answers nobody.
        "busy" => (
            "200 OK",
            coloured(
                "teal",
                "<script>
                    document.title = 0;
                    setInterval(() => {
                        for (const begun = Date.now(); Date.now() - begun < 3000;);
                        document.title = Number(document.title) + 1;
                    }, 5000);
                </script>",
            ),
        ),
        // Somebody has typed something, and it tells what is there now.
        "form" => (
            "200 OK",
            coloured(
                "teal",
                "<input id=i><script>
                    onload = () => {
                        i.value = 'hello';
                        setInterval(() => document.title = i.value + scrollY, 20);
                    };
                </script>",
            ),
        ),
        "prisoner" => ("200 OK", include_str!("prisoner.html").to_owned()),
        "complains" => (
            "200 OK",
            coloured(
                "teal",
                "<script>console.log('fine'); console.error('not well', 7); throw new Error('broken')</script>",
            ),
        ),
        // The square moves for an hour, and says in its title how far it is.
        "moves" => (
            "200 OK",
            coloured(
                "teal",
                "<i id=i></i><script>
                    const motion = i.animate([{ opacity: 1 }, { opacity: 0.5 }], 3600000);
                    setInterval(() => document.title = motion.playState, 5);
                </script>",
            ),
        ),
        "asks" => (
            "200 OK",
            coloured("teal", "<script>setTimeout(() => alert('well?'))</script>"),
        ),
        colour => ("200 OK", coloured(colour, "")),
    }
}
