// The displays: the process on each, its monitor, its rotation, and whether its screen is on.

import { ask, latest, replace } from "./api.js";
import { actionButton, announce, byId, el, newId, say, whileBusy } from "./dom.js";
import { kiosk, nameOf, onChange } from "./feed.js";
import { choice } from "./form.js";
import { sentence } from "./words.js";

const CONFIG = "/api/config";

/** The value "" means that the configuration does not set the rotation. */
const ROTATIONS = [
  ["", "Not set"],
  ["0", "0°"],
  ["90", "90° right"],
  ["180", "180°"],
  ["270", "270° left"],
];

/** How often a change is sent if other clients change the configuration meanwhile. */
const ATTEMPTS = 3;

const rows = new Map();

/** Sets up the list of displays. */
export function showDisplays() {
  onChange(arrange);
}

/** Updates the list. A row stays the same element, so that the focus in it is kept. */
function arrange() {
  const list = byId("display-list");
  const names = kiosk.displays.map(({ name }) => name);
  for (const [name, row] of rows) {
    if (names.includes(name)) continue;
    row.element.remove();
    rows.delete(name);
  }
  kiosk.displays.forEach((display, place) => {
    let row = rows.get(display.name);
    if (!row) rows.set(display.name, (row = new Row()));
    if (list.children[place] !== row.element) list.insertBefore(row.element, list.children[place] ?? null);
    row.show(display);
  });
  list.hidden = names.length === 0;
  say(byId("displays-none"), names.length === 0 ? "There is no display: no X or Wayland server is running." : "");
  const free = kiosk.connectors.filter(({ display }) => display === null);
  byId("connectors").replaceChildren(...free.map((connector) => el("li", {}, el("code", {}, connector.name), `: ${socketInWords(connector)}`)));
}

/** What is connected to a connector that no known display uses. */
function socketInWords({ connected, monitor }) {
  if (!connected) return "nothing is connected";
  return `${monitor ? monitorInWords(monitor) : "a monitor"} is connected, but no known display uses it`;
}

const monitorInWords = ({ maker, product, name }) => name ?? `${maker} ${product}`;

class Row {
  #display;
  /** The configured rotation that the choice last showed. */
  #agreed = null;

  constructor() {
    const heading = newId("display");
    this.error = el("p", { className: "error", role: "alert" });
    const does = (label, work) => actionButton(label, work, { problem: this.error, describedBy: heading });
    this.name = el("h4", { id: heading });
    this.badge = el("span", { className: "badge" });
    this.away = el("p", { className: "hint" });
    this.facts = el("dl");
    this.rotation = choice("Rotation", "", ROTATIONS);
    this.rotate = el("button", { type: "submit", "aria-describedby": heading }, "Rotate");
    this.rotated = el("p", { className: "hint" });
    this.power = el("p", { className: "power" });
    this.on = does("Switch on", () => this.#switch(true));
    this.off = does("Switch off", () => this.#switch(false));
    this.powerProblem = el("p", { className: "error" });
    const rotationForm = el("form", { className: "with-button", noValidate: true }, this.rotation.element, this.rotate);
    rotationForm.addEventListener("input", () => this.#describe());
    rotationForm.addEventListener("submit", (event) => {
      event.preventDefault();
      whileBusy(this.rotate, () => this.#rotate());
    });
    this.controls = el(
      "div",
      { className: "controls" },
      el("div", {}, rotationForm, this.rotated),
      el("div", {}, el("p", { className: "label" }, "Screen"), this.power, el("div", { className: "actions" }, this.on, this.off), this.powerProblem, this.error),
    );
    this.element = el(
      "li",
      { className: "display", "aria-labelledby": heading },
      el("header", {}, this.name, this.badge),
      this.away,
      this.facts,
      this.controls,
    );
  }

  show(display) {
    this.#display = display;
    const { name, connected, power, rotation } = display;
    const requested = String(rotation.requested ?? "");
    if (this.#agreed === null || this.rotation.control.value === this.#agreed) this.rotation.control.value = requested;
    this.#agreed = requested;
    say(this.name, name);
    this.element.classList.toggle("away", !connected);
    const { label, look } = badgeOf(display);
    say(this.badge, label);
    this.badge.dataset.look = look;
    this.away.hidden = connected;
    say(this.away, connected ? "" : awayInWords(display));
    this.facts.hidden = this.controls.hidden = !connected;
    if (!connected) return;
    const facts = Object.entries(factsOf(display)).filter(([, value]) => value);
    this.facts.replaceChildren(...facts.flatMap(([term, value]) => [el("dt", {}, term), el("dd", {}, value)]));
    say(this.power, powerInWords(power));
    say(this.powerProblem, sentence(power.problem ?? ""));
    this.#offer(this.on, power.actual === "on" && power.requested !== "off", this.off);
    this.#offer(this.off, power.actual === "off" && power.requested !== "on", this.on);
    this.#describe();
  }

  /** Hides a button that has no effect. If it has the focus, the other button gets it. */
  #offer(element, isDone, other) {
    const isFocused = element === document.activeElement;
    element.hidden = isDone;
    if (isDone && isFocused) {
      other.hidden = false;
      other.focus();
    }
  }

  #describe() {
    const { rotation } = this.#display;
    this.rotate.disabled = this.rotation.control.value === this.#agreed;
    this.rotation.blame(sentence(rotation.problem ?? ""));
    say(this.rotated, rotationInWords(rotation));
    this.rotated.hidden = this.rotated.textContent === "";
  }

  async #switch(on) {
    const { name } = this.#display;
    await ask("POST", `/api/displays/${encodeURIComponent(name)}/power`, { on });
    announce(`Switching the screen of ${name} ${on ? "on" : "off"}.`);
  }

  async #rotate() {
    const { name } = this.#display;
    const typed = this.rotation.control.value;
    try {
      await configure(name, typed === "" ? null : Number(typed));
      this.#agreed = typed;
      this.#describe();
      announce(`Rotation of ${name}: ${this.rotation.control.selectedOptions[0].text}.`);
    } catch (error) {
      this.rotation.blame(sentence(error.message));
    }
    this.rotation.control.focus();
  }
}

/** Sets the rotation of a display in the current configuration, and changes nothing else. */
async function configure(name, rotation) {
  for (let attempt = 1; ; attempt += 1) {
    const known = await latest(CONFIG, null);
    const { displays = {}, ...rest } = known.content;
    const { rotation: before, ...others } = displays[name] ?? {};
    const changed = rotation === null ? others : { ...others, rotation };
    const { [name]: old, ...elsewhere } = displays;
    const all = Object.keys(changed).length > 0 ? { ...displays, [name]: changed } : elsewhere;
    try {
      return await replace(CONFIG, { ...rest, displays: all }, known);
    } catch (error) {
      if (error.status !== 412 || attempt === ATTEMPTS) throw error;
    }
  }
}

function badgeOf({ connected, power: { requested, actual } }) {
  if (!connected) return { label: "Not connected", look: "away" };
  const isMismatch = requested !== null && actual !== null && requested !== actual;
  if (actual === null) return { label: "Connected", look: "plain" };
  return { label: actual === "on" ? "Screen on" : "Screen off", look: isMismatch ? "bad" : actual };
}

function factsOf({ resolution, monitor, connector, outputs, process, wanted_by: wanting }) {
  const names = outputs.map(({ name }) => name);
  const isElsewhere = connector && !names.includes(connector);
  const others = wanting.filter((id) => id !== process).map(nameOf);
  const holder = process ? nameOf(process) : "Nothing";
  return {
    Monitor: monitor && monitorInWords(monitor),
    [names.length > 1 ? "Outputs" : "Output"]: names.join(", ") + (isElsewhere ? `, connected to ${connector}` : ""),
    Resolution: resolution?.replace("x", " × "),
    Process: others.length > 0 ? `${holder}; also wanted by ${others.join(", ")}` : holder,
  };
}

function awayInWords({ wanted_by: wanting, rotation }) {
  const facts = [wanting.length > 0 && `${wanting.map(nameOf).join(", ")} waits for it`];
  facts.push(rotation.requested && `rotation set to ${rotation.requested}°`);
  return sentence(facts.filter(Boolean).join("; "));
}

function rotationInWords({ requested, actual }) {
  if (actual === null) return requested === null ? "" : "The current rotation is unknown.";
  if (requested === null) return `The current rotation is ${actual}°.`;
  return requested === actual ? "" : `Set to ${requested}°, but it is ${actual}°.`;
}

function powerInWords({ requested, actual }) {
  if (requested !== null && requested === actual) return `It is ${actual}, as requested.`;
  const is = actual === null ? "its state is unknown" : `it is ${actual}`;
  return requested === null ? `${sentence(is)}.` : `Requested: ${requested}, but ${is}.`;
}
