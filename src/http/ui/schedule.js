// The tab Schedule: the rules, the occurrences that come next, the record of past ones, and the time zone.

import { ask, latest, replace } from "./api.js";
import { announce, attempt, byId, el, say, whileBusy } from "./dom.js";
import { kiosk, onChange } from "./feed.js";
import { text } from "./form.js";
import { Rule } from "./rule.js";
import { editRule } from "./rule-editor.js";
import { keysOf, outcomeInWords, placeOf, wallTime, whatInWords } from "./rule-words.js";
import { sentence } from "./words.js";

const PATH = "/api/schedule";

/** The shortest interval of two reads of the document, in milliseconds. */
const PAUSE = 2000;

/** The interval at which "today" and "the next 24 hours" are brought up to date, in milliseconds. */
const MINUTE = 60_000;

/** How often a change is sent if other clients change the configuration meanwhile. */
const ATTEMPTS = 3;

/** How many of the next occurrences are shown: as many as fit on a screen. */
const SOON = 12;

const KINDS = { end: " (end)", run: " (by hand)" };

/** The document as last read, or null. */
let known = null;
let readAt = -PAUSE;
let timer = 0;
/** The parts of the snapshot at that time. */
let seen = {};
/** Reads and writes of the document run one after the other. */
let turn = Promise.resolve();
const cards = new Map();

const zone = text("Time zone", "", { placeholder: "auto", maxLength: 64, hint: " " });
/** The configured zone that the field last showed. */
let agreedZone = "";

/** Sets up the tab. */
export function showSchedule() {
  zone.control.setAttribute("list", "zones");
  byId("zone").prepend(zone.element);
  byId("zone").addEventListener("submit", (event) => {
    event.preventDefault();
    whileBusy(byId("zone-set"), setZone);
  });
  byId("zone").addEventListener("input", describeZone);
  zone.control.addEventListener("focus", offerZones, { once: true });
  byId("schedule-enabled").addEventListener("click", (event) => whileBusy(event.currentTarget, toggle));
  byId("add-rule").addEventListener("click", () => editRule(null, null, amend));
  onChange(() => {
    if (byId("panel-schedule").hidden) return;
    show();
    // Only these two parts of the snapshot concern the schedule.
    if (kiosk.schedule !== seen.schedule || kiosk.configuration !== seen.configuration) refreshSchedule();
  });
  setInterval(() => !document.hidden && !byId("panel-schedule").hidden && refreshSchedule(), MINUTE);
}

/** Reads the schedule again, not sooner than `PAUSE` after the last time. */
export function refreshSchedule() {
  clearTimeout(timer);
  timer = setTimeout(() => inTurn(refresh), Math.max(0, readAt + PAUSE - performance.now()));
}

function inTurn(work) {
  const done = turn.then(work);
  turn = done.catch(() => {});
  return done;
}

async function refresh() {
  readAt = performance.now();
  seen = { schedule: kiosk.schedule, configuration: kiosk.configuration };
  try {
    const [document, next, record] = await Promise.all([latest(PATH, known), ask("GET", `${PATH}/next`), ask("GET", `${PATH}/record`)]);
    known = document;
    showProblem("");
    show();
    showNext(next);
    showRecord(record);
  } catch (error) {
    showProblem(sentence(error.message));
  }
}

/**
 * Changes the current schedule: `change` gets a copy to edit, and throws to cancel. All other content is kept, also the
 * changes of other clients.
 */
function amend(change) {
  return inTurn(async () => {
    for (let attempt = 1; ; attempt += 1) {
      const now = await latest(PATH, known);
      const content = structuredClone(now.content ?? {});
      content.rules ??= [];
      change(content);
      try {
        known = await replace(PATH, content, now);
        return show();
      } catch (error) {
        if (error.status !== 412 || attempt === ATTEMPTS) throw error;
      }
    }
  });
}

/** Shows the document and the state of its rules. A card stays the same element, so that the focus in it is kept. */
function show() {
  if (known === null) return;
  const { enabled = true, timezone = "auto", rules = [] } = known.content ?? {};
  const state = { enabled, clock_trusted: true, ...kiosk.schedule };
  byId("schedule").hidden = false;
  byId("schedule-enabled").setAttribute("aria-checked", enabled);
  byId("clock-notice").hidden = state.clock_trusted;
  if (zone.control.value === agreedZone) zone.control.value = timezone;
  agreedZone = timezone;
  describeZone();
  arrange(rules, state);
}

function arrange(rules, state) {
  const list = byId("rules");
  const keys = keysOf(rules);
  for (const [key, card] of cards) {
    if (keys.includes(key)) continue;
    if (card.element.contains(document.activeElement)) byId("add-rule").focus();
    card.element.remove();
    cards.delete(key);
  }
  rules.forEach((rule, place) => {
    const key = keys[place];
    let card = cards.get(key);
    if (!card) cards.set(key, (card = new Rule(amend)));
    if (list.children[place] !== card.element) list.insertBefore(card.element, list.children[place] ?? null);
    card.show(rule, key, state, problemsOf(place));
  });
  list.hidden = rules.length === 0;
  byId("no-rules").hidden = rules.length > 0;
}

/** The problems of a rule in the configuration, such as a process that does not exist. */
function problemsOf(place) {
  const { problems = [], warnings = [] } = kiosk.configuration ?? {};
  return [...problems, ...warnings].filter(({ path }) => path?.startsWith(`schedule.rules[${place}]`)).map(({ message }) => message);
}

async function toggle() {
  const enabled = byId("schedule-enabled").getAttribute("aria-checked") !== "true";
  await attempt(byId("schedule-problem"), async () => {
    await amend((schedule) => (schedule.enabled = enabled));
    announce(`The schedule is ${enabled ? "enabled" : "disabled"}.`);
  });
}

// ---- the time zone ----

async function setZone() {
  zone.blame("");
  const timezone = zone.read() ?? "auto";
  try {
    await amend((schedule) => (schedule.timezone = timezone));
    zone.control.value = agreedZone = timezone;
    describeZone();
    announce(`The rules use ${timezone === "auto" ? "the kiosk's own time zone" : `the time zone ${timezone}`}.`);
  } catch (error) {
    zone.blame(sentence(error.problems.find(({ field }) => field === "schedule.timezone")?.detail ?? error.message));
  }
  zone.control.focus();
}

function describeZone() {
  byId("zone-set").disabled = (zone.read() ?? "auto") === agreedZone;
  const { timezone: resolved, problem } = kiosk.schedule ?? {};
  const own = agreedZone === "auto" && resolved && resolved !== "auto" ? ` (${resolved})` : "";
  say(zone.element.querySelector(".hint"), `auto: the kiosk's own time zone${own}.`);
  // The kiosk looks the zone up, and reports if it does not exist.
  if (byId("zone-set").disabled) zone.blame(sentence(problem ?? ""));
}

function offerZones() {
  const names = ["auto", "UTC", ...(Intl.supportedValuesOf?.("timeZone") ?? [])];
  byId("zones").replaceChildren(...names.map((value) => el("option", { value })));
}

// ---- the preview and the record ----

function showNext({ occurrences, conflicts }) {
  const soon = occurrences.slice(0, SOON);
  byId("next").replaceChildren(...soon.map(({ rule, at, action, kind }) => occurrence(at, nameOfRule(rule), kind === "end" ? "Ends" : whatInWords({ action }))));
  const more = occurrences.length - soon.length;
  say(byId("next-more"), occurrences.length === 0 ? "Nothing is due in the next 24 hours." : more > 0 ? `and ${more} more` : "");
  byId("conflicts").hidden = conflicts.length === 0;
  byId("conflict-list").replaceChildren(...conflicts.map(({ at, text }) => el("li", {}, `${sentence(wallTime(at))}: ${text}`)));
}

function showRecord({ record }) {
  const entries = record.map((entry) => occurrence(entry.at, `${entry.name}${KINDS[entry.kind] ?? ""}`, outcomeInWords(entry), entry.outcome));
  byId("record").replaceChildren(...entries);
  say(byId("record-none"), entries.length === 0 ? "No rule has been executed yet." : "");
}

const occurrence = (at, name, words, outcome = "") =>
  el("li", { "data-outcome": outcome }, el("time", { dateTime: at ?? "" }, wallTime(at)), el("strong", {}, name), el("span", {}, words));

const ruleOf = (id) => known?.content?.rules?.[placeOf(id, known.content.rules)];
const nameOfRule = (id) => ruleOf(id)?.name ?? id;

function showProblem(words) {
  say(byId("schedule-problem"), words);
}
