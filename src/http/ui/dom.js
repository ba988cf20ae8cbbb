// Builds elements. Text goes in as text, so nothing a process is called or prints can become markup.

import { sentence } from "./words.js";

/**
 * An element. Of the properties, `on` holds listeners by event, a name the element knows is set as its property,
 * and everything else is an attribute. Children that are null or undefined are left out.
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

/** A button that submits nothing. */
export function button(label, onClick, className = "") {
  return el("button", { type: "button", className, on: { click: onClick } }, label);
}

/**
 * A button for something that takes a while and may be refused: that is told in the element `problem`. `describedBy` is
 * the id of what it is about.
 */
export function deed(label, work, { problem, describedBy, className = "" }) {
  const element = button(label, () => whileBusy(element, () => attempt(problem, work)), className);
  element.setAttribute("aria-describedby", describedBy);
  return element;
}

/** Does something, and tells in the element what went wrong. */
export async function attempt(problem, work) {
  say(problem, "");
  try {
    await work();
  } catch (error) {
    say(problem, sentence(error.message));
  }
}

/** The element of the page with this id. */
export const byId = (id) => document.getElementById(id);

/** Sets text, and leaves an element alone that says so already (selections and screen readers are thankful). */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Says something to those who listen to the page, without taking them anywhere. */
export function announce(text) {
  byId("live").textContent = text;
}

let lastId = 0;

/** An id nobody else has. */
export function newId(prefix) {
  lastId += 1;
  return `${prefix}-${lastId}`;
}

/** Marks a button as busy while something is under way; a second press meanwhile does nothing. */
export async function whileBusy(element, work) {
  if (element.getAttribute("aria-busy") === "true") return;
  element.setAttribute("aria-busy", "true");
  try {
    return await work();
  } finally {
    element.removeAttribute("aria-busy");
  }
}
