// Formats durations, sizes, times and states.

/** The states of a process: label, colour (`look`), and whether the state ends without an operator's action. */
export const STATES = {
  stopped: { label: "Stopped", look: "rest" },
  waiting: { label: "Waiting", look: "busy", isPassing: true },
  starting: { label: "Starting", look: "busy", isPassing: true },
  running: { label: "Running", look: "good" },
  stopping: { label: "Stopping", look: "busy", isPassing: true },
  backoff: { label: "Restarting", look: "busy", isPassing: true },
  failed: { label: "Failed", look: "bad" },
};

/**
 * The states of a page: label, colour, the badge of the card while its process runs, and the text shown in place of a
 * screenshot that cannot be taken.
 */
const PAGE_STATES = {
  loading: { label: "Loading", look: "busy", badge: "Loading", isPassing: true, instead: "Loading…" },
  healthy: { label: "Page is shown", look: "good", badge: "Running" },
  hung: { label: "Page does not answer", look: "bad", badge: "Not responding", instead: "The page does not answer" },
  blank: { label: "Page is blank", look: "bad", badge: "Page blank" },
  crashed: { label: "Page has crashed", look: "bad", badge: "Page crashed", instead: "The page has crashed" },
  net_error: { label: "Page cannot be reached", look: "bad", badge: "Page unreachable" },
  unknown: { label: "Page state unknown", instead: "The state of the page is unknown" },
};

/** A healthy page whose server cannot be reached, if no behavior covers or pauses it. */
const OFFLINE = { label: "Page is shown, but its server cannot be reached", look: "busy", badge: "Server unreachable" };

/** The state of a page for display; null if there is no page. */
export function pageStateOf(page) {
  if (!page) return null;
  if (page.state === "healthy" && page.server_reachable === false) return OFFLINE;
  return PAGE_STATES[page.state] ?? { label: sentence(page.state) };
}

/** Seconds as two units at most: `42s`, `5m 12s`, `2h 15m`, `3d 4h`. */
export function duration(seconds) {
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (days > 0) return `${days}d ${hours}h`;
  if (hours > 0) return `${hours}h ${minutes}m`;
  if (minutes > 0) return `${minutes}m ${Math.floor(seconds % 60)}s`;
  return `${Math.floor(seconds)}s`;
}

/** Bytes in the unit that leaves one to three digits before the point. */
export function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (bytes >= 1000 && unit < units.length - 1) {
    bytes /= 1024;
    unit += 1;
  }
  return `${bytes < 10 && unit > 0 ? bytes.toFixed(1) : Math.round(bytes)} ${units[unit]}`;
}

const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const SECOND = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

/** A time in the browser's zone; with its date, unless that is today. */
export function moment(text) {
  const date = new Date(text);
  const day = DAY.format(date);
  return day === DAY.format(new Date()) ? CLOCK.format(date) : `${day}, ${CLOCK.format(date)}`;
}

/** The time of day with seconds, in the browser's zone. */
export const timeOfDay = (text) => SECOND.format(new Date(text));

/** A date and a time with seconds, in the browser's zone. */
export const dayAndTime = (text) => `${DAY.format(new Date(text))}, ${timeOfDay(text)}`;

/** A date and a time in a zone, with its name. A zone that the browser does not know is shown as UTC. */
export function inZone(date, timeZone) {
  const parts = { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" };
  const options = { ...parts, hourCycle: "h23", timeZoneName: "short" };
  try {
    return new Intl.DateTimeFormat(undefined, { ...options, timeZone }).format(date);
  } catch {
    return new Intl.DateTimeFormat(undefined, { ...options, timeZone: "UTC" }).format(date);
  }
}

/** A number with its noun, in the singular or plural. */
export const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

/** The text with a capital first letter; Chromium's error names (`net::ERR_…`) stay as they are. */
export const sentence = (text) => (text.startsWith("net::") ? text : text.charAt(0).toUpperCase() + text.slice(1));
