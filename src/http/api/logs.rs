//! `/api/processes/{id}/logs`: the output of a process, once or as a stream.

use super::json::Context;
use super::processes;
use crate::config::Id;
use crate::http::context::Api;
use crate::http::error::Error;
use crate::http::future::BoxFuture;
use crate::http::reply::{ApiRequest, EventSource, Reply, write_event};
use crate::http::wall_time::{BootTime, Wallclock};
use crate::logs::{Line, Log, Stream};
use serde::Serialize;
use smol::Timer;
use smol::future::or;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::Write;
use std::rc::Rc;

/// The default number of lines.
const LINES_DEFAULT: usize = 200;

/// The largest number of lines.
const LINES_MAX: usize = 10_000;

/// The most bytes in a response: two logs of the default size. The stream gives more.
const ANSWER_MAX: usize = 512 * 1024;

/// The most lines and bytes in an event. Smaller, so that many streams cost little and a flood is sent in parts.
const EVENT_LINES: usize = 500;
const EVENT_MAX: usize = 64 * 1024;

/// A line. Invalid UTF-8 is shown as the replacement character.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Entry<'a> {
    seq: u64,
    time: Wallclock,
    stream: Stream,
    text: Cow<'a, str>,
    cut: bool,
}

impl<'a> Entry<'a> {
    fn of(line: &Line<'a>, boot: BootTime) -> Self {
        Self {
            seq: line.seq,
            time: boot.at(line.time),
            stream: line.stream,
            text: String::from_utf8_lossy(line.text),
            cut: line.cut,
        }
    }
}

/// `GET /api/processes/{id}/logs`
pub async fn show(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let id = processes::id(request.id)?;
    processes::find(api, &id)?;
    let lines = requested_lines(&request)?.unwrap_or(LINES_DEFAULT);
    let log = api.logs.get(&id);
    let boot = Context::of(api).boot();
    let mut out = Vec::new();
    if !request.accepts("application/json") {
        let shown = newest(log.as_deref(), lines, |line, out| {
            let entry = Entry::of(line, boot);
            let cut = if entry.cut { " […]" } else { "" };
            let Entry { time, text, .. } = &entry;
            let stream = entry.stream.as_str();
            writeln!(out, "{time} {stream} {text}{cut}").expect("memory can be written to");
        });
        shown
            .iter()
            .for_each(|(_, line)| out.extend_from_slice(line));
        return Ok(Reply::bytes(200, "text/plain; charset=utf-8", out));
    }
    let next = log.as_ref().map_or(1, |log| log.next_seq());
    let shown = newest(log.as_deref(), lines, |line, out| {
        write_json(out, &Entry::of(line, boot));
    });
    let first = shown.front().map_or(next, |(seq, _)| *seq);
    out.extend_from_slice(b"{\"lines\":[");
    for (seq, line) in &shown {
        if *seq > first {
            out.push(b',');
        }
        out.extend_from_slice(line);
    }
    write!(out, "],\"first\":{first},\"next\":{next}}}").expect("memory can be written to");
    Ok(Reply::bytes(200, "application/json", out))
}

/// `GET /api/processes/{id}/logs/stream`
pub async fn stream(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let id = processes::id(request.id)?;
    processes::find(api, &id)?;
    let lines = requested_lines(&request)?.unwrap_or(LINES_DEFAULT) as u64;
    let life = api.about.log_epoch;
    // A number of an earlier daemon means nothing here. `EventSource` cannot set a header, so a script passes the id in
    // the query.
    let last_seen: Option<u64> = (request.header("last-event-id"))
        .or_else(|| request.query("last_event_id"))
        .and_then(|id| id.split_once('.'))
        .filter(|(theirs, _)| *theirs == life.to_string())
        .and_then(|(_, seq)| seq.parse().ok());
    let log = api.logs.get(&id);
    let newest = log.as_ref().map_or(0, |log| log.next_seq() - 1);
    let oldest = log.as_ref().map_or(0, |log| log.first_seq() - 1);
    let after = match last_seen {
        Some(seen) if seen <= newest => seen,
        _ => newest.saturating_sub(lines).max(oldest),
    };
    Ok(Reply::events(
        request.caller.clone(),
        LogStream {
            api: api.clone(),
            id,
            epoch: life,
            after,
        },
    ))
}

/// Streams the lines of one process.
struct LogStream {
    api: Rc<Api>,
    id: Id,
    /// Identifies the numbering of lines; part of the event ids.
    epoch: u64,
    /// The last line that was sent.
    after: u64,
}

impl EventSource for LogStream {
    fn next<'a>(&'a mut self, out: &'a mut Vec<u8>) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            loop {
                // Looked up each time, because deleting a process deletes its log.
                let status = self.api.feed.current();
                if status.process(&self.id).is_none() {
                    return false;
                }
                let log = self.api.logs.get(&self.id);
                let changed = log.as_ref().map(|log| log.changed());
                if log.is_some_and(|log| self.write_lines(&log, out)) {
                    return true;
                }
                let gone = async {
                    self.api.feed.changed(status.generation).await;
                };
                match changed {
                    Some(changed) => or(changed, gone).await,
                    None => gone.await,
                }
                // Lines seldom come alone.
                Timer::after(self.api.limits.event_gap).await;
            }
        })
    }
}

impl LogStream {
    /// Writes the lines that were not sent yet; returns whether there were any.
    fn write_lines(&mut self, log: &Log, out: &mut Vec<u8>) -> bool {
        let lost = log.first_seq().saturating_sub(self.after + 1);
        if lost > 0 {
            write_event(out, "gap", None, &Gap { lost });
            self.after += lost;
        }
        let boot = Context::of(&self.api).boot();
        let mut last = self.after;
        log.read_after(self.after, 1, usize::MAX, |line| last = line.seq);
        if last == self.after {
            return lost > 0;
        }
        let mut data = Vec::new();
        log.read_after(self.after, EVENT_LINES, EVENT_MAX, |line| {
            data.push(if data.is_empty() { b'[' } else { b',' });
            write_json(&mut data, &Entry::of(&line, boot));
            last = line.seq;
        });
        data.push(b']');
        let life = self.epoch;
        write!(out, "event: lines\nid: {life}.{last}\ndata: ").expect("memory can be written to");
        out.extend_from_slice(&data);
        out.extend_from_slice(b"\n\n");
        self.after = last;
        true
    }
}

#[derive(Serialize)]
struct Gap {
    lost: u64,
}

/// `?lines=N`
fn requested_lines(request: &ApiRequest<'_>) -> Result<Option<usize>, Error> {
    let Some(lines) = request.query("lines") else {
        return Ok(None);
    };
    match lines.parse() {
        Ok(lines @ 0..=LINES_MAX) => Ok(Some(lines)),
        _ => Err(Error::invalid(
            "lines",
            format!("must be a number from 0 to {LINES_MAX}"),
        )),
    }
}

/// The newest `lines` lines with their numbers, oldest first, as `show` writes them. At most [`ANSWER_MAX`] bytes,
/// measured as written (a control byte is six bytes of JSON), but always the newest line.
fn newest(
    log: Option<&Log>,
    lines: usize,
    mut show: impl FnMut(&Line<'_>, &mut Vec<u8>),
) -> VecDeque<(u64, Vec<u8>)> {
    let mut shown = VecDeque::new();
    let mut bytes = 0;
    let keep = |line: Line<'_>| {
        let mut text = Vec::new();
        show(&line, &mut text);
        bytes += text.len();
        shown.push_back((line.seq, text));
        while bytes > ANSWER_MAX && shown.len() > 1 {
            bytes -= shown.pop_front().map_or(0, |(_, text)| text.len());
        }
    };
    if let Some(log) = log {
        log.tail(lines, keep);
    }
    shown
}

fn write_json(out: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(out, value).expect("what we show can be written");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Moment;

    #[test]
    fn control_bytes_count_as_serialized_and_the_newest_lines_remain() {
        let log = Log::new(2 * ANSWER_MAX);
        for number in 0..100 {
            log.note(
                &format!("{number}{}", "\u{1}".repeat(8000)),
                Moment::default(),
            );
        }
        let shown = newest(Some(&log), LINES_DEFAULT, |line, out| {
            write_json(out, &String::from_utf8_lossy(line.text));
        });
        let bytes: usize = shown.iter().map(|(_, line)| line.len()).sum();
        assert!(bytes <= ANSWER_MAX && bytes > ANSWER_MAX / 2, "{bytes}");
        assert_eq!(shown.back().map(|(seq, _)| *seq), Some(100));
        let none = newest(None, LINES_DEFAULT, |_, _| {});
        assert!(none.is_empty());
    }
}
