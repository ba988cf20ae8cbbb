// Problems of the configuration, and the tab System.

import assert from "node:assert/strict";
import { button, card, gone, inWebUi, openTab, seen } from "./browser.mjs";

const PROCESSES = { sync: { name: "Data Sync Service", command: "sleep 1000" } };

inWebUi("an invalid file is reported until it is fixed, and no process stops", {
  processes: PROCESSES,
}, async ({ page, kiosk }) => {
  const { pid } = await kiosk.untilStatus("sync", "running");
  const notices = page.getByRole("region", { name: "Notices" });
  kiosk.configure({ version: 3, processes: { sync: { ...PROCESSES.sync, command: 7 } } });
  await assert.rejects(kiosk.ask("POST", "/api/reload"));
  await seen(notices, /processes\.sync\.command/);
  await seen(notices, /previous configuration stays in effect/);
  await seen(notices, kiosk.configFile);
  await seen(await openTab(page, "System"), /previous configuration: the file cannot be used/);
  await openTab(page, "Processes");

  kiosk.configure("{ half a docu");
  await assert.rejects(kiosk.ask("POST", "/api/reload"));
  await gone(notices, /processes\.sync\.command/);
  await seen(notices, /JSON/);
  assert.equal((await kiosk.process("sync")).pid, pid);

  kiosk.configure({ version: 3, processes: PROCESSES });
  await kiosk.ask("POST", "/api/reload");
  await gone(notices, /configuration/);
  await seen(card(page, "Data Sync Service"), /^running$/i);
  assert.equal((await kiosk.process("sync")).pid, pid);
});

inWebUi("a button reloads the configuration", { processes: PROCESSES }, async ({ page, kiosk }) => {
  const system = await openTab(page, "System");
  kiosk.configure({ version: 3, processes: { ...PROCESSES, clock: { name: "Clock", command: "sleep 1000" } } });
  await button(system, "Reload configuration").click();
  await kiosk.untilStatus("clock", "running");
  await openTab(page, "Processes");
  await card(page, "Clock").waitFor();
});

inWebUi("an edit of the file by hand is reported until it is reloaded", { processes: PROCESSES }, async ({ page, kiosk }) => {
  const notices = page.getByRole("region", { name: "Notices" });
  kiosk.configure({ version: 3, processes: { ...PROCESSES, clock: { name: "Clock", command: "sleep 1000" } } });
  await seen(notices, /configuration file was changed on disk/);
  const system = await openTab(page, "System");
  await seen(system, /The file was changed on disk since; reload it/);
  await button(system, "Reload configuration").click();
  await gone(notices, /changed on disk/);
  await gone(system, /changed on disk/);
});

inWebUi("a refused reload shows the reason", {
  processes: PROCESSES,
  complaints: [/status of 422/],
}, async ({ page, kiosk }) => {
  const system = await openTab(page, "System");
  kiosk.configure({ version: 3, processes: { sync: { ...PROCESSES.sync, command: 7 } } });
  await button(system, "Reload configuration").click();
  await seen(system, /processes\.sync\.command/);
});

inWebUi("an unknown field is a warning, not a problem", {
  processes: { sync: { ...PROCESSES.sync, colour: "teal" } },
}, async ({ page }) => {
  await seen(await openTab(page, "System"), /processes\.sync\.colour/);
});

inWebUi("the machine is described", { processes: PROCESSES }, async ({ page, kiosk }) => {
  const facts = await kiosk.ask("GET", "/api/system");
  const { version, last_start } = await kiosk.ask("GET", "/api/status");
  const system = await openTab(page, "System");
  for (const fact of [facts.hostname, facts.os, facts.kernel, version, last_start.detail, kiosk.configFile]) await seen(system, fact);
  for (const label of [/memory/i, /disk/i, /^up$/i, /network/i]) await seen(system, label);
});

inWebUi("a disk in memory is marked", { processes: PROCESSES }, async ({ page, kiosk }) => {
  const facts = await kiosk.ask("GET", "/api/system");
  facts.disk.in_memory = true;
  await page.route("**/api/system", (route) => route.fulfill({ json: facts }));
  await seen(await openTab(page, "System"), "In memory: lost at power off");
});

inWebUi("the clock shows the kiosk's time in its own zone, and advances", {
  view: { timezoneId: "America/New_York", locale: "en-US" },
}, async ({ page, kiosk }) => {
  const facts = await kiosk.ask("GET", "/api/system");
  facts.clock = { now: "2026-11-30T21:25:35Z", trusted: true, timezone: "Asia/Kathmandu" };
  await page.route("**/api/system", (route) => route.fulfill({ json: facts }));
  const system = await openTab(page, "System");
  const clock = system.getByText(/^Dec 1, 2026, 03:1\d:\d\d GMT\+5:45$/);
  const first = await clock.textContent();
  await clock.filter({ hasNotText: first }).waitFor();
  await seen(system, "Asia/Kathmandu");
});

inWebUi("a zone that the browser does not know is shown as UTC", { view: { locale: "en-US" } }, async ({ page, kiosk }) => {
  const facts = await kiosk.ask("GET", "/api/system");
  facts.clock = { now: "2026-11-30T21:25:35Z", trusted: true, timezone: "Mars/Olympus" };
  await page.route("**/api/system", (route) => route.fulfill({ json: facts }));
  await seen(await openTab(page, "System"), /^Nov 30, 2026, 21:2\d:\d\d UTC$/);
});

inWebUi("the facts are read again only while the tab is open", { processes: PROCESSES }, async ({ page, kiosk }) => {
  const now = Date.now();
  await page.clock.install({ time: now });
  await page.reload();
  const facts = await kiosk.ask("GET", "/api/system");
  let asked = 0;
  await page.route("**/api/system", (route) => {
    asked += 1;
    return route.fulfill({ json: { ...facts, temperature: 40 + asked } });
  });
  const system = await openTab(page, "System");
  await seen(system, "41.0 °C");
  await page.clock.runFor(11_000);
  await seen(system, "42.0 °C");
  await openTab(page, "Processes");
  await page.clock.runFor(60_000);
  assert.equal(asked, 2);
});

inWebUi("after a restart of the daemon the facts are those of the new daemon", {
  processes: PROCESSES,
  complaints: [/ERR_CONNECTION_REFUSED/, /ERR_INCOMPLETE_CHUNKED_ENCODING/, /ERR_CONNECTION_RESET/, /ERR_EMPTY_RESPONSE/],
}, async ({ page, kiosk }) => {
  const system = await openTab(page, "System");
  const before = await kiosk.ask("GET", "/api/status");
  await seen(system, before.last_start.detail);
  await kiosk.kill();
  await kiosk.revive();
  const after = await kiosk.ask("GET", "/api/status");
  assert.notEqual(after.last_start.detail, before.last_start.detail);
  await seen(system, after.last_start.detail);
  await gone(system, before.last_start.detail);
});
