//! Why a page could not be loaded, for people who have never heard of `net::ERR_NAME_NOT_RESOLVED`.

use super::escape;
use crate::config::Url;

/// What happened, as a sentence about the server; `{}` is its name. The codes are those of Chromium's
/// `net/base/net_error_list.h`; the first whose beginning fits.
#[rustfmt::skip]
const REASONS: &[(&str, &str)] = &[
    ("INTERNET_DISCONNECTED",   "This kiosk is not connected to a network."),
    ("NETWORK_CHANGED",         "The network has just changed."),
    ("NETWORK_ACCESS_DENIED",   "This kiosk is not allowed to use the network."),
    ("NAME_",                   "The name {} is not known in this network."),
    ("DNS_",                    "The name {} could not be looked up."),
    ("ICANN_NAME_COLLISION",    "The name {} is not known in this network."),
    ("CONNECTION_REFUSED",      "{} is there, but its server is not running."),
    ("CONNECTION_TIMED_OUT",    "{} does not answer."),
    ("TIMED_OUT",               "{} does not answer."),
    ("ADDRESS_UNREACHABLE",     "{} cannot be reached from here."),
    ("ADDRESS_INVALID",         "{} cannot be reached from here."),
    ("CONNECTION_FAILED",       "{} cannot be reached."),
    ("CONNECTION_",             "{} has broken off the connection."),
    ("SOCKET_NOT_CONNECTED",    "{} has broken off the connection."),
    ("EMPTY_RESPONSE",          "{} has answered with nothing."),
    ("HTTP_RESPONSE_CODE",      "{} has answered with an error."),
    ("INVALID_",                "{} has answered with something that is no page."),
    ("CONTENT_",                "{} has answered with something that is no page."),
    ("INCOMPLETE_CHUNKED",      "{} has broken off in the middle of the page."),
    ("HTTP2_",                  "{} has broken off the connection."),
    ("QUIC_",                   "{} has broken off the connection."),
    ("TOO_MANY_REDIRECTS",      "{} sends its visitors round in circles."),
    ("UNSAFE_PORT",             "Browsers do not use the port of this address."),
    ("CERT_DATE_INVALID",       "The certificate of {} is not valid at this hour: it has run out, or a clock is wrong."),
    ("CERT_COMMON_NAME",        "The certificate of {} belongs to another name."),
    ("CERT_AUTHORITY",          "The certificate of {} is signed by somebody this kiosk does not know."),
    ("CERT_",                   "The certificate of {} is not trusted."),
    ("SSL_",                    "No secure connection to {} comes about."),
    ("ECH_",                    "No secure connection to {} comes about."),
    ("BAD_SSL_CLIENT",          "{} asks for a certificate that this kiosk does not have."),
    ("PROXY_",                  "The proxy of this network does not answer."),
    ("TUNNEL_CONNECTION",       "The proxy of this network does not let the connection through."),
    ("SOCKS_",                  "The proxy of this network does not let the connection through."),
    ("BLOCKED_BY",              "This address is blocked."),
    ("FILE_NOT_FOUND",          "The file is not there."),
    ("ACCESS_DENIED",           "The file may not be read."),
    ("UNKNOWN_URL_SCHEME",      "This is no address that a browser can open."),
    ("DISALLOWED_URL_SCHEME",   "This is no address that a browser can open."),
    ("INSUFFICIENT_RESOURCES",  "This kiosk has run out of memory for it."),
    ("OUT_OF_MEMORY",           "This kiosk has run out of memory for it."),
];

/// The longest name of a server that is shown in a sentence, in characters.
const MAX_HOST: usize = 40;

/// Why the page at `url` could not be loaded, as a sentence of HTML. `error` is in the browser's words.
pub(super) fn in_words(url: &str, error: &str) -> String {
    let code = error.trim_start_matches("net::").trim_start_matches("ERR_");
    // Before the address itself, because `INVALID_URL` says nothing about what was answered.
    let sentence = match code {
        "INVALID_URL" => "This is no address that a browser can open.",
        _ => (REASONS.iter())
            .find(|(beginning, _)| code.starts_with(beginning))
            .map_or("It could not be loaded.", |(_, sentence)| *sentence),
    };
    let host = match host(url) {
        "" => "The server".to_owned(),
        host => format!(
            "<strong><bdi>{}</bdi></strong>",
            escape::shown(host, MAX_HOST)
        ),
    };
    sentence.replace("{}", &host)
}

/// The server in an address, with its port; empty where there is none. Who signs in by the address does not want that on
/// a screen.
fn host(url: &str) -> &str {
    let authority = Url::parse(url).ok().and_then(|url| url.authority);
    authority.map_or("", |authority| authority.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(url: &str, error: &str) -> String {
        in_words(url, error)
            .replace("<strong><bdi>", "")
            .replace("</bdi></strong>", "")
    }

    #[test]
    fn the_common_errors_are_said_in_words() {
        let url = "https://me:secret@canvas.example:8443/a?b#c";
        for (error, words) in [
            (
                "net::ERR_INTERNET_DISCONNECTED",
                "This kiosk is not connected to a network.",
            ),
            (
                "net::ERR_NAME_NOT_RESOLVED",
                "The name canvas.example:8443 is not known in this network.",
            ),
            (
                "net::ERR_CONNECTION_REFUSED",
                "canvas.example:8443 is there, but its server is not running.",
            ),
            (
                "net::ERR_CONNECTION_TIMED_OUT",
                "canvas.example:8443 does not answer.",
            ),
            ("net::ERR_TIMED_OUT", "canvas.example:8443 does not answer."),
            (
                "net::ERR_CONNECTION_RESET",
                "canvas.example:8443 has broken off the connection.",
            ),
            (
                "net::ERR_CERT_AUTHORITY_INVALID",
                "The certificate of canvas.example:8443 is signed by somebody this kiosk does not know.",
            ),
            (
                "net::ERR_INVALID_URL",
                "This is no address that a browser can open.",
            ),
            (
                "net::ERR_INVALID_RESPONSE",
                "canvas.example:8443 has answered with something that is no page.",
            ),
            ("net::ERR_SOMETHING_NEW", "It could not be loaded."),
            ("", "It could not be loaded."),
        ] {
            assert_eq!(plain(url, error), words, "{error}");
        }
    }

    #[test]
    fn an_address_without_a_server_is_spoken_of_as_one() {
        assert_eq!(
            plain("file:///x", "net::ERR_TIMED_OUT"),
            "The server does not answer."
        );
        assert_eq!(
            plain("file:///x", "net::ERR_FILE_NOT_FOUND"),
            "The file is not there."
        );
    }

    #[test]
    fn the_name_of_a_server_cannot_become_markup() {
        let timed_out = "net::ERR_TIMED_OUT";
        assert!(in_words("http://a&b'c/", timed_out).contains("<bdi>a&amp;b&#39;c</bdi>"));
        let no_address = in_words("http://<img src=x>/", timed_out);
        assert_eq!(no_address, "The server does not answer.");
    }
}
