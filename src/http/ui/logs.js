// The tab Logs: the output of a process, live.

import { pathOf } from "./api.js";
import { byId, el, say } from "./dom.js";
import { inOrder, kiosk, onChange } from "./feed.js";
import { count, dayAndTime, timeOfDay } from "./words.js";

/** How many lines are shown; older ones are available as plain text. */
const LINES = 2000;

/** How many lines are requested at first. */
const FIRST_LINES = 500;

/** The delay before a stream that the browser gave up on is opened again, in milliseconds. */
const PAUSE = 3000;

const STREAMS = { stdout: "out", stderr: "err", ossuary: "ossuary" };

let onChoice = () => {};
let followed = null;
let source = null;
let retry = 0;
/** Whether the tab is open. */
let isOpen = false;
/** The id of the last event: a stream that is opened again continues after it. */
let lastEventId = "";
let isPaused = false;
/** Lines and gaps that were received and not shown yet, at most `LINES`. */
let waiting = [];
let frame = 0;
/** Whether the pane scrolls to new lines: until the operator scrolls up. */
let isFollowing = true;
/** How many lines were added below the visible part. */
let unseen = 0;

/** Sets up the tab. `choice` is called with the id when another process is chosen. */
export function showLogs(choice) {
  onChoice = choice;
  byId("log-process").addEventListener("change", (event) => onChoice(event.target.value));
  byId("log-pause").addEventListener("click", () => setPaused(!isPaused));
  const pane = byId("log-lines");
  byId("log-end").addEventListener("click", () => {
    toEnd(pane);
    pane.focus();
  });
  // The scroll position of a hidden pane, which has no height, means nothing.
  pane.addEventListener("scroll", () => pane.clientHeight > 0 && setFollowing(isAtEnd(pane)));
  // After a resize lines wrap elsewhere. This is called before the scroll event of the same change.
  new ResizeObserver(() => isFollowing && toEnd(pane)).observe(pane);
  // A hidden tab closes its connection, and continues where it was.
  document.addEventListener("visibilitychange", () => {
    if (!isOpen || !followed) return;
    if (document.hidden) close();
    else open();
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && isOpen && followed && open());
  onChange(offerProcesses);
}

/** Follows the process with this id, or the first one. */
export function follow(id) {
  const wanted = id || followed || kiosk.order[0];
  isOpen = true;
  if (!wanted) return describe();
  if (wanted === followed && source) return;
  close();
  if (wanted !== followed) {
    [waiting, lastEventId] = [[], ""];
    byId("log-lines").replaceChildren();
    setFollowing(true);
  }
  followed = wanted;
  setPaused(false);
  offerProcesses();
  open();
}

/** Stops following while another tab is open. */
export function unfollow() {
  isOpen = false;
  close();
}

function close() {
  clearTimeout(retry);
  source?.close();
  source = null;
}

function open() {
  close();
  if (document.hidden) return;
  const select = byId("log-process");
  const text = byId("log-text");
  select.value = followed;
  text.href = pathOf(followed, `/logs?lines=10000`);
  text.hidden = false;
  const after = lastEventId && `&last_event_id=${lastEventId}`;
  const stream = new EventSource(pathOf(followed, `/logs/stream?lines=${FIRST_LINES}${after}`));
  source = stream;
  stream.addEventListener("open", describe);
  stream.addEventListener("lines", (event) => {
    lastEventId = event.lastEventId;
    take(JSON.parse(event.data));
  });
  stream.addEventListener("gap", (event) => take([JSON.parse(event.data)]));
  stream.addEventListener("error", () => {
    describe();
    if (stream.readyState === EventSource.CLOSED) retry = setTimeout(open, PAUSE);
  });
  describe();
}

function take(entries) {
  waiting.push(...entries);
  if (waiting.length > LINES) waiting.splice(0, waiting.length - LINES);
  if (isPaused) describe();
  else frame ||= requestAnimationFrame(print);
}

function print() {
  frame = 0;
  if (isPaused) return;
  const pane = byId("log-lines");
  unseen += waiting.length;
  pane.append(...waiting.map((entry) => ("lost" in entry ? gap(entry) : line(entry))));
  waiting = [];
  while (pane.childElementCount > LINES) pane.firstElementChild.remove();
  if (isFollowing) toEnd(pane);
  describe();
}

const isAtEnd = (pane) => pane.scrollHeight - pane.scrollTop - pane.clientHeight < 40;

function toEnd(pane) {
  pane.scrollTop = pane.scrollHeight;
  setFollowing(true);
}

function setFollowing(value) {
  if (value) unseen = 0;
  if (value === isFollowing) return;
  [isFollowing, unseen] = [value, 0];
  describe();
}

const line = ({ time, stream, text, cut }) =>
  el(
    "div",
    { className: `line ${stream}` },
    el("time", { dateTime: time, title: dayAndTime(time) }, timeOfDay(time)),
    el("span", { className: "from" }, STREAMS[stream] ?? stream),
    el("span", { className: "text" }, cut ? `${text} […line cut]` : text),
  );

const gap = ({ lost }) => el("p", { className: "gap" }, `${count(lost, "line")} lost: the process prints faster than lines can be stored`);

function setPaused(value) {
  isPaused = value;
  say(byId("log-pause"), value ? "Resume" : "Pause");
  describe();
  if (!value) frame ||= requestAnimationFrame(print);
}

function describe() {
  const shown = byId("log-lines").childElementCount;
  say(byId("log-state"), stateInWords(shown));
  byId("log-pause").disabled = !followed;
  byId("log-end").hidden = isFollowing;
}

function stateInWords(shown) {
  if (!followed) return "There is no process yet.";
  if (!kiosk.processes.has(followed) && kiosk.configuration) return `Process ${followed} no longer exists.`;
  if (isPaused) return waiting.length === LINES ? `Paused. ${LINES} new lines and more.` : `Paused. ${count(waiting.length, "new line")}.`;
  if (source?.readyState !== EventSource.OPEN) return "Connecting…";
  if (shown === 0) return "Following. Nothing printed yet.";
  if (!isFollowing) return unseen === 0 ? "Not following." : `Not following. ${count(unseen, "new line")}.`;
  return shown >= LINES ? `Following. The last ${LINES} lines.` : "Following.";
}

function offerProcesses() {
  const select = byId("log-process");
  const offered = inOrder().map(({ id, name }) => [id, name]);
  if (followed && !kiosk.processes.has(followed)) offered.push([followed, followed]);
  const isSame = offered.length === select.options.length &&
    offered.every(([id, name], place) => select.options[place].value === id && select.options[place].text === name);
  if (!isSame) select.replaceChildren(...offered.map(([value, text]) => el("option", { value }, text)));
  if (followed) select.value = followed;
  select.disabled = offered.length === 0;
  if (!followed && !byId("panel-logs").hidden && offered.length > 0) follow();
  else describe();
}
