// Builds elements. Text is inserted as text, so that no name or output of a process can become markup.

import { sentence } from "./words.js";

/**
 * Creates an element. Of the properties, `on` holds listeners by event; a name that the element has is set as a
 * property, any other as an attribute. Children that are null or undefined are left out.
 */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (name in element && name !== "list") {
      element[name] = value;
    } else {
      element.setAttribute(name, value);
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** A button that does not submit a form. */
export function button(label, onClick, className = "") {
  return el("button", { type: "button", className, on: { click: onClick } }, label);
}

/**
 * A button whose action takes a while and may fail; the element `problem` shows the error. `describedBy` is the id of
 * the heading of what it acts on.
 */
export function actionButton(label, work, { problem, describedBy, className = "" }) {
  const element = button(label, () => whileBusy(element, () => attempt(problem, work)), className);
  element.setAttribute("aria-describedby", describedBy);
  return element;
}

/** Runs `work`, and shows its error in the element `problem`. */
export async function attempt(problem, work) {
  say(problem, "");
  try {
    await work();
  } catch (error) {
    say(problem, sentence(error.message));
  }
}

/** The element of the document with this id. */
export const byId = (id) => document.getElementById(id);

/** Sets the text of an element if it differs: setting it again would drop a selection and be read out again. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Reports something to screen readers without moving the focus. */
export function announce(text) {
  byId("live").textContent = text;
}

let lastId = 0;

/** An id that is unique in the document. */
export function newId(prefix) {
  lastId += 1;
  return `${prefix}-${lastId}`;
}

/** Marks a button as busy while `work` runs; a second press meanwhile does nothing. */
export async function whileBusy(element, work) {
  if (element.getAttribute("aria-busy") === "true") return;
  element.setAttribute("aria-busy", "true");
  try {
    return await work();
  } finally {
    element.removeAttribute("aria-busy");
  }
}
