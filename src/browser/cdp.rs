//! The DevTools protocol: questions with a deadline each, their answers in whatever order they come, and events.
//!
//! Sessions are flattened: a message carries the session it belongs to, or none where it is about the browser.

use super::pipe::Pipe;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use smol::Timer;
use smol::channel::{Sender, bounded};
use smol::future::or;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Questions that may be under way at once: a handful are, and a browser that answers none of them is known to
/// be silent long before.
const CALLS_MAX: usize = 64;

/// Why there is no answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CdpError {
    /// None came in time.
    Unanswered,
    /// The browser has closed the pipe.
    Gone,
    /// The browser cannot do that, in its words.
    Refused(String),
}

impl fmt::Display for CdpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CdpError::Unanswered => f.write_str("no answer came in time"),
            CdpError::Gone => f.write_str("the browser has ended"),
            CdpError::Refused(words) => f.write_str(words),
        }
    }
}

/// Something the browser tells unasked.
#[derive(Debug)]
pub struct CdpEvent<'m> {
    /// What happened: `Inspector.targetCrashed`.
    pub method: &'m str,
    /// Whose page it is about; none where it is about the browser.
    pub session: Option<&'m str>,
    params: Option<&'m RawValue>,
}

impl CdpEvent<'_> {
    /// What is told with it, where it is as expected.
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(self.params?.get()).ok()
    }
}

type Answer = Result<Box<RawValue>, CdpError>;

/// A conversation with a browser.
#[derive(Debug)]
pub struct Cdp {
    pipe: Pipe,
    calls: RefCell<BTreeMap<u32, Sender<Answer>>>,
    next: Cell<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Question<'q> {
    id: u32,
    method: &'q str,
    params: &'q Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'q str>,
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
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    message: String,
}

impl Cdp {
    /// A conversation over this socket. One that is taken over from another daemon numbers its questions from
    /// `first` on, above all that were asked before: late answers to them are nobody's.
    ///
    /// # Errors
    /// It is no socket.
    pub fn new(stream: UnixStream, taken_over: bool, first: u32) -> io::Result<Self> {
        Ok(Self {
            pipe: Pipe::new(stream, taken_over)?,
            calls: RefCell::default(),
            next: Cell::new(first),
        })
    }

    /// Carries questions and answers until the browser closes the pipe; what it tells unasked is shown to `hear`.
    pub async fn flow(&self, mut hear: impl FnMut(CdpEvent<'_>)) {
        self.pipe.flow(|text| self.take_in(text, &mut hear)).await;
        for call in std::mem::take(&mut *self.calls.borrow_mut()).into_values() {
            let _ = call.try_send(Err(CdpError::Gone));
        }
    }

    /// Asks, and waits for the answer no longer than this.
    ///
    /// # Errors
    /// There is none, or it is a refusal, or something else than was asked for.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        session: Option<&str>,
        method: &str,
        params: Value,
        within: Duration,
    ) -> Result<T, CdpError> {
        let (sender, answer) = bounded(1);
        let id = self.send(session, method, &params)?;
        self.calls.borrow_mut().insert(id, sender);
        let _asking = Asking { cdp: self, id };
        let come = async { answer.recv().await.unwrap_or(Err(CdpError::Gone)) };
        let late = async {
            Timer::after(within).await;
            Err(CdpError::Unanswered)
        };
        let result = or(come, late).await?;
        serde_json::from_str(result.get())
            .map_err(|error| CdpError::Refused(format!("{method} was answered oddly: {error}")))
    }

    /// Whether the browser has closed the pipe.
    pub fn is_closed(&self) -> bool {
        self.pipe.is_closed()
    }

    /// Has something done; nobody waits to hear whether it was.
    pub fn tell(&self, session: Option<&str>, method: &str, params: &Value) {
        let _ = self.send(session, method, params);
    }

    fn send(&self, session: Option<&str>, method: &str, params: &Value) -> Result<u32, CdpError> {
        if self.pipe.is_closed() {
            return Err(CdpError::Gone);
        }
        if self.calls.borrow().len() >= CALLS_MAX {
            return Err(CdpError::Unanswered);
        }
        let id = self.next.get();
        // The protocol's numbers are signed.
        self.next.set(id.wrapping_add(1) & (i32::MAX as u32));
        let question = Question {
            id,
            method,
            params,
            session_id: session,
        };
        let posted = self.pipe.post(|out| {
            serde_json::to_writer(out, &question).expect("text and JSON can be written");
        });
        posted.then_some(id).ok_or(CdpError::Unanswered)
    }

    fn take_in(&self, text: &[u8], hear: &mut impl FnMut(CdpEvent<'_>)) {
        let message: Message<'_> = match serde_json::from_slice(text) {
            Ok(message) => message,
            // The end of what another daemon has read the beginning of.
            Err(error) => return log::debug!("{} bytes are no message: {error}", text.len()),
        };
        if let Some(method) = message.method {
            return hear(CdpEvent {
                method,
                session: message.session_id,
                params: message.params,
            });
        }
        let call = (message.id).and_then(|id| self.calls.borrow_mut().remove(&id));
        let Some(call) = call else { return };
        let answer = match (message.result, message.error) {
            (_, Some(refusal)) => Err(CdpError::Refused(refusal.message)),
            (Some(result), None) => Ok(result.to_owned()),
            (None, None) => Err(CdpError::Refused("the answer is empty".to_owned())),
        };
        let _ = call.try_send(answer);
    }
}

/// Forgets a question that nobody waits for any more.
struct Asking<'c> {
    cdp: &'c Cdp,
    id: u32,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.cdp.calls.borrow_mut().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use smol::future::{block_on, zip};
    use std::io::{BufRead, BufReader, Write};

    const LONG: Duration = Duration::from_secs(60);

    /// A browser that says what it is made to: `answer` gets each question as it comes.
    fn with_browser<T>(
        mut answer: impl FnMut(Value, &mut UnixStream) + Send + 'static,
        drive: impl AsyncFnOnce(&Cdp) -> T,
    ) -> (T, Vec<String>) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let browser = std::thread::spawn(move || {
            let mut questions = BufReader::new(theirs.try_clone().unwrap());
            let mut text = Vec::new();
            while questions
                .read_until(0, &mut text)
                .is_ok_and(|read| read > 0)
            {
                text.pop();
                answer(serde_json::from_slice(&text).unwrap(), &mut theirs);
                text.clear();
            }
        });
        let cdp = Cdp::new(ours, false, 1).unwrap();
        let mut heard = Vec::new();
        let flow = async {
            cdp.flow(|news| heard.push(format!("{} {:?}", news.method, news.session)))
                .await;
            std::future::pending().await
        };
        let result = block_on(or(drive(&cdp), flow));
        assert!(cdp.calls.borrow().is_empty(), "no question is kept");
        drop(cdp);
        browser.join().unwrap();
        (result, heard)
    }

    fn say(to: &mut UnixStream, message: &Value) {
        write!(to, "{message}\0").unwrap();
    }

    #[test]
    fn answers_find_their_questions_in_whatever_order_they_come() {
        let mut kept = Vec::new();
        let answer = move |question: Value, to: &mut UnixStream| {
            kept.push(question);
            if kept.len() == 2 {
                say(
                    to,
                    &json!({"method": "Page.x", "params": {}, "sessionId": "S"}),
                );
                for question in kept.drain(..).rev() {
                    say(
                        to,
                        &json!({"id": question["id"], "result": question["method"]}),
                    );
                }
            }
        };
        let ((one, two), heard) = with_browser(answer, async |cdp| {
            zip(
                cdp.ask::<String>(None, "one", json!({}), LONG),
                cdp.ask::<String>(Some("S"), "two", json!({}), LONG),
            )
            .await
        });
        assert_eq!((one, two), (Ok("one".into()), Ok("two".into())));
        assert_eq!(heard, ["Page.x Some(\"S\")"]);
    }

    #[test]
    fn garbage_and_answers_that_nobody_asked_for_are_passed_over() {
        let answer = |question: Value, to: &mut UnixStream| {
            to.write_all(b"half a mess\"}\0\0[1,2]\0{\"id\":\"x\"}\0\xff\xfe\0{\"id\":99,\"result\":{}}\0{\"id\":null,\"error\":{\"message\":\"x\"}}\0")
                .unwrap();
            say(to, &json!({"id": question["id"], "result": {"a": 1}}));
        };
        let (answer, heard) = with_browser(answer, async |cdp| {
            cdp.ask::<Value>(None, "one", json!({}), LONG).await
        });
        assert_eq!(answer, Ok(json!({"a": 1})));
        assert!(heard.is_empty());
    }

    #[test]
    fn a_refusal_is_told_in_the_browsers_words_and_an_odd_answer_as_odd() {
        let answer = |question: Value, to: &mut UnixStream| {
            let message = match question["method"].as_str() {
                Some("refuse") => json!({"error": {"code": -32000, "message": "Target crashed"}}),
                Some("odd") => json!({"result": [1]}),
                _ => json!({}),
            };
            let mut message = message;
            message["id"] = question["id"].clone();
            say(to, &message);
        };
        let (troubles, _) = with_browser(answer, async |cdp| {
            let mut troubles = Vec::new();
            for method in ["refuse", "odd", "empty"] {
                let answer = cdp.ask::<String>(None, method, json!({}), LONG).await;
                troubles.push(answer.unwrap_err().to_string());
            }
            troubles
        });
        assert_eq!(troubles[0], "Target crashed");
        assert!(
            troubles[1].starts_with("odd was answered oddly"),
            "{troubles:?}"
        );
        assert_eq!(troubles[2], "the answer is empty");
    }

    #[test]
    fn a_question_without_an_answer_is_given_up_and_its_late_answer_is_nobodys() {
        let mut late = None;
        let answer = move |question: Value, to: &mut UnixStream| match late.take() {
            None => late = Some(question["id"].clone()),
            Some(id) => {
                say(to, &json!({"id": id, "result": "late"}));
                say(to, &json!({"id": question["id"], "result": "in time"}));
            }
        };
        let (answers, _) = with_browser(answer, async |cdp| {
            let first = cdp
                .ask::<String>(None, "a", json!({}), Duration::ZERO)
                .await;
            (first, cdp.ask::<String>(None, "b", json!({}), LONG).await)
        });
        assert_eq!(answers, (Err(CdpError::Unanswered), Ok("in time".into())));
    }

    #[test]
    fn whoever_waits_is_told_when_the_browser_ends() {
        let answer = |_: Value, to: &mut UnixStream| to.shutdown(std::net::Shutdown::Both).unwrap();
        let (answers, _) = with_browser(answer, async |cdp| {
            let first = cdp.ask::<Value>(None, "a", json!({}), LONG).await;
            (first, cdp.ask::<Value>(None, "b", json!({}), LONG).await)
        });
        assert_eq!(answers, (Err(CdpError::Gone), Err(CdpError::Gone)));
    }
}
