//! The requests that handlers get and the replies that they return.

use super::body;
use super::caller::Caller;
use super::error::{self, Error};
use super::future::BoxFuture;
use super::percent::Pairs;
use super::screenshots::SentScreenshot;
use crate::auth::ClientAddress;
use crate::config::parse_json;
use picoserve::request::RequestParts;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use smol::Async;
use std::borrow::Cow;
use std::net::TcpStream;
use std::ops::Deref;
use std::rc::Rc;

/// A request that the guard has let pass.
#[derive(Debug)]
pub struct ApiRequest<'r> {
    /// Method, path, query and header fields.
    pub parts: RequestParts<'r>,
    /// The decoded segment in the place of `{id}` in the path.
    pub id: &'r str,
    /// The names and values of the query.
    pub query: Pairs<'r>,
    /// The whole body.
    pub body: Vec<u8>,
    /// Who sent it.
    pub caller: Caller,
    /// The address of the client; `None` for the unix socket.
    pub client: Option<ClientAddress>,
    /// The connection to the client.
    pub peer: Peer<'r>,
}

/// The connection to a client.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'r>(pub &'r Async<TcpStream>);

impl Peer<'_> {
    /// Resolves once the client has closed the connection. Not noticed after a pipelined request.
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

    /// Whether the client accepts this media type explicitly.
    pub fn accepts(&self, media_type: &str) -> bool {
        self.header("accept").is_some_and(|accept| {
            (accept.split(','))
                .filter_map(|range| range.split(';').next())
                .any(|range| range.trim().eq_ignore_ascii_case(media_type))
        })
    }

    /// Parses the body as JSON, like the configuration file.
    ///
    /// # Errors
    /// It is not JSON, is nested too deeply, or has a duplicate field.
    pub fn json(&self) -> Result<Value, Error> {
        parse_json(&self.body).map_err(Error::from_parsing)
    }

    /// Parses the body into a struct.
    ///
    /// # Errors
    /// It is not JSON, or a field is unknown, missing, duplicate or of another type.
    pub fn body<T: DeserializeOwned>(&self) -> Result<T, Error> {
        body::parse(&self.body)
    }

    /// Parses the body as a JSON object.
    ///
    /// # Errors
    /// As for [`ApiRequest::json`], or it is not an object.
    pub fn object(&self) -> Result<Map<String, Value>, Error> {
        body::object(&self.body)
    }
}

/// A response.
#[derive(Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The header fields beyond those of all responses.
    pub fields: heapless::Vec<(&'static str, Cow<'static, str>), 4>,
    /// How clients may cache it.
    pub cache: &'static str,
    /// The body.
    pub content: Content,
}

/// The body of a response.
pub enum Content {
    /// None.
    Nothing,
    /// Bytes of this media type.
    Bytes(&'static str, Bytes),
    /// Server-sent events, until the client disconnects or the access of the caller is revoked.
    Events(Caller, Box<dyn EventSource>),
}

/// The bytes of a body.
#[derive(Debug)]
pub enum Bytes {
    /// Made for this response.
    Owned(Vec<u8>),
    /// Shared between responses.
    Shared(Rc<[u8]>),
    /// A screenshot, which counts as in transit until this is dropped.
    Screenshot(SentScreenshot),
    /// Part of the program.
    Static(&'static [u8]),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Owned(bytes) => bytes,
            Bytes::Shared(bytes) => bytes,
            Bytes::Screenshot(png) => png,
            Bytes::Static(bytes) => bytes,
        }
    }
}

/// Produces the events of a stream.
pub trait EventSource {
    /// Waits for news and appends them to `out` as whole events. Yields false at the end of the stream. Dropping the
    /// future loses nothing.
    fn next<'a>(&'a mut self, out: &'a mut Vec<u8>) -> BoxFuture<'a, bool>;
}

impl Reply {
    fn new(status: u16, cache: &'static str, content: Content) -> Self {
        Self {
            status,
            fields: heapless::Vec::new(),
            cache,
            content,
        }
    }

    /// A response without a body: 204 or 304.
    pub fn empty(status: u16) -> Self {
        Self::new(status, "no-cache", Content::Nothing)
    }

    /// A response with these bytes.
    pub fn bytes(status: u16, media_type: &'static str, bytes: Vec<u8>) -> Self {
        let content = Content::Bytes(media_type, Bytes::Owned(bytes));
        Self::new(status, "no-store", content)
    }

    /// A response with bytes that are shared between responses.
    pub fn shared(media_type: &'static str, bytes: Rc<[u8]>) -> Self {
        let content = Content::Bytes(media_type, Bytes::Shared(bytes));
        Self::new(200, "no-store", content)
    }

    /// A response with a screenshot.
    pub fn screenshot(screenshot: SentScreenshot) -> Self {
        let content = Content::Bytes("image/png", Bytes::Screenshot(screenshot));
        Self::new(200, "no-store", content)
    }

    /// A response with a part of the program, which clients may keep and revalidate.
    pub fn fixed(media_type: &'static str, bytes: Bytes) -> Self {
        Self::new(200, "no-cache", Content::Bytes(media_type, bytes))
    }

    /// A JSON response.
    pub fn json(status: u16, value: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(value).expect("replies are serializable");
        Self::bytes(status, "application/json", bytes)
    }

    /// An event stream for this caller.
    pub fn events(caller: Caller, source: impl EventSource + 'static) -> Self {
        let content = Content::Events(caller, Box::new(source));
        Self::new(200, "no-store", content)
    }

    /// The same response with one more header field.
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        (self.fields.push((name, value.into()))).expect("no reply has more than four fields");
        self
    }
}

impl From<Error> for Reply {
    fn from(error: Error) -> Self {
        let reply = Reply::bytes(error.status(), error::MEDIA_TYPE, error.body());
        match error.header() {
            Some((name, value)) => reply.with(name, value),
            None => reply,
        }
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Content::Nothing => f.write_str("Nothing"),
            Content::Bytes(kind, bytes) => write!(f, "{kind} of {} bytes", bytes.len()),
            Content::Events(..) => f.write_str("Events"),
        }
    }
}

/// Appends one server-sent event. `data` is written as JSON, which has no line breaks.
pub fn write_event(out: &mut Vec<u8>, name: &str, id: Option<u64>, data: &impl Serialize) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    if let Some(id) = id {
        out.extend_from_slice(b"\nid: ");
        out.extend_from_slice(id.to_string().as_bytes());
    }
    out.extend_from_slice(b"\ndata: ");
    serde_json::to_writer(&mut *out, data).expect("replies are serializable");
    out.extend_from_slice(b"\n\n");
}
