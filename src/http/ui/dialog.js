// Asks a question in a dialog of its own.

import { button, el, newId } from "./dom.js";

/**
 * A modal dialog with a title. It is gone from the page once it is closed; the browser gives the focus back to where
 * it came from.
 */
export function dialog(title, { className = "", role, describedBy } = {}, ...content) {
  const heading = newId("dialog");
  const element = el(
    "dialog",
    { className, role, "aria-labelledby": heading, "aria-describedby": describedBy, on: { close: () => element.remove() } },
    el("h2", { id: heading }, title),
    ...content,
  );
  document.body.append(element);
  element.showModal();
  return element;
}

/** Asks; true only if the answer was yes. The safe answer has the focus. */
export function confirm({ title, text, yes, isDangerous = false }) {
  return new Promise((answer) => {
    const body = newId("question");
    const close = (value) => {
      answer(value);
      element.close();
    };
    const no = button("Cancel", () => close(false));
    const element = dialog(
      title,
      { className: "small", role: "alertdialog", describedBy: body },
      el("div", { className: "body", id: body }, ...text.map((line) => el("p", {}, line))),
      el("footer", {}, el("div", { className: "actions" }, no, button(yes, () => close(true), isDangerous ? "danger primary" : "primary"))),
    );
    element.addEventListener("close", () => answer(false));
    no.focus();
  });
}
