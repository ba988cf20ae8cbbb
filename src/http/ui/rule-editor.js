// The dialog that adds or edits a rule. Its input survives a refusal, a lost connection, and the Escape key.

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

/** The fields of each trigger and of each action. */
const OF_TRIGGER = { time: ["time", "days", "catch_up"], interval: ["minutes"], boot: [], connection: ["event"] };
const OF_ACTION = {
  switch_canvas: ["process_id", "url"],
  display_power: ["power", "display"],
  update_process: ["process_id", "url", "command", "updates"],
  run_command: ["command"],
  reboot: [],
};
const OF_ANY_PROCESS = ["process_id"];

/** Actions that cannot be undone: their rules have no `until`. */
const WITHOUT_END = ["restart_process", "refresh_page", "run_command", "reboot"];

/** The field of each path in a rule, to show errors beside it. */
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

/** Opens the dialog for the rule with this key, or for a new one (null). `amend` changes the schedule. */
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
    el("footer", {}, problem, el("div", { className: "actions" }, button("Cancel", () => draft.finish()), save)),
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
        refuseInvalidUpdates(fields);
        await amend(({ rules }) => {
          const before = base;
          place = isNew ? rules.length : placeOf(key, rules);
          base = rules[place] ?? null;
          // A change by another client is shown before it is overwritten.
          if (!isNew && before !== null && JSON.stringify(base) !== JSON.stringify(before)) throw new Refusal(elsewhere(base));
          if (place < 0) place = rules.length;
          rules[place] = typed;
        });
        draft.finish();
        announce(`${typed.name ?? typed.id ?? "The rule"} is ${isNew ? "added" : "saved"}.`);
      } catch (error) {
        blame(fields, `schedule.rules[${place}].`, error, problem);
      }
    });
  });
}

function elsewhere(rule) {
  if (rule === null) return "Another client deleted this rule. Save again to add it as a new rule";
  return `Another client changed this rule: ${rule.name ?? rule.id}, ${whenInWords(rule)}, ${whatInWords(rule)}. Save again to replace it with yours`;
}

// ---- the fields ----

function fieldsOf({ name, trigger, action, until, catch_up: catchUp }) {
  const { url, command, updates } = splitUpdates(action.updates ?? {});
  const kinds = Object.entries(ACTIONS).map(([type, { label }]) => [type, label]);
  if (!(action.type in ACTIONS)) kinds.push([action.type, sentence(String(action.type).replaceAll("_", " "))]);
  return {
    name: text("Name", name, { maxLength: 80, placeholder: "Morning canvas" }),
    trigger: presets("When", trigger.type, TRIGGERS),
    time: time("At", trigger.time, "Seconds are optional."),
    until: time("Until", endOf({ until }), "Empty: no end."),
    days: daysChoice(trigger.days ?? ["*"]),
    minutes: number("Interval in minutes", trigger.minutes),
    event: choice("The connection", trigger.event ?? "lost", [["lost", "is lost"], ["regained", "is back"]]),
    action: choice("Action", action.type, kinds),
    process_id: choice("Process", action.process_id, processes(action)),
    url: text("URL", action.url ?? url, { inputMode: "url", placeholder: "https://example.org" }),
    power: choice("Screen", powerOf(action) ?? "off", [["off", "off"], ["on", "on"]]),
    display: choice("Display", action.display, displays(action)),
    command: text("Command", action.command ?? command, { hint: "As you would type it in a shell.", placeholder: "/usr/bin/backup" }),
    updates: lines("Other fields", Object.keys(updates).length > 0 ? JSON.stringify(updates) : "", {
      hint: "JSON, as in the configuration. Fields left empty here and above are not changed.",
      placeholder: '{"display": ":1"}',
    }),
    catch_up: toggle("Catch up", catchUp ?? false, "If the kiosk was off or its clock was wrong at that time, the rule is executed late."),
  };
}

/** The updates by form field: `url` and `command` have fields of their own. */
function splitUpdates(updates) {
  const hasOwn = ([name, value]) => ["url", "command"].includes(name) && typeof value === "string";
  const entries = Object.entries(updates);
  return { ...Object.fromEntries(entries.filter(hasOwn)), updates: Object.fromEntries(entries.filter((entry) => !hasOwn(entry))) };
}

/** A time of day. Phone keyboards with digits only are enough: 0800 is 08:00. */
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
  const options = [["", "The process on the screen"], ...inOrder().map((process) => [process.id, process.name])];
  if (id && !options.some(([known]) => known === id)) options.push([id, `${id} (does not exist)`]);
  return options;
}

function displays({ display }) {
  const names = new Set([...kiosk.displays.map(({ name }) => name), ...(display ? [display] : [])]);
  return [["", "All displays"], ...[...names].map((name) => [name, name])];
}

/** Shows the fields of the chosen trigger and action. */
function fit(fields) {
  const [trigger, action] = [fields.trigger.read(), fields.action.read()];
  const shown = new Set([...(OF_TRIGGER[trigger] ?? []), ...(OF_ACTION[action] ?? OF_ANY_PROCESS)]);
  if (trigger === "time" && !WITHOUT_END.includes(action)) shown.add("until");
  for (const name of Object.values(PLACES)) {
    if (!["name", "trigger", "action"].includes(name)) fields[name].isShown = shown.has(name);
  }
  offer(fields.process_id.control, action);
}

/** Offers only display processes for actions on a page; only a refresh may leave the process open. */
function offer(control, action) {
  const isOfPage = ["switch_canvas", "refresh_page"].includes(action);
  for (const option of control.options) {
    const type = kiosk.processes.get(option.value)?.type;
    option.hidden = option.disabled = option.value === "" ? action !== "refresh_page" : isOfPage && type === "custom";
  }
  if (control.selectedOptions[0]?.disabled ?? true) control.value = [...control.options].find((option) => !option.disabled)?.value ?? "";
}

/** The rule as it is saved. Fields that the web UI does not know are kept. */
function ruleOf(fields, { until, ...before }) {
  /** Sets each of these fields that is shown; removes those that are empty. */
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

/** The content of "Other fields"; empty while it is not valid JSON. */
function others({ updates }) {
  try {
    return JSON.parse(updates.read() ?? "{}");
  } catch {
    return {};
  }
}

/** Refuses invalid JSON in "Other fields", which `others` would drop. */
function refuseInvalidUpdates({ updates }) {
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

/** Shows each error beside its field, and the other errors below; focuses the first wrong field. */
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
