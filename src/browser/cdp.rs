//! A client of the DevTools protocol: calls with a timeout each, whose results arrive in any order, and events.
//!
//! Sessions are flattened: a message names its session, or none if it concerns the browser.

use super::pipe::Pipe;
use crate::timeout::within;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use smol::channel::{Sender, bounded};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Calls that may be pending: normally a handful. A browser that answers none of them counts as hung long before.
const CALLS_MAX: usize = 64;

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CdpError {
    /// The browser did not answer in time.
    Timeout,
    /// The browser closed the pipe.
    Closed,
    /// The browser returned this error.
    Refused(String),
}

impl fmt::Display for CdpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CdpError::Timeout => f.write_str("no answer came in time"),
            CdpError::Closed => f.write_str("the browser has ended"),
            CdpError::Refused(words) => f.write_str(words),
        }
    }
}

/// An event of the browser.
#[derive(Debug)]
pub struct CdpEvent<'m> {
    /// What happened: `Inspector.targetCrashed`.
    pub method: &'m str,
    /// The session of the page; `None` if it concerns the browser.
    pub session: Option<&'m str>,
    params: Option<&'m RawValue>,
}

impl CdpEvent<'_> {
    /// The parameters, if they have the expected form.
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(self.params?.get()).ok()
    }
}

type CallResult = Result<Box<RawValue>, CdpError>;

/// A connection to a browser.
#[derive(Debug)]
pub struct Cdp {
    pipe: Pipe,
    calls: RefCell<BTreeMap<u32, Sender<CallResult>>>,
    next: Cell<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'r> {
    id: u32,
    method: &'r str,
    params: &'r Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'r str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message<'m> {
    id: Option<u32>,
    method: Option<&'m str>,
    session_id: Option<&'m str>,
    #[serde(borrow)]
    params: Option<&'m RawValue>,
    #[serde(borrow)]
    result: Option<&'m RawValue>,
    error: Option<ErrorBody>,
}

#[derive(Deserialize)]
struct ErrorBody {
    message: String,
}

impl Cdp {
    /// A connection over this socket. If it was adopted from an earlier daemon, calls are numbered from `first`, above
    /// all earlier ones, so that late results of those match no call.
    ///
    /// # Errors
    /// It is not a socket.
    pub fn new(stream: UnixStream, taken_over: bool, first: u32) -> io::Result<Self> {
        Ok(Self {
            pipe: Pipe::new(stream, taken_over)?,
            calls: RefCell::default(),
            next: Cell::new(first),
        })
    }

    /// Runs the connection until the browser closes the pipe. Events are passed to `on_event`.
    pub async fn run(&self, mut on_event: impl FnMut(CdpEvent<'_>)) {
        self.pipe
            .run(|text| self.receive(text, &mut on_event))
            .await;
        for call in std::mem::take(&mut *self.calls.borrow_mut()).into_values() {
            let _ = call.try_send(Err(CdpError::Closed));
        }
    }

    /// Calls a method and waits for its result.
    ///
    /// # Errors
    /// No result in time, an error of the browser, or a result of another form.
    pub async fn call<T: DeserializeOwned>(
        &self,
        session: Option<&str>,
        method: &str,
        params: Value,
        timeout: Duration,
    ) -> Result<T, CdpError> {
        let (sender, answer) = bounded(1);
        let id = self.send(session, method, &params)?;
        self.calls.borrow_mut().insert(id, sender);
        let _pending = PendingCall { cdp: self, id };
        let result = within(timeout, answer.recv()).await;
        let result = result
            .ok_or(CdpError::Timeout)?
            .unwrap_or(Err(CdpError::Closed))?;
        serde_json::from_str(result.get()).map_err(|error| {
            CdpError::Refused(format!("{method} returned an unexpected result: {error}"))
        })
    }

    /// Whether the browser has closed the pipe.
    pub fn is_closed(&self) -> bool {
        self.pipe.is_closed()
    }

    /// Calls a method without waiting for its result.
    pub fn notify(&self, session: Option<&str>, method: &str, params: &Value) {
        let _ = self.send(session, method, params);
    }

    fn send(&self, session: Option<&str>, method: &str, params: &Value) -> Result<u32, CdpError> {
        if self.pipe.is_closed() {
            return Err(CdpError::Closed);
        }
        if self.calls.borrow().len() >= CALLS_MAX {
            return Err(CdpError::Timeout);
        }
        let id = self.next.get();
        // Ids are signed in the protocol.
        self.next.set(id.wrapping_add(1) & (i32::MAX as u32));
        let request = Request {
            id,
            method,
            params,
            session_id: session,
        };
        let sent = self.pipe.send(|out| {
            serde_json::to_writer(out, &request).expect("text and JSON can be written");
        });
        sent.then_some(id).ok_or(CdpError::Timeout)
    }

    fn receive(&self, text: &[u8], on_event: &mut impl FnMut(CdpEvent<'_>)) {
        let message: Message<'_> = match serde_json::from_slice(text) {
            Ok(message) => message,
            // The end of a message whose start an earlier daemon read.
            Err(error) => return log::debug!("{} bytes are not a message: {error}", text.len()),
        };
        if let Some(method) = message.method {
            return on_event(CdpEvent {
                method,
                session: message.session_id,
                params: message.params,
            });
        }
        let call = (message.id).and_then(|id| self.calls.borrow_mut().remove(&id));
        let Some(call) = call else { return };
        let answer = match (message.result, message.error) {
            (_, Some(error)) => Err(CdpError::Refused(error.message)),
            (Some(result), None) => Ok(result.to_owned()),
            (None, None) => Err(CdpError::Refused("the result is empty".to_owned())),
        };
        let _ = call.try_send(answer);
    }
}

/// Removes a call when its caller stops waiting.
struct PendingCall<'c> {
    cdp: &'c Cdp,
    id: u32,
}

impl Drop for PendingCall<'_> {
    fn drop(&mut self) {
        self.cdp.calls.borrow_mut().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use smol::future::{block_on, or, zip};
    use std::io::{BufRead, BufReader, Write};

    const LONG: Duration = Duration::from_secs(60);

    /// A fake browser: `answer` gets each call.
    fn with_browser<T>(
        mut answer: impl FnMut(Value, &mut UnixStream) + Send + 'static,
        drive: impl AsyncFnOnce(&Cdp) -> T,
    ) -> (T, Vec<String>) {
        let (here, mut browser_end) = UnixStream::pair().unwrap();
        let browser = std::thread::spawn(move || {
            let mut calls = BufReader::new(browser_end.try_clone().unwrap());
            let mut text = Vec::new();
            while calls.read_until(0, &mut text).is_ok_and(|read| read > 0) {
                text.pop();
                answer(serde_json::from_slice(&text).unwrap(), &mut browser_end);
                text.clear();
            }
        });
        let cdp = Cdp::new(here, false, 1).unwrap();
        let mut events = Vec::new();
        let flow = async {
            cdp.run(|event| events.push(format!("{} {:?}", event.method, event.session)))
                .await;
            std::future::pending().await
        };
        let result = block_on(or(drive(&cdp), flow));
        assert!(cdp.calls.borrow().is_empty(), "no call is kept");
        drop(cdp);
        browser.join().unwrap();
        (result, events)
    }

    fn send(to: &mut UnixStream, message: &Value) {
        write!(to, "{message}\0").unwrap();
    }

    #[test]
    fn results_find_their_calls_in_any_order() {
        let mut calls = Vec::new();
        let answer = move |call: Value, to: &mut UnixStream| {
            calls.push(call);
            if calls.len() == 2 {
                send(
                    to,
                    &json!({"method": "Page.x", "params": {}, "sessionId": "S"}),
                );
                for call in calls.drain(..).rev() {
                    send(to, &json!({"id": call["id"], "result": call["method"]}));
                }
            }
        };
        let ((one, two), events) = with_browser(answer, async |cdp| {
            zip(
                cdp.call::<String>(None, "one", json!({}), LONG),
                cdp.call::<String>(Some("S"), "two", json!({}), LONG),
            )
            .await
        });
        assert_eq!((one, two), (Ok("one".into()), Ok("two".into())));
        assert_eq!(events, ["Page.x Some(\"S\")"]);
    }

    #[test]
    fn garbage_and_results_of_unknown_calls_are_skipped() {
        let answer = |call: Value, to: &mut UnixStream| {
            to.write_all(b"half a mess\"}\0\0[1,2]\0{\"id\":\"x\"}\0\xff\xfe\0{\"id\":99,\"result\":{}}\0{\"id\":null,\"error\":{\"message\":\"x\"}}\0")
                .unwrap();
            send(to, &json!({"id": call["id"], "result": {"a": 1}}));
        };
        let (answer, events) = with_browser(answer, async |cdp| {
            cdp.call::<Value>(None, "one", json!({}), LONG).await
        });
        assert_eq!(answer, Ok(json!({"a": 1})));
        assert!(events.is_empty());
    }

    #[test]
    fn an_error_has_the_text_of_the_browser_and_an_unexpected_result_says_so() {
        let answer = |call: Value, to: &mut UnixStream| {
            let message = match call["method"].as_str() {
                Some("refuse") => json!({"error": {"code": -32000, "message": "Target crashed"}}),
                Some("odd") => json!({"result": [1]}),
                _ => json!({}),
            };
            let mut message = message;
            message["id"] = call["id"].clone();
            send(to, &message);
        };
        let (errors, _) = with_browser(answer, async |cdp| {
            let mut errors = Vec::new();
            for method in ["refuse", "odd", "empty"] {
                let answer = cdp.call::<String>(None, method, json!({}), LONG).await;
                errors.push(answer.unwrap_err().to_string());
            }
            errors
        });
        assert_eq!(errors[0], "Target crashed");
        assert!(
            errors[1].starts_with("odd returned an unexpected result"),
            "{errors:?}"
        );
        assert_eq!(errors[2], "the result is empty");
    }

    #[test]
    fn a_call_without_a_result_times_out_and_its_late_result_is_dropped() {
        let mut late = None;
        let answer = move |call: Value, to: &mut UnixStream| match late.take() {
            None => late = Some(call["id"].clone()),
            Some(id) => {
                send(to, &json!({"id": id, "result": "late"}));
                send(to, &json!({"id": call["id"], "result": "in time"}));
            }
        };
        let (answers, _) = with_browser(answer, async |cdp| {
            let first = cdp
                .call::<String>(None, "a", json!({}), Duration::ZERO)
                .await;
            (first, cdp.call::<String>(None, "b", json!({}), LONG).await)
        });
        assert_eq!(answers, (Err(CdpError::Timeout), Ok("in time".into())));
    }

    #[test]
    fn pending_calls_fail_when_the_browser_ends() {
        let answer = |_: Value, to: &mut UnixStream| to.shutdown(std::net::Shutdown::Both).unwrap();
        let (answers, _) = with_browser(answer, async |cdp| {
            let first = cdp.call::<Value>(None, "a", json!({}), LONG).await;
            (first, cdp.call::<Value>(None, "b", json!({}), LONG).await)
        });
        assert_eq!(answers, (Err(CdpError::Closed), Err(CdpError::Closed)));
    }
}
