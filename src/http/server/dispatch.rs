//! Handles a request that picoserve has parsed: guard, routing, handler, response.

use super::runtime::{RequestState, Stage};
use crate::auth::{ClientAddress, Needs};
use crate::http::api::routes::{self, Found};
use crate::http::caller::Caller;
use crate::http::connection_limiter::Slot;
use crate::http::context::Api;
use crate::http::error::{Error, ErrorKind};
use crate::http::guard;
use crate::http::limits::{HELD_FREE, OPEN_BODY_MAX};
use crate::http::percent;
use crate::http::reply::{ApiRequest, Bytes, Content, EventSource, Peer, Reply};
use crate::timeout::within;
use picoserve::ResponseSent;
use picoserve::io::{Read, Write};
use picoserve::request::{Path, Request, RequestBody, RequestParts};
use picoserve::response::custom::{CustomBody, CustomResponse};
use picoserve::response::{self, IntoResponse, Response, ResponseWriter, StatusCode};
use picoserve::routing::PathRouterService;
use smol::Async;
use smol::future::or;
use std::net::TcpStream;
use std::rc::Rc;

/// The first line of a stream: clients reconnect after this many milliseconds.
const RECONNECT_DELAY: &[u8] = b"retry: 2000\n\n";

/// The media type of a stream (WHATWG HTML, section 9.2).
const EVENT_STREAM: &str = "text/event-stream";

/// A comment that keeps an idle stream alive.
const HEARTBEAT: &[u8] = b":\n\n";

/// The most header fields of a response: connection, media type, caching, four of the guard and four of the reply.
const FIELDS_MAX: usize = 11;

/// Handles one request of one connection.
pub struct Service<'l> {
    /// The context of the handlers.
    pub api: &'l Rc<Api>,
    /// The slot of the connection.
    pub slot: &'l Slot,
    /// The address of the client; `None` for the unix socket.
    pub client: Option<ClientAddress>,
    /// Whether another request may follow on the connection.
    pub keep_alive: bool,
    /// The state that is shared with the socket.
    pub state: &'l RequestState,
    /// The socket to the client.
    pub socket: &'l Async<TcpStream>,
}

impl PathRouterService for Service<'_> {
    async fn call_path_router_service<R: Read, W: ResponseWriter<Error = R::Error>>(
        &self,
        _: &(),
        _parameters: (),
        path: Path<'_>,
        mut request: Request<'_, R>,
        response_writer: W,
    ) -> Result<ResponseSent, W::Error> {
        let parts = request.parts;
        let body = request.body_connection.body();
        let answer = self.answer(parts, path.encoded(), body).await;
        let reply = answer.unwrap_or_else(Reply::from);
        let is_unread = self.state.stage.get() == Stage::Receiving
            && request.body_connection.content_length() > 0;
        self.state.stage.set(Stage::Responding);
        let connection = request.body_connection.finalize().await?;
        let status = StatusCode::new(reply.status);
        let head_only = parts.method() == "HEAD";
        let is_stream = matches!(reply.content, Content::Events(..)) && !head_only;
        let mut fields = heapless::Vec::<(&str, &str), FIELDS_MAX>::new();
        let persistence = match self.keep_alive && !is_unread {
            true => "keep-alive",
            false => "close",
        };
        fields.extend((!is_stream).then_some(("Connection", persistence)));
        if let Content::Events(..) = reply.content {
            fields.extend([("Content-Type", EVENT_STREAM)]);
        }
        fields.extend([("Cache-Control", reply.cache)]);
        fields.extend(guard::SECURITY_HEADERS);
        fields.extend((reply.fields.iter()).map(|(name, value)| (*name, &**value)));
        match reply.content {
            // A response to HEAD is no stream: it takes no stream slot, and another request may follow.
            Content::Events(caller, source) if is_stream => {
                self.state.stage.set(Stage::Streaming);
                let body = EventStream {
                    source,
                    api: self.api,
                    caller,
                };
                let response = CustomResponse::build(status).with_headers(&fields[..]);
                let response = response.with_body(body);
                response.write_to(connection, response_writer).await
            }
            Content::Nothing | Content::Events(..) => {
                let response = Response::empty(status).with_headers(&fields[..]);
                response.write_to(connection, response_writer).await
            }
            Content::Bytes(media_type, bytes) => {
                self.state.hold_flush.set(true);
                let body = FixedBody {
                    media_type,
                    length: bytes.len(),
                    bytes: if head_only { &[] } else { &bytes },
                };
                let response = Response::new(status, body).with_headers(&fields[..]);
                response.write_to(connection, response_writer).await
            }
        }
    }
}

impl Service<'_> {
    async fn answer<R: Read>(
        &self,
        parts: RequestParts<'_>,
        path: &str,
        body: RequestBody<'_, R>,
    ) -> Result<Reply, Error> {
        let (api, slot) = (self.api, self.slot);
        let path = &*percent::path(path)?;
        let query = percent::query(parts.query().map_or("", |query| query.0))?;
        let (route, id) = match routes::find(parts.method(), path) {
            Found::Route(route, id) => (route, id),
            Found::Methods(allow) if parts.method() == "OPTIONS" => {
                return Ok(Reply::empty(204).with("Allow", allow));
            }
            Found::Methods(allow) => return Err(Error::method_not_allowed(parts.method(), allow)),
            Found::Nothing => {
                return Err(Error::new(
                    ErrorKind::NotFound,
                    format!("there is no {path}"),
                ));
            }
        };
        // Clients of the unix socket are no browsers, so Host and Origin do not matter.
        let caller = if slot.is_local() {
            Caller::Local
        } else {
            guard::check_origin(&parts, &api.hosts, &api.about.hostname)?;
            api.auth.authenticate(&guard::credential(&parts))
        };
        guard::authorize(&api.auth, route.needs, &caller)?;
        guard::check_media_type(&parts, body.content_length())?;
        if route.needs == Needs::Nothing && body.content_length() > OPEN_BODY_MAX {
            let detail = format!("the body is longer than {OPEN_BODY_MAX} bytes");
            return Err(Error::new(ErrorKind::BodyTooLarge, detail));
        }
        let body = self.read(body).await?;
        slot.start_work();
        let disclosure = caller.disclosure();
        let request = ApiRequest {
            parts,
            id,
            query,
            body,
            caller,
            client: self.client,
            peer: Peer(self.socket),
        };
        let is_head = parts.method() == "HEAD";
        let answer =
            (route.answer(api, request).await).map_err(|error| error.disclosing(disclosure));
        slot.start_sending();
        if let Ok(reply) = &answer {
            match &reply.content {
                Content::Events(..) if is_head => slot.hold(0, &api.limits)?,
                Content::Events(..) => slot.start_stream(&api.limits)?,
                Content::Bytes(_, Bytes::Owned(bytes)) => slot.hold(bytes.len(), &api.limits)?,
                Content::Bytes(..) | Content::Nothing => slot.hold(0, &api.limits)?,
            }
        }
        answer
            .inspect(|reply| {
                debug_assert!(
                    route.answers.contains(&reply.status),
                    "{route:?}: {reply:?}"
                );
            })
            .inspect_err(|error| {
                // A defect of the daemon is not declared by a route.
                debug_assert!(
                    error.status() == 500 || route.answers.contains(&error.status()),
                    "{route:?}: {error:?}"
                );
            })
    }

    /// Reads the body as it arrives. Memory is allocated as bytes arrive, not by the announced length.
    async fn read<R: Read>(&self, body: RequestBody<'_, R>) -> Result<Vec<u8>, Error> {
        let length = body.content_length();
        let mut reader = body.reader();
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let have = bytes.len();
            let room = HELD_FREE.min(length - have);
            self.slot.hold(have + room, &self.api.limits)?;
            bytes.resize(have + room, 0);
            match reader.read(&mut bytes[have..]).await {
                Ok(count @ 1..) => bytes.truncate(have + count),
                Ok(0) => return Err(Error::new(ErrorKind::Malformed, "the body ended early")),
                Err(_) => {
                    return Err(Error::new(
                        ErrorKind::TooSlow,
                        "the body did not arrive in time",
                    ));
                }
            }
        }
        self.state.stage.set(Stage::Received);
        Ok(bytes)
    }
}

/// A body of known length; for HEAD without its bytes. picoserve leaves them out only behind its own
/// routes, which fails `head_is_get_without_the_body` in `tests/http/routes.rs`.
struct FixedBody<'a> {
    media_type: &'static str,
    length: usize,
    bytes: &'a [u8],
}

impl response::Content for FixedBody<'_> {
    fn content_type(&self) -> &'static str {
        self.media_type
    }

    fn content_length(&self) -> usize {
        self.length
    }

    async fn write_content<W: Write>(self, mut writer: W) -> Result<(), W::Error> {
        writer.write_all(self.bytes).await
    }
}

/// The body of an event stream. picoserve's `EventWriter` writes no `id`, which fails
/// `a_client_that_reconnects_misses_no_lines` in `tests/http/streams.rs`.
struct EventStream<'l> {
    source: Box<dyn EventSource>,
    api: &'l Rc<Api>,
    /// The stream ends when this caller's access is revoked.
    caller: Caller,
}

/// What is written next to a stream.
enum NextWrite {
    /// An event; false ends the stream.
    Event(bool),
    /// Nothing: access was revoked.
    Revoked,
}

impl CustomBody for EventStream<'_> {
    async fn write_response_body<W: Write>(mut self, mut writer: W) -> Result<(), W::Error> {
        let mut out = RECONNECT_DELAY.to_vec();
        loop {
            let continues = {
                let mut next = self.source.next(&mut out);
                loop {
                    let ended = async {
                        self.api.auth.revoked(&self.caller).await;
                        NextWrite::Revoked
                    };
                    let event = async { NextWrite::Event(next.as_mut().await) };
                    match within(self.api.limits.heartbeat, or(ended, event)).await {
                        Some(NextWrite::Event(continues)) => break continues,
                        Some(NextWrite::Revoked) => return Ok(()),
                        None => {
                            writer.write_all(HEARTBEAT).await?;
                            writer.flush().await?;
                        }
                    }
                }
            };
            writer.write_all(&out).await?;
            writer.flush().await?;
            if !continues {
                return Ok(());
            }
            out.clear();
            out.shrink_to(HELD_FREE);
        }
    }
}
