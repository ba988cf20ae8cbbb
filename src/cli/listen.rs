//! The addresses on which a daemon listens.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The port of version 0.1, which users have in their bookmarks.
pub const PORT: u16 = 8081;

/// Every address: a kiosk is managed from a phone, and clients have to authenticate.
pub fn default() -> Vec<SocketAddr> {
    vec![SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), PORT)]
}

/// Loopback only, for the demo.
pub fn loopback() -> Vec<SocketAddr> {
    vec![
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT),
        SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), PORT),
    ]
}

/// Parses `127.0.0.1:8082` or `[::1]:8082`. A trusted proxy may name any client address, so only loopback is allowed.
pub fn parse_proxy(text: &str) -> Result<SocketAddr, String> {
    let address: Option<SocketAddr> = text.parse().ok();
    address
        .filter(|address| address.ip().is_loopback())
        .ok_or_else(|| format!("--trusted-proxy {text}: must be a loopback address and a port, such as 127.0.0.1:8082"))
}

/// Parses `127.0.0.1:8081`, `[::]:8081`, or `:8081` for every address of the machine.
pub fn parse(text: &str) -> Result<SocketAddr, String> {
    let everywhere = |port: &str| {
        let port = port.parse().ok()?;
        Some(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port))
    };
    text.parse()
        .ok()
        .or_else(|| everywhere(text.strip_prefix(':')?))
        .ok_or_else(|| {
            format!("--listen {text}: must be like 127.0.0.1:{PORT}, [::]:{PORT} or :{PORT}")
        })
}
