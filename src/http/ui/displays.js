// The displays: what is on each, who holds it, how it is turned, and whether its screen is on.

import { ask, latest, replace } from "./api.js";
import { announce, byId, deed, el, newId, say, whileBusy } from "./dom.js";
import { kiosk, nameOf, onChange } from "./feed.js";
import { choice } from "./form.js";
import { sentence } from "./words.js";

const CONFIG = "/api/config";

/** The value "" stands for a display that is not named in the configuration. */
const ROTATIONS = [
  ["", "As it is"],
  ["0", "0°"],
  ["90", "90° right"],
  ["180", "180°"],
  ["270", "270° left"],
];

/** How often another change of the configuration may come in between. */
const ATTEMPTS = 3;

const rows = new Map();

/** Shows the displays, from now on. */
export function showDisplays() {
  onChange(arrange);
}

/** A row stays the same element, so whoever is in it stays there. */
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
  say(byId("displays-none"), names.length === 0 ? "There is no display: neither an X nor a Wayland server runs here." : "");
  const free = kiosk.connectors.filter(({ display }) => display === null);
  byId("connectors").replaceChildren(...free.map((connector) => el("li", {}, el("code", {}, connector.name), `: ${socketInWords(connector)}`)));
}

/** What is plugged in where no display is known to be. */
function socketInWords({ connected, monitor }) {
  if (!connected) return "nothing is plugged in";
  return `${monitor ? monitorInWords(monitor) : "a monitor"} is plugged in, and no display is known to be on it`;
}

const monitorInWords = ({ maker, product, name }) => name ?? `${maker} ${product}`;

class Row {
  #display;
  /** How it was to be turned when the choice last said the same. */
  #agreed = null;

  constructor() {
    const heading = newId("display");
    this.error = el("p", { className: "error", role: "alert" });
    const does = (label, work) => deed(label, work, { problem: this.error, describedBy: heading });
    this.name = el("h4", { id: heading });
    this.badge = el("span", { className: "badge" });
    this.away = el("p", { className: "hint" });
    this.facts = el("dl");
    this.rotation = choice("Rotation", "", ROTATIONS);
    this.turn = el("button", { type: "submit", "aria-describedby": heading }, "Turn");
    this.turned = el("p", { className: "hint" });
    this.power = el("p", { className: "power" });
    this.on = does("Switch on", () => this.#switch(true));
    this.off = does("Switch off", () => this.#switch(false));
    this.dark = el("p", { className: "error" });
    const turning = el("form", { className: "with-button", noValidate: true }, this.rotation.element, this.turn);
    turning.addEventListener("input", () => this.#describe());
    turning.addEventListener("submit", (event) => {
      event.preventDefault();
      whileBusy(this.turn, () => this.#turn());
    });
    this.controls = el(
      "div",
      { className: "controls" },
      el("div", {}, turning, this.turned),
      el("div", {}, el("p", { className: "label" }, "Screen"), this.power, el("div", { className: "actions" }, this.on, this.off), this.dark, this.error),
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
    say(this.dark, sentence(power.problem ?? ""));
    this.#offer(this.on, power.actual === "on" && power.requested !== "off", this.off);
    this.#offer(this.off, power.actual === "off" && power.requested !== "on", this.on);
    this.#describe();
  }

  /** Whoever was at a button that goes away finds the other one under the finger. */
  #offer(element, isDone, other) {
    const isHeld = element === document.activeElement;
    element.hidden = isDone;
    if (isDone && isHeld) {
      other.hidden = false;
      other.focus();
    }
  }

  #describe() {
    const { rotation } = this.#display;
    this.turn.disabled = this.rotation.control.value === this.#agreed;
    this.rotation.blame(sentence(rotation.problem ?? ""));
    say(this.turned, turnedInWords(rotation));
    this.turned.hidden = this.turned.textContent === "";
  }

  async #switch(on) {
    const { name } = this.#display;
    await ask("POST", `/api/displays/${encodeURIComponent(name)}/power`, { on });
    announce(`The screen of ${name} is asked to be ${on ? "on" : "off"}.`);
  }

  async #turn() {
    const { name } = this.#display;
    const typed = this.rotation.control.value;
    try {
      await configure(name, typed === "" ? null : Number(typed));
      this.#agreed = typed;
      this.#describe();
      announce(`${name} is to be turned: ${this.rotation.control.selectedOptions[0].text}.`);
    } catch (error) {
      this.rotation.blame(sentence(error.message));
    }
    this.rotation.control.focus();
  }
}

/** Writes how a display is turned, and nothing else, into the configuration as it is at that moment. */
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
  const isLying = requested !== null && actual !== null && requested !== actual;
  if (actual === null) return { label: "Connected", look: "plain" };
  return { label: actual === "on" ? "Screen on" : "Screen off", look: isLying ? "bad" : actual };
}

function factsOf({ resolution, monitor, connector, outputs, process, wanted_by: wanting }) {
  const names = outputs.map(({ name }) => name);
  const isElsewhere = connector && !names.includes(connector);
  const others = wanting.filter((id) => id !== process).map(nameOf);
  const holder = process ? nameOf(process) : "Nothing";
  return {
    Monitor: monitor && monitorInWords(monitor),
    [names.length > 1 ? "Outputs" : "Output"]: names.join(", ") + (isElsewhere ? `, plugged in at ${connector}` : ""),
    Resolution: resolution?.replace("x", " × "),
    "Shown on it": others.length > 0 ? `${holder}; also for ${others.join(", ")}` : holder,
  };
}

function awayInWords({ wanted_by: wanting, rotation }) {
  const facts = [wanting.length > 0 && `${wanting.map(nameOf).join(", ")} waits for it`];
  facts.push(rotation.requested && `it is to be turned by ${rotation.requested}°`);
  return sentence(facts.filter(Boolean).join("; "));
}

function turnedInWords({ requested, actual }) {
  if (actual === null) return requested === null ? "" : "Nobody says how it is turned now.";
  if (requested === null) return `It is turned by ${actual}° now.`;
  return requested === actual ? "" : `Asked for ${requested}°, and it is ${actual}°.`;
}

function powerInWords({ requested, actual }) {
  if (requested !== null && requested === actual) return `It is ${actual}, as asked.`;
  const is = actual === null ? "nobody says whether it is on" : `it is ${actual}`;
  return requested === null ? `${sentence(is)}.` : `Asked for ${requested}, and ${is}.`;
}
