// What is wrong with the configuration, and the facts of the machine.

import assert from "node:assert/strict";
import { button, card, gone, onThePage, openTab, seen } from "./browser.mjs";

const PROCESSES = { sync: { name: "Data Sync Service", command: "sleep 1000" } };

onThePage("a broken file is told with its path until it is mended, and nothing stops", {
  processes: PROCESSES,
}, async ({ page, kiosk }) => {
  const { pid } = await kiosk.untilStatus("sync", "running");
  const notices = page.getByRole("region", { name: "Notices" });
  kiosk.configure({ version: 3, processes: { sync: { ...PROCESSES.sync, command: 7 } } });
  await assert.rejects(kiosk.ask("POST", "/api/reload"));
  await seen(notices, /processes\.sync\.command/);
  await seen(notices, /configuration from before stays in force/);
  await seen(notices, kiosk.configFile);
  await seen(await openTab(page, "System"), /configuration from before: the file cannot be used/);
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

onThePage("the configuration is read anew by a button", { processes: PROCESSES }, async ({ page, kiosk }) => {
  const system = await openTab(page, "System");
  kiosk.configure({ version: 3, processes: { ...PROCESSES, clock: { name: "Clock", command: "sleep 1000" } } });
  await button(system, "Reload configuration").click();
  await kiosk.untilStatus("clock", "running");
  await openTab(page, "Processes");
  await card(page, "Clock").waitFor();
});

onThePage("a reload that is refused says why", {
  processes: PROCESSES,
  complaints: [/status of 422/],
}, async ({ page, kiosk }) => {
  const system = await openTab(page, "System");
  kiosk.configure({ version: 3, processes: { sync: { ...PROCESSES.sync, command: 7 } } });
  await button(system, "Reload configuration").click();
  await seen(system, /processes\.sync\.command/);
});

onThePage("an unknown field is a warning, not a problem", {
  processes: { sync: { ...PROCESSES.sync, colour: "teal" } },
}, async ({ page }) => {
  await seen(await openTab(page, "System"), /processes\.sync\.colour/);
});

onThePage("the machine is described", { processes: PROCESSES }, async ({ page, kiosk }) => {
  const facts = await kiosk.ask("GET", "/api/system");
  const { version, last_start } = await kiosk.ask("GET", "/api/status");
  const system = await openTab(page, "System");
  for (const fact of [facts.hostname, facts.os, facts.kernel, version, last_start.detail, kiosk.configFile]) await seen(system, fact);
  for (const label of [/memory/i, /disk/i, /^up$/i, /network/i]) await seen(system, label);
});

onThePage("a disk that does not outlive the power is told", { processes: PROCESSES }, async ({ page, kiosk }) => {
  const facts = await kiosk.ask("GET", "/api/system");
  facts.disk.in_memory = true;
  await page.route("**/api/system", (route) => route.fulfill({ json: facts }));
  await seen(await openTab(page, "System"), "In memory, gone with the power");
});
