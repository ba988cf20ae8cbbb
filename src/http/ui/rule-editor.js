// Adds and changes a rule of the schedule. What is typed here is never lost: not to a refusal, not to a broken
// connection, and not to the Escape key.

import { Refusal } from "./api.js";
import { dialog } from "./dialog.js";
import { announce, button, el, say, whileBusy } from "./dom.js";
import { Draft } from "./draft.js";
import { inOrder, kiosk } from "./feed.js";
import { check, checks, choice, lines, number, presets, text, toggle } from "./form.js";
import { ACTIONS, DAYS, endOf, placeOf, powerOf, whatInWords, whenInWords } from "./rule-words.js";
import { sentence } from "./words.js";

const TRIGGERS = [["time", "Time"], ["interval", "Interval"], ["boot", "Start"], ["connection", "Connection"]];

const NEW = { trigger: { type: "time", days: ["*"] }, action: { type: "switch_canvas" } };

/** Which fields belong to what a rule goes by, and to what it does. */
const OF_TRIGGER = { time: ["time", "days", "catch_up"], interval: ["minutes"], boot: [], connection: ["event"] };
const OF_ACTION = {
  switch_canvas: ["process_id", "url"],
  display_power: ["power", "display"],
  update_process: ["process_id", "url", "command", "updates"],
  run_command: ["command"],
  reboot: [],
};
const OF_ANY_PROCESS = ["process_id"];

/** What cannot be undone has no end. */
const WITHOUT_END = ["restart_process", "refresh_page", "run_command", "reboot"];

/** Where each field stands in a rule, for whoever tells what is wrong with it. */
const PLACES = {
  "trigger.type": "trigger",
  "trigger.time": "time",
  "trigger.days": "days",
  "trigger.minutes": "minutes",
  "trigger.event": "event",
  "action.type": "action",
  "action.process_id": "process_id",
  "action.url": "url",
  "action.power": "power",
  "action.on": "power",
  "action.display": "display",
  "action.command": "command",
  "action.updates.url": "url",
  "action.updates.command": "command",
  "action.updates": "updates",
  name: "name",
  id: "name",
  until: "until",
  catch_up: "catch_up",
};

/**
 * Opens the dialog: of a rule as it stands in the schedule under this key, or of a new one (null). `amend` changes the
 * schedule.
 */
export function editRule(rule, key, amend) {
  const isNew = rule === null;
  const fields = fieldsOf(rule ?? NEW);
  const problem = el("p", { className: "error", role: "alert" });
  const words = el("p", { className: "rule-words" });
  const save = el("button", { type: "submit", className: "primary" }, isNew ? "Add" : "Save");
  const group = (...names) => el("div", { className: "pair" }, ...names.map((name) => fields[name].element));
  const form = el(
    "form",
    { noValidate: true },
    el(
      "div",
      { className: "body" },
      fields.name.element,
      fields.trigger.element,
      group("time", "until"),
      ...["days", "minutes", "event", "action", "process_id", "url", "power", "display", "command", "updates", "catch_up"].map((name) => fields[name].element),
      words,
    ),
    el("footer", {}, problem, el("div", { className: "actions" }, button("Cancel", () => draft.leave()), save)),
  );
  const describe = () => {
    fit(fields);
    const typed = ruleOf(fields, rule ?? NEW);
    say(words, `${whenInWords(typed)}: ${whatInWords(typed)}`);
  };
  describe();
  const draft = new Draft(`rule/${key ?? ""}`, form, describe);
  const element = dialog(isNew ? "Add Rule" : `Edit ${rule.name ?? rule.id}`, {}, form);
  fields.name.control.focus();
  draft.open(element);
  form.addEventListener("input", describe);

  let base = rule;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    whileBusy(save, async () => {
      for (const field of Object.values(fields)) field.blame?.("");
      say(problem, "");
      let place;
      try {
        const typed = ruleOf(fields, rule ?? NEW);
        refuseHalfTyped(fields);
        await amend(({ rules }) => {
          const before = base;
          place = isNew ? rules.length : placeOf(key, rules);
          base = rules[place] ?? null;
          // Somebody else's change is not overwritten before whoever is here has heard of it.
          if (!isNew && before !== null && JSON.stringify(base) !== JSON.stringify(before)) throw new Refusal(elsewhere(base));
          if (place < 0) place = rules.length;
          rules[place] = typed;
        });
        draft.leave();
        announce(`${typed.name ?? typed.id ?? "The rule"} is ${isNew ? "added" : "saved"}.`);
      } catch (error) {
        blame(fields, `schedule.rules[${place}].`, error, problem);
      }
    });
  });
}

function elsewhere(rule) {
  if (rule === null) return "This rule was deleted elsewhere meanwhile; saving again adds it anew";
  return `Changed elsewhere meanwhile: ${rule.name ?? rule.id}, ${whenInWords(rule)}, ${whatInWords(rule)}. Saving again puts yours in its place`;
}

// ---- the fields ----

function fieldsOf({ name, trigger, action, until, catch_up: catchUp }) {
  const { url, command, updates } = taken(action.updates ?? {});
  const kinds = Object.entries(ACTIONS).map(([type, { label }]) => [type, label]);
  if (!(action.type in ACTIONS)) kinds.push([action.type, sentence(String(action.type).replaceAll("_", " "))]);
  return {
    name: text("Name", name, { maxLength: 80, placeholder: "Morning canvas" }),
    trigger: presets("When", trigger.type, TRIGGERS),
    time: time("At", trigger.time, "With seconds, if you like."),
    until: time("Until", endOf({ until }), "Empty: it stays so."),
    days: daysChoice(trigger.days ?? ["*"]),
    minutes: number("Every minutes", trigger.minutes),
    event: choice("The connection", trigger.event ?? "lost", [["lost", "is lost"], ["regained", "is back"]]),
    action: choice("Action", action.type, kinds),
    process_id: choice("Process", action.process_id, processes(action)),
    url: text("URL", action.url ?? url, { inputMode: "url", placeholder: "https://example.org" }),
    power: choice("The screen", powerOf(action) ?? "off", [["off", "goes off"], ["on", "goes on"]]),
    display: choice("Display", action.display, displays(action)),
    command: text("Command", action.command ?? command, { hint: "As you would type it in a shell.", placeholder: "/usr/bin/backup" }),
    updates: lines("Other fields", Object.keys(updates).length > 0 ? JSON.stringify(updates) : "", {
      hint: "As they stand in the configuration. What is left empty here and above stays as it is.",
      placeholder: '{"display": ":1"}',
    }),
    catch_up: toggle("Catch up", catchUp ?? false, "If the kiosk was off or its clock wrong at that time, it is done late."),
  };
}

/** What an update changes, by the fields it is typed in: the address and the command have their own. */
function taken(updates) {
  const hasOwn = ([name, value]) => ["url", "command"].includes(name) && typeof value === "string";
  const entries = Object.entries(updates);
  return { ...Object.fromEntries(entries.filter(hasOwn)), updates: Object.fromEntries(entries.filter((entry) => !hasOwn(entry))) };
}

/** A time of day. Keyboards of phones that have only digits will do: 0800 is 08:00. */
function time(label, value, hint) {
  const field = text(label, value, { hint, inputMode: "numeric", placeholder: "08:00", maxLength: 8 });
  field.read = () => {
    const typed = field.control.value.trim();
    const [, hour, ...rest] = /^(\d{1,2})[:.]?(\d\d)(?:[:.]?(\d\d))?$/.exec(typed) ?? [];
    return hour === undefined ? typed || null : [hour.padStart(2, "0"), ...rest].filter((part) => part !== undefined).join(":");
  };
  return field;
}

function daysChoice(days) {
  const parts = DAYS.map(([day, label]) => ({ day, ...check(label, days.includes(day) || days.includes("*")) }));
  const field = checks("Days", parts, () => {
    const chosen = parts.filter((part) => part.read()).map((part) => part.day);
    return chosen.length === DAYS.length ? ["*"] : chosen;
  });
  field.element.classList.add("days");
  return field;
}

function processes({ process_id: id }) {
  const options = [["", "Whatever is on the screen"], ...inOrder().map((process) => [process.id, process.name])];
  if (id && !options.some(([known]) => known === id)) options.push([id, `${id} (is not there)`]);
  return options;
}

function displays({ display }) {
  const names = new Set([...kiosk.displays.map(({ name }) => name), ...(display ? [display] : [])]);
  return [["", "All of them"], ...[...names].map((name) => [name, name])];
}

/** Shows what belongs to what is chosen. */
function fit(fields) {
  const [trigger, action] = [fields.trigger.read(), fields.action.read()];
  const shown = new Set([...(OF_TRIGGER[trigger] ?? []), ...(OF_ACTION[action] ?? OF_ANY_PROCESS)]);
  if (trigger === "time" && !WITHOUT_END.includes(action)) shown.add("until");
  for (const name of Object.values(PLACES)) {
    if (!["name", "trigger", "action"].includes(name)) fields[name].isShown = shown.has(name);
  }
  offer(fields.process_id.control, action);
}

/** Pages are shown by display processes; only a refresh may be for whichever it is. */
function offer(control, action) {
  const isOfPage = ["switch_canvas", "refresh_page"].includes(action);
  for (const option of control.options) {
    const type = kiosk.processes.get(option.value)?.type;
    option.hidden = option.disabled = option.value === "" ? action !== "refresh_page" : isOfPage && type === "custom";
  }
  if (control.selectedOptions[0]?.disabled ?? true) control.value = [...control.options].find((option) => !option.disabled)?.value ?? "";
}

/** The rule as it would stand in the schedule. What this page does not know of it stays. */
function ruleOf(fields, { until, ...before }) {
  /** Every one of these that is shown, as it is typed; one that is empty is not there. */
  const put = (target, names) => {
    for (const name of names.filter((name) => fields[name].isShown)) {
      target[name] = fields[name].read();
      if (target[name] === null) delete target[name];
    }
    return target;
  };
  const kind = (name) => {
    const type = fields[name].read();
    return before[name].type === type ? { ...before[name] } : { type };
  };
  const rule = put({ ...before, trigger: kind("trigger"), action: kind("action") }, ["name", "until", "catch_up"]);
  if (rule.catch_up === false && before.catch_up === undefined) delete rule.catch_up;
  put(rule.trigger, ["time", "days", "minutes", "event"]);
  put(rule.action, ["process_id", "power", "display"]);
  if (fields.power.isShown) delete rule.action.on;
  const typed = ["url", "command"];
  if (fields.updates.isShown) rule.action.updates = { ...put({}, typed), ...others(fields) };
  else put(rule.action, typed);
  return rule;
}

/** The fields that are typed as the configuration has them; nothing while they cannot be read. */
function others({ updates }) {
  try {
    return JSON.parse(updates.read() ?? "{}");
  } catch {
    return {};
  }
}

/** What would be lost on the way, because it cannot be read, is told here. */
function refuseHalfTyped({ updates }) {
  if (!updates.isShown) return;
  const refuse = (detail) => {
    throw new Refusal(detail, [{ field: "action.updates", detail }]);
  };
  let typed;
  try {
    typed = JSON.parse(updates.read() ?? "{}");
  } catch {
    refuse('must be JSON: {"field": value}');
  }
  if (typeof typed !== "object" || typed === null || Array.isArray(typed)) refuse('must be an object: {"field": value}');
}

/** Says beside each field what is wrong with it, and the rest below; goes to the first. */
function blame(fields, prefix, error, problem) {
  const rest = [];
  const blamed = new Map();
  for (const { field, detail } of error.problems) {
    const local = field.startsWith(prefix) ? field.slice(prefix.length) : field;
    const place = Object.keys(PLACES).find((place) => local === place || local.startsWith(`${place}.`) || local.startsWith(`${place}[`));
    const target = fields[PLACES[place]];
    if (target?.blame && target.isShown) blamed.set(target, [...(blamed.get(target) ?? []), detail]);
    else rest.push(`${field}: ${detail}`);
  }
  for (const [field, details] of blamed) field.blame(sentence(details.join("; ")));
  if (blamed.size === 0) rest.splice(0, rest.length, sentence(error.message));
  say(problem, rest.join("; "));
  const [first] = Object.values(fields).filter((field) => blamed.has(field));
  first?.control.focus();
}
