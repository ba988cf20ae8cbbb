//! Finds out whether a server takes connections.

use crate::config::Url;
use crate::timeout::within;
use smol::net::TcpStream;
use std::time::Duration;

/// How long a server may take to accept, its name being looked up included. The farthest on Earth takes less
/// than one second.
const PATIENCE: Duration = Duration::from_secs(4);

/// Whether the server of this address (`http` or `https`) takes a connection. It is closed at once: nothing is said.
pub async fn server(url: &str) -> bool {
    let Some((host, port)) = Url::parse(url).ok().and_then(|url| url.server()) else {
        return false;
    };
    let connected = within(PATIENCE, TcpStream::connect((host, port))).await;
    connected.is_some_and(|stream| stream.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_listens_is_reached_and_one_that_does_not_is_not() {
        let server_here = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/page", server_here.local_addr().unwrap());
        assert!(smol::block_on(server(&url)));
        drop(server_here);
        assert!(!smol::block_on(server(&url)));
    }
}
