//! Finds out whether a server takes connections.

use smol::Timer;
use smol::future::or;
use smol::net::TcpStream;
use std::time::Duration;

/// How long a server may take to accept, its name being looked up included. The farthest on Earth takes less
/// than one second.
const PATIENCE: Duration = Duration::from_secs(4);

/// Whether the server of this address (`http` or `https`) takes a connection. It is closed at once: nothing is said.
pub async fn server(url: &str) -> bool {
    let Some((host, port)) = host_and_port(url) else {
        return false;
    };
    let accepted = async { TcpStream::connect((host, port)).await.is_ok() };
    let late = async {
        Timer::after(PATIENCE).await;
        false
    };
    or(accepted, late).await
}

/// The host, without the brackets of an IPv6 address, and the port, by default that of the scheme.
fn host_and_port(url: &str) -> Option<(&str, u16)> {
    let (scheme, rest) = url.split_once("://")?;
    let usual = if scheme.eq_ignore_ascii_case("https") {
        443
    } else {
        80
    };
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let authority = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        let port = port
            .strip_prefix(':')
            .map_or(Some(usual), |port| port.parse().ok())?;
        return Some((host, port));
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, "")) => (host, usual),
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, usual),
    };
    (!host.is_empty()).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_are_where_they_stand_in_an_address() {
        for (url, expected) in [
            ("http://example.org", Some(("example.org", 80))),
            ("HTTPS://example.org/a:1?b@c", Some(("example.org", 443))),
            ("http://u:p@example.org:8080/", Some(("example.org", 8080))),
            ("http://[::1]:3000/x", Some(("::1", 3000))),
            ("https://[fd00::1]", Some(("fd00::1", 443))),
            ("http://127.0.0.1:", Some(("127.0.0.1", 80))),
            ("http://:80/", None),
            ("http://a:b/", None),
            ("file:///srv", None),
            ("nonsense", None),
        ] {
            assert_eq!(host_and_port(url), expected, "{url}");
        }
    }

    #[test]
    fn a_server_that_listens_is_reached_and_one_that_does_not_is_not() {
        let server_here = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/page", server_here.local_addr().unwrap());
        assert!(smol::block_on(server(&url)));
        drop(server_here);
        assert!(!smol::block_on(server(&url)));
    }
}
