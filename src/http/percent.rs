//! Percent-decoding (RFC 3986, section 2.1) of a whole path or query, exactly once. picoserve's `UrlEncodedString` decodes
//! a plus sign to a space, which fails `an_encoding_is_decoded_exactly_once`.

use super::error::{Error, ErrorKind};
use std::borrow::Cow;

/// Decoded names and values.
pub type Pairs<'q> = Vec<(Cow<'q, str>, Cow<'q, str>)>;

/// Decodes a path. No id contains a slash, so a path with an encoded slash does not exist.
///
/// # Errors
/// The encoding is invalid, or there is an encoded slash.
pub fn path(encoded: &str) -> Result<Cow<'_, str>, Error> {
    let decoded = decode(encoded)?;
    if decoded.matches('/').count() > encoded.matches('/').count() {
        return Err(Error::new(
            ErrorKind::NotFound,
            format!("there is no {encoded}"),
        ));
    }
    Ok(decoded)
}

/// Decodes a query. A plus sign is literal, because the offset of a time begins with one.
///
/// # Errors
/// The encoding is invalid.
pub fn query(encoded: &str) -> Result<Pairs<'_>, Error> {
    (encoded.split('&'))
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| Ok((decode(name)?, decode(value)?)))
        .collect()
}

fn decode(encoded: &str) -> Result<Cow<'_, str>, Error> {
    let bad = || {
        let detail = "the request target has a percent sign that is not followed by two hexadecimal \
                      digits, or encodes what is not UTF-8";
        Error::new(ErrorKind::Malformed, detail)
    };
    if !encoded.contains('%') {
        return Ok(encoded.into());
    }
    let digit = |byte: Option<u8>| {
        let digit = char::from(byte?).to_digit(16)?;
        u8::try_from(digit).ok()
    };
    let mut bytes = encoded.bytes();
    let mut decoded = Vec::with_capacity(encoded.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let high = digit(bytes.next()).ok_or_else(bad)?;
                let low = digit(bytes.next()).ok_or_else(bad)?;
                high << 4 | low
            }
            plain => plain,
        });
    }
    String::from_utf8(decoded).map(Cow::from).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_decoded_exactly_once() {
        assert_eq!(path("/%61pi/a%3Ab").unwrap(), "/api/a:b");
        assert_eq!(path("/a%253A").unwrap(), "/a%3A");
        assert_eq!(path("/caf%C3%A9").unwrap(), "/café");
        let pairs = query("from=2026-11-27T08%3a00:00+01:00&x&%61=%2B").unwrap();
        assert_eq!(
            pairs,
            [
                ("from".into(), "2026-11-27T08:00:00+01:00".into()),
                ("a".into(), Cow::from("+"))
            ]
        );
    }

    #[test]
    fn an_invalid_encoding_is_refused() {
        for bad in ["/%", "/%4", "/%zz", "/%+1", "/%ff", "/%C3"] {
            assert_eq!(path(bad).map_err(|error| error.status()), Err(400), "{bad}");
        }
        assert_eq!(
            path("/api%2Fstatus").map_err(|error| error.status()),
            Err(404)
        );
        assert!(query("a=%").is_err());
    }
}
