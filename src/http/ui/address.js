// The dialog that shows another page on a display until its process restarts. Its input is kept until it is shown.

import { ask, pathOf } from "./api.js";
import { dialog } from "./dialog.js";
import { announce, button, el, say, whileBusy } from "./dom.js";
import { presets, text } from "./form.js";
import { sentence } from "./words.js";

/** URLs that were typed and not shown yet, by process. */
const drafts = new Map();

const TRANSITIONS = [["cut", "Cut"], ["fade", "Fade"]];

/** Asks for a URL, and shows it on the display of the process. */
export function openAddress({ id, name, page }) {
  const url = text("URL", drafts.get(id) ?? page?.url, { inputMode: "url", placeholder: "https://example.org" });
  const transition = presets("Transition", "cut", TRANSITIONS);
  const problem = el("p", { className: "error", role: "alert" });
  const show = el("button", { type: "submit", className: "primary" }, "Show");
  const hint = "The current page stays until the new one has painted, and if the new one cannot be loaded. The configuration is not changed.";
  const form = el(
    "form",
    { noValidate: true },
    el("div", { className: "body" }, url.element, transition.element, el("p", { className: "hint" }, hint)),
    el("footer", {}, problem, el("div", { className: "actions" }, button("Cancel", () => finish()), show)),
  );
  const element = dialog(`Open a URL on ${name}`, { className: "small" }, form);
  const untouched = url.control.value;
  url.control.focus();
  url.control.select();

  let isDone = false;
  // Closing the dialog in any way cancels a page that is still loading.
  const cancel = new AbortController();
  function finish() {
    isDone = true;
    element.close();
  }
  element.addEventListener("close", () => {
    cancel.abort();
    if (!isDone && url.control.value !== untouched) drafts.set(id, url.control.value);
    else if (isDone) drafts.delete(id);
  });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    whileBusy(show, async () => {
      url.blame("");
      say(problem, "");
      try {
        await ask("POST", pathOf(id, "/navigate"), { url: url.read() ?? "", transition: transition.read() }, cancel.signal);
        announce(`${name} shows ${url.read()}.`);
        finish();
      } catch (error) {
        if (cancel.signal.aborted) return;
        const blamed = error.problems.find(({ field }) => field === "url");
        if (blamed) url.blame(sentence(blamed.detail));
        else say(problem, sentence(error.message));
        url.control.focus();
      }
    });
  });
}
