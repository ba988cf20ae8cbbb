// Describes rules: when they are due, what they do, and the outcome of an occurrence.

import { kiosk, nameOf } from "./feed.js";
import { sentence } from "./words.js";

/** The days as rules name them, in the order of the week. */
export const DAYS = [["mon", "Mon"], ["tue", "Tue"], ["wed", "Wed"], ["thu", "Thu"], ["fri", "Fri"], ["sat", "Sat"], ["sun", "Sun"]];

/**
 * The id of each rule. The kiosk assigns an id to a rule that was written without one, and publishes the ids in the
 * order of the rules.
 */
export function keysOf(rules) {
  const written = new Set(rules.map(({ id }) => id));
  const assigned = Object.keys(kiosk.schedule?.rules ?? {}).filter((id) => !written.has(id));
  return rules.map(({ id }, place) => id ?? assigned.shift() ?? `#${place}`);
}

/** The index of the rule with this key, or -1. */
export const placeOf = (key, rules) => keysOf(rules).indexOf(key);

/** `Mon–Fri, 08:00 to 18:00`; `Every 30 minutes`. */
export function whenInWords(rule) {
  const { trigger = {} } = rule;
  const until = endOf(rule);
  switch (trigger.type) {
    case "time": {
      const days = daysInWords(trigger.days ?? ["*"]);
      return until ? `${days}, ${trigger.time ?? "…"} to ${until}` : `${days} at ${trigger.time ?? "…"}`;
    }
    case "interval":
      return untilInWords(intervalInWords(trigger.minutes), until);
    case "boot":
      return untilInWords("When the kiosk starts", until);
    case "connection":
      return untilInWords(trigger.event === "regained" ? "When the connection is back" : "When the connection is lost", until);
    default:
      return sentence(String(trigger.type ?? "never"));
  }
}

/** When a rule ends. An older version wrote this as a trigger. */
export const endOf = ({ until }) => until?.time ?? until;

/** Whether a rule switches screens on or off. */
export const powerOf = ({ power, on }) => power ?? { true: "on", false: "off" }[on];

const untilInWords = (words, until) => (until ? `${words}, until ${until}` : words);

function intervalInWords(minutes) {
  if (minutes === 1) return "Every minute";
  if (minutes === 60) return "Every hour";
  return minutes % 60 === 0 ? `Every ${minutes / 60} hours` : `Every ${minutes ?? "…"} minutes`;
}

/** `Every day`, `Mon–Fri`, `Sat and Sun`, `Mon, Wed and Fri`. */
function daysInWords(days) {
  const places = DAYS.map(([day], place) => (days.includes(day) || days.includes("*") ? place : null)).filter((place) => place !== null);
  const names = places.map((place) => DAYS[place][1]);
  if (places.length === 0) return "On no day";
  if (places.length === 7) return "Every day";
  const isRow = places.at(-1) - places[0] === places.length - 1;
  if (isRow && places.length > 2) return `${names[0]}–${names.at(-1)}`;
  return names.length === 1 ? names[0] : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** The actions: the label of each in the editor, and its description in a rule. */
export const ACTIONS = {
  switch_canvas: { label: "Show a page", words: ({ url }, name) => `Show ${url || "…"} on ${name}` },
  refresh_page: { label: "Refresh the page", words: ({ process_id: id }, name) => (id ? `Refresh the page of ${name}` : "Refresh the page") },
  display_power: { label: "Switch the screen", words: powerInWords },
  start_process: { label: "Start a process", words: (_, name) => `Start ${name}` },
  stop_process: { label: "Stop a process", words: (_, name) => `Stop ${name}` },
  restart_process: { label: "Restart a process", words: (_, name) => `Restart ${name}` },
  enable_process: { label: "Enable a process", words: (_, name) => `Enable ${name}` },
  disable_process: { label: "Disable a process", words: (_, name) => `Disable ${name}` },
  update_process: { label: "Change a process", words: ({ updates }, name) => `Change ${name}: ${updatesInWords(updates)}` },
  run_command: { label: "Run a command", words: ({ command }) => `Run ${command || "…"}` },
  reboot: { label: "Restart the machine", words: () => "Restart the machine" },
};

function powerInWords(action) {
  return `Switch ${action.display ? `the screen of ${action.display}` : "the screen"} ${powerOf(action) ?? "…"}`;
}

const updatesInWords = (updates) =>
  Object.entries(updates ?? {}).map(([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`).join(", ") || "…";

/** `Show https://example.org on Gallery Display`. */
export function whatInWords({ action = {} }) {
  const name = action.process_id ? nameOf(action.process_id) : "…";
  const known = ACTIONS[action.type];
  if (known) return known.words(action, name);
  const words = sentence(String(action.type ?? "nothing").replaceAll("_", " "));
  return action.process_id ? `${words}: ${name}` : words;
}

const WEEKDAY = new Intl.DateTimeFormat("en", { weekday: "short", timeZone: "UTC" });
const DATE = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
const DAY = 86_400_000;

/**
 * A time in the kiosk's zone: `today 18:00`, `tomorrow 08:00`, `Mon 08:00`, `7 Dec 08:00`. The text carries the offset
 * of that zone, so no zone is looked up here.
 */
export function wallTime(text, now = Date.now()) {
  if (text === null) return "at an unknown time";
  const [, date, time, zone] = /^([\d-]+)T([\d:]+)[\d.]*(Z|[+-]\d\d:\d\d)?/.exec(text) ?? [];
  if (date === undefined) return text;
  const day = Date.parse(`${date}T00:00Z`);
  const today = Math.floor((now + offset(zone)) / DAY) * DAY;
  const away = Math.round((day - today) / DAY);
  const named = { [-1]: "yesterday", 0: "today", 1: "tomorrow" }[away];
  const isNear = away > 1 && away < 7;
  return `${named ?? (isNear ? WEEKDAY : DATE).format(day)} ${time.endsWith(":00") ? time.slice(0, 5) : time}`;
}

/** `+05:45` in milliseconds. */
function offset(zone) {
  if (!zone || zone === "Z") return 0;
  const [hours, minutes] = zone.slice(1).split(":").map(Number);
  return (zone[0] === "-" ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

const OUTCOMES = { begun: "Running", done: "Done", failed: "Failed", skipped: "Skipped", missed: "Missed" };

/** The outcome of an occurrence. */
export const outcomeInWords = ({ outcome, detail }) => [OUTCOMES[outcome] ?? sentence(outcome), detail].filter(Boolean).join(": ");

/** What is shown in place of the next time if that is not known. */
export function neverInWords(rule, { enabled, clock_trusted: isTrusted }) {
  if (!rule.enabled) return "None: the rule is disabled";
  if (!enabled) return "None: the schedule is disabled";
  if (rule.trigger?.type === "boot") return "At the next start";
  if (rule.trigger?.type === "connection") return whenInWords({ trigger: rule.trigger });
  if (isTrusted) return "Unknown";
  // An interval does not need the clock; only its end is a time of day.
  return rule.trigger?.type === "interval" ? `${whenInWords({ trigger: rule.trigger })}, at an unknown time` : "When the clock is trusted";
}
