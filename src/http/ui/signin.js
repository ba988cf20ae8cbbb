// Lets the operator in: claims a kiosk that nobody owns, asks for the password, or follows a link that needs neither.

import { ask, whenStranger } from "./api.js";
import { dialog } from "./dialog.js";
import { button, el, whileBusy } from "./dom.js";
import { text, toggle } from "./form.js";
import { sentence } from "./words.js";

/** The part of the address that `ossuary demo` prints. */
const LINK = /^#enter=(.+)$/;

let asking = null;

/** Resolves once somebody is signed in. However many wait for it, one question is asked; what is typed elsewhere stays. */
export function signIn() {
  asking ??= letIn().finally(() => (asking = null));
  return asking;
}

whenStranger(signIn);

/** Resolves once whoever looks is known to the kiosk, or the kiosk is not there to be asked. */
export async function admitted() {
  try {
    const { role } = await ask("GET", "/api/claim");
    if (role === null) await signIn();
  } catch {
    // Whoever asks next is told, and shows it.
  }
}

async function letIn() {
  const link = LINK.exec(location.hash);
  let problem = "";
  if (link) {
    history.replaceState(null, "", location.pathname);
    try {
      return await ask("POST", "/api/login", { invitation: link[1] });
    } catch (error) {
      problem = `${sentence(error.message)}.`;
    }
  }
  const { claimed, hostname } = await ask("GET", "/api/claim");
  return claimed ? askForPassword(hostname, problem) : askForCode(hostname, problem);
}

function askForPassword(hostname, problem) {
  const password = text("Password", "", { type: "password", autocomplete: "current-password", required: true });
  return question({
    title: `Sign in to ${hostname}`,
    fields: { password },
    yes: "Sign in",
    hint: "Forgotten? Root on the kiosk can reset it: ossuary passwd --reset",
    hostname,
    problem,
    send: () => ask("POST", "/api/login", { password: password.control.value }),
  });
}

function askForCode(hostname, problem) {
  const code = text("Code", "", { placeholder: "XXXX-XXXX", maxLength: 16, required: true });
  const password = text("New password", "", {
    type: "password",
    autocomplete: "new-password",
    required: true,
    hint: "At least 8 characters. Whoever knows it controls this kiosk.",
  });
  return question({
    title: "Claim this kiosk",
    fields: { code, password },
    yes: "Claim",
    hint: `Nobody owns ${hostname} yet. The code is on its screen, if it shows its welcome page; ossuary status tells it to root as well.`,
    hostname,
    problem,
    send: () => ask("POST", "/api/claim", { code: code.control.value, password: password.control.value }),
  });
}

/** Asks until the answer is right: there is nothing behind this dialog for whoever cannot answer. */
function question({ title, fields, yes, hint, hostname, problem, send }) {
  return new Promise((done) => {
    const error = el("p", { className: "error", role: "alert" }, problem);
    const submit = el("button", { className: "primary" }, yes);
    // Password managers file what they keep under a name.
    const name = el("input", { type: "text", autocomplete: "username", value: hostname, hidden: true, readOnly: true });
    const form = el(
      "form",
      { noValidate: true },
      el("div", { className: "body" }, name, ...Object.values(fields).map((field) => field.element), el("p", { className: "hint" }, hint)),
      el("footer", {}, error, el("div", { className: "actions" }, submit)),
    );
    const element = dialog(title, { className: "small entrance" }, form);
    element.setAttribute("closedby", "none");
    element.addEventListener("keydown", (event) => event.key === "Escape" && event.preventDefault());
    element.addEventListener("cancel", (event) => event.preventDefault());
    onSubmit(form, submit, fields, error, async () => {
      done(await send());
      element.close();
    });
  });
}

/** Begins in the first field; sends what was typed, and says beside the fields what is wrong with it. */
function onSubmit(form, submit, fields, error, send) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    whileBusy(submit, async () => {
      error.textContent = "";
      for (const field of Object.values(fields)) field.blame("");
      try {
        await send();
      } catch (refusal) {
        blame(refusal, fields, error);
      }
    });
  });
  Object.values(fields)[0].control.focus();
}

function blame(refusal, fields, error) {
  const known = refusal.problems.filter(({ field }) => field in fields);
  for (const { field, detail } of known) fields[field].blame(`${sentence(detail)}.`);
  if (known.length === 0) error.textContent = `${sentence(refusal.message)}.`;
  const { control } = fields[known[0]?.field] ?? Object.values(fields)[0];
  control.focus();
  control.select();
}

/** Signs out, and shows the door again. */
export async function signOut() {
  await ask("POST", "/api/logout");
  location.reload();
}

/** Asks for the password of now and a new one; true where it was changed. */
export function changePassword() {
  const fields = {
    current: text("Password of now", "", { type: "password", autocomplete: "current-password", required: true }),
    password: text("New password", "", { type: "password", autocomplete: "new-password", required: true, hint: "At least 8 characters." }),
    revoke_tokens: toggle("Revoke all tokens", true, "Programs that use one need a new one."),
  };
  return asked("Change password", "Change", fields, () =>
    ask("PUT", "/api/password", { current: fields.current.control.value, password: fields.password.control.value, revoke_tokens: fields.revoke_tokens.read() }),
  );
}

/** A small form that may be left: what its answer was, or null. */
export function asked(title, yes, fields, send) {
  return new Promise((done) => {
    const error = el("p", { className: "error", role: "alert" });
    const submit = el("button", { className: "primary" }, yes);
    const form = el("form", { noValidate: true });
    const element = dialog(title, { className: "small" }, form);
    form.append(
      el("div", { className: "body" }, ...Object.values(fields).map((field) => field.element)),
      el("footer", {}, error, el("div", { className: "actions" }, button("Cancel", () => element.close()), submit)),
    );
    element.addEventListener("close", () => done(null));
    onSubmit(form, submit, fields, error, async () => {
      done((await send()) ?? true);
      element.close();
    });
  });
}
