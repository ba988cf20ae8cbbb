//! The signs by which a process shows that others may rely on it.
//!
//! Each function here resolves when the sign was seen and not before; who waits gives up by dropping it.

use crate::config::{Scheme, Url};
use crate::supervisor::{Failure, RunId};
use crate::sys::errno::failure;
use crate::time::Backoff;
use crate::timeout::within;
use async_process::ExitStatus;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::TcpStream;
use smol::net::unix::UnixDatagram;
use smol::{Async, Timer, future};
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The pauses between attempts. The longest one is what a person hardly notices, and nothing a board does.
const PAUSES: Backoff = Backoff {
    first: Duration::from_millis(50),
    longest: Duration::from_secs(1),
};

/// One attempt takes no longer: a server that accepts and never answers is not ready, and
/// may be so the next time.
const ATTEMPT_MAX: Duration = Duration::from_secs(5);

/// `HTTP/1.1 200`: all that is read of an answer.
const STATUS_LENGTH: usize = 12;

/// A message of sd_notify(3) is read up to here.
const MESSAGE_MAX: usize = 4096;

/// Resolves once a GET of this `http://` address is answered below status 400.
pub(in crate::sys) async fn http(url: &str) {
    let parsed = Url::parse(url)
        .ok()
        .filter(|url| url.scheme == Scheme::Http);
    let Some((url, server)) = parsed.and_then(|url| Some((url, url.authority?))) else {
        log::error!("{url} cannot be probed: it is no http:// address");
        return future::pending().await;
    };
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: ossuary\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        url.target(),
        server.text
    );
    let address = (server.host, server.port.unwrap_or(80));
    let is_ready = |status| status < 400;
    again_and_again(async || get(address, &request).await.is_ok_and(is_ready)).await;
}

/// Resolves once this port on loopback accepts a connection, by IPv4 or IPv6.
pub(in crate::sys) async fn tcp(port: u16) {
    let addresses = [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ]
    .map(|address| SocketAddr::new(address, port));
    again_and_again(async || TcpStream::connect(&addresses[..]).await.is_ok()).await;
}

/// Resolves once `execute`, which executes a command beside the run, returns a success.
pub(in crate::sys) async fn command(
    run: RunId,
    execute: impl AsyncFn() -> Result<ExitStatus, Failure>,
) {
    again_and_again(async || {
        let result = execute().await;
        if let Err(error) = &result {
            log::debug!("run {run} cannot be probed: {error}");
        }
        result.is_ok_and(|status| status.success())
    })
    .await;
}

/// The socket by which a run says `READY=1` (sd_notify(3)): `RUN_DIR/<run>.notify`, removed with this.
#[derive(Debug)]
pub(in crate::sys) struct NotifySocket {
    socket: UnixDatagram,
    path: PathBuf,
}

impl NotifySocket {
    /// A socket that only `uid` (and root) may write to.
    pub(in crate::sys) fn bind(run_dir: &Path, run: RunId, uid: u32) -> Result<Self, Failure> {
        let path = Self::path_of(run_dir, run);
        let failed = |error| failure(format_args!("listen on {}", path.display()), &error);
        let _ = fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).map_err(failed)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(uid), None).map_err(failed)?;
        }
        Ok(Self { socket, path })
    }

    /// The socket of a run that an earlier daemon has started.
    pub(in crate::sys) fn from_earlier(
        run_dir: &Path,
        run: RunId,
        fd: OwnedFd,
    ) -> Result<Self, Failure> {
        let path = Self::path_of(run_dir, run);
        let socket = std::os::unix::net::UnixDatagram::from(fd);
        let socket = UnixDatagram::try_from(socket)
            .map_err(|error| failure(format_args!("listen on {}", path.display()), &error))?;
        Ok(Self { socket, path })
    }

    fn path_of(run_dir: &Path, run: RunId) -> PathBuf {
        run_dir.join(format!("{run}.notify"))
    }

    pub(in crate::sys) fn path(&self) -> &Path {
        &self.path
    }

    /// The socket, for the next daemon.
    pub(in crate::sys) fn descriptor(&self) -> io::Result<OwnedFd> {
        let socket: Arc<Async<std::os::unix::net::UnixDatagram>> = self.socket.clone().into();
        socket.as_fd().try_clone_to_owned()
    }

    /// Resolves once a message holds the line `READY=1`.
    pub(in crate::sys) async fn ready(&self) {
        let mut message = [0; MESSAGE_MAX];
        loop {
            match self.socket.recv(&mut message).await {
                Ok(length) if says_ready(&message[..length]) => return,
                // A process that sends without end does not keep the loop.
                Ok(_) => future::yield_now().await,
                Err(error) => {
                    log::error!("{} cannot be read: {error}", self.path.display());
                    return future::pending().await;
                }
            }
        }
    }
}

impl Drop for NotifySocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn says_ready(message: &[u8]) -> bool {
    message
        .split(|byte| *byte == b'\n')
        .any(|line| line == b"READY=1")
}

/// Tries until it works, with growing pauses.
async fn again_and_again(mut attempt: impl AsyncFnMut() -> bool) {
    let mut failures = 0;
    while within(ATTEMPT_MAX, attempt()).await != Some(true) {
        failures += 1;
        Timer::after(PAUSES.after(failures)).await;
    }
}

/// Sends a request and returns the status of the answer.
async fn get(server: (&str, u16), request: &str) -> io::Result<u16> {
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = [0; STATUS_LENGTH];
    stream.read_exact(&mut answer).await?;
    str::from_utf8(&answer)
        .ok()
        .filter(|line| line.starts_with("HTTP/1."))
        .and_then(|line| line.get(9..)?.parse().ok())
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::test::Dir;
    use smol::net::TcpListener;

    #[test]
    fn a_server_is_ready_when_it_answers_well_and_not_before() {
        smol::block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = async {
                for status in ["503 not yet", "HTTP nonsense", "204 fine", "200 fine"] {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    let mut request = [0; 256];
                    let length = stream.read(&mut request).await.unwrap();
                    assert!(
                        request[..length].starts_with(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1:")
                    );
                    let answer = format!("HTTP/1.1 {status}\r\n\r\n");
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            };
            let url = format!("http://127.0.0.1:{port}/health");
            // What the configuration accepts is probed, however it is written.
            let loud = format!("HTTP://user:word@127.0.0.1:{port}/health#top");
            let probes = async {
                http(&url).await;
                http(&loud).await;
            };
            future::zip(server, probes).await;
        });
    }

    #[test]
    fn a_port_is_ready_when_it_accepts() {
        smol::block_on(async {
            let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await;
            let listener = match listener {
                Ok(listener) => listener,
                Err(_) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(),
            };
            tcp(listener.local_addr().unwrap().port()).await;
        });
    }

    #[test]
    fn others_have_a_turn_between_the_messages_of_a_process() {
        let dir = Dir::new("readiness-flood");
        let uid = nix::unistd::geteuid().as_raw();
        let socket = NotifySocket::bind(dir.path(), RunId(4), uid).unwrap();
        let sender = std::os::unix::net::UnixDatagram::unbound().unwrap();
        for message in ["STATUS=1", "STATUS=2", "READY=1"] {
            sender.send_to(message.as_bytes(), socket.path()).unwrap();
        }
        smol::block_on(async {
            let mut ready = std::pin::pin!(socket.ready());
            assert_eq!(future::poll_once(ready.as_mut()).await, None);
            assert_eq!(future::poll_once(ready.as_mut()).await, None);
            ready.await;
        });
    }

    #[test]
    fn a_process_that_says_so_is_ready() {
        let dir = Dir::new("readiness-notify");
        let uid = nix::unistd::geteuid().as_raw();
        let socket = NotifySocket::bind(dir.path(), RunId(3), uid).unwrap();
        let path = socket.path().to_owned();
        let sender = std::os::unix::net::UnixDatagram::unbound().unwrap();
        sender.send_to(b"STATUS=READY=1 soon", &path).unwrap();
        sender.send_to(b"STATUS=up\nREADY=1\n", &path).unwrap();
        smol::block_on(socket.ready());
        drop(socket);
        assert!(!path.exists());
    }
}
