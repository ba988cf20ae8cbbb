//! Accepts connections and serves them: a task for each, on the one thread there is.

use super::connection::{ClientConnection, Next};
use super::connection_limiter::{Address, Slot};
use super::dispatch::Service;
use super::head::Head;
use super::runtime::{self, Clock, Exchange, Signals, Stage};
use crate::auth::Client;
use crate::http::Api;
use crate::http::error::Error;
use picoserve::{Router, Server};
use smol::future::yield_now;
use smol::{Async, LocalExecutor, Timer};
use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::rc::Rc;
use std::time::Duration;

/// After an accept that failed for want of descriptors: time for those just let go to be closed.
const BREATH: Duration = Duration::from_millis(100);

/// Tells whether whoever is at the other end of a unix socket may do everything.
pub type Vouch = Box<dyn Fn(BorrowedFd<'_>) -> bool>;

/// A place where connections come in.
pub enum Listener {
    /// A TCP port, for every client.
    Tcp(Async<TcpListener>),
    /// A TCP port for a proxy in front, which begins each connection with the client's address ([`super::proxy_protocol`]).
    Proxy(Async<TcpListener>),
    /// The unix socket: whoever may open it, which the file system decides, and is vouched for.
    Unix(Async<UnixListener>, Vouch),
}

/// Somebody who has connected.
struct Arrival {
    address: Address,
    client: Option<Client>,
    /// Whether a proxy will say first whose connection it is.
    is_proxied: bool,
    socket: Async<TcpStream>,
}

impl Arrival {
    fn from_network(peer: IpAddr, socket: Async<TcpStream>) -> Self {
        Self {
            address: Address::from(peer),
            client: Some(client(peer)),
            is_proxied: false,
            socket,
        }
    }
}

/// An address as `trust` has it.
fn client(peer: IpAddr) -> Client {
    Client(match peer {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    })
}

impl Listener {
    /// Listens on a TCP port.
    ///
    /// # Errors
    /// The system refuses to watch it.
    pub fn tcp(listener: TcpListener) -> io::Result<Self> {
        Async::try_from(listener).map(Listener::Tcp)
    }

    /// Listens on a TCP port for a proxy. Only programs of this machine may reach it: each can name any client.
    ///
    /// # Errors
    /// The port is not on a loopback address, or the system refuses to watch it.
    pub fn proxy(listener: TcpListener) -> io::Result<Self> {
        if !listener.local_addr()?.ip().is_loopback() {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        Async::try_from(listener).map(Listener::Proxy)
    }

    /// Listens on a unix socket.
    ///
    /// # Errors
    /// The system refuses to watch it.
    pub fn unix(listener: UnixListener, vouch: Vouch) -> io::Result<Self> {
        let listener = Async::try_from(listener)?;
        Ok(Listener::Unix(listener, vouch))
    }

    async fn accept(&self) -> io::Result<Arrival> {
        match self {
            Listener::Tcp(listener) | Listener::Proxy(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Answers go out whole, events one by one: there is nothing to wait and gather for.
                let _ = stream.get_ref().set_nodelay(true);
                Ok(Arrival {
                    is_proxied: matches!(self, Listener::Proxy(_)),
                    ..Arrival::from_network(peer.ip(), stream)
                })
            }
            Listener::Unix(listener, vouch) => {
                let (stream, _) = listener.read_with(UnixListener::accept).await?;
                if !vouch(stream.as_fd()) {
                    // Anybody, as far as we know.
                    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
                    return Ok(Arrival::from_network(here, as_tcp(stream)?));
                }
                Ok(Arrival {
                    address: Address::Local,
                    client: None,
                    is_proxied: false,
                    socket: as_tcp(stream)?,
                })
            }
        }
    }
}

/// A unix stream in the clothes of a TCP stream. Both are read, written and shut down by the same
/// system calls, and one type of socket is half the code of two.
fn as_tcp(stream: UnixStream) -> io::Result<Async<TcpStream>> {
    Async::try_from(TcpStream::from(OwnedFd::from(stream)))
}

/// Serves whoever connects, for as long as it is polled.
pub async fn serve(api: Rc<Api>, listener: Listener, executor: Rc<LocalExecutor<'static>>) {
    let door = api.liveness.door();
    loop {
        match door.waits_for(listener.accept()).await {
            Ok(arrival) => welcome(&api, arrival, &executor),
            Err(error) => {
                log::warn!("cannot accept a connection: {error}");
                api.connections.dismiss_any();
                door.waits_for(Timer::after(BREATH)).await;
            }
        }
        // A flood of connections must not keep those that are open from being served.
        yield_now().await;
    }
}

/// Serves one connection that came in some other way, until it ends. Its client counts
/// as one on this machine.
///
/// # Errors
/// The system refuses to watch it.
pub async fn serve_stream(api: Rc<Api>, stream: UnixStream) -> io::Result<()> {
    let line = ClientConnection::new(as_tcp(stream)?);
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    if let Ok(guest) = api.connections.admit(Address::from(here), &api.limits) {
        converse(api, guest, Some(client(here)), line).await;
    }
    Ok(())
}

fn welcome(api: &Rc<Api>, arrival: Arrival, executor: &Rc<LocalExecutor<'static>>) {
    let Arrival {
        address,
        client,
        is_proxied,
        socket,
    } = arrival;
    match api.connections.admit(address, &api.limits) {
        Ok(guest) => {
            let place = guest.place();
            let line = ClientConnection::new(socket);
            let api = api.clone();
            place.hold_task(match is_proxied {
                true => executor.spawn(converse_behind_proxy(api, guest, line)),
                false => executor.spawn(converse(api, guest, client, line)),
            });
        }
        // What a fresh socket does not take at once is not worth waiting for.
        Err(error) => {
            let _ = io::Write::write(&mut socket.get_ref(), &error.into_bytes());
        }
    }
}

/// A client behind a proxy, which names it first.
async fn converse_behind_proxy(api: Rc<Api>, guest: Slot, mut line: ClientConnection) {
    let Some(peer) = line.proxied(&api.limits).await else {
        log::debug!(
            "a connection to the listener of the trusted proxy did not begin with a PROXY line"
        );
        return;
    };
    match guest.comes_from(Address::from(peer), &api.limits) {
        Ok(()) => converse(api, guest, Some(client(peer)), line).await,
        Err(error) => turn_away(&api, &mut line, error).await,
    }
}

/// One client, request after request.
async fn converse(api: Rc<Api>, guest: Slot, client: Option<Client>, mut line: ClientConnection) {
    let mut silence = api.limits.first_byte;
    loop {
        guest.waits();
        match line.next(silence, &api.limits).await {
            Next::Request(head, bytes) => {
                // Boxed, so that a connection costs what its socket costs while nothing is asked.
                let exchange = Box::pin(exchange(&api, &guest, client, &mut line, &head, &bytes));
                match exchange.await {
                    After::Next => (),
                    After::End => return,
                    After::EndUnread => return line.linger(api.limits.linger).await,
                }
            }
            Next::Refused(error) => return turn_away(&api, &mut line, error).await,
            Next::Gone => return,
        }
        silence = api.limits.idle;
        // Requests sent in advance must not keep others waiting.
        yield_now().await;
    }
}

/// What follows an exchange.
enum After {
    /// Another request.
    Next,
    /// The end.
    End,
    /// The end, although the client was not heard out.
    EndUnread,
}

/// One request and its answer.
async fn exchange(
    api: &Rc<Api>,
    guest: &Slot,
    client: Option<Client>,
    line: &mut ClientConnection,
    head: &Head,
    bytes: &[u8],
) -> After {
    line.deadline.set(api.limits.body);
    let signals = Signals::default();
    let (exchange, socket) = Exchange::new(line, &signals, bytes, head.expects_continue);
    let service = Service {
        api,
        guest,
        client,
        keep_alive: head.keep_alive,
        signals: &signals,
        socket,
    };
    let router = Router::from_service(service);
    let config = runtime::config(&api.limits);
    let mut buffer = vec![0; bytes.len()];
    let served = Server::custom(&router, Clock, &config, &mut buffer)
        .serve(exchange)
        .await;
    match served {
        Err(_) => After::End,
        Ok(_) if signals.stage.get() == Stage::Streaming => After::End,
        Ok(_) if line.body_left > 0 => After::EndUnread,
        Ok(_) if head.keep_alive => After::Next,
        Ok(_) => After::End,
    }
}

/// Says what is wrong, and ends the connection so that it is heard.
async fn turn_away(api: &Api, line: &mut ClientConnection, error: Error) {
    line.say_last(&error.into_bytes(), api.limits.write).await;
    line.linger(api.limits.linger).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Loaded;
    use crate::http::{About, CommandSender, Now, SnapshotFeed};
    use crate::supervisor::{ConfigurationStatus, Snapshot, Source};
    use crate::time::Moment;

    fn api() -> Rc<Api> {
        let loaded = Loaded::from_bytes(b"{\"version\":3}").expect("a document");
        let status = Snapshot {
            generation: 1,
            processes: Vec::new(),
            active_display: None,
            displays: Rc::new([]),
            connectors: Rc::new([]),
            schedule: Rc::default(),
            configuration: Rc::new(ConfigurationStatus {
                document: loaded.document,
                source: Source::File,
                problems: Vec::new(),
                warnings: loaded.warnings,
            }),
            shutting_down: false,
        };
        let about = About {
            version: "0",
            config_file: String::new(),
            started: Moment::default(),
            life: 0,
            last_start: crate::supervisor::LastStart::from_traces(&Default::default()),
            hostname: Box::new(String::new),
        };
        let clock = || Now {
            mono: Moment::default(),
            wall: jiff::Timestamp::UNIX_EPOCH,
        };
        let (mind, _) = CommandSender::new();
        let logs = crate::logs::Logs::new();
        Rc::new(Api::new(
            SnapshotFeed::new(Rc::new(status)),
            mind,
            logs,
            crate::http::MemoryStore::keeper(Moment::default),
            clock,
            about,
        ))
    }

    #[test]
    fn a_connection_that_says_nothing_costs_less_than_a_kibibyte() {
        let api = api();
        let (_client, stream) = UnixStream::pair().expect("a pair");
        let line = ClientConnection::new(as_tcp(stream).expect("a socket"));
        let guest = (api.connections.admit(Address::Local, &api.limits)).expect("room");
        let size = size_of_val(&converse(api.clone(), guest, None, line));
        assert!(size < 1024, "{size} bytes");
    }
}
