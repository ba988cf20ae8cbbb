//! Accepts connections and serves each in a task of its own, on the only thread.

use super::connection::{ClientConnection, NextRequest};
use super::dispatch::Service;
use super::head::Head;
use super::runtime::{self, Clock, RequestSocket, RequestState, Stage};
use crate::auth::ClientAddress;
use crate::http::connection_limiter::Slot;
use crate::http::context::Api;
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

/// How long to wait after a failed accept, so that descriptors that were just released get closed.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// Whether the peer of a unix socket may do everything.
pub type AuthorizePeer = Box<dyn Fn(BorrowedFd<'_>) -> bool>;

/// A source of connections.
pub enum Listener {
    /// A TCP port for all clients.
    Tcp(Async<TcpListener>),
    /// A TCP port for a trusted proxy, which begins each connection with the client's address
    /// ([`super::proxy_protocol`]).
    Proxy(Async<TcpListener>),
    /// The unix socket, whose clients the file system selects and the function authorizes.
    Unix(Async<UnixListener>, AuthorizePeer),
}

/// An accepted connection.
struct Accepted {
    /// The address of the client; `None` for an authorized peer of the unix socket.
    client: Option<ClientAddress>,
    /// Whether the connection begins with a PROXY connection.
    is_proxied: bool,
    socket: Async<TcpStream>,
}

/// The address of clients on this machine.
fn loopback() -> ClientAddress {
    ClientAddress::from(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

impl Listener {
    /// Listens on a TCP port.
    ///
    /// # Errors
    /// The system refuses to watch it.
    pub fn tcp(listener: TcpListener) -> io::Result<Self> {
        Async::try_from(listener).map(Listener::Tcp)
    }

    /// Listens on a TCP port for a trusted proxy. Only programs on this machine may reach it, because they can claim
    /// any client address.
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
    pub fn unix(listener: UnixListener, is_authorized: AuthorizePeer) -> io::Result<Self> {
        let listener = Async::try_from(listener)?;
        Ok(Listener::Unix(listener, is_authorized))
    }

    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Listener::Tcp(listener) | Listener::Proxy(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Responses and events are written whole, so there is nothing for Nagle's algorithm to gather.
                let _ = stream.get_ref().set_nodelay(true);
                Ok(Accepted {
                    client: Some(ClientAddress::from(peer.ip())),
                    is_proxied: matches!(self, Listener::Proxy(_)),
                    socket: stream,
                })
            }
            Listener::Unix(listener, is_authorized) => {
                let (stream, _) = listener.read_with(UnixListener::accept).await?;
                // An unauthorized peer is an ordinary client on this machine.
                let client = (!is_authorized(stream.as_fd())).then(loopback);
                Ok(Accepted {
                    client,
                    is_proxied: false,
                    socket: as_tcp(stream)?,
                })
            }
        }
    }
}

/// A unix stream as a TCP stream. The same system calls read, write and shut down both, and one type of socket halves
/// the code.
fn as_tcp(stream: UnixStream) -> io::Result<Async<TcpStream>> {
    Async::try_from(TcpStream::from(OwnedFd::from(stream)))
}

/// Accepts and serves connections for as long as it is polled.
pub async fn serve(api: Rc<Api>, listener: Listener, executor: Rc<LocalExecutor<'static>>) {
    let probe = api.liveness.probe();
    loop {
        match probe.wait(listener.accept()).await {
            Ok(arrival) => start_connection(&api, arrival, &executor),
            Err(error) => {
                log::warn!("cannot accept a connection: {error}");
                api.connections.evict_any();
                probe.wait(Timer::after(RETRY_DELAY)).await;
            }
        }
        // A flood of new connections must not starve the open ones.
        yield_now().await;
    }
}

/// Serves one connection that did not come through a listener, until it ends. Its client counts as one on this machine.
///
/// # Errors
/// The system refuses to watch it.
pub async fn serve_stream(api: Rc<Api>, stream: UnixStream) -> io::Result<()> {
    let connection = ClientConnection::new(as_tcp(stream)?);
    let client = Some(loopback());
    if let Ok(slot) = api.connections.admit(client, &api.limits) {
        serve_connection(api, slot, client, connection).await;
    }
    Ok(())
}

fn start_connection(api: &Rc<Api>, arrival: Accepted, executor: &Rc<LocalExecutor<'static>>) {
    let Accepted {
        client,
        is_proxied,
        socket,
    } = arrival;
    match api.connections.admit(client, &api.limits) {
        Ok(slot) => {
            let place = slot.task_holder();
            let connection = ClientConnection::new(socket);
            let api = api.clone();
            place.hold_task(match is_proxied {
                true => executor.spawn(serve_proxied_connection(api, slot, connection)),
                false => executor.spawn(serve_connection(api, slot, client, connection)),
            });
        }
        // A new socket has room for this; if not, it is not worth waiting for.
        Err(error) => {
            let _ = io::Write::write(&mut socket.get_ref(), &error.into_bytes());
        }
    }
}

/// Serves a client behind a proxy, which sends the client's address first.
async fn serve_proxied_connection(api: Rc<Api>, slot: Slot, mut connection: ClientConnection) {
    let Some(client) = connection.read_proxy_line(&api.limits).await else {
        log::debug!(
            "a connection to the listener of the trusted proxy did not begin with a PROXY line"
        );
        return;
    };
    match slot.set_client(client, &api.limits) {
        Ok(()) => serve_connection(api, slot, Some(client), connection).await,
        Err(error) => refuse(&api, &mut connection, error).await,
    }
}

/// Serves one client, request after request.
async fn serve_connection(
    api: Rc<Api>,
    slot: Slot,
    client: Option<ClientAddress>,
    mut connection: ClientConnection,
) {
    let mut silence = api.limits.first_byte;
    loop {
        slot.start_waiting();
        match connection.next_request(silence, &api.limits).await {
            NextRequest::Request(head, bytes) => {
                // Boxed, so that an idle connection costs only its socket.
                let exchange = Box::pin(serve_request(
                    &api,
                    &slot,
                    client,
                    &mut connection,
                    &head,
                    &bytes,
                ));
                match exchange.await {
                    Persistence::KeepAlive => (),
                    Persistence::Close => return,
                    Persistence::CloseUnread => return connection.linger(api.limits.linger).await,
                }
            }
            NextRequest::Refused(error) => return refuse(&api, &mut connection, error).await,
            NextRequest::Closed => return,
        }
        silence = api.limits.idle;
        // Pipelined requests must not starve other connections.
        yield_now().await;
    }
}

/// What happens to the connection after a response.
enum Persistence {
    /// Another request may follow.
    KeepAlive,
    /// It is closed.
    Close,
    /// It is closed although the request was not read to its end.
    CloseUnread,
}

/// Serves one request.
async fn serve_request(
    api: &Rc<Api>,
    slot: &Slot,
    client: Option<ClientAddress>,
    connection: &mut ClientConnection,
    head: &Head,
    bytes: &[u8],
) -> Persistence {
    let state = RequestState::default();
    let (exchange, socket) = RequestSocket::new(connection, &state, bytes, head.expects_continue);
    let service = Service {
        api,
        slot,
        client,
        keep_alive: head.keep_alive,
        state: &state,
        socket,
    };
    let router = Router::from_service(service);
    let config = runtime::config(&api.limits);
    let mut buffer = vec![0; bytes.len()];
    let served = Server::custom(&router, Clock, &config, &mut buffer)
        .serve(exchange)
        .await;
    match served {
        Err(_) => Persistence::Close,
        Ok(_) if state.stage.get() == Stage::Streaming => Persistence::Close,
        Ok(_) if connection.body_left > 0 => Persistence::CloseUnread,
        Ok(_) if head.keep_alive => Persistence::KeepAlive,
        Ok(_) => Persistence::Close,
    }
}

/// Sends an error and closes the connection such that the client can read it.
async fn refuse(api: &Api, connection: &mut ClientConnection, error: Error) {
    connection
        .write_last(&error.into_bytes(), api.limits.write)
        .await;
    connection.linger(api.limits.linger).await;
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
                file_differs: false,
            }),
            shutting_down: false,
        };
        let about = About {
            version: "0",
            config_file: String::new(),
            started: Moment::default(),
            log_epoch: 0,
            last_start: crate::supervisor::LastStart::from_traces(&Default::default()),
            hostname: Box::new(String::new),
        };
        let clock = || Now {
            mono: Moment::default(),
            wall: jiff::Timestamp::UNIX_EPOCH,
        };
        let (commands, _) = CommandSender::new();
        let logs = crate::logs::Logs::new();
        Rc::new(Api::new(
            SnapshotFeed::new(Rc::new(status)),
            commands,
            logs,
            crate::http::AuthService::in_memory(Moment::default),
            clock,
            about,
        ))
    }

    #[test]
    fn an_idle_connection_costs_less_than_a_kibibyte() {
        let api = api();
        let (_client, stream) = UnixStream::pair().expect("a pair");
        let connection = ClientConnection::new(as_tcp(stream).expect("a socket"));
        let slot = (api.connections.admit(None, &api.limits)).expect("room");
        let size = size_of_val(&serve_connection(api.clone(), slot, None, connection));
        assert!(size < 1024, "{size} bytes");
    }
}
