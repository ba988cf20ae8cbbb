// The tab Behaviors: the document, the form, and concurrent changes by other clients.

import assert from "node:assert/strict";
import { button, gone, inWebUi, openTab, seen } from "./browser.mjs";
import { problem } from "./pretend.mjs";

const SYNC = { name: "Data Sync Service", command: "sleep 1000" };
const BEHAVIORS = {
  on_connection_lost: { action: "pause", timeout_seconds: 20 },
  on_connection_regained: { action: "restart", delay_seconds: 3 },
  scheduled_refresh: { enabled: true, interval_minutes: 90 },
};

/** A test with these behaviors, and the tab open. */
function onTheTab(name, behaviors, body, complaints = []) {
  inWebUi(name, { processes: { sync: SYNC }, rest: { behaviors }, complaints }, async (things) => {
    const tab = await openTab(things.page, "Behaviors");
    await button(tab, "Save").waitFor();
    const part = (title) => tab.getByRole("region", { name: title });
    const fields = {
      lost: part("When the connection is lost").getByLabel("Action"),
      timeout: part("When the connection is lost").getByLabel("Delay in seconds"),
      regained: part("When the connection is back").getByLabel("Action"),
      delay: part("When the connection is back").getByLabel("Delay in seconds"),
      refreshes: part("Scheduled refresh").getByLabel("Refresh the page regularly"),
      interval: part("Scheduled refresh").getByLabel("Interval in minutes"),
    };
    await body({ ...things, tab, fields });
  });
}

const change = async (kiosk, changes) => kiosk.ask("PUT", "/api/behaviors", { ...(await kiosk.ask("GET", "/api/behaviors")), ...changes });

onTheTab("the tab shows the behaviors of the configuration", BEHAVIORS, async ({ fields }) => {
  assert.equal(await fields.lost.inputValue(), "pause");
  assert.equal(await fields.timeout.inputValue(), "20");
  assert.equal(await fields.regained.inputValue(), "restart");
  assert.equal(await fields.delay.inputValue(), "3");
  assert.equal(await fields.refreshes.isChecked(), true);
  assert.equal(await fields.interval.inputValue(), "90");
});

onTheTab("saving writes the form, and keeps fields that the web UI does not know", {
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

onTheTab("only edited fields are written", {}, async ({ kiosk, tab, fields }) => {
  await fields.delay.fill("7");
  await button(tab, "Save").click();
  await seen(tab, "Saved.");
  assert.deepEqual(kiosk.file.behaviors, { on_connection_regained: { delay_seconds: 7 } });
});

onTheTab("an error is shown beside its field, and the input is kept", BEHAVIORS, async ({ page, kiosk, tab, fields }) => {
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

onTheTab("a change by another client is shown in fields that are not edited", BEHAVIORS, async ({ page, kiosk, tab, fields }) => {
  await change(kiosk, { on_connection_lost: { action: "none", timeout_seconds: 20 } });
  await page.waitForFunction(() => [...document.querySelectorAll("#panel-behaviors select")].some((it) => it.value === "none"));
  assert.equal(await fields.lost.inputValue(), "none");
  assert.equal(await button(tab, "Undo changes").isDisabled(), true);
});

onTheTab("the input is kept when another client changes the same field, and a notice shows both", BEHAVIORS, async ({ kiosk, tab, fields }) => {
  await fields.timeout.fill("45");
  await fields.delay.fill("9");
  await change(kiosk, {
    on_connection_lost: { action: "none", timeout_seconds: 30 },
    scheduled_refresh: { enabled: true, interval_minutes: 15 },
  });
  await seen(tab, "Changed by another client.");
  await seen(tab, "When the connection is lost, delay in seconds: 30");
  assert.equal(await fields.timeout.inputValue(), "45");
  assert.equal(await fields.delay.inputValue(), "9");
  assert.equal(await fields.lost.inputValue(), "none", "a field that was not edited shows the change");
  assert.equal(await fields.interval.inputValue(), "15");
  await button(tab, "Save").click();
  await seen(tab, "Saved.");
  await gone(tab, "Changed by another client.");
  assert.deepEqual(kiosk.file.behaviors, {
    on_connection_lost: { action: "none", timeout_seconds: 45 },
    on_connection_regained: { action: "restart", delay_seconds: 9 },
    scheduled_refresh: { enabled: true, interval_minutes: 15 },
  });
});

/** Hides changes by other clients from the web UI until it saves. */
const hideChanges = (page) => page.route("**/api/behaviors", (route) =>
  route.request().headers()["if-none-match"] ? route.fulfill({ status: 304 }) : route.fallback());

onTheTab("a concurrent change of another part of the configuration does not prevent saving", BEHAVIORS, async ({ page, kiosk, tab, fields }) => {
  await hideChanges(page);
  await kiosk.ask("PUT", "/api/processes/sync", { name: "Picture Sync" });
  await fields.timeout.fill("45");
  await button(tab, "Save").click();
  await seen(tab, "Saved.");
  assert.equal(kiosk.file.behaviors.on_connection_lost.timeout_seconds, 45);
  assert.equal(kiosk.file.processes.sync.name, "Picture Sync");
}, [/status of 412/]);

onTheTab("a change by another client is shown before it is overwritten", BEHAVIORS, async ({ page, kiosk, tab, fields }) => {
  await hideChanges(page);
  await change(kiosk, { on_connection_lost: { action: "pause", timeout_seconds: 30 } });
  await fields.timeout.fill("45");
  await button(tab, "Save").click();
  await seen(tab, /^Not saved: /);
  await seen(tab, "When the connection is lost, delay in seconds: 30");
  assert.equal(kiosk.file.behaviors.on_connection_lost.timeout_seconds, 30);
  assert.equal(await fields.timeout.inputValue(), "45");
  await button(tab, "Save").click();
  await seen(tab, "Saved.");
  assert.equal(kiosk.file.behaviors.on_connection_lost.timeout_seconds, 45);
}, [/status of 412/]);

onTheTab("edits can be undone", BEHAVIORS, async ({ tab, fields }) => {
  await fields.timeout.fill("45");
  await fields.lost.selectOption("refresh");
  await button(tab, "Undo changes").click();
  assert.equal(await fields.timeout.inputValue(), "20");
  assert.equal(await fields.lost.inputValue(), "pause");
});

onTheTab("the input survives a lost connection", BEHAVIORS, async ({ kiosk, tab, page, fields }) => {
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
