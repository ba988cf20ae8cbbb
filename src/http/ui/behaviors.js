// The tab Behaviors: what the kiosk does when its connection is lost and regained, and the scheduled refresh.

import { latest, replace } from "./api.js";
import { announce, byId, el, newId, say, whileBusy } from "./dom.js";
import { onChange } from "./feed.js";
import { choice, number, toggle } from "./form.js";
import { sentence } from "./words.js";

const PATH = "/api/behaviors";

/** The shortest interval of two reads of the document, in milliseconds. */
const PAUSE = 2000;

const LOST = [
  ["show_overlay", "Show a notice over the page"],
  ["pause", "Pause the page"],
  ["refresh", "Refresh the page"],
  ["none", "Nothing"],
];

const REGAINED = [
  ["refresh_page", "Refresh the page"],
  ["restart", "Restart the browser"],
  ["continue", "Continue"],
];

/** Every field by its path in the document, with its default. */
const FIELDS = {
  "on_connection_lost.action": { field: choice("Action", "", LOST, "With a notice the page keeps running. Pausing stops its scripts, videos, sounds and animations, but not frames from other sites."), usual: "show_overlay" },
  "on_connection_lost.timeout_seconds": { field: number("Delay in seconds", "", "How long the connection has to be lost first. 0: immediately."), usual: 0 },
  "on_connection_regained.action": { field: choice("Action", "", REGAINED), usual: "continue" },
  "on_connection_regained.delay_seconds": { field: number("Delay in seconds", "", "How long the connection has to be back first. 0: immediately."), usual: 3 },
  "scheduled_refresh.enabled": { field: toggle("Refresh the page regularly", false, "For pages that become outdated, or use more and more memory."), usual: false },
  "scheduled_refresh.interval_minutes": { field: number("Interval in minutes", "", "Skipped while the connection is lost."), usual: 60 },
};

const GROUPS = [
  ["When the connection is lost", "on_connection_lost"],
  ["When the connection is back", "on_connection_regained"],
  ["Scheduled refresh", "scheduled_refresh"],
];

/** The document as last read, or null. */
let known = null;
/** The values of the fields in that document. */
let agreed = {};
let readAt = -PAUSE;
let timer = 0;
/** Reads and writes of the document run one after the other. */
let turn = Promise.resolve();

/** Sets up the tab. */
export function showBehaviors() {
  const groups = GROUPS.map(([title, group]) => {
    const heading = newId("behavior");
    const fields = Object.entries(FIELDS).filter(([path]) => path.startsWith(`${group}.`));
    return el(
      "section",
      { className: "card", "aria-labelledby": heading },
      el("h3", { id: heading, className: "label" }, title),
      ...fields.map(([, { field }]) => field.element),
    );
  });
  const form = byId("behaviors");
  form.prepend(...groups);
  form.addEventListener("input", describe);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    whileBusy(byId("behaviors-save"), () => inTurn(save));
  });
  byId("behaviors-undo").addEventListener("click", undo);
  onChange(() => !byId("panel-behaviors").hidden && refreshBehaviors());
}

/** Reads the document again, not sooner than `PAUSE` after the last time. */
export function refreshBehaviors() {
  clearTimeout(timer);
  timer = setTimeout(
    () => {
      readAt = performance.now();
      inTurn(refresh);
    },
    Math.max(0, readAt + PAUSE - performance.now()),
  );
}

function inTurn(work) {
  turn = turn.then(work).catch((error) => showAnswer(sentence(error.message), true));
  return turn;
}

async function refresh() {
  const isFirst = known === null;
  const now = await latest(PATH, known);
  if (isFirst && byId("behaviors-answer").className === "error") showAnswer("");
  if (now !== known) adopt(now);
  byId("behaviors").hidden = false;
}

/** Takes the values of the document over into every field that was not edited here. */
function adopt(now) {
  const theirs = valuesOf(now.content);
  const here = read();
  const before = agreed;
  const isFirst = known === null;
  const contested = [];
  for (const [path, { field }] of Object.entries(FIELDS)) {
    if (isFirst || here[path] === before[path]) write(field, theirs[path]);
    else if (theirs[path] !== before[path] && theirs[path] !== here[path]) contested.push([path, theirs[path]]);
  }
  const isOther = !isFirst && Object.keys(FIELDS).some((path) => theirs[path] !== before[path]);
  known = now;
  agreed = theirs;
  if (isOther) warn(contested);
  describe();
}

/** Reports that another client made changes, and those that are not shown because the field was edited here. */
function warn(contested) {
  const notice = byId("behaviors-notice");
  if (contested.length === 0 && !isTouched()) {
    announce("Another client changed the behaviors. The current values are shown.");
    notice.hidden = true;
    return;
  }
  const changes = contested.map(([path, value]) => el("li", {}, `${nameOf(path)}: ${inWords(path, value)}`));
  notice.replaceChildren(
    el("strong", {}, "Changed by another client."),
    contested.length > 0 ? " Your input is kept. Saving it replaces:" : " Your input is kept.",
    ...(changes.length > 0 ? [el("ul", {}, ...changes)] : []),
  );
  notice.hidden = false;
}

async function save() {
  for (const { field } of Object.values(FIELDS)) field.blame("");
  showAnswer("");
  let saved;
  try {
    saved = await replace(PATH, edited(), known);
  } catch (error) {
    if (error.status !== 412) return blame(error);
    // The configuration has changed. Unless the behaviors are what changed, the document is sent again.
    const before = JSON.stringify(agreed);
    adopt(await latest(PATH, null));
    if (JSON.stringify(agreed) !== before) return showAnswer("Not saved: another client made changes. Check them, and save again.", true);
    try {
      saved = await replace(PATH, edited(), known);
    } catch (again) {
      return blame(again);
    }
  }
  known = saved;
  agreed = read();
  byId("behaviors-notice").hidden = true;
  describe();
  showAnswer("Saved.");
}

/** The document with the edited fields; all other content is kept. */
function edited() {
  const content = structuredClone(known.content ?? {});
  for (const [path, { field }] of Object.entries(FIELDS)) {
    const value = field.read();
    if (value === agreed[path]) continue;
    const [group, name] = path.split(".");
    content[group] ??= {};
    if (value === null) delete content[group][name];
    else content[group][name] = value;
  }
  return content;
}

/** Shows each error beside its field, and the other errors below. */
function blame(error) {
  const rest = [];
  let first;
  for (const { field: path, detail } of error.problems) {
    const blamed = FIELDS[path.replace(/^behaviors\./, "")]?.field;
    blamed?.blame(sentence(detail));
    if (!blamed) rest.push(`${path}: ${detail}`);
    first ??= blamed;
  }
  showAnswer(first ? rest.join("; ") : sentence(error.message), true);
  first?.control.focus();
}

function undo() {
  for (const [path, { field }] of Object.entries(FIELDS)) {
    write(field, agreed[path]);
    field.blame("");
  }
  byId("behaviors-notice").hidden = true;
  showAnswer("");
  describe();
}

const read = () => Object.fromEntries(Object.entries(FIELDS).map(([path, { field }]) => [path, field.read()]));

function valuesOf(content) {
  const value = (path) => path.split(".").reduce((place, name) => place?.[name], content);
  return Object.fromEntries(Object.entries(FIELDS).map(([path, { usual }]) => [path, value(path) ?? usual]));
}

function write({ control }, value) {
  if (control.type === "checkbox") control.checked = value === true;
  else {
    // A value that only a newer daemon knows becomes an option as well.
    const isUnknown = control.options && ![...control.options].some((option) => option.value === value);
    if (isUnknown) control.append(el("option", { value }, value));
    control.value = value;
  }
}

const isTouched = () => Object.entries(read()).some(([path, value]) => value !== agreed[path]);

function describe() {
  const isSame = !isTouched();
  byId("behaviors-undo").disabled = isSame;
  FIELDS["scheduled_refresh.interval_minutes"].field.isShown = FIELDS["scheduled_refresh.enabled"].field.read();
  if (!isSame && byId("behaviors-answer").textContent === "Saved.") showAnswer("");
}

function showAnswer(words, isBad = false) {
  const answer = byId("behaviors-answer");
  answer.className = isBad ? "error" : "";
  say(answer, words);
}

function nameOf(path) {
  const [title] = GROUPS.find(([, group]) => path.startsWith(`${group}.`));
  return `${title}, ${FIELDS[path].field.element.querySelector("label").textContent.toLowerCase()}`;
}

function inWords(path, value) {
  const { options, type } = FIELDS[path].field.control;
  if (type === "checkbox") return value ? "yes" : "no";
  return [...(options ?? [])].find((option) => option.value === value)?.text ?? value;
}
