// Keeps the input of a dialog that was closed without an answer, until the same dialog is opened again.

import { button, el } from "./dom.js";

/** The input, by the subject of the dialog. */
const drafts = new Map();

/** The draft of one form. `onRestore` is called after its values were restored. */
export class Draft {
  #key;
  #form;
  #onRestore;
  #untouched;
  #element = null;
  #isKept = true;

  /** Expects the form with its initial values. */
  constructor(key, form, onRestore = () => {}) {
    [this.#key, this.#form, this.#onRestore] = [key, form, onRestore];
    this.#untouched = snapshot(this.#controls());
  }

  /** Restores the draft in the dialog that was just opened, with a notice at its top. */
  open(element) {
    this.#element = element;
    element.addEventListener("close", () => this.#keep());
    const draft = drafts.get(this.#key);
    if (draft?.length !== this.#untouched.length) return;
    this.#restore(draft);
    const notice = el("div", { className: "notice" }, "Your earlier input was kept. ");
    notice.append(button("Start over", () => {
      this.#restore(this.#untouched);
      notice.remove();
      this.#controls()[0].focus();
    }));
    this.#form.firstElementChild.prepend(notice);
  }

  /** Closes the dialog and discards the draft. */
  finish() {
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
