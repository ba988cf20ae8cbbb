// The state of the kiosk: the snapshot that a new connection begins with, then its changes.

/** The state last received. Every module reads it; only this one writes it. */
export const kiosk = {
  processes: new Map(),
  order: [],
  displays: [],
  connectors: [],
  configuration: null,
  schedule: null,
  isShuttingDown: false,
  /** connecting, connected, or lost. */
  connection: "connecting",
};

/** The delay before a stream that the browser gave up on is opened again, in milliseconds. */
const PAUSE = 3000;

let checkSession = async () => {};

/** Sets what to await after a refused stream: it checks the session, and lets the operator sign in. */
export function onRefused(listener) {
  checkSession = listener;
}

const listeners = [];

/** Calls the listener now and after every change. */
export function onChange(listener) {
  listeners.push(listener);
  listener();
}

function notifyListeners() {
  for (const listener of listeners) listener();
}

let source = null;
let retry = 0;
/** Whether the web UI follows the kiosk: not before the operator is signed in. */
let isStarted = false;

/** Connects, and stays connected while the page is visible. */
export function connect() {
  isStarted = true;
  clearTimeout(retry);
  if (source !== null || document.hidden) return;
  source = new EventSource("/api/events");
  source.addEventListener("snapshot", (event) => {
    kiosk.processes.clear();
    take(JSON.parse(event.data));
  });
  source.addEventListener("change", (event) => take(JSON.parse(event.data)));
  source.addEventListener("error", () => {
    kiosk.connection = "lost";
    notifyListeners();
    // The browser retries after a broken connection, but not after a refusal: the kiosk is busy, or the session ended.
    if (source.readyState !== EventSource.CLOSED) return;
    source = null;
    retry = setTimeout(() => checkSession().then(connect), PAUSE);
  });
}

/** Closes the stream without reporting a lost connection. */
function disconnect() {
  clearTimeout(retry);
  source?.close();
  source = null;
  if (kiosk.connection === "connected") kiosk.connection = "connecting";
}

// A browser opens at most six connections to a host, for all of its tabs together. A stream holds one, so a hidden tab
// closes it.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) disconnect();
  else if (isStarted) connect();
});
addEventListener("pagehide", disconnect);
addEventListener("pageshow", (event) => event.persisted && isStarted && connect());

function take(event) {
  const receivedAt = performance.now();
  for (const [id, process] of Object.entries(event.processes)) {
    // The browser's clock counts the uptime on, because the kiosk's clock may be wrong.
    if (process.uptime !== null) process.startedAt = receivedAt - process.uptime * 1000;
    kiosk.processes.set(id, process);
  }
  for (const id of event.removed ?? []) kiosk.processes.delete(id);
  kiosk.order = event.order ?? kiosk.order;
  kiosk.displays = event.displays ?? kiosk.displays;
  kiosk.connectors = event.connectors ?? kiosk.connectors;
  kiosk.configuration = event.configuration ?? kiosk.configuration;
  kiosk.schedule = event.schedule ?? kiosk.schedule;
  kiosk.isShuttingDown = event.shutting_down;
  kiosk.connection = "connected";
  notifyListeners();
}

/** The processes, in the order of the configuration. */
export const inOrder = () => kiosk.order.map((id) => kiosk.processes.get(id)).filter(Boolean);

/** The name of the process with this id; the id, if there is no such process. */
export const nameOf = (id) => kiosk.processes.get(id)?.name ?? id;

/** Whether the process should run, also if it does not. */
export function isWanted({ status, restart_on_crash, restart }) {
  if (status === "failed") return restart_on_crash || restart === "always";
  return ["waiting", "starting", "running", "backoff"].includes(status);
}

/** Whether the process has to be stopped before it can be deleted. */
export const isAlive = ({ pid, status }) => pid !== null || status === "stopping";

/** The processes that stop when this one starts: one display process runs at a time, and a display has one process. */
export function rivalsOf(process) {
  const isRival = (other) =>
    other.id !== process.id &&
    isWanted(other) &&
    ((other.type === "chromium" && process.type === "chromium") ||
      (other.display !== undefined && other.display === process.display));
  return inOrder().filter(isRival);
}

