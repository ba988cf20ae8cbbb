//! Where a daemon serves, as an operator types it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The port of the older program, which its users have in their bookmarks.
pub const PORT: u16 = 8081;

/// Everywhere: a kiosk is managed from a phone, and whoever comes has to show a credential.
pub fn default() -> Vec<SocketAddr> {
    vec![SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), PORT)]
}

/// Loopback only, for what somebody tries out.
pub fn loopback() -> Vec<SocketAddr> {
    vec![
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT),
        SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), PORT),
    ]
}

/// `127.0.0.1:8082` or `[::1]:8082`: whatever reaches it may name any client, so the network must not.
pub fn parse_proxy(text: &str) -> Result<SocketAddr, String> {
    let address: Option<SocketAddr> = text.parse().ok();
    address
        .filter(|address| address.ip().is_loopback())
        .ok_or_else(|| format!("--trusted-proxy {text}: must be a loopback address and a port, such as 127.0.0.1:8082"))
}

/// `127.0.0.1:8081`, `[::]:8081`, or `:8081` for every address of the machine.
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
