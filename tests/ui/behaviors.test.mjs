// The tab Behaviors: what stands in the file, what is typed, and what somebody else does meanwhile.

import assert from "node:assert/strict";
import { button, gone, onThePage, openTab, seen } from "./browser.mjs";
import { problem } from "./pretend.mjs";

const SYNC = { name: "Data Sync Service", command: "sleep 1000" };
const BEHAVIORS = {
  on_connection_lost: { action: "pause", timeout_seconds: 20 },
  on_connection_regained: { action: "restart", delay_seconds: 3 },
  scheduled_refresh: { enabled: true, interval_minutes: 90 },
};

/** A kiosk with these behaviors, and the tab open. */
function onTheTab(name, behaviors, body, complaints = []) {
  onThePage(name, { processes: { sync: SYNC }, rest: { behaviors }, complaints }, async (things) => {
    const tab = await openTab(things.page, "Behaviors");
    await button(tab, "Save").waitFor();
    const part = (title) => tab.getByRole("region", { name: title });
    const fields = {
      lost: part("When the connection is lost").getByLabel("Action"),
      timeout: part("When the connection is lost").getByLabel("After seconds"),
      regained: part("When the connection is back").getByLabel("Action"),
      delay: part("When the connection is back").getByLabel("After seconds"),
      refreshes: part("Now and then").getByLabel("Refresh the page regularly"),
      interval: part("Now and then").getByLabel("Every minutes"),
    };
    await body({ ...things, tab, fields });
  });
}

const change = async (kiosk, changes) => kiosk.ask("PUT", "/api/behaviors", { ...(await kiosk.ask("GET", "/api/behaviors")), ...changes });

onTheTab("the tab shows what stands in the file", BEHAVIORS, async ({ fields }) => {
  assert.equal(await fields.lost.inputValue(), "pause");
  assert.equal(await fields.timeout.inputValue(), "20");
  assert.equal(await fields.regained.inputValue(), "restart");
  assert.equal(await fields.delay.inputValue(), "3");
  assert.equal(await fields.refreshes.isChecked(), true);
  assert.equal(await fields.interval.inputValue(), "90");
});

onTheTab("what is saved is in the file, and what the page does not know stays there", {
  ...BEHAVIORS, on_full_moon: { action: "howl" },
}, async ({ kiosk, tab, fields }) => {
  await fields.lost.selectOption("show_overlay");
  await fields.timeout.fill("45");
  await fields.refreshes.uncheck();
  await fields.interval.waitFor({ state: "hidden" });
  await button(tab, "Save").click();
  await seen(tab, "Saved.");
  assert.deepEqual(kiosk.file.behaviors, {
    ...BEHAVIORS,
    on_connection_lost: { action: "show_overlay", timeout_seconds: 45 },
    scheduled_refresh: { enabled: false, interval_minutes: 90 },
    on_full_moon: { action: "howl" },
  });
  assert.equal(await button(tab, "Undo changes").isDisabled(), true);
});

onTheTab("nothing is written that nobody has touched", {}, async ({ kiosk, tab, fields }) => {
  await fields.delay.fill("7");
  await button(tab, "Save").click();
  await seen(tab, "Saved.");
  assert.deepEqual(kiosk.file.behaviors, { on_connection_regained: { delay_seconds: 7 } });
});

onTheTab("what is wrong is told beside its field, and stays as it was typed", BEHAVIORS, async ({ page, kiosk, tab, fields }) => {
  await page.route("**/api/behaviors", (route) =>
    route.request().method() === "PUT"
      ? route.fulfill(problem(422, "behaviors.on_connection_lost.timeout_seconds: must be a number", "behaviors.on_connection_lost.timeout_seconds"))
      : route.fallback());
  await fields.timeout.fill("a while");
  await button(tab, "Save").click();
  await seen(tab, "Must be a number");
  assert.equal(await fields.timeout.getAttribute("aria-invalid"), "true");
  assert.equal(await fields.timeout.inputValue(), "a while");
  assert.equal(await fields.timeout.evaluate((field) => field === document.activeElement), true);
  assert.deepEqual(kiosk.file.behaviors, BEHAVIORS);
  await page.unroute("**/api/behaviors");
  await fields.timeout.fill("5");
  await button(tab, "Save").click();
  await seen(tab, "Saved.");
  await gone(tab, "Must be a number");
}, [/status of 422/]);

onTheTab("what somebody else changes is shown where nobody types", BEHAVIORS, async ({ page, kiosk, tab, fields }) => {
  await change(kiosk, { on_connection_lost: { action: "none", timeout_seconds: 20 } });
  await page.waitForFunction(() => [...document.querySelectorAll("#panel-behaviors select")].some((it) => it.value === "none"));
  assert.equal(await fields.lost.inputValue(), "none");
  assert.equal(await button(tab, "Undo changes").isDisabled(), true);
});

onTheTab("what is typed is kept when somebody else changes it, and the tab says so", BEHAVIORS, async ({ kiosk, tab, fields }) => {
  await fields.timeout.fill("45");
  await fields.delay.fill("9");
  await change(kiosk, {
    on_connection_lost: { action: "none", timeout_seconds: 30 },
    scheduled_refresh: { enabled: true, interval_minutes: 15 },
  });
  await seen(tab, "Changed elsewhere meanwhile.");
  await seen(tab, "When the connection is lost, after seconds: 30");
  assert.equal(await fields.timeout.inputValue(), "45");
  assert.equal(await fields.delay.inputValue(), "9");
  assert.equal(await fields.lost.inputValue(), "none", "what nobody touched here is as it is there");
  assert.equal(await fields.interval.inputValue(), "15");
  await button(tab, "Save").click();
  await seen(tab, "Saved.");
  await gone(tab, "Changed elsewhere meanwhile.");
  assert.deepEqual(kiosk.file.behaviors, {
    on_connection_lost: { action: "none", timeout_seconds: 45 },
    on_connection_regained: { action: "restart", delay_seconds: 9 },
    scheduled_refresh: { enabled: true, interval_minutes: 15 },
  });
});

/** As if nothing were heard from the kiosk: what changes there is found out by saving. */
const hearNothing = (page) => page.route("**/api/behaviors", (route) =>
  route.request().headers()["if-none-match"] ? route.fulfill({ status: 304 }) : route.fallback());

onTheTab("another change of the configuration does not stand in the way", BEHAVIORS, async ({ page, kiosk, tab, fields }) => {
  await hearNothing(page);
  await kiosk.ask("PUT", "/api/processes/sync", { name: "Picture Sync" });
  await fields.timeout.fill("45");
  await button(tab, "Save").click();
  await seen(tab, "Saved.");
  assert.equal(kiosk.file.behaviors.on_connection_lost.timeout_seconds, 45);
  assert.equal(kiosk.file.processes.sync.name, "Picture Sync");
}, [/status of 412/]);

onTheTab("nothing is saved over a change that nobody has seen", BEHAVIORS, async ({ page, kiosk, tab, fields }) => {
  await hearNothing(page);
  await change(kiosk, { on_connection_lost: { action: "pause", timeout_seconds: 30 } });
  await fields.timeout.fill("45");
  await button(tab, "Save").click();
  await seen(tab, /^Not saved yet/);
  await seen(tab, "When the connection is lost, after seconds: 30");
  assert.equal(kiosk.file.behaviors.on_connection_lost.timeout_seconds, 30);
  assert.equal(await fields.timeout.inputValue(), "45");
  await button(tab, "Save").click();
  await seen(tab, "Saved.");
  assert.equal(kiosk.file.behaviors.on_connection_lost.timeout_seconds, 45);
}, [/status of 412/]);

onTheTab("what was typed can be taken back", BEHAVIORS, async ({ tab, fields }) => {
  await fields.timeout.fill("45");
  await fields.lost.selectOption("refresh");
  await button(tab, "Undo changes").click();
  assert.equal(await fields.timeout.inputValue(), "20");
  assert.equal(await fields.lost.inputValue(), "pause");
});

onTheTab("a lost connection loses nothing that was typed", BEHAVIORS, async ({ kiosk, tab, page, fields }) => {
  await fields.timeout.fill("45");
  await kiosk.kill();
  await button(tab, "Save").click();
  await seen(tab, /cannot be reached/);
  assert.equal(await fields.timeout.inputValue(), "45");
  await kiosk.revive();
  await gone(page, /^connection lost/i);
  await button(tab, "Save").click();
  await seen(tab, "Saved.");
  assert.equal(kiosk.file.behaviors.on_connection_lost.timeout_seconds, 45);
}, [/ERR_CONNECTION_REFUSED/, /ERR_INCOMPLETE_CHUNKED_ENCODING/, /ERR_CONNECTION_RESET/, /ERR_EMPTY_RESPONSE/]);
