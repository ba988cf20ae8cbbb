//! `/api/processes/{id}/logs`: what a process printed, once or for as long as somebody looks.

use super::json::Context;
use super::processes;
use super::wall_time::{BootTime, Wallclock};
use crate::config::Id;
use crate::http::Api;
use crate::http::error::Error;
use crate::http::reply::{ApiRequest, BoxFuture, EventSource, Reply, write_event};
use crate::logs::{Line, Log};
use serde::Serialize;
use smol::Timer;
use smol::future::or;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::Write;
use std::rc::Rc;

/// As many lines as are shown unasked: some screens full.
const LINES_DEFAULT: usize = 200;

/// As many lines as may be asked for.
const LINES_MAX: usize = 10_000;

/// As many bytes as one answer holds, whatever was asked for: two rings of the usual
/// size. Whoever needs more of a larger one follows the stream.
const ANSWER_MAX: usize = 512 * 1024;

/// What one event holds at most. Smaller, so that many streams cost little and a
/// flood is told piece by piece.
const EVENT_LINES: usize = 500;
const EVENT_MAX: usize = 64 * 1024;

/// A line as the API shows it. What is not UTF-8 is shown as the replacement character.
#[derive(Serialize)]
struct Entry<'a> {
    seq: u64,
    time: Wallclock,
    stream: &'static str,
    text: Cow<'a, str>,
    cut: bool,
}

impl<'a> Entry<'a> {
    fn of(line: &Line<'a>, boot: BootTime) -> Self {
        Self {
            seq: line.seq,
            time: boot.at(line.time),
            stream: line.stream.as_str(),
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
            let Entry {
                time, stream, text, ..
            } = entry;
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
    // A number that was given by an earlier daemon says nothing about the lines of this one.
    // A script cannot set a header of an `EventSource` it opens: it names the id in the query.
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
    Ok(Reply::events(LogStream {
        api: api.clone(),
        id,
        epoch: life,
        after,
    }))
}

/// Sends the lines of one process as they come.
struct LogStream {
    api: Rc<Api>,
    id: Id,
    /// Tells this daemon from the one before it: the event ids begin with it.
    epoch: u64,
    /// The last line the client has.
    after: u64,
}

impl EventSource for LogStream {
    fn next<'a>(&'a mut self, out: &'a mut Vec<u8>) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            loop {
                // Looked up anew each time: a process that is deleted takes its log with it.
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
                // One line seldom comes alone.
                Timer::after(self.api.limits.event_gap).await;
            }
        })
    }
}

impl LogStream {
    /// Writes what there is beyond what the client has; whether there was anything.
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

/// The newest `lines` lines with their numbers, oldest first, as `show` writes them: a control byte is six bytes
/// of JSON, so it is not the text that is measured. No more than [`ANSWER_MAX`] bytes, but always the newest line.
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
    fn a_line_of_control_bytes_costs_what_it_is_shown_as_and_the_newest_lines_stay() {
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
