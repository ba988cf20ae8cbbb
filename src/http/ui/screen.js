// What a display process shows: a picture of this moment, how its page fares, and what can be done with it.

import { ask, pathOf, picture } from "./api.js";
import { openAddress } from "./address.js";
import { dialog } from "./dialog.js";
import { announce, button, byId, el, say, whileBusy } from "./dom.js";
import { dayAndTime, moment, pageStateOf, sentence, timeOfDay } from "./words.js";

/** A picture costs the kiosk some work: no more of them than this, in milliseconds, while nothing happens. */
const PAUSE = 10_000;

/** Pictures of a card are this wide: twice what they measure on the page, for screens that show more. */
const WIDTH = 480;

/** The states in which there is a picture to be had. */
const PHOTOGENIC = ["healthy", "blank", "net_error"];

/** The last recovery step; of a page that is healthy again only when that was, and only if a screenshot shows why. */
function stepInWords({ at, what, evidence }, isOver) {
  if (!isOver) return `${moment(at)}: ${sentence(what)}`;
  return evidence ? `Last recovery: ${moment(at)}` : "";
}

/** The page of one display process, as a part of its card. */
export class Screen {
  #process = null;
  /** Whether it is in sight of whoever looks. */
  #isInSight = false;
  /** When the next picture is due, by the clock of this page. */
  #due = 0;
  #isAsking = false;
  /** When the picture was taken, and whether it is of this moment as far as one can know. */
  #taken = null;

  constructor(labelId, attempt) {
    const does = (label, work) => {
      const element = button(label, () => whileBusy(element, () => attempt(work)));
      element.setAttribute("aria-describedby", labelId);
      return element;
    };
    this.image = el("img");
    this.note = el("figcaption");
    this.frame = el("figure", { className: "thumbnail" }, this.note);
    this.state = el("span", { className: "page-state" });
    this.since = el("span");
    this.title = el("p", { className: "page-title" });
    this.address = el("p", { className: "page-address" });
    this.reason = el("p", { className: "state" });
    this.step = el("p", { className: "page-line" });
    this.evidence = does("Picture before", () => this.#showEvidence());
    this.element = el(
      "div",
      { className: "page", hidden: true },
      this.frame,
      el(
        "div",
        {},
        el("p", { className: "page-line" }, this.state, this.since),
        this.title,
        this.address,
        this.reason,
        this.step,
        el(
          "div",
          { className: "actions" },
          does("Reload", () => this.#reload()),
          does("Open URL", () => openAddress(this.#process)),
          does("Screenshot", () => this.#photograph()),
          this.evidence,
        ),
      ),
    );
    // A busy browser tells what several frames saw at once: the last of it is what is so.
    new IntersectionObserver((entries) => {
      this.#isInSight = entries.at(-1).isIntersecting;
      this.tick();
    }).observe(this.element);
  }

  /** Shows how the page fares now; of a process that does not run there is none. */
  show(process) {
    const before = this.#process?.page;
    const { page } = process;
    const isSameRun = this.#process?.pid === process.pid;
    this.#process = process;
    this.element.hidden = !page || process.status !== "running";
    if (this.element.hidden || !isSameRun) this.#forget();
    if (this.element.hidden) return;
    const { label, look = "" } = pageStateOf(page);
    say(this.state, label);
    this.element.dataset.look = look;
    const since = page.since ? `since ${moment(page.since)}` : "";
    say(this.since, page.last_painted ? `${since}, last seen well at ${timeOfDay(page.last_painted)}` : since);
    say(this.title, page.title || "");
    say(this.address, page.url || "");
    say(this.reason, sentence(page.reason ?? ""));
    this.reason.classList.toggle("bad", look === "bad");
    const step = page.last_step;
    say(this.step, step ? stepInWords(step, look === "good") : "");
    this.evidence.hidden = !step?.evidence;
    if (page.state !== before?.state || page.url !== before?.url) this.#due = 0;
    this.tick();
  }

  /** Asks for another picture if it is time, and somebody looks. */
  tick() {
    this.#describe();
    const isSeen = this.#isInSight && !document.hidden && !byId("panel-processes").hidden && !this.element.hidden;
    if (!isSeen || !this.#canBePhotographed() || this.#isAsking || performance.now() < this.#due) return;
    this.#look();
  }

  #canBePhotographed() {
    return PHOTOGENIC.includes(this.#process?.page?.state);
  }

  async #look() {
    const { pid, id } = this.#process;
    this.#isAsking = true;
    this.#due = performance.now() + PAUSE;
    try {
      const source = await picture(pathOf(id, `/screenshot?width=${WIDTH}`));
      // What was on its way when the run ended is of another run.
      if (this.#process.pid === pid) {
        this.image.src = source;
        this.#taken = { at: new Date(), isNow: true };
      }
    } catch {
      if (this.#taken) this.#taken.isNow = false;
    } finally {
      this.#isAsking = false;
      this.#describe();
    }
  }

  #forget() {
    this.#taken = null;
    this.#due = 0;
    this.image.remove();
  }

  /** A picture that is not of this moment says so, and of which. */
  #describe() {
    if (this.element.hidden) return;
    const { name, page } = this.#process;
    const isNow = Boolean(this.#taken?.isNow) && this.#canBePhotographed();
    this.element.classList.toggle("stale", this.#taken !== null && !isNow);
    if (this.#taken === null) {
      say(this.note, pageStateOf(page).instead ?? "No picture yet");
    } else {
      const at = timeOfDay(this.#taken.at);
      if (!this.image.isConnected) this.frame.prepend(this.image);
      this.image.alt = isNow ? `The screen of ${name} at ${at}` : `Not of now: the screen of ${name} at ${at}`;
      say(this.note, isNow ? at : `Stale: from ${at}`);
    }
  }

  async #reload() {
    const { id, name } = this.#process;
    await ask("POST", pathOf(id, "/reload"));
    announce(`${name} reloads its page.`);
  }

  async #photograph() {
    const { id, name } = this.#process;
    const source = await picture(pathOf(id, "/screenshot"));
    this.#showPicture(`The screen of ${name}`, id, source, new Date());
  }

  /** What was on the screen before something was done for a page that was not well. */
  async #showEvidence() {
    const { id, name, page } = this.#process;
    const taken = new Date(page.last_step.evidence);
    const source = await picture(pathOf(id, "/evidence"));
    this.#showPicture(`The screen of ${name}, before`, `${id} before`, source, taken);
  }

  #showPicture(title, stem, source, taken) {
    const close = button("Close", () => element.close());
    const file = `${stem} ${taken.toISOString().slice(0, 19).replaceAll(":", "-")}.png`;
    const element = dialog(
      title,
      { className: "wide" },
      el("div", { className: "body" }, el("img", { className: "photograph", src: source, alt: title }), el("p", { className: "hint" }, dayAndTime(taken))),
      el("footer", {}, el("div", { className: "actions" }, close, el("a", { className: "button primary", href: source, download: file }, "Download"))),
    );
    close.focus();
  }
}
