// The rules of the schedule: when each is due, what came of the last time, and the clock they all go by.

import { ask, latest, replace } from "./api.js";
import { announce, attempt, byId, el, say, whileBusy } from "./dom.js";
import { kiosk, onChange } from "./feed.js";
import { text } from "./form.js";
import { Rule } from "./rule.js";
import { editRule } from "./rule-editor.js";
import { keysOf, outcomeInWords, placeOf, wallTime, whatInWords } from "./rule-words.js";
import { sentence } from "./words.js";

const PATH = "/api/schedule";

/** How often it is asked at most whether something has changed, in milliseconds. */
const PAUSE = 2000;

/** Today becomes yesterday, and the next 24 hours begin later: how often that is looked after, in milliseconds. */
const MINUTE = 60_000;

/** How often another change of the configuration may come in between. */
const ATTEMPTS = 3;

/** What is to come is shown as far as it fits on a screen. */
const SOON = 12;

const KINDS = { end: " (end)", run: " (by hand)" };

/** The document as last heard of, or null. */
let known = null;
let asked = -PAUSE;
let timer = 0;
/** What was heard of the kiosk when it was asked last. */
let seen = {};
/** Whoever asks for the document or sends it is served one after the other. */
let turn = Promise.resolve();
const cards = new Map();

const zone = text("Time zone", "", { placeholder: "auto", maxLength: 64, hint: " " });
/** The zone when the field last said the same. */
let agreedZone = "";

/** Sets the tab up. */
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
    // Of everything that happens only these two are about the schedule.
    if (kiosk.schedule !== seen.schedule || kiosk.configuration !== seen.configuration) lookSchedule();
  });
  setInterval(() => !document.hidden && !byId("panel-schedule").hidden && lookSchedule(), MINUTE);
}

/** Asks what the schedule says now; soon, if that was asked just before. */
export function lookSchedule() {
  clearTimeout(timer);
  timer = setTimeout(() => inTurn(refresh), Math.max(0, asked + PAUSE - performance.now()));
}

function inTurn(work) {
  const done = turn.then(work);
  turn = done.catch(() => {});
  return done;
}

async function refresh() {
  asked = performance.now();
  seen = { schedule: kiosk.schedule, configuration: kiosk.configuration };
  try {
    const [document, next, record] = await Promise.all([latest(PATH, known), ask("GET", `${PATH}/next`), ask("GET", `${PATH}/record`)]);
    known = document;
    tell("");
    show();
    showNext(next);
    showRecord(record);
  } catch (error) {
    tell(sentence(error.message));
  }
}

/**
 * Changes the schedule as it is at that moment: `change` gets a copy, and refuses by throwing. What else stands in it
 * stays, whoever wrote it.
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

/** Brings the tab in line with the document and with how the rules fare. A card stays the same element. */
function show() {
  if (known === null) return;
  const { enabled = true, timezone = "auto", rules = [] } = known.content ?? {};
  const fares = { enabled, clock_trusted: true, ...kiosk.schedule };
  byId("schedule").hidden = false;
  byId("schedule-enabled").setAttribute("aria-checked", enabled);
  byId("clock-notice").hidden = fares.clock_trusted;
  if (zone.control.value === agreedZone) zone.control.value = timezone;
  agreedZone = timezone;
  describeZone();
  arrange(rules, fares);
}

function arrange(rules, fares) {
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
    card.show(rule, key, fares, problemsOf(place));
  });
  list.hidden = rules.length === 0;
  byId("no-rules").hidden = rules.length > 0;
}

/** What is wrong with a rule in the file: it may name a process that is gone. */
function problemsOf(place) {
  const { problems = [], warnings = [] } = kiosk.configuration ?? {};
  return [...problems, ...warnings].filter(({ path }) => path?.startsWith(`schedule.rules[${place}]`)).map(({ message }) => message);
}

async function toggle() {
  const enabled = byId("schedule-enabled").getAttribute("aria-checked") !== "true";
  await attempt(byId("schedule-problem"), async () => {
    await amend((schedule) => (schedule.enabled = enabled));
    announce(`The schedule is ${enabled ? "on" : "off"}.`);
  });
}

// ---- the zone ----

async function setZone() {
  zone.blame("");
  const timezone = zone.read() ?? "auto";
  try {
    await amend((schedule) => (schedule.timezone = timezone));
    zone.control.value = agreedZone = timezone;
    describeZone();
    announce(`The rules go by ${timezone === "auto" ? "the kiosk's own zone" : timezone}.`);
  } catch (error) {
    zone.blame(sentence(error.problems.find(({ field }) => field === "schedule.timezone")?.detail ?? error.message));
  }
  zone.control.focus();
}

function describeZone() {
  byId("zone-set").disabled = (zone.read() ?? "auto") === agreedZone;
  const { timezone: resolved, problem } = kiosk.schedule ?? {};
  const own = agreedZone === "auto" && resolved && resolved !== "auto" ? `: ${resolved}` : "";
  say(zone.element.querySelector(".hint"), `auto is the kiosk's own zone${own}.`);
  // Whether there is such a zone the kiosk finds out when it looks for it.
  if (byId("zone-set").disabled) zone.blame(sentence(problem ?? ""));
}

function offerZones() {
  const names = ["auto", "UTC", ...(Intl.supportedValuesOf?.("timeZone") ?? [])];
  byId("zones").replaceChildren(...names.map((value) => el("option", { value })));
}

// ---- what is to come, and what was ----

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
  say(byId("record-none"), entries.length === 0 ? "No rule has fired yet." : "");
}

const occurrence = (at, name, words, outcome = "") =>
  el("li", { "data-outcome": outcome }, el("time", { dateTime: at ?? "" }, wallTime(at)), el("strong", {}, name), el("span", {}, words));

const ruleOf = (id) => known?.content?.rules?.[placeOf(id, known.content.rules)];
const nameOfRule = (id) => ruleOf(id)?.name ?? id;

function tell(words) {
  say(byId("schedule-problem"), words);
}
