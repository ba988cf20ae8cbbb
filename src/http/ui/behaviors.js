// What the kiosk does when its network goes and comes back, and every now and then.

import { latest, replace } from "./api.js";
import { announce, byId, el, newId, say, whileBusy } from "./dom.js";
import { onChange } from "./feed.js";
import { choice, number, toggle } from "./form.js";
import { sentence } from "./words.js";

const PATH = "/api/behaviors";

/** How often it is asked at most whether somebody else has changed something, in milliseconds. */
const PAUSE = 2000;

const LOST = [
  ["show_overlay", "Lay a notice over the page"],
  ["pause", "Pause the page"],
  ["refresh", "Refresh the page"],
  ["none", "Nothing"],
];

const REGAINED = [
  ["refresh_page", "Refresh the page"],
  ["restart", "Restart the browser"],
  ["continue", "Go on as before"],
];

/** Every field by its place in the document, with what stands for one that is not there. */
const FIELDS = {
  "on_connection_lost.action": { field: choice("Action", "", LOST, "Under a notice the page keeps its state. Paused, its picture stays: its scripts, videos, sounds and animations stop. Frames from other sites go on."), usual: "show_overlay" },
  "on_connection_lost.timeout_seconds": { field: number("After seconds", "", "How long the connection has to be away. 0 is at once."), usual: 0 },
  "on_connection_regained.action": { field: choice("Action", "", REGAINED), usual: "continue" },
  "on_connection_regained.delay_seconds": { field: number("After seconds", "", "How long the connection has to be back. 0 is at once."), usual: 3 },
  "scheduled_refresh.enabled": { field: toggle("Refresh the page regularly", false, "For pages that grow stale or heavy."), usual: false },
  "scheduled_refresh.interval_minutes": { field: number("Every minutes", "", "Left out while the connection is away."), usual: 60 },
};

const GROUPS = [
  ["When the connection is lost", "on_connection_lost"],
  ["When the connection is back", "on_connection_regained"],
  ["Now and then", "scheduled_refresh"],
];

/** The document as last heard of, or null. */
let known = null;
/** What the fields said when they last agreed with a document. */
let agreed = {};
let asked = -PAUSE;
let timer = 0;
/** Whoever asks for the document or sends it is served one after the other. */
let turn = Promise.resolve();

/** Sets the tab up. */
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
  onChange(() => !byId("panel-behaviors").hidden && lookBehaviors());
}

/** Asks what the document says now; soon, if that was asked just before. */
export function lookBehaviors() {
  clearTimeout(timer);
  timer = setTimeout(
    () => {
      asked = performance.now();
      inTurn(refresh);
    },
    Math.max(0, asked + PAUSE - performance.now()),
  );
}

function inTurn(work) {
  turn = turn.then(work).catch((error) => tell(sentence(error.message), true));
  return turn;
}

async function refresh() {
  const isFirst = known === null;
  const now = await latest(PATH, known);
  if (isFirst && byId("behaviors-answer").className === "error") tell("");
  if (now !== known) adopt(now);
  byId("behaviors").hidden = false;
}

/** Takes what the document says into every field that nobody has touched here. */
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

/** Says that somebody else was here, and what of it is not shown because something else was typed. */
function warn(contested) {
  const notice = byId("behaviors-notice");
  if (contested.length === 0 && !isTouched()) {
    announce("The behaviors were changed elsewhere, and are shown as they are now.");
    notice.hidden = true;
    return;
  }
  const said = contested.map(([path, value]) => el("li", {}, `${nameOf(path)}: ${inWords(path, value)}`));
  notice.replaceChildren(
    el("strong", {}, "Changed elsewhere meanwhile."),
    contested.length > 0 ? " What you typed is still here; saving puts it in the place of:" : " What you typed is still here.",
    ...(said.length > 0 ? [el("ul", {}, ...said)] : []),
  );
  notice.hidden = false;
}

async function save() {
  for (const { field } of Object.values(FIELDS)) field.blame("");
  tell("");
  let saved;
  try {
    saved = await replace(PATH, edited(), known);
  } catch (error) {
    if (error.status !== 412) return blame(error);
    // Something else of the configuration may have changed, or these very behaviors: only then is there something to ask.
    const before = JSON.stringify(agreed);
    adopt(await latest(PATH, null));
    if (JSON.stringify(agreed) !== before) return tell("Not saved yet: look at what has changed, and save again.", true);
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
  tell("Saved.");
}

/** The document with what differs here: whatever else stands in it, stays. */
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

/** Says beside each field what is wrong with it, and the rest below. */
function blame(error) {
  const rest = [];
  let first;
  for (const { field: path, detail } of error.problems) {
    const blamed = FIELDS[path.replace(/^behaviors\./, "")]?.field;
    blamed?.blame(sentence(detail));
    if (!blamed) rest.push(`${path}: ${detail}`);
    first ??= blamed;
  }
  tell(first ? rest.join("; ") : sentence(error.message), true);
  first?.control.focus();
}

function undo() {
  for (const [path, { field }] of Object.entries(FIELDS)) {
    write(field, agreed[path]);
    field.blame("");
  }
  byId("behaviors-notice").hidden = true;
  tell("");
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
    // A word that only a newer kiosk knows is one of the choices, too.
    const isStrange = control.options && ![...control.options].some((option) => option.value === value);
    if (isStrange) control.append(el("option", { value }, value));
    control.value = value;
  }
}

const isTouched = () => Object.entries(read()).some(([path, value]) => value !== agreed[path]);

function describe() {
  const isSame = !isTouched();
  byId("behaviors-undo").disabled = isSame;
  FIELDS["scheduled_refresh.interval_minutes"].field.isShown = FIELDS["scheduled_refresh.enabled"].field.read();
  if (!isSame && byId("behaviors-answer").textContent === "Saved.") tell("");
}

function tell(words, isBad = false) {
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
