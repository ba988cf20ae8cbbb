// The tab System: the state of the machine, its displays, its configuration, and access.

import { refreshAccess, showAccess } from "./access.js";
import { ask } from "./api.js";
import { showDisplays } from "./displays.js";
import { byId, el, say, whileBusy } from "./dom.js";
import { kiosk, onChange } from "./feed.js";
import { count, duration, inZone, sentence, size } from "./words.js";

/** The interval at which visible facts are read again, in milliseconds. */
const PAUSE = 10_000;

/** The last responses, and when they arrived on the clock of `performance.now`; null before the first. */
let known = null;
let connection = "";
/** How many requests for the facts are pending: the timer does not add to them. */
let pending = 0;

/** Sets up the tab. */
export function showSystem() {
  byId("reload").addEventListener("click", (event) => whileBusy(event.currentTarget, reload));
  onChange(showConfiguration);
  // After a lost connection the facts may differ: the daemon restarted, or another kiosk has this address.
  onChange(() => {
    const before = connection;
    connection = kiosk.connection;
    if (before !== "connected" && isVisible()) refreshSystem();
  });
  setInterval(() => isVisible() && known !== null && show(), 1000);
  setInterval(() => isVisible() && pending === 0 && refresh(), PAUSE);
  showDisplays();
  showAccess();
}

const isVisible = () => !document.hidden && !byId("panel-system").hidden && kiosk.connection === "connected";

/** Reads the facts of the machine and who has access. */
export function refreshSystem() {
  refreshAccess();
  return refresh();
}

async function refresh() {
  pending += 1;
  try {
    const [machine, status] = await Promise.all([ask("GET", "/api/system"), ask("GET", "/api/status")]);
    known = { machine, status, at: performance.now() };
    show();
  } catch (error) {
    // Earlier facts stay: a notice reports the lost connection.
    if (known === null) byId("facts").replaceChildren(el("p", { className: "error", role: "alert" }, error.message));
  } finally {
    pending -= 1;
  }
}

/** Shows the facts; clocks and uptimes advance between two responses. */
function show() {
  const facts = byId("facts");
  const fresh = groups(known.machine, known.status, Math.floor((performance.now() - known.at) / 1000));
  if (facts.children.length !== fresh.length) return facts.replaceChildren(...fresh);
  fresh.forEach((group, place) => update(facts.children[place], group));
}

/** Replaces only the elements that differ, so that a text selection is kept. */
function update(before, after) {
  if (before.isEqualNode(after)) return;
  const isList = ["SECTION", "DL"].includes(before.tagName) && before.children.length === after.children.length;
  if (isList) [...after.children].forEach((child, place) => update(before.children[place], child));
  else before.replaceWith(after);
}

/** The facts, `later` seconds after they were read. */
function groups(machine, status, later) {
  const { memory, disk, clock } = machine;
  const local = (text, plus = 0) => inZone(Date.parse(text) + plus * 1000, clock?.timezone);
  return [
    group("Machine", {
      Name: machine.hostname,
      Model: machine.model,
      System: machine.os,
      Kernel: [machine.kernel, machine.architecture].filter(Boolean).join(", "),
      Up: machine.uptime === null ? null : duration(machine.uptime + later),
    }),
    group("Ossuary", {
      Version: status.version,
      Up: duration(status.uptime + later),
      Started: local(status.started),
      "Last start": `${sentence(status.last_start.reason)}: ${status.last_start.detail}`,
      Memory: memory?.daemon ? size(memory.daemon) : null,
      Processes: `${status.processes.running} of ${status.processes.total} running`,
    }),
    group("Health", {
      Load: machine.load?.map((load) => load.toFixed(2)).join("  "),
      Temperature: typeof machine.temperature === "number" ? `${machine.temperature.toFixed(1)} °C` : null,
      Memory: memory && share("Memory", memory),
      Disk: disk && [...share("Disk", disk), disk.in_memory ? el("div", {}, "In memory: lost at power off") : null],
    }),
    group("Network and clock", {
      ...Object.fromEntries((machine.network ?? []).map((port) => [port.interface, portInWords(port)])),
      Clock: clock && [el("div", {}, local(clock.now, later)), el("div", {}, clock.trusted ? "Trusted" : "Not trusted yet: not synchronized")],
      "Time zone": clock?.timezone,
    }),
  ];
}

function portInWords({ up, addresses }) {
  if (addresses.length > 0) return addresses.map((address) => el("div", {}, address));
  return up ? "Up, no address" : "Down";
}

/** The used share, as text and as a bar. */
function share(label, { total, available }) {
  const used = total - available;
  const meter = { "aria-label": `${label} in use`, max: total, low: total * 0.8, high: total * 0.92, optimum: 0, value: used };
  return [`${size(available)} free of ${size(total)}`, el("meter", meter)];
}

/** Facts with a title. Unknown facts are left out. */
function group(title, facts) {
  const heading = `facts-${title.toLowerCase().replaceAll(" ", "-")}`;
  const known = Object.entries(facts).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el(
    "section",
    { className: "card", "aria-labelledby": heading },
    el("h3", { className: "label", id: heading }, title),
    el("dl", {}, ...known.map(([term, value]) => [el("dt", {}, term), el("dd", {}, value)]).flat()),
  );
}

const SOURCES = {
  file: "The file, as last read or saved",
  running: "The previous configuration: the file cannot be used",
  last_good: "The last good copy: the file cannot be used",
  empty: "None yet: nothing is set up",
};

function inEffect({ source, file_differs: differs }) {
  const inEffect = SOURCES[source] ?? source;
  return differs ? `${inEffect}. The file was changed on disk since; reload it to apply the change` : inEffect;
}

function showConfiguration() {
  const { configuration } = kiosk;
  if (configuration === null) return;
  const list = (entries) => (entries.length === 0 ? "None" : problemList(entries));
  const facts = { File: el("code", {}, configuration.file), "In effect": inEffect(configuration) };
  const findings = { Problems: list(configuration.problems), Warnings: list(configuration.warnings) };
  const rows = Object.entries({ ...facts, ...findings });
  byId("configuration").replaceChildren(el("dl", {}, ...rows.map(([term, value]) => [el("dt", {}, term), el("dd", {}, value)]).flat()));
}

/** Problems or warnings, each with its path. */
export const problemList = (entries) =>
  el("ul", {}, ...entries.map(({ path, message }) => el("li", {}, path ? el("code", {}, path) : null, path ? `: ${message}` : message)));

async function reload() {
  const answer = byId("reload-answer");
  answer.className = "";
  say(answer, "Reloading…");
  try {
    const { configuration } = await ask("POST", "/api/reload");
    const problems = configuration.problems.length;
    say(answer, problems > 0 ? `Reloaded with ${count(problems, "problem")}.` : "Reloaded. The file is in effect.");
  } catch (error) {
    answer.className = "error";
    say(answer, `${sentence(error.message)}. The previous configuration stays in effect.`.replace("..", "."));
  }
}
