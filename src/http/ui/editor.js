// The dialog that adds or edits a process. Its input survives a refusal, a lost connection, and the Escape key.

import { Refusal, ask, latest, pathOf, replace } from "./api.js";
import { dialog } from "./dialog.js";
import { announce, button, el, say, whileBusy } from "./dom.js";
import { Draft } from "./draft.js";
import { inOrder, isWanted, kiosk, nameOf } from "./feed.js";
import { check, checks, choice, lines, presets, text } from "./form.js";
import { sentence } from "./words.js";

const PRESETS = [["lumencanvas", "LumenCanvas"], ["web", "Web Kiosk"], ["custom", "Custom"]];

const URLS = {
  lumencanvas: { label: "Canvas URL", placeholder: "https://lumencanvas.studio/canvas/…" },
  web: { label: "URL", placeholder: "https://example.org" },
  custom: { label: "URL", placeholder: "https://example.org" },
};

/** The restart policies of the API. */
const POLICIES = [["always", "Always"], ["on_crash", "After a crash"], ["never", "Never"]];

/** How often a change is sent if other clients change the same process meanwhile. */
const ATTEMPTS = 3;

/** Opens the dialog for a configured process, or for a new one, of which only the type is given. */
export function edit(process) {
  const isNew = process.id === undefined;
  const isDisplay = process.type === "chromium";
  const kind = isDisplay ? "Display Process" : "Background Process";
  const fields = fieldsOf(process);

  const problem = el("p", { className: "error", role: "alert" });
  const save = el("button", { type: "submit", className: "primary" }, isNew ? "Add" : "Save");
  const toggles = [fields.autostart, fields.enabled].filter(Boolean);
  const notice = el("div", { className: "notice", role: "status", hidden: true });
  const form = el(
    "form",
    { noValidate: true },
    el(
      "div",
      { className: "body" },
      notice,
      isDisplay ? warning(process, isNew) : null,
      ...fields.shown.map((field) => field.element),
      checks("When it runs", toggles).element,
      fields.restart.element,
      fields.advanced ?? null,
    ),
    el("footer", {}, problem, el("div", { className: "actions" }, button("Cancel", () => draft.finish()), save)),
  );
  let before = read(fields);
  const draft = new Draft(process.id ?? process.type, form, fields.onRestore);
  const element = dialog(isNew ? `Add ${kind}` : `Edit ${process.name}`, {}, form);
  (form.querySelector("input:checked[type=radio], input[type=text]") ?? save).focus();
  draft.open(element);

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    whileBusy(save, async () => {
      for (const field of Object.values(fields)) field?.blame?.("");
      say(problem, "");
      try {
        const typed = read(fields);
        const saved = await (isNew ? create(process.type, typed) : change(process.id, typed, before));
        draft.finish();
        announce(saved ? `${saved.name} is ${isNew ? "added" : "saved"}.` : "Nothing was changed.");
      } catch (error) {
        if (!(error instanceof Conflict)) return blame(fields, process.id, error, problem);
        before = { ...before, ...error.theirs };
        warn(notice, fields, error.theirs);
        say(problem, sentence(error.message));
      }
    });
  });
}

/** The fields of a process, with the values it has. */
function fieldsOf(process) {
  const isNew = process.id === undefined;
  const fields = process.type === "chromium" ? displayFields(process, isNew) : backgroundFields(process);
  if (!isNew) fields.enabled = check("Enabled", process.enabled, "A disabled process cannot be started.");
  return fields;
}

/** The values of the fields that are shown, as the API takes them. */
function read(fields) {
  const { shown, advanced, onRestore, preset, ...real } = fields;
  const entries = Object.entries(real).filter(([, field]) => field.isShown !== false);
  return Object.fromEntries(entries.map(([name, field]) => [name, field.read()]));
}

function create(type, typed) {
  const given = Object.entries(typed).filter(([, value]) => value !== null);
  return ask("POST", "/api/processes", { type, ...Object.fromEntries(given) });
}

/** Fields that were edited here and changed by another client, with the values of the other client. */
class Conflict extends Error {
  constructor(theirs) {
    super("Not saved: another client made changes. Check them, and save again");
    this.theirs = theirs;
  }
}

/**
 * Sends the fields that differ from `before`, which is what the dialog showed at first. Other fields keep the changes of
 * other clients. Null if no field differs.
 */
async function change(id, typed, before) {
  // The value of a field that is hidden now is removed.
  const names = new Set([...Object.keys(typed), ...Object.keys(before)]);
  const isSame = (one, other) => JSON.stringify(one ?? null) === JSON.stringify(other ?? null);
  const changed = [...names].filter((name) => !isSame(typed[name], before[name]));
  if (changed.length === 0) return null;
  const content = Object.fromEntries(changed.map((name) => [name, typed[name] ?? null]));
  for (let attempt = 1; ; attempt += 1) {
    const now = await latest(pathOf(id), null);
    const theirs = read(fieldsOf(now.content));
    const contested = changed.filter((name) => !isSame(theirs[name], before[name]) && !isSame(theirs[name], typed[name]));
    if (contested.length > 0) throw new Conflict(Object.fromEntries(contested.map((name) => [name, theirs[name] ?? null])));
    try {
      return (await replace(pathOf(id), content, now)).content;
    } catch (error) {
      if (error.status !== 412 || attempt === ATTEMPTS) throw error;
    }
  }
}

/** Shows the values that saving would replace. */
function warn(notice, fields, theirs) {
  const values = Object.entries(theirs).map(([name, value]) =>
    el("li", {}, `${fields[name].element.querySelector("label, legend").textContent}: ${inWords(fields[name], value)}`),
  );
  notice.replaceChildren(
    el("strong", {}, "Changed by another client."),
    " Your input is kept. Saving it replaces:",
    el("ul", {}, ...values),
  );
  notice.hidden = false;
  notice.scrollIntoView({ block: "nearest" });
}

function inWords({ control }, value) {
  if (value === null || value === "") return "nothing";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.map(nameOf).join(", ");
  if (typeof value === "object") return Object.entries(value).map((entry) => entry.join("=")).join(", ");
  return [...(control.options ?? [])].find((option) => option.value === value)?.text ?? value;
}

/** Shows each error beside its field, and the other errors below; focuses the first wrong field. */
function blame(fields, id, error, problem) {
  const rest = [];
  const blamed = new Map();
  for (const { field, detail } of error.problems) {
    const local = field.startsWith(`processes.${id}.`) ? field.slice(`processes.${id}.`.length) : field;
    let name = local.split(/[.[]/)[0];
    if (name === "id") name = "name";
    // A process needs a command or a URL: if the command field is hidden, the URL is missing.
    const isMissing = name === "command" && fields.command?.isShown === false;
    const target = fields[isMissing ? "url" : name];
    if (target?.blame && target.isShown) blamed.set(target, [...(blamed.get(target) ?? []), isMissing ? "must be given" : detail]);
    else rest.push(`${field}: ${detail}`);
  }
  for (const [field, details] of blamed) field.blame(sentence(details.join("; ")));
  if (blamed.size === 0) rest.splice(0, rest.length, sentence(error.message));
  say(problem, rest.join("; "));
  const [first] = Object.values(fields).filter((field) => blamed.has(field));
  first?.element.closest("details")?.setAttribute("open", "");
  first?.control.focus();
}

// ---- display and background processes ----

const COMMAND_HINT = "As you would type it in a shell.";

function displayFields(process, isNew) {
  const { url, command, flags = {} } = process;
  const fits = command ? "custom" : isCanvas(url) || isNew ? "lumencanvas" : "web";
  const flag = {
    kiosk: check("Kiosk", flags.kiosk ?? true, "Fills the screen, without bars or tabs"),
    webgpu: check("WebGPU", flags.webgpu ?? true, "Graphics that need the GPU"),
    autoplay: check("Autoplay", flags.autoplay ?? true, "Video and sound without a click"),
    cursor: check("Cursor", flags.cursor ?? false, "Shows the mouse pointer"),
  };
  const readFlags = () => Object.fromEntries(Object.entries(flag).map(([name, part]) => [name, part.read()]));
  const fields = {
    name: text("Name", process.name, { maxLength: 80, placeholder: "Gallery Display" }),
    url: text("URL", url, { inputMode: "url" }),
    command: lines("Command", command, { hint: COMMAND_HINT, placeholder: "chromium https://example.org" }),
    display: displayChoice(process, ":0"),
    flags: checks("Browser", Object.values(flag), readFlags),
    ...whenItRuns(process, "always"),
  };
  const adapt = () => {
    const preset = fields.preset.read();
    fields.command.isShown = preset === "custom";
    // A process that has both a command and a URL keeps both.
    fields.url.isShown = preset !== "custom" || Boolean(command && url);
    fields.url.element.firstChild.textContent = URLS[preset].label;
    fields.url.control.placeholder = URLS[preset].placeholder;
  };
  // A canvas needs WebGPU; for other pages the operator enables it.
  const choose = () => {
    adapt();
    if (isNew) flag.webgpu.control.checked = fields.preset.read() === "lumencanvas";
  };
  fields.preset = presets("Preset", fits, PRESETS, choose);
  fields.onRestore = adapt;
  fields.shown = [fields.preset, fields.name, fields.url, fields.command, fields.display, fields.flags];
  adapt();
  return fields;
}

function backgroundFields(process) {
  const others = inOrder().filter((other) => other.id !== process.id);
  const depends = process.depends_on ?? [];
  const parts = others.map((other) => ({ id: other.id, ...check(other.name, depends.includes(other.id)) }));
  const chosen = () => {
    const ids = parts.filter((part) => part.read()).map((part) => part.id);
    // Existing dependencies keep their order.
    const sorted = [...depends.filter((id) => ids.includes(id)), ...ids.filter((id) => !depends.includes(id))];
    return sorted.length > 0 ? sorted : null;
  };
  const pairs = Object.entries(process.env ?? {}).map((entry) => entry.join("=")).join("\n");
  const environment = lines("Environment", pairs, {
    hint: "One NAME=value per line.",
    placeholder: "LANG=en_GB.UTF-8",
  });
  // A value may contain line breaks, which this field cannot represent: unedited text is not parsed.
  environment.read = () => (environment.control.value === pairs ? process.env ?? null : environmentOf(environment.control.value));
  const fields = {
    name: text("Name", process.name, { maxLength: 80, placeholder: "Data Sync Service" }),
    command: lines("Command", process.command, { hint: COMMAND_HINT, placeholder: "python3 /home/pi/sync.py" }),
    ...whenItRuns(process, "on_crash"),
    user: text("User", process.user, { hint: "The user that runs it. Empty: the kiosk's unprivileged user." }),
    cwd: text("Working directory", process.cwd, { hint: "Empty: the user's home directory." }),
    env: environment,
    depends_on: checks("Depends on", parts, chosen),
    display: displayChoice(process, null),
  };
  fields.depends_on.isShown = parts.length > 0;
  const hidden = [fields.user, fields.cwd, fields.env, fields.depends_on, fields.display];
  fields.advanced = el("details", { className: "advanced" }, el("summary", {}, "Advanced"), ...hidden.map((field) => field.element));
  fields.shown = [fields.name, fields.command];
  return fields;
}

function whenItRuns({ id, autostart = true, restart_on_crash, restart }, usual) {
  const policy = id === undefined ? usual : restart ?? (restart_on_crash ? "on_crash" : "never");
  const hint = "A crash is an exit code other than 0, or a signal. Always: also after exit code 0.";
  return {
    autostart: check("Autostart", autostart, "Starts with the kiosk"),
    restart: choice("Restart", policy, POLICIES, hint),
  };
}

/** `NAME=value` lines as an object. A line without `=` is refused in the same way as by the daemon. */
function environmentOf(typed) {
  const pairs = typed.split("\n").filter((line) => line.trim() !== "").map((line) => {
    const at = line.indexOf("=");
    if (at < 0) {
      const detail = `\`${line.trim()}\` must be NAME=value`;
      throw new Refusal(detail, [{ field: "env", detail }]);
    }
    return [line.slice(0, at).trim(), line.slice(at + 1)];
  });
  return pairs.length > 0 ? Object.fromEntries(pairs) : null;
}

function displayChoice(process, usual) {
  const names = new Set([...kiosk.displays.map((display) => display.name), ":0", ":1", process.display ?? ":0"]);
  const options = [...names].sort().map((name) => [name, name + displayInWords(name, process.id)]);
  if (usual === null) options.unshift(["", "None"]);
  return choice("Display", process.display ?? usual, options, "A display shows one process at a time.");
}

/** The state of a display: ` – used by Gallery Display`, ` – not connected, also wanted by Clock`. */
function displayInWords(name, id) {
  const display = kiosk.displays.find((display) => display.name === name);
  if (display?.process && display.process !== id) return ` – used by ${nameOf(display.process)}`;
  const wanting = (display?.wanted_by ?? []).filter((other) => other !== id).map(nameOf);
  const facts = [display?.connected ? "connected" : "not connected", wanting.length > 0 && `also wanted by ${wanting.join(", ")}`];
  return ` – ${facts.filter(Boolean).join(", ")}`;
}

function isCanvas(url) {
  try {
    return /(^|\.)lumencanvas\.studio$/.test(new URL(url).hostname);
  } catch {
    return false;
  }
}

/** The warning that there is a display process already, and what happens to it. */
function warning(process, isNew) {
  const others = inOrder().filter((other) => other.type === "chromium" && other.id !== process.id);
  if (others.length === 0 || !isNew) return null;
  const onScreen = others.find(isWanted) ?? others[0];
  const effect = isWanted(onScreen) ? `starting this one stops ${onScreen.name}` : "starting one stops the other";
  return el(
    "div",
    { className: "notice" },
    el("strong", {}, "There is a display process already: "),
    `${others.map((other) => other.name).join(", ")}. Only one runs at a time; ${effect}.`,
  );
}
