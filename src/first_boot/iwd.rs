//! The file of a wireless network for iwd (iwd.network(5)).

use crate::config::Network;
use std::fmt::Write;

/// The name of the file: the SSID if it has only ASCII letters and digits, spaces, `_` and `-`, else `=` and its bytes in
/// hexadecimal.
pub fn file_name(network: &Network) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" _-".contains(&byte);
    let kind = match network.passphrase {
        Some(_) => "psk",
        None => "open",
    };
    if network.name.bytes().all(plain) {
        return format!("{}.{kind}", network.name);
    }
    let mut name = "=".to_owned();
    for byte in network.name.bytes() {
        let _ = write!(name, "{byte:02x}");
    }
    format!("{name}.{kind}")
}

/// The name of the file for a network of this SSID with the other security, which is removed.
pub fn other_file_name(network: &Network) -> String {
    let (name, kind) = file_name(network)
        .rsplit_once('.')
        .map(|(name, kind)| (name.to_owned(), kind == "psk"))
        .unwrap_or_default();
    match kind {
        true => format!("{name}.open"),
        false => format!("{name}.psk"),
    }
}

/// The content of the file.
pub fn content(network: &Network) -> String {
    let mut text = String::new();
    if let Some(passphrase) = &network.passphrase {
        let _ = write!(text, "[Security]\nPassphrase={}\n", escape(passphrase));
    }
    if network.hidden {
        text.push_str("[Settings]\nHidden=true\n");
    }
    text
}

/// Escapes backslashes, which start an escape sequence, and spaces, which iwd removes at the ends of a line.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace(' ', "\\s")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(name: &str, passphrase: Option<&str>) -> Network {
        Network {
            name: name.to_owned(),
            passphrase: passphrase.map(str::to_owned),
            hidden: false,
        }
    }

    #[test]
    fn an_unusual_ssid_is_encoded_in_the_file_name() {
        let name = |name, passphrase| file_name(&network(name, passphrase));
        assert_eq!(name("Gallery 2_a-b", Some("x")), "Gallery 2_a-b.psk");
        assert_eq!(name("Gallery", None), "Gallery.open");
        assert_eq!(name("Café", Some("x")), "=436166c3a9.psk");
        assert_eq!(
            name("../etc/passwd", None),
            "=2e2e2f6574632f706173737764.open"
        );
        assert_eq!(name("a.b", None), "=612e62.open");
    }

    #[test]
    fn the_file_of_the_other_security_is_named() {
        assert_eq!(other_file_name(&network("A", Some("x"))), "A.open");
        assert_eq!(other_file_name(&network("a.b", None)), "=612e62.psk");
    }

    #[test]
    fn a_passphrase_is_escaped() {
        let text = content(&network("A", Some(" 12\\34 # ; \"5")));
        assert_eq!(text, "[Security]\nPassphrase=\\s12\\\\34\\s#\\s;\\s\"5\n");
        assert_eq!(content(&network("A", None)), "");
        let hidden = Network {
            hidden: true,
            ..network("A", None)
        };
        assert_eq!(content(&hidden), "[Settings]\nHidden=true\n");
    }
}
