// Signs the operator in: with a claim code, with the password, or with an invitation link that needs neither.

import { ask, onUnauthenticated } from "./api.js";
import { dialog } from "./dialog.js";
import { button, el, whileBusy } from "./dom.js";
import { text, toggle } from "./form.js";
import { sentence } from "./words.js";

/** The fragment of the URL that `ossuary demo` prints. */
const LINK = /^#enter=(.+)$/;

let pending = null;

/** Resolves once the operator is signed in. All callers wait for one dialog; the input of other dialogs is kept. */
export function signIn() {
  pending ??= authenticate().finally(() => (pending = null));
  return pending;
}

onUnauthenticated(signIn);

/** Resolves once there is a valid session, or the kiosk cannot be reached. */
export async function ensureSession() {
  try {
    const { role } = await ask("GET", "/api/claim");
    if (role === null) await signIn();
  } catch {
    // The next request fails as well, and its caller shows the error.
  }
}

async function authenticate() {
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
    hint: "Forgotten? Run as root on the kiosk: ossuary passwd --reset",
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
    hint: "At least 8 characters. Anyone who knows it controls this kiosk.",
  });
  return question({
    title: "Claim this kiosk",
    fields: { code, password },
    yes: "Claim",
    hint: `${hostname} has not been claimed yet. The claim code is on its welcome page; as root, ossuary status prints it too.`,
    hostname,
    problem,
    send: () => ask("POST", "/api/claim", { code: code.control.value, password: password.control.value }),
  });
}

/** Asks until the request succeeds. The dialog cannot be closed: the web UI is of no use without a session. */
function question({ title, fields, yes, hint, hostname, problem, send }) {
  return new Promise((done) => {
    const error = el("p", { className: "error", role: "alert" }, problem);
    const submit = el("button", { className: "primary" }, yes);
    // Password managers store a password under a user name.
    const name = el("input", { type: "text", autocomplete: "username", value: hostname, hidden: true, readOnly: true });
    const form = el(
      "form",
      { noValidate: true },
      el("div", { className: "body" }, name, ...Object.values(fields).map((field) => field.element), el("p", { className: "hint" }, hint)),
      el("footer", {}, error, el("div", { className: "actions" }, submit)),
    );
    const element = dialog(title, { className: "small sign-in" }, form);
    element.setAttribute("closedby", "none");
    element.addEventListener("keydown", (event) => event.key === "Escape" && event.preventDefault());
    element.addEventListener("cancel", (event) => event.preventDefault());
    onSubmit(form, submit, fields, error, async () => {
      done(await send());
      element.close();
    });
  });
}

/** Focuses the first field; on submit sends the form, and shows the errors beside the fields. */
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

/** Signs out, and shows the sign-in dialog again. */
export async function signOut() {
  await ask("POST", "/api/logout");
  location.reload();
}

/** Asks for the current and a new password; true if it was changed. */
export function changePassword() {
  const fields = {
    current: text("Current password", "", { type: "password", autocomplete: "current-password", required: true }),
    password: text("New password", "", { type: "password", autocomplete: "new-password", required: true, hint: "At least 8 characters." }),
    revoke_tokens: toggle("Revoke all tokens", true, "Programs that use a token need a new one."),
  };
  return asked("Change password", "Change", fields, () =>
    ask("PUT", "/api/password", { current: fields.current.control.value, password: fields.password.control.value, revoke_tokens: fields.revoke_tokens.read() }),
  );
}

/** A small form with "Cancel": the response, or null if it was cancelled. */
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
