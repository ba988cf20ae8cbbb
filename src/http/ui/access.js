// Sessions and tokens: lists and revokes them, and adds tokens.

import { ask } from "./api.js";
import { confirm, dialog } from "./dialog.js";
import { announce, button, byId, el, say, whileBusy } from "./dom.js";
import { choice, text } from "./form.js";
import { asked, changePassword, signOut } from "./signin.js";
import { moment, sentence } from "./words.js";

const ROLES = [
  ["view", "View: see the state, without commands and secrets"],
  ["operate", "Operate: start, stop, open pages and read logs as well"],
  ["admin", "Admin: everything"],
];

/** Sets up the "Access" section. */
export function showAccess() {
  const on = (id, work) => byId(id).addEventListener("click", (event) => whileBusy(event.currentTarget, () => report(work)));
  on("add-token", addToken);
  on("change-password", async () => (await changePassword()) && "The password is changed. All other sessions have ended.");
  on("sign-out", signOut);
}

/** Runs `work`, and shows its result or its error. */
async function report(work) {
  const answer = byId("access-answer");
  answer.className = "";
  say(answer, "");
  try {
    say(answer, (await work()) || "");
  } catch (error) {
    answer.className = "error";
    say(answer, `${sentence(error.message)}.`);
  }
  await refreshAccess();
}

/** Reads the sessions and tokens. Shows the error if the role does not permit that. */
export async function refreshAccess() {
  const place = byId("access");
  try {
    const [{ sessions }, { tokens }] = await Promise.all([ask("GET", "/api/sessions"), ask("GET", "/api/tokens")]);
    place.replaceChildren(
      list("Signed in", sessions.map(sessionRow), "No sessions"),
      list("Tokens", tokens.map(tokenRow), "No tokens. Programs and scripts use a token to access the API."),
    );
  } catch (error) {
    place.replaceChildren(el("p", { className: "hint" }, `${sentence(error.message)}.`));
  }
}

function list(title, rows, none) {
  return el(
    "div",
    { className: "credentials" },
    el("h4", {}, title),
    rows.length > 0 ? el("ul", { role: "list" }, ...rows) : el("p", { className: "hint" }, none),
  );
}

function row(name, facts, label, end) {
  const act = button(label, () => whileBusy(act, () => report(end)), "danger");
  act.setAttribute("aria-label", `${label} ${name}`);
  return el("li", {}, el("div", {}, el("strong", {}, name), el("span", { className: "hint" }, facts)), act);
}

function sessionRow({ id, agent, address, used, current }) {
  const name = `${browserIn(agent)} at ${address}`;
  const facts = current ? "This is you" : `Used ${moment(used)}`;
  return row(name, facts, current ? "Sign out" : "End", () => (current ? signOut() : ask("DELETE", `/api/sessions/${id}`)));
}

function tokenRow({ id, name, role, created }) {
  return row(name, `${sentence(role)} · created ${moment(created)}`, "Revoke", async () => {
    const text = [`Requests with the token ${name} are refused from now on.`];
    if (!(await confirm({ title: `Revoke ${name}?`, text, yes: "Revoke", isDangerous: true }))) return null;
    await ask("DELETE", `/api/tokens/${id}`);
    return `${name} is revoked.`;
  });
}

async function addToken() {
  const fields = {
    name: text("Name", "", { maxLength: 80, placeholder: "Monitoring", hint: "What the token is for." }),
    role: choice("Role", "view", ROLES),
    password: text("Your password", "", { type: "password", autocomplete: "current-password", required: true, hint: "Required, because a token stays valid after this session." }),
  };
  const created = await asked("Add a token", "Add", fields, () =>
    ask("POST", "/api/tokens", { name: fields.name.control.value.trim(), role: fields.role.read(), password: fields.password.control.value }),
  );
  return created && showSecret(created);
}

/** Shows a new token; resolves once the dialog is closed. */
function showSecret({ name, token }) {
  return new Promise((resolve) => {
    const secret = el("code", { className: "secret", tabIndex: 0 }, token);
    const element = dialog(
      name,
      { className: "small" },
      el("div", { className: "body" }, el("p", {}, "Copy the token now: it is not shown again."), secret, el("p", { className: "hint" }, "Authorization: Bearer …")),
      el("footer", {}, el("div", { className: "actions" }, button("Done", () => element.close(), "primary"))),
    );
    element.addEventListener("close", () => resolve(`${name} is added.`));
    announce(`Token ${name}`);
  });
}

/** The browser and its system, from the `User-Agent` header. */
function browserIn(agent) {
  const browsers = { Edg: "Edge", Firefox: "Firefox", Chrome: "Chrome", Safari: "Safari" };
  const systems = { Android: "Android", iPhone: "iPhone", iPad: "iPad", Windows: "Windows", Macintosh: "Mac", Linux: "Linux" };
  const found = (names) => Object.entries(names).find(([sign]) => agent.includes(sign))?.[1];
  const [browser, system] = [found(browsers), found(systems)];
  return browser ? [browser, system].filter(Boolean).join(" on ") : agent.split("/")[0] || "A program";
}
