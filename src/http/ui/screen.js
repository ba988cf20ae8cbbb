// The page of a display process: its screenshot, its state, and its buttons.

import { ask, image, pathOf } from "./api.js";
import { openAddress } from "./address.js";
import { dialog } from "./dialog.js";
import { announce, button, byId, el, say, whileBusy } from "./dom.js";
import { dayAndTime, moment, pageStateOf, sentence, timeOfDay } from "./words.js";

/** The interval of screenshots while nothing changes, in milliseconds. Each costs the kiosk some work. */
const PAUSE = 10_000;

/** The width of a card's screenshot in pixels: twice its size in CSS pixels, for high-density screens. */
const WIDTH = 480;

/** The states of a page in which a screenshot can be taken. */
const WITH_SCREENSHOT = ["healthy", "blank", "net_error"];

/** The last recovery step. For a page that is healthy again: only its time, and only if there is a screenshot of it. */
function stepInWords({ at, what, evidence }, isRecovered) {
  if (!isRecovered) return `${moment(at)}: ${sentence(what)}`;
  return evidence ? `Last recovery: ${moment(at)}` : "";
}

/** The page of one display process, as a part of its card. */
export class Screen {
  #process = null;
  /** Whether it is in the viewport. */
  #isInViewport = false;
  /** When the next screenshot is due, on the clock of `performance.now`. */
  #due = 0;
  #isAsking = false;
  /** When the screenshot was taken, and whether it is current as far as is known. */
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
    this.evidence = does("Screenshot before recovery", () => this.#showEvidence());
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
          does("Screenshot", () => this.#showScreenshot()),
          this.evidence,
        ),
      ),
    );
    // A busy browser reports the entries of several frames at once: the last one is current.
    new IntersectionObserver((entries) => {
      this.#isInViewport = entries.at(-1).isIntersecting;
      this.tick();
    }).observe(this.element);
  }

  /** Shows the state of the page. It is hidden unless the process runs. */
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
    say(this.since, page.last_painted ? `${since}, last healthy at ${timeOfDay(page.last_painted)}` : since);
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

  /** Takes a screenshot if one is due and the card is visible. */
  tick() {
    this.#describe();
    const isVisible = this.#isInViewport && !document.hidden && !byId("panel-processes").hidden && !this.element.hidden;
    if (!isVisible || !this.#canTakeScreenshot() || this.#isAsking || performance.now() < this.#due) return;
    this.#refreshImage();
  }

  #canTakeScreenshot() {
    return WITH_SCREENSHOT.includes(this.#process?.page?.state);
  }

  async #refreshImage() {
    const { pid, id } = this.#process;
    this.#isAsking = true;
    this.#due = performance.now() + PAUSE;
    try {
      const source = await image(pathOf(id, `/screenshot?width=${WIDTH}`));
      // A screenshot that was requested before the process restarted belongs to the previous run.
      if (this.#process.pid === pid) {
        this.image.src = source;
        this.#taken = { at: new Date(), isCurrent: true };
      }
    } catch {
      if (this.#taken) this.#taken.isCurrent = false;
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

  /** Describes the screenshot: when it was taken, and whether it is stale. */
  #describe() {
    if (this.element.hidden) return;
    const { name, page } = this.#process;
    const isCurrent = Boolean(this.#taken?.isCurrent) && this.#canTakeScreenshot();
    this.element.classList.toggle("stale", this.#taken !== null && !isCurrent);
    if (this.#taken === null) {
      say(this.note, pageStateOf(page).instead ?? "No screenshot yet");
    } else {
      const at = timeOfDay(this.#taken.at);
      if (!this.image.isConnected) this.frame.prepend(this.image);
      this.image.alt = isCurrent ? `The screen of ${name} at ${at}` : `Stale: the screen of ${name} at ${at}`;
      say(this.note, isCurrent ? at : `Stale: from ${at}`);
    }
  }

  async #reload() {
    const { id, name } = this.#process;
    await ask("POST", pathOf(id, "/reload"));
    announce(`${name} is reloading its page.`);
  }

  async #showScreenshot() {
    const { id, name } = this.#process;
    const source = await image(pathOf(id, "/screenshot"));
    this.#openImage(`The screen of ${name}`, id, source, new Date());
  }

  /** Shows the screenshot that was taken before the last recovery step. */
  async #showEvidence() {
    const { id, name, page } = this.#process;
    const taken = new Date(page.last_step.evidence);
    const source = await image(pathOf(id, "/evidence"));
    this.#openImage(`The screen of ${name} before recovery`, `${id} before`, source, taken);
  }

  #openImage(title, stem, source, taken) {
    const close = button("Close", () => element.close());
    const file = `${stem} ${taken.toISOString().slice(0, 19).replaceAll(":", "-")}.png`;
    const element = dialog(
      title,
      { className: "wide" },
      el("div", { className: "body" }, el("img", { className: "screenshot", src: source, alt: title }), el("p", { className: "hint" }, dayAndTime(taken))),
      el("footer", {}, el("div", { className: "actions" }, close, el("a", { className: "button primary", href: source, download: file }, "Download"))),
    );
    close.focus();
  }
}
