// Knows how the kiosk fares: a picture of everything when the connection stands, then whatever changes.

/** The kiosk as last heard of. Everybody reads it, only this file writes it. */
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

/** How long until a stream that the browser has given up on is opened anew. */
const PAUSE = 3000;

let admitted = async () => {};

/** Whom to ask whether the kiosk still knows who looks, when it has refused the stream. */
export function whenRefused(listener) {
  admitted = listener;
}

const listeners = [];

/** Calls this whenever something has changed, and once now. */
export function onChange(listener) {
  listeners.push(listener);
  listener();
}

function tell() {
  for (const listener of listeners) listener();
}

let source = null;
let retry = 0;
/** Whether the page follows the kiosk at all: not before the operator is signed in. */
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
    tell();
    // The browser retries after a broken connection, but not after a refusal (the kiosk is busy, or the session has
    // ended).
    if (source.readyState !== EventSource.CLOSED) return;
    source = null;
    retry = setTimeout(() => admitted().then(connect), PAUSE);
  });
}

/** Closes the stream without reporting a lost connection. */
function disconnect() {
  clearTimeout(retry);
  source?.close();
  source = null;
  if (kiosk.connection === "connected") kiosk.connection = "connecting";
}

// A browser opens six connections to a kiosk, for all of its tabs together. A stream holds one: a page that is not
// visible gives it back.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) disconnect();
  else if (isStarted) connect();
});
addEventListener("pagehide", disconnect);
addEventListener("pageshow", (event) => event.persisted && isStarted && connect());

function take(event) {
  const heard = performance.now();
  for (const [id, process] of Object.entries(event.processes)) {
    // The uptime goes on here, by this clock: the kiosk's own may be anywhere.
    if (process.uptime !== null) process.startedAt = heard - process.uptime * 1000;
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
  tell();
}

/** The processes, in the order of the file. */
export const inOrder = () => kiosk.order.map((id) => kiosk.processes.get(id)).filter(Boolean);

/** What people call a process. */
export const nameOf = (id) => kiosk.processes.get(id)?.name ?? id;

/** Whether it has been told to run, whatever has become of that. */
export function isWanted({ status, restart_on_crash, restart }) {
  if (status === "failed") return restart_on_crash || restart === "always";
  return ["waiting", "starting", "running", "backoff"].includes(status);
}

/** Whether there is something to stop before it can be deleted. */
export const isAlive = ({ pid, status }) => pid !== null || status === "stopping";

/** Those that make way when this one starts: there is one browser, and a display has one process. */
export function standingInTheWayOf(process) {
  const isRival = (other) =>
    other.id !== process.id &&
    isWanted(other) &&
    ((other.type === "chromium" && process.type === "chromium") ||
      (other.display !== undefined && other.display === process.display));
  return inOrder().filter(isRival);
}

