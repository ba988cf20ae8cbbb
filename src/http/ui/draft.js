// Keeps what was typed into a dialog that was left without an answer, until the same dialog is opened again.

import { button, el } from "./dom.js";

/** What was typed, by what the dialogs were about. */
const drafts = new Map();

/** The controls of one form, watched. `onRestore` is told when their values were put back. */
export class Draft {
  #key;
  #form;
  #onRestore;
  #untouched;
  #element = null;
  #isKept = true;

  /** The form stands as it would for somebody who has typed nothing yet. */
  constructor(key, form, onRestore = () => {}) {
    [this.#key, this.#form, this.#onRestore] = [key, form, onRestore];
    this.#untouched = snapshot(this.#controls());
  }

  /** Puts back what was typed, into the form of a dialog that has just been opened, and says so at its head. */
  open(element) {
    this.#element = element;
    element.addEventListener("close", () => this.#keep());
    const draft = drafts.get(this.#key);
    if (draft?.length !== this.#untouched.length) return;
    this.#restore(draft);
    const notice = el("div", { className: "notice" }, "What you typed before is still here. ");
    notice.append(button("Start over", () => {
      this.#restore(this.#untouched);
      notice.remove();
      this.#controls()[0].focus();
    }));
    this.#form.firstElementChild.prepend(notice);
  }

  /** Closes the dialog for good: what is typed in it is not wanted any more. */
  leave() {
    this.#isKept = false;
    this.#element.close();
  }

  #keep() {
    const typed = snapshot(this.#controls());
    if (this.#isKept && String(typed) !== String(this.#untouched)) drafts.set(this.#key, typed);
    else drafts.delete(this.#key);
  }

  #controls() {
    return [...this.#form.querySelectorAll("input, select, textarea")];
  }

  #restore(values) {
    this.#controls().forEach((control, place) => {
      if (isChecked(control)) control.checked = values[place];
      else control.value = values[place];
    });
    this.#onRestore();
  }
}

const isChecked = ({ type }) => ["checkbox", "radio"].includes(type);

const snapshot = (controls) => controls.map((control) => (isChecked(control) ? control.checked : control.value));
