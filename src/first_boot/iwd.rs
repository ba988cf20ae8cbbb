//! A wireless network as iwd keeps it: a file in its directory (iwd.network(5)).

use crate::config::Network;
use std::fmt::Write;

/// What the file is called: the name of the network, unless that has something else in it than letters and digits of
/// ASCII, spaces, `_` and `-`; then its bytes in hexadecimal behind a `=`.
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

/// The other file that iwd might know the network by, from when it was open, or was not.
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

/// What stands in the file.
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

/// In a file of iwd's `\` begins an escape, and spaces at the ends of a line are nobody's.
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
    fn an_ordinary_name_is_the_name_of_the_file_and_any_other_is_encoded() {
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
    fn a_network_that_was_open_is_not_known_twice() {
        assert_eq!(other_file_name(&network("A", Some("x"))), "A.open");
        assert_eq!(other_file_name(&network("a.b", None)), "=612e62.psk");
    }

    #[test]
    fn a_passphrase_arrives_as_it_was_written() {
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
