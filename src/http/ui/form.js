// Parts of a form: each is a control with a label, a hint, and an error message.

import { el, newId } from "./dom.js";

/**
 * A field. `read` returns its value as the API takes it (null if it is empty), `blame` shows an error. `control` gets
 * the focus if the field is wrong.
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

  /** Shows an error; an empty text removes it. */
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

/** An integer. Other input is sent as typed; the kiosk's validation reports the error. */
export function number(label, value, hint) {
  const field = text(label, value, { hint, inputMode: "numeric" });
  field.read = () => {
    const typed = field.control.value.trim();
    return /^\d+$/.test(typed) ? Number(typed) : typed || null;
  };
  return field;
}

/** Several lines of text. */
export function lines(label, value, { hint, ...properties } = {}) {
  const control = el("textarea", { rows: 3, ...QUIET, ...properties, value: value ?? "" });
  return labelled(label, control, hint, () => control.value.trim() || null);
}

/** A list to choose one option from. `options` are `[value, label]`; the value "" is null. */
export function choice(label, value, options, hint) {
  const control = el("select", {}, ...options.map(([value, label]) => el("option", { value }, label)));
  control.value = value ?? "";
  return labelled(label, control, hint, () => control.value || null);
}

/** A checkbox, as a part of a field. */
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

/** A checkbox, as a field. */
export function toggle(label, value, hint) {
  const { element, control, read } = check(label, value, hint);
  const problem = el("p", { className: "error", id: newId("error") });
  control.setAttribute("aria-describedby", `${control.getAttribute("aria-describedby") ?? ""} ${problem.id}`.trim());
  element.append(problem);
  return new Field(element, control, problem, read);
}

/** A group of checkboxes, as one field. */
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

/** A row of radio buttons. */
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
