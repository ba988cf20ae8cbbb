// Parts of a form: each a control with its label, its hint, and room for what is wrong with it.

import { el, newId } from "./dom.js";

/**
 * A field. `read` gives its value as the API has it (null for nothing), `blame` says what is wrong with it.
 * `content` stands under the label; `control` is what has the focus when it is to blame.
 */
class Field {
  constructor(element, control, error, read) {
    Object.assign(this, { element, control, error, read });
  }

  get isShown() {
    return !this.element.hidden;
  }

  set isShown(value) {
    this.element.hidden = !value;
  }

  /** Says what is wrong, or that nothing is any more. */
  blame(text) {
    this.error.textContent = text;
    if (text) this.control.setAttribute("aria-invalid", "true");
    else this.control.removeAttribute("aria-invalid");
  }
}

function labelled(label, control, hint, read) {
  const [error, note] = [newId("error"), newId("hint")];
  control.id = newId("control");
  control.setAttribute("aria-describedby", hint ? `${note} ${error}` : error);
  const problem = el("p", { className: "error", id: error });
  const element = el(
    "div",
    { className: "field" },
    el("label", { htmlFor: control.id }, label),
    control,
    hint ? el("p", { className: "hint", id: note }, hint) : null,
    problem,
  );
  return new Field(element, control, problem, read);
}

const QUIET = { autocomplete: "off", autocapitalize: "off", spellcheck: false };

/** One line of text. */
export function text(label, value, { hint, ...properties } = {}) {
  const control = el("input", { type: "text", ...QUIET, ...properties, value: value ?? "" });
  return labelled(label, control, hint, () => control.value.trim() || null);
}

/** A whole number. What is none is sent as it was typed, and the kiosk says what is wrong with it. */
export function number(label, value, hint) {
  const field = text(label, value, { hint, inputMode: "numeric" });
  field.read = () => {
    const typed = field.control.value.trim();
    return /^\d+$/.test(typed) ? Number(typed) : typed || null;
  };
  return field;
}

/** Lines of text. */
export function lines(label, value, { hint, ...properties } = {}) {
  const control = el("textarea", { rows: 3, ...QUIET, ...properties, value: value ?? "" });
  return labelled(label, control, hint, () => control.value.trim() || null);
}

/** One of several. `options` are `[value, label]`; the value "" is nothing. */
export function choice(label, value, options, hint) {
  const control = el("select", {}, ...options.map(([value, label]) => el("option", { value }, label)));
  control.value = value ?? "";
  return labelled(label, control, hint, () => control.value || null);
}

/** Yes or no. */
export function check(label, value, hint) {
  const control = el("input", { type: "checkbox", id: newId("control"), checked: value });
  const note = newId("hint");
  if (hint) control.setAttribute("aria-describedby", note);
  const element = el(
    "div",
    { className: "check" },
    control,
    el("label", { htmlFor: control.id }, label),
    hint ? el("span", { className: "hint", id: note }, hint) : null,
  );
  return { element, control, read: () => control.checked };
}

/** Yes or no, as a field of its own. */
export function toggle(label, value, hint) {
  const { element, control, read } = check(label, value, hint);
  const problem = el("p", { className: "error", id: newId("error") });
  control.setAttribute("aria-describedby", `${control.getAttribute("aria-describedby") ?? ""} ${problem.id}`.trim());
  element.append(problem);
  return new Field(element, control, problem, read);
}

/** Checks that belong together, as one field. */
export function checks(legend, parts, read) {
  const problem = el("p", { className: "error", id: newId("error") });
  const element = el(
    "fieldset",
    { "aria-describedby": problem.id },
    el("legend", {}, legend),
    el("div", { className: "checks" }, ...parts.map((part) => part.element)),
    problem,
  );
  return new Field(element, parts[0]?.control ?? element, problem, read);
}

/** One of a few, all of them seen. */
export function presets(legend, value, options, onChoice) {
  const name = newId("preset");
  const radios = options.map(([value, label]) => [el("input", { type: "radio", name, value, on: { change: onChoice } }), label]);
  for (const [radio] of radios) radio.checked = radio.value === value;
  const element = el(
    "fieldset",
    {},
    el("legend", {}, legend),
    el("div", { className: "presets" }, ...radios.map(([radio, label]) => el("label", {}, radio, label))),
  );
  return { element, read: () => radios.find(([radio]) => radio.checked)[0].value };
}
