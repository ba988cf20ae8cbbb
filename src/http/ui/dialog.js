// Modal dialogs.

import { button, el, newId } from "./dom.js";

/**
 * Opens a modal dialog with a title. It is removed once it is closed; the browser then returns the focus to where it
 * was.
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

/** Asks a question; true only if the operator confirmed. The focus is on "Cancel". */
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
