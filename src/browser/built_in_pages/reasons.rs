//! Explains why a page could not be loaded: a sentence for each of Chromium's errors (`net::ERR_NAME_NOT_RESOLVED`).

use super::escape;
use crate::config::Url;

/// Prefixes of Chromium's error codes (`net/base/net_error_list.h`), and their sentences, in which `{}` is the server.
/// The first prefix that matches is used.
#[rustfmt::skip]
const REASONS: &[(&str, &str)] = &[
    ("INTERNET_DISCONNECTED",   "This kiosk is not connected to a network."),
    ("NETWORK_CHANGED",         "The network configuration has just changed."),
    ("NETWORK_ACCESS_DENIED",   "This kiosk is not allowed to use the network."),
    ("NAME_",                   "The name {} cannot be resolved."),
    ("DNS_",                    "The DNS lookup of {} failed."),
    ("ICANN_NAME_COLLISION",    "The name {} cannot be resolved."),
    ("CONNECTION_REFUSED",      "{} is reachable, but its server is not running."),
    ("CONNECTION_TIMED_OUT",    "{} does not answer."),
    ("TIMED_OUT",               "{} does not answer."),
    ("ADDRESS_UNREACHABLE",     "{} cannot be reached from this network."),
    ("ADDRESS_INVALID",         "{} cannot be reached from this network."),
    ("CONNECTION_FAILED",       "{} cannot be reached."),
    ("CONNECTION_",             "{} closed the connection."),
    ("SOCKET_NOT_CONNECTED",    "{} closed the connection."),
    ("EMPTY_RESPONSE",          "{} sent an empty response."),
    ("HTTP_RESPONSE_CODE",      "{} answered with an error."),
    ("INVALID_",                "{} sent an invalid response."),
    ("CONTENT_",                "{} sent an invalid response."),
    ("INCOMPLETE_CHUNKED",      "{} closed the connection before the page was complete."),
    ("HTTP2_",                  "{} closed the connection."),
    ("QUIC_",                   "{} closed the connection."),
    ("TOO_MANY_REDIRECTS",      "{} redirects too many times."),
    ("UNSAFE_PORT",             "Browsers block the port of this URL."),
    ("CERT_DATE_INVALID",       "The certificate of {} has expired, or the clock of this kiosk is wrong."),
    ("CERT_COMMON_NAME",        "The certificate of {} is for another name."),
    ("CERT_AUTHORITY",          "The certificate of {} is from an authority that this kiosk does not trust."),
    ("CERT_",                   "The certificate of {} is not trusted."),
    ("SSL_",                    "No secure connection to {} is possible."),
    ("ECH_",                    "No secure connection to {} is possible."),
    ("BAD_SSL_CLIENT",          "{} requires a client certificate, which this kiosk does not have."),
    ("PROXY_",                  "The proxy of this network does not answer."),
    ("TUNNEL_CONNECTION",       "The proxy of this network refused the connection."),
    ("SOCKS_",                  "The proxy of this network refused the connection."),
    ("BLOCKED_BY",              "This URL is blocked."),
    ("FILE_NOT_FOUND",          "The file does not exist."),
    ("ACCESS_DENIED",           "The browser may not read the file."),
    ("UNKNOWN_URL_SCHEME",      "The browser cannot open this URL."),
    ("DISALLOWED_URL_SCHEME",   "The browser cannot open this URL."),
    ("INSUFFICIENT_RESOURCES",  "This kiosk is out of memory."),
    ("OUT_OF_MEMORY",           "This kiosk is out of memory."),
];

/// The longest server name shown, in characters.
const MAX_HOST: usize = 40;

/// Why the page at `url` could not be loaded, as HTML. `error` is the error of the browser.
pub(super) fn in_words(url: &str, error: &str) -> String {
    let code = error.trim_start_matches("net::").trim_start_matches("ERR_");
    // An exception: the prefix `INVALID_` is about the response.
    let sentence = match code {
        "INVALID_URL" => "The browser cannot open this URL.",
        _ => (REASONS.iter())
            .find(|(beginning, _)| code.starts_with(beginning))
            .map_or("The page could not be loaded.", |(_, sentence)| *sentence),
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

/// The server of a URL, with its port; empty if there is none. User name and password must not appear on the screen.
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
    fn common_errors_are_explained() {
        let url = "https://me:secret@canvas.example:8443/a?b#c";
        for (error, words) in [
            (
                "net::ERR_INTERNET_DISCONNECTED",
                "This kiosk is not connected to a network.",
            ),
            (
                "net::ERR_NAME_NOT_RESOLVED",
                "The name canvas.example:8443 cannot be resolved.",
            ),
            (
                "net::ERR_CONNECTION_REFUSED",
                "canvas.example:8443 is reachable, but its server is not running.",
            ),
            (
                "net::ERR_CONNECTION_TIMED_OUT",
                "canvas.example:8443 does not answer.",
            ),
            ("net::ERR_TIMED_OUT", "canvas.example:8443 does not answer."),
            (
                "net::ERR_CONNECTION_RESET",
                "canvas.example:8443 closed the connection.",
            ),
            (
                "net::ERR_CERT_AUTHORITY_INVALID",
                "The certificate of canvas.example:8443 is from an authority that this kiosk does not trust.",
            ),
            ("net::ERR_INVALID_URL", "The browser cannot open this URL."),
            (
                "net::ERR_INVALID_RESPONSE",
                "canvas.example:8443 sent an invalid response.",
            ),
            ("net::ERR_SOMETHING_NEW", "The page could not be loaded."),
            ("", "The page could not be loaded."),
        ] {
            assert_eq!(plain(url, error), words, "{error}");
        }
    }

    #[test]
    fn a_url_without_a_server_name_is_called_the_server() {
        assert_eq!(
            plain("file:///x", "net::ERR_TIMED_OUT"),
            "The server does not answer."
        );
        assert_eq!(
            plain("file:///x", "net::ERR_FILE_NOT_FOUND"),
            "The file does not exist."
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
