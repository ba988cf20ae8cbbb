//! What a browser needs to be tested: pages to show, and switches that keep it from talking to anybody.

use crate::xvfb::Colour;
use nix::sys::socket::{
    AddressFamily, Backlog, Shutdown, SockFlag, SockType, SockaddrIn, bind, getsockname, listen,
    shutdown, socket,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What keeps a test's browser from talking to anybody, and lets it run as root in a machine without a GPU.
pub const SWITCHES: &str = "--no-sandbox --disable-gpu --disable-quic --disable-background-networking --disable-component-update --disable-sync --disable-extensions";

pub const TEAL: Colour = [0, 128, 128];
pub const PURPLE: Colour = [128, 0, 128];
pub const NAVY: Colour = [0, 0, 128];
/// The ground of the daemon's own pages.
pub const GROUND: Colour = [0x12, 0x12, 0x11];

/// For so long a page is not answered whose address ends in `?held`: longer than it takes to cancel it, shorter than the
/// daemon waits.
const HELD: Duration = Duration::from_secs(8);

/// A server of pages. `/teal` is a page of that colour, and so on; the others have their names below.
pub struct Site {
    address: SocketAddr,
    listener: Arc<TcpListener>,
    record: Arc<Mutex<Record>>,
}

#[derive(Default)]
struct Record {
    /// When each page was asked for.
    asked: BTreeMap<String, Vec<Instant>>,
    /// The pages that are to become ill now.
    ill: BTreeSet<String>,
}

/// The address of a site that does not exist yet: connections are refused.
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
        let record = Arc::<Mutex<Record>>::default();
        let book = record.clone();
        let listener = Arc::new(listener);
        let door = listener.clone();
        thread::spawn(move || {
            loop {
                match door.accept() {
                    Ok((client, _)) => {
                        let book = book.clone();
                        thread::spawn(move || serve(client, &book));
                    }
                    // Connections are not accepted for a while.
                    Err(_) => thread::sleep(Duration::from_millis(5)),
                }
            }
        });
        Site {
            address,
            listener,
            record,
        }
    }

    /// The server dies: connections are refused.
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
        let record = self.record.lock().unwrap();
        record.asked.get(name).map_or(0, Vec::len)
    }

    /// When a page was last asked for.
    pub fn asked_at(&self, name: &str) -> Instant {
        let record = self.record.lock().unwrap();
        *record.asked[name].last().unwrap()
    }

    /// A page that was well until now hangs from now on, or empties itself.
    pub fn fall_ill(&self, name: &str) {
        self.record.lock().unwrap().ill.insert(name.to_owned());
    }
}

fn serve(client: TcpStream, record: &Mutex<Record>) -> Option<()> {
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
    let (times, is_ill) = {
        let mut record = record.lock().unwrap();
        let times = record.asked.entry(name.clone()).or_default();
        times.push(Instant::now());
        let times = times.len();
        let about = name.strip_prefix("ill/");
        (times, about.is_some_and(|about| record.ill.contains(about)))
    };
    // What is ill the first time it is asked for, is well from then on.
    let (status, body) = match (name.split('?').next().unwrap_or_default(), times) {
        ("hangs-once", 1) => content("hang"),
        ("hangs-once", _) => content("teal"),
        ("empties-once", 1) => content("empties"),
        ("empties-once", _) => content("navy"),
        (name, _) if name.starts_with("ill/") => {
            ("200 OK", if is_ill { "yes" } else { "no" }.to_owned())
        }
        (name, _) => content(name),
    };
    let mut client = client;
    if name.ends_with("?held") {
        client.set_read_timeout(Some(HELD)).ok()?;
        // A client that leaves meanwhile gets no answer.
        if client.read(&mut [0]).is_ok() {
            return None;
        }
        client.set_read_timeout(None).ok()?;
    }
    write!(
        client,
        "HTTP/1.1 {status}\r\nContent-Type: text/html\r\nCache-Control: max-age=3600\r\nContent-Security-Policy: img-src 'none'\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .ok()?;
    let _ = client.read(&mut [0]);
    Some(())
}

/// A script that does this once the site says so: a page that fails on its own might do so before it was observed.
fn when_ill(what: &str) -> String {
    format!(
        "<script>
            setInterval(async () => {{
                const said = await fetch('/ill' + location.pathname + location.search, {{ cache: 'no-store' }});
                if (await said.text() === 'yes') {{ {what} }}
            }}, 50);
        </script>"
    )
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
        "hang" => ("200 OK", coloured("teal", &when_ill("while (true);"))),
        "empties" => (
            "200 OK",
            coloured("teal", &when_ill("document.documentElement.remove();")),
        ),
        // It does not answer for three seconds of every five.
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
        // A user has typed something, and the title shows what is there now.
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
        // The square moves for an hour. The title shows how often a timer fired, and for how long the square stood still.
        "moves" => (
            "200 OK",
            coloured(
                "teal",
                "<i id=i></i><script>
                    const motion = i.animate([{ opacity: 1 }, { opacity: 0.5 }], 3600000);
                    let count = 0;
                    setInterval(() => {
                        const still = document.timeline.currentTime - (motion.currentTime ?? 0);
                        document.title = `${++count} ${Math.round(still)}`;
                    }, 5);
                </script>",
            ),
        ),
        // Leads on before it was read: what comes after the script never does.
        "leads-on" => (
            "200 OK",
            "<!doctype html><title>leads-on</title><script>location.replace('/purple')</script>
             <script src='/script?held'></script>"
                .to_owned(),
        ),
        "leads-nowhere" => (
            "200 OK",
            "<!doctype html><title>leads-nowhere</title><script>location.replace('http://127.0.0.1:9/')</script>
             <script src='/script?held'></script>"
                .to_owned(),
        ),
        "asks" => (
            "200 OK",
            coloured("teal", "<script>setTimeout(() => alert('well?'))</script>"),
        ),
        colour => ("200 OK", coloured(colour, "")),
    }
}
