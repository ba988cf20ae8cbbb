// The processes as cards: the state of each, and the buttons that fit it.

import { ask, pathOf } from "./api.js";
import { confirm } from "./dialog.js";
import { actionButton, announce, attempt, byId, el, newId, say } from "./dom.js";
import { edit } from "./editor.js";
import { inOrder, isAlive, isWanted, kiosk, nameOf, onChange, rivalsOf } from "./feed.js";
import { keysOf } from "./rule-words.js";
import { Screen } from "./screen.js";
import { STATES, count, duration, moment, pageStateOf, sentence } from "./words.js";

/** The problem type if rules of the schedule use the process. */
const NAMED_BY_RULES = "/problems/named-by-rules";

const cards = new Map();

/** Sets up the tab. */
export function showProcesses() {
  byId("add-display").addEventListener("click", () => edit({ type: "chromium" }));
  byId("add-background").addEventListener("click", () => edit({ type: "custom" }));
  onChange(arrange);
  setInterval(() => {
    if (document.hidden || byId("panel-processes").hidden) return;
    for (const card of cards.values()) card.tick();
  }, 1000);
}

/** Updates the list. A card stays the same element, so that the focus in it is kept. */
function arrange() {
  const processes = inOrder();
  const list = byId("cards");
  for (const [id, card] of cards) {
    if (kiosk.processes.has(id)) continue;
    if (card.element.contains(document.activeElement)) byId("add-display").focus();
    card.element.remove();
    cards.delete(id);
  }
  processes.forEach((process, place) => {
    let card = cards.get(process.id);
    if (!card) cards.set(process.id, (card = new Card()));
    if (list.children[place] !== card.element) list.insertBefore(card.element, list.children[place] ?? null);
    card.show(process);
  });
  byId("empty").hidden = processes.length > 0 || kiosk.configuration === null;
  list.hidden = processes.length === 0;
}

/** The state that the card shows: that of the page while the process runs, else that of the process. */
function conditionOf(process) {
  if (!process.enabled && !isWanted(process)) return { label: "Disabled", look: "rest" };
  const page = process.status === "running" ? pageStateOf(process.page) : null;
  if (page?.badge) return { ...page, label: page.badge };
  return STATES[process.status] ?? { label: sentence(process.status), look: "rest" };
}

class Card {
  #process;
  /** Whether this browser started an action whose end is announced. */
  #isWatched = false;

  constructor() {
    const heading = newId("process");
    const protection = newId("protection");
    this.error = el("p", { className: "error", role: "alert" });
    const does = (label, work, className) => actionButton(label, work, { problem: this.error, describedBy: heading, className });
    this.name = el("h3", { id: heading });
    this.status = el("span", { className: "badge status" });
    this.screen = el("span", { className: "badge screen" }, "Display");
    this.command = el("summary", { title: "Show the whole command" });
    this.state = el("p", { className: "state" });
    this.warning = el("p", { className: "state bad" });
    this.facts = el("p", { className: "facts" });
    this.protection = el("span", { id: protection, className: "unseen" });
    this.buttons = {
      edit: does("Edit", () => edit(this.#process)),
      logs: el("a", { className: "button", "aria-describedby": heading }, "Logs"),
      enable: does("Enable", () => this.#enable(), "primary"),
      start: does("Start", () => this.#start(), "primary"),
      restart: does("Restart", () => this.#send("restart")),
      stop: does("Stop", () => this.#send("stop")),
      delete: does("Delete", () => this.#delete(), "danger"),
    };
    this.buttons.delete.setAttribute("aria-describedby", `${heading} ${protection}`);
    this.page = new Screen(heading, (work) => attempt(this.error, work));
    this.article = el(
      "article",
      { className: "card process", "aria-labelledby": heading },
      el("header", {}, this.name, el("div", { className: "badges" }, this.status, this.screen)),
      el("details", { className: "command" }, this.command),
      this.state,
      this.warning,
      this.page.element,
      this.error,
      el("footer", {}, this.facts, el("div", { className: "actions" }, Object.values(this.buttons)), this.protection),
    );
    this.element = el("li", {}, this.article);
  }

  /** Shows the state of the process. */
  show(process) {
    if (process === this.#process) return;
    const before = this.#process && conditionOf(this.#process);
    this.#process = process;
    const state = conditionOf(process);
    this.article.dataset.look = state.look;
    this.article.classList.toggle("passing", Boolean(state.isPassing));
    this.article.classList.toggle("resting", process.status === "stopped");
    say(this.name, process.name);
    say(this.status, state.label);
    this.screen.hidden = process.type !== "chromium";
    say(this.command, [process.command, process.url].filter(Boolean).join(" "));
    const inWords = reasonInWords(process);
    say(this.state, inWords);
    this.state.hidden = inWords === "";
    this.state.classList.toggle("bad", process.status === "failed");
    this.warning.hidden = process.limits_enforced !== false;
    say(this.warning, this.warning.hidden ? "" : `Limits not enforced: ${process.limits_note}`);
    this.page.show(process);
    this.buttons.logs.href = `#logs/${process.id}`;
    this.#fitButtons();
    this.tick();
    if (!before || before.label === state.label) return;
    // An earlier error no longer applies.
    if (state.look === "good") say(this.error, "");
    this.#announceState(state);
  }

  /** Updates the uptime and the screenshot; called every second. */
  tick() {
    if (!this.#process) return;
    say(this.facts, factsOf(this.#process));
    this.page.tick();
  }

  #fitButtons() {
    const { enable, start, restart, stop, delete: remove } = this.buttons;
    const { status, enabled } = this.#process;
    const isStopping = status === "stopping";
    const focused = document.activeElement;
    enable.hidden = enabled;
    start.hidden = !enabled || !["stopped", "backoff", "failed"].includes(status);
    restart.hidden = !enabled || status !== "running";
    stop.hidden = !isWanted(this.#process) && !isStopping;
    stop.setAttribute("aria-disabled", isStopping);
    const isProtected = isAlive(this.#process);
    remove.setAttribute("aria-disabled", isProtected);
    say(this.protection, isProtected ? "Cannot be deleted while it runs. Stop it first." : "");
    remove.title = this.protection.textContent;
    // The focus of a button that is hidden moves to the one that replaces it.
    if (focused?.hidden && this.element.contains(focused)) {
      [stop, start, enable, this.buttons.edit].find((button) => !button.hidden).focus();
    }
  }

  #announceState(state) {
    const { name } = this.#process;
    if (!this.#isWatched && state.look !== "bad") return;
    announce(`${name}: ${state.label}`);
    if (!state.isPassing) this.#isWatched = false;
  }

  async #send(what) {
    if (this.buttons[what].getAttribute("aria-disabled") === "true") return;
    this.#isWatched = true;
    const answer = await ask("POST", pathOf(this.#process.id, `/${what}`));
    const stopped = (answer?.stopped ?? []).map(nameOf);
    if (stopped.length > 0) announce(`${this.#process.name} starts; ${stopped.join(" and ")} stops.`);
  }

  async #start() {
    const rivals = rivalsOf(this.#process);
    if (rivals.length > 0 && !(await confirm(switching(this.#process, rivals)))) return;
    await this.#send("start");
  }

  async #enable() {
    await ask("PUT", pathOf(this.#process.id), { enabled: true });
    announce(`${this.#process.name} is enabled.`);
  }

  async #delete() {
    const { id, name } = this.#process;
    if (this.buttons.delete.getAttribute("aria-disabled") === "true") {
      announce(this.protection.textContent);
      return;
    }
    const isSure = await confirm({
      title: `Delete ${name}?`,
      text: ["It is removed from the configuration, with all its settings. This cannot be undone."],
      yes: "Delete",
      isDangerous: true,
    });
    if (!isSure) return;
    try {
      await ask("DELETE", pathOf(id));
    } catch (error) {
      if (error.type !== NAMED_BY_RULES) throw error;
      const { rules } = await ask("GET", "/api/schedule");
      if (!(await confirm(withoutRules(this.#process, rules)))) return;
      await ask("DELETE", pathOf(id, "?force=true"));
    }
    announce(`${name} is deleted.`);
  }
}

/** The question before a process is deleted that rules use. */
function withoutRules({ id, name }, rules) {
  const keys = keysOf(rules);
  const uses = ({ action, enabled }) => enabled !== false && action?.process_id === id;
  const users = rules.map((rule, place) => uses(rule) && (rule.name ?? keys[place])).filter(Boolean);
  return {
    title: `Delete ${name} although rules use it?`,
    text: [`These rules use it: ${users.join(", ")}.`, "They are disabled and stay in the schedule."],
    yes: "Delete and disable the rules",
    isDangerous: true,
  };
}

/** The question before a start that stops other processes. */
function switching(process, rivals) {
  const names = rivals.map((rival) => rival.name).join(" and ");
  const isOne = rivals.length === 1;
  const why = rivals.some((rival) => rival.type === "chromium" && process.type === "chromium")
    ? "Only one display process runs at a time."
    : `Display ${process.display} shows one process at a time.`;
  return {
    title: `Start ${process.name}?`,
    text: [`${why} Starting ${process.name} stops ${names}${isOne ? "" : `, all ${rivals.length} of them`}.`],
    yes: isOne ? `Stop ${names} and start` : "Stop them and start",
  };
}

/** `Display :0 • WebGPU • Kiosk`, or `Uptime: 2h 15m • Restarts: 0`. */
function factsOf({ type, display, flags = {}, startedAt, pid, restarts }) {
  const isRunning = pid !== null && startedAt !== undefined;
  const facts = [display && `Display ${display}`];
  if (type === "chromium") {
    facts.push(flags.webgpu && "WebGPU", flags.kiosk && "Kiosk", flags.autoplay && "Autoplay", flags.cursor && "Cursor");
    facts.push(restarts > 0 && `Restarts: ${restarts}`);
  } else if (isRunning || restarts > 0) {
    facts.push(isRunning && `Uptime: ${duration((performance.now() - startedAt) / 1000)}`, `Restarts: ${restarts}`);
  }
  return facts.filter(Boolean).join(" • ");
}

/** The reason for the state of a process, with names in place of ids. */
function reasonInWords({ status, reason, since, enabled, restarts }) {
  if (!enabled) return "This process is disabled. Enable it before you start it.";
  if (!reason) return "";
  const named = reason.replace(/^(replaced by|waits until|the display is taken by) (\S+)/, (_, verb, id) => `${verb} ${nameOf(id)}`);
  const words = sentence(named);
  if (status === "running" || status === "starting") return restarts > 0 ? `Last run: ${named}` : "";
  const crashes = status === "failed" && restarts > 0 ? `, after ${count(restarts, "restart")}` : "";
  return `${words}${crashes} · since ${moment(since)}`;
}
