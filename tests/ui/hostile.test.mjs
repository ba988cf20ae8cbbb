// A hostile site in the browser of a signed-in operator can neither control the kiosk nor read anything of it.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { inWebUi, seen } from "./browser.mjs";

/** Runs in the hostile page. At the end, its title is "done: " and what it could read. */
async function attack(kiosk) {
  const got = [];
  const paths = ["/api/processes", "/api/processes/api", "/api/processes/api/stop", "/api/config", "/api/tokens", "/api/password", "/api/logout", "/api/sessions"];
  const body = JSON.stringify({ name: "Mine", role: "admin", command: "touch /tmp/mine", password: "correct horse", enabled: false });
  const types = ["application/json", "text/plain", "application/x-www-form-urlencoded"];
  const within = (promise, ms) => Promise.race([promise, new Promise((done) => setTimeout(done, ms))]);
  const ask = async (url, options) => {
    try {
      const answer = await fetch(url, { credentials: "include", ...options });
      if (answer.type !== "opaque") got.push(`${options.method} ${url}`);
    } catch {
      // As expected.
    }
  };
  for (const path of paths) {
    const url = kiosk + path;
    for (const mode of ["cors", "no-cors"]) {
      await ask(url, { method: "GET", mode });
      for (const type of types) await ask(url, { method: "POST", mode, body, headers: { "Content-Type": type } });
      await ask(url, { method: "POST", mode });
    }
    for (const method of ["PUT", "DELETE"]) await ask(url, { method, body, headers: { "Content-Type": "application/json" } });
    navigator.sendBeacon(url, new Blob([body], { type: "text/plain" }));
    for (const enctype of ["text/plain", "application/x-www-form-urlencoded"]) {
      const frame = document.body.appendChild(document.createElement("iframe"));
      frame.name = `frame${frames.length}`;
      const form = document.body.appendChild(document.createElement("form"));
      Object.assign(form, { action: url, method: "POST", enctype, target: frame.name });
      const field = form.appendChild(document.createElement("input"));
      field.name = body.slice(0, -1) + ', "x": "';
      field.value = '"}';
      form.submit();
    }
  }
  const load = (tag, place, url) =>
    new Promise((done) => {
      const element = document.createElement(tag);
      element.onload = () => {
        let isRead = tag === "img";
        try {
          isRead ||= Boolean(element.contentDocument?.body?.innerText);
        } catch {
          // As expected.
        }
        if (isRead) got.push(`${tag} ${url}`);
        done();
      };
      element.onerror = done;
      element[place] = url;
      document.body.append(element);
    });
  await within(load("img", "src", `${kiosk}/page/favicon.svg`), 2000);
  await within(load("iframe", "src", `${kiosk}/api/processes`), 2000);
  await within(load("iframe", "src", `${kiosk}/`), 2000);
  await within(load("script", "src", `${kiosk}/api/config`), 2000);
  await within(
    new Promise((done) => {
      const stream = new EventSource(`${kiosk}/api/events`, { withCredentials: true });
      stream.onerror = () => (stream.close(), done());
      stream.addEventListener("snapshot", () => (got.push("stream"), stream.close(), done()));
    }),
    2000,
  );
  await within(
    new Promise((done) => {
      const socket = new WebSocket(`${kiosk.replace("http", "ws")}/api/events`);
      socket.onclose = done;
      socket.onopen = () => (got.push("socket"), done());
    }),
    2000,
  );
  document.title = `done: ${got.join("; ") || "nothing"}`;
}

const PROCESSES = { api: { command: "sleep 100000" } };

/** For a cookie, another port of the same host is the same site, and another name is another site. */
for (const name of ["127.0.0.1", "localhost"]) {
  inWebUi(`a site at ${name} can do nothing with the browser of an operator`, { processes: PROCESSES }, async ({ page, kiosk, context, keep }) => {
    await seen(page, "Connected");
    const before = await kiosk.untilStatus("api", "running");
    const file = readFileSync(kiosk.configFile, "utf8");
    const { tokens } = await kiosk.ask("GET", "/api/tokens");
    const site = keep(createServer((_, answer) => {
      answer.setHeader("Content-Type", "text/html");
      answer.end(`<!doctype html><title>at work</title><body><script>(${attack})(${JSON.stringify(kiosk.url)})</script>`);
    }), (site) => site.close());
    site.listen(0, "127.0.0.1");
    await once(site, "listening");

    const hostile = await context.newPage();
    await hostile.goto(`http://${name}:${site.address().port}/`);
    await hostile.waitForFunction(() => document.title.startsWith("done"));
    assert.equal(await hostile.title(), "done: nothing", "what it could read");
    const after = await kiosk.process("api");
    assert.equal(after.pid, before.pid);
    assert.equal(after.status, "running");
    assert.equal(readFileSync(kiosk.configFile, "utf8"), file);
    assert.deepEqual((await kiosk.ask("GET", "/api/tokens")).tokens, tokens);
    await page.reload();
    await seen(page, "Connected");
  });
}
