// How things are said: durations, sizes, moments, states.

/** What a state is called, and whether something is under way that will end by itself. */
export const STATES = {
  stopped: { label: "Stopped" },
  waiting: { label: "Waiting", isPassing: true },
  starting: { label: "Starting", isPassing: true },
  running: { label: "Running" },
  stopping: { label: "Stopping", isPassing: true },
  backoff: { label: "Restarting", isPassing: true },
  failed: { label: "Failed" },
};

/** What the state of a page is called, whether something is wrong with it, and what stands where no picture can be taken. */
export const PAGE_STATES = {
  loading: { label: "Loading", instead: "Loading…" },
  healthy: { label: "Page is shown" },
  hung: { label: "Page does not answer", isBad: true, instead: "The page does not answer" },
  blank: { label: "Page is blank", isBad: true },
  crashed: { label: "Page has crashed", isBad: true, instead: "The page has crashed" },
  net_error: { label: "Page cannot be reached", isBad: true },
  unknown: { label: "Page not known", instead: "Nothing is known of the page" },
};

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

/** A moment on the clock of whoever looks; with its day, where that is not today. */
export function moment(text) {
  const date = new Date(text);
  const day = DAY.format(date);
  return day === DAY.format(new Date()) ? CLOCK.format(date) : `${day}, ${CLOCK.format(date)}`;
}

/** The time of day, to the second. */
export const timeOfDay = (text) => SECOND.format(new Date(text));

/** A day and a time, in full. */
export const dayAndTime = (text) => `${DAY.format(new Date(text))}, ${timeOfDay(text)}`;

/** One of something, or more of them. */
export const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

/** The same with a capital letter. */
export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);
