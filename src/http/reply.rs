//! What a handler is given and what it gives back.

use super::api::page::SentScreenshot;
use super::auth_service::Caller;
use super::error::{Error, ErrorKind};
use super::percent::Pairs;
use crate::auth::ClientAddress;
use crate::config::parse_json;
use picoserve::request::RequestParts;
use serde::Serialize;
use serde_json::{Map, Value};
use smol::Async;
use std::borrow::Cow;
use std::future::Future;
use std::net::TcpStream;
use std::ops::Deref;
use std::pin::Pin;
use std::rc::Rc;

/// A future of a handler. Boxed, so that the routes can be a table.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A request that has passed the door.
#[derive(Debug)]
pub struct ApiRequest<'r> {
    /// Method, path, query and header fields.
    pub parts: RequestParts<'r>,
    /// What stands in the place of `{id}` in the path, decoded.
    pub id: &'r str,
    /// Names and values of the query.
    pub query: Pairs<'r>,
    /// The whole body.
    pub body: Vec<u8>,
    /// How its sender was let in.
    pub caller: Caller,
    /// Where its sender is; `None` for whoever came through the unix socket.
    pub client: Option<ClientAddress>,
    /// The sender's end of the connection.
    pub peer: Peer<'r>,
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'r>(pub &'r Async<TcpStream>);

impl Peer<'_> {
    /// Resolves once the client has closed the connection. Of one that has sent another request in advance, that is not
    /// noticed.
    pub async fn disconnected(self) {
        if let Ok(1..) = self.0.peek(&mut [0]).await {
            std::future::pending().await
        }
    }
}

impl<'r> ApiRequest<'r> {
    /// A header field as text.
    pub fn header(&self, name: &str) -> Option<&'r str> {
        self.parts.headers().get(name)?.as_str().ok()
    }

    /// A parameter of the query.
    pub fn query(&self, name: &str) -> Option<&str> {
        let parameter = self.query.iter().find(|(key, _)| key == name);
        parameter.map(|(_, value)| &**value)
    }

    /// Whether the client would rather have this media type than what it gets unasked.
    pub fn accepts(&self, media_type: &str) -> bool {
        self.header("accept").is_some_and(|accept| {
            (accept.split(','))
                .filter_map(|range| range.split(';').next())
                .any(|range| range.trim().eq_ignore_ascii_case(media_type))
        })
    }

    /// The body as JSON, read as the configuration file is.
    ///
    /// # Errors
    /// It is not JSON, is nested more deeply than any configuration, or names a field twice.
    pub fn json(&self) -> Result<Value, Error> {
        parse_json(&self.body).map_err(Error::from_parsing)
    }

    /// The body as a JSON object.
    ///
    /// # Errors
    /// As for [`Ask::json`], or it is JSON of another sort.
    pub fn object(&self) -> Result<Map<String, Value>, Error> {
        match self.json()? {
            Value::Object(map) => Ok(map),
            _ => Err(Error::new(ErrorKind::Invalid, "the body must be an object")),
        }
    }
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The header fields that are not the same for every answer.
    pub fields: heapless::Vec<(&'static str, Cow<'static, str>), 4>,
    /// What comes after them.
    pub content: Content,
    /// Whom it is given to.
    pub pass: Caller,
}

/// The body of an answer.
pub enum Content {
    /// None at all.
    Nothing,
    /// Bytes, and their media type.
    Bytes(&'static str, Bytes),
    /// Server-sent events, for as long as the client listens.
    Events(Box<dyn EventSource>),
}

/// Bytes, whoever owns them.
#[derive(Debug)]
pub enum Bytes {
    /// This answer alone.
    Owned(Vec<u8>),
    /// Many answers.
    Shared(Rc<[u8]>),
    /// A picture, which is counted as long as it is on its way.
    Screenshot(SentScreenshot),
    /// The program itself.
    Static(&'static [u8]),
    /// This answer alone; they are of the program, whoever asks gets the same.
    Inflated(Vec<u8>),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Owned(bytes) | Bytes::Inflated(bytes) => bytes,
            Bytes::Shared(bytes) => bytes,
            Bytes::Screenshot(picture) => picture,
            Bytes::Static(bytes) => bytes,
        }
    }
}

/// Makes the events of a stream.
pub trait EventSource {
    /// Waits until there is something to tell and writes it to `out`, whole events only.
    /// Yields false when the stream is over. Dropping the future loses nothing.
    fn next<'a>(&'a mut self, out: &'a mut Vec<u8>) -> BoxFuture<'a, bool>;
}

impl Reply {
    /// An answer without a body: 204 or 304.
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            fields: heapless::Vec::new(),
            content: Content::Nothing,
            pass: Caller::Anonymous,
        }
    }

    /// An answer of these bytes.
    pub fn bytes(status: u16, media_type: &'static str, bytes: Vec<u8>) -> Self {
        Self {
            content: Content::Bytes(media_type, Bytes::Owned(bytes)),
            ..Self::empty(status)
        }
    }

    /// An answer of bytes that were written once for many.
    pub fn shared(media_type: &'static str, bytes: Rc<[u8]>) -> Self {
        Self {
            content: Content::Bytes(media_type, Bytes::Shared(bytes)),
            ..Self::empty(200)
        }
    }

    /// An answer that is a picture.
    pub fn screenshot(picture: SentScreenshot) -> Self {
        Self {
            content: Content::Bytes("image/png", Bytes::Screenshot(picture)),
            ..Self::empty(200)
        }
    }

    /// An answer of bytes of the program itself.
    pub fn fixed(media_type: &'static str, bytes: &'static [u8]) -> Self {
        Self {
            content: Content::Bytes(media_type, Bytes::Static(bytes)),
            ..Self::empty(200)
        }
    }

    /// The same, where they are kept smaller than they are sent.
    pub fn inflated(media_type: &'static str, bytes: Vec<u8>) -> Self {
        Self {
            content: Content::Bytes(media_type, Bytes::Inflated(bytes)),
            ..Self::empty(200)
        }
    }

    /// An answer in JSON.
    pub fn json(status: u16, value: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(value).expect("what we show can be written");
        Self::bytes(status, "application/json", bytes)
    }

    /// A stream of events.
    pub fn events(source: impl EventSource + 'static) -> Self {
        Self {
            content: Content::Events(Box::new(source)),
            ..Self::empty(200)
        }
    }

    /// The same answer, to somebody who was let in.
    pub fn for_caller(self, pass: Caller) -> Self {
        Self { pass, ..self }
    }

    /// The same answer with one more header field.
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        (self.fields.push((name, value.into()))).expect("no answer has more than four");
        self
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Content::Nothing => f.write_str("Nothing"),
            Content::Bytes(kind, bytes) => write!(f, "{kind} of {} bytes", bytes.len()),
            Content::Events(_) => f.write_str("Events"),
        }
    }
}

/// Appends one server-sent event. `data` writes JSON, which has no line breaks.
pub fn write_event(out: &mut Vec<u8>, name: &str, id: Option<u64>, data: &impl Serialize) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    if let Some(id) = id {
        out.extend_from_slice(b"\nid: ");
        out.extend_from_slice(id.to_string().as_bytes());
    }
    out.extend_from_slice(b"\ndata: ");
    serde_json::to_writer(&mut *out, data).expect("what we show can be written");
    out.extend_from_slice(b"\n\n");
}
