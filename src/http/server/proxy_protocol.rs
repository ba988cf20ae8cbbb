//! The line by which a proxy reports the client of a connection: PROXY protocol, version 1 (HAProxy,
//! proxy-protocol.txt, section 2.1).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest line, in bytes, with its end.
pub const MAX: usize = 107;

/// The client's address in a whole line. A line without a client (`UNKNOWN`) is treated as malformed, because a client
/// without an address cannot be counted.
pub fn client(line: &[u8]) -> Option<IpAddr> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
    let words: Vec<&str> = line.split(' ').collect();
    let ["PROXY", family, source, destination, ports @ ..] = &words[..] else {
        return None;
    };
    let is_port =
        |port: &&str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if ports.len() != 2 || !ports.iter().all(is_port) {
        return None;
    }
    match *family {
        "TCP4" => {
            destination.parse::<Ipv4Addr>().ok()?;
            source.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
        }
        "TCP6" => {
            destination.parse::<Ipv6Addr>().ok()?;
            source.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_the_client() {
        let v4 = client(b"PROXY TCP4 192.0.2.7 127.0.0.1 56324 443\r\n");
        assert_eq!(v4, Some("192.0.2.7".parse().expect("an address")));
        let v6 = client(b"PROXY TCP6 2001:db8::7 ::1 56324 443\r\n");
        assert_eq!(v6, Some("2001:db8::7".parse().expect("an address")));
    }

    #[test]
    fn a_malformed_line_names_no_client() {
        for line in [
            "",
            "\r\n",
            "PROXY UNKNOWN\r\n",
            "PROXY UNKNOWN 192.0.2.7 127.0.0.1 56324 443\r\n",
            "PROXY TCP4 192.0.2.7 127.0.0.1 56324 443\n",
            "PROXY TCP4 192.0.2.7 127.0.0.1 56324 443",
            "PROXY TCP4 192.0.2.7 127.0.0.1 56324\r\n",
            "PROXY TCP4 192.0.2.7 127.0.0.1 56324 443 \r\n",
            "PROXY TCP4 192.0.2.7 127.0.0.1 56324 +443\r\n",
            "PROXY TCP4 192.0.2.7 127.0.0.1 56324 65536\r\n",
            "PROXY TCP4 192.0.2.7  127.0.0.1 56324 443\r\n",
            "PROXY TCP4 192.0.2.007 127.0.0.1 56324 443\r\n",
            "PROXY TCP4 2001:db8::7 ::1 56324 443\r\n",
            "PROXY TCP6 192.0.2.7 127.0.0.1 56324 443\r\n",
            "proxy TCP4 192.0.2.7 127.0.0.1 56324 443\r\n",
            "GET / HTTP/1.1\r\n",
        ] {
            assert_eq!(client(line.as_bytes()), None, "{line:?}");
        }
    }
}
