// One rule as a card: when it is due, what it does, its next and its last occurrence, and its buttons.

import { ask, Refusal } from "./api.js";
import { confirm } from "./dialog.js";
import { actionButton, announce, el, newId, say } from "./dom.js";
import { editRule } from "./rule-editor.js";
import { neverInWords, outcomeInWords, placeOf, wallTime, whatInWords, whenInWords } from "./rule-words.js";
import { sentence } from "./words.js";

/** A card. `amend` changes the schedule. */
export class Rule {
  #rule;
  #key;
  #amend;
  /** The last outcome shown, as JSON. */
  #lastShown = "null";
  /** Whether this browser ran the rule and has not announced the outcome yet. */
  #isAwaited = false;

  constructor(amend) {
    this.#amend = amend;
    const heading = newId("rule");
    this.error = el("p", { className: "error", role: "alert" });
    const does = (label, work, className) => actionButton(label, work, { problem: this.error, describedBy: heading, className });
    this.name = el("h3", { id: heading });
    this.badge = el("span", { className: "badge", "data-look": "on" }, "Active");
    this.switch = does("", () => this.#toggle(), "switch");
    this.switch.setAttribute("role", "switch");
    this.switch.setAttribute("aria-label", "Enabled");
    this.when = el("p", { className: "rule-when" });
    this.what = el("p", { className: "rule-what" });
    this.problem = el("p", { className: "error" });
    this.next = el("dd");
    this.last = el("dd");
    this.article = el(
      "article",
      { className: "card rule", "aria-labelledby": heading },
      el("header", {}, this.name, el("div", { className: "badges" }, this.badge, this.switch)),
      this.when,
      this.what,
      this.problem,
      this.error,
      el(
        "footer",
        {},
        el("dl", { className: "due" }, el("dt", {}, "Next"), this.next, el("dt", {}, "Last"), this.last),
        el("div", { className: "actions" }, does("Run now", () => this.#run()), does("Edit", () => editRule(this.#rule, this.#key, this.#amend)), does("Delete", () => this.#delete(), "danger")),
      ),
    );
    this.element = el("li", {}, this.article);
  }

  /** Shows a rule, its state in the snapshot of the schedule, and its problems. */
  show(rule, key, schedule, problems) {
    this.#rule = rule;
    this.#key = key;
    const { next = null, active = false, last = null } = schedule.rules?.[key] ?? {};
    const isEnabled = rule.enabled !== false;
    this.article.classList.toggle("resting", !isEnabled || !schedule.enabled);
    say(this.name, rule.name ?? key);
    this.badge.hidden = !active;
    this.switch.setAttribute("aria-checked", isEnabled);
    say(this.when, whenInWords(rule));
    say(this.what, whatInWords(rule));
    say(this.problem, sentence(problems.join("; ")));
    say(this.next, next ? sentence(wallTime(next)) : neverInWords({ ...rule, enabled: isEnabled }, schedule));
    say(this.last, last ? `${sentence(wallTime(last.at))} · ${outcomeInWords(last)}` : "Not yet");
    this.last.dataset.outcome = last?.outcome ?? "";
    const shown = JSON.stringify(last);
    const isNews = last !== null && shown !== this.#lastShown;
    this.#lastShown = shown;
    if (isNews && this.#isAwaited) {
      this.#isAwaited = false;
      announce(`${this.name.textContent}: ${outcomeInWords(last)}`);
    }
  }

  /** Changes this rule in the current schedule, and no other. */
  async #change(change) {
    const key = this.#key;
    await this.#amend((schedule) => {
      const place = placeOf(key, schedule.rules);
      if (place < 0) throw new Refusal("Another client deleted this rule.");
      change(schedule.rules, place);
    });
  }

  async #toggle() {
    const enabled = this.switch.getAttribute("aria-checked") !== "true";
    await this.#change((rules, place) => (rules[place].enabled = enabled));
    announce(`${this.name.textContent} is ${enabled ? "enabled" : "disabled"}.`);
  }

  async #run() {
    const { action } = this.#rule;
    const name = this.name.textContent;
    if (action?.type === "reboot") {
      const question = { title: `Run ${name} now?`, text: ["The machine restarts, and its screens are dark meanwhile."], yes: "Restart the machine", isDangerous: true };
      if (!(await confirm(question))) return;
    }
    const ran = await ask("POST", `/api/schedule/rules/${encodeURIComponent(this.#key)}/run`);
    this.#isAwaited = ran?.outcome === "begun";
    announce(`${name}: ${outcomeInWords(ran)}`);
  }

  async #delete() {
    const name = this.name.textContent;
    const question = { title: `Delete ${name}?`, text: ["The rule is removed from the schedule. This cannot be undone."], yes: "Delete", isDangerous: true };
    if (!(await confirm(question))) return;
    await this.#change((rules, place) => rules.splice(place, 1));
    announce(`${name} is deleted.`);
  }
}
