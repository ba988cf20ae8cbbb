// Live updates: changes by other clients and by the daemon appear without a reload.

import assert from "node:assert/strict";
import { button, card, dialog, gone, hide, inWebUi, seen, unhide } from "./browser.mjs";

const SYNC = { name: "Data Sync Service", command: "sleep 1000" };

inWebUi("changes by other clients appear", { processes: { sync: SYNC } }, async ({ page, kiosk }) => {
  const place = card(page, "Data Sync Service");
  await seen(place, /^running$/i);
  await kiosk.halt("sync");
  await seen(place, /^stopped$/i);
  await kiosk.start("sync");
  await seen(place, /^running$/i);
  await kiosk.ask("PUT", "/api/processes/sync", { name: "Picture Sync" });
  await card(page, "Picture Sync").waitFor();
  await kiosk.ask("POST", "/api/processes", { name: "Local API Server", command: "sleep 1000" });
  await seen(card(page, "Local API Server"), /^running$/i);
  await kiosk.halt("local-api-server");
  await kiosk.untilStatus("local-api-server", "stopped");
  await kiosk.ask("DELETE", "/api/processes/local-api-server");
  await card(page, "Local API Server").waitFor({ state: "hidden" });
});

inWebUi("the uptime advances", { processes: { sync: SYNC } }, async ({ page }) => {
  const uptime = card(page, "Data Sync Service").getByText(/Uptime: \d+s/);
  const first = await uptime.textContent();
  await uptime.filter({ hasNotText: first }).waitFor();
});

inWebUi("a crash is shown with its reason, and the process restarts", { processes: { sync: SYNC } }, async ({ page, kiosk }) => {
  const place = card(page, "Data Sync Service");
  await seen(place, /^running$/i);
  const { pid } = await kiosk.process("sync");
  process.kill(pid, "SIGSEGV");
  await seen(place, /Restarts: 1/);
  await seen(place, /SIGSEGV/);
  await seen(place, /^running$/i);
});

inWebUi("a process that is not restarted shows how it ended", {
  processes: { sync: { name: "Data Sync Service", command: "sh -c 'exit 3'", restart_on_crash: false } },
}, async ({ page }) => {
  await seen(card(page, "Data Sync Service"), /^failed$/i);
  await seen(card(page, "Data Sync Service"), /exit code 3/i);
});

inWebUi("updates do not change an open dialog", { processes: { sync: SYNC } }, async ({ page, kiosk }) => {
  await button(card(page, "Data Sync Service"), "Edit").click();
  const name = dialog(page).getByLabel("Name", { exact: true });
  await name.fill("Half a na");
  await kiosk.halt("sync");
  await kiosk.ask("PUT", "/api/processes/sync", { name: "Picture Sync" });
  await card(page, "Picture Sync").waitFor({ state: "attached" });
  await seen(page, "Picture Sync");
  assert.equal(await name.inputValue(), "Half a na");
  assert.equal(await name.evaluate((field) => field === document.activeElement), true);
});

inWebUi("a lost connection is shown, and restored automatically", {
  processes: { sync: SYNC },
  complaints: [/ERR_CONNECTION_REFUSED/, /ERR_INCOMPLETE_CHUNKED_ENCODING/, /ERR_CONNECTION_RESET/, /ERR_EMPTY_RESPONSE/],
}, async ({ page, kiosk }) => {
  await seen(card(page, "Data Sync Service"), /^running$/i);
  // A reload would remove this attribute.
  await page.evaluate(() => (document.documentElement.dataset.witness = "still the same page"));
  await button(page, "Add Background Process").click();
  await dialog(page).getByLabel("Name", { exact: true }).fill("Local API Server");
  await dialog(page).getByLabel("Command", { exact: true }).fill("sleep 1000");

  await kiosk.kill();
  await seen(page, /^connection lost/i);
  await button(dialog(page), "Add").click();
  await seen(dialog(page), /cannot be reached/i);

  await kiosk.revive();
  await gone(page, /^connection lost/i);
  await gone(page, /cannot be reached/i);
  await kiosk.untilStatus("sync", "running");
  await button(dialog(page), "Add").click();
  await dialog(page).waitFor({ state: "hidden" });
  await seen(card(page, "Local API Server"), /^running$/i);
  await seen(card(page, "Data Sync Service"), /^running$/i);
  assert.equal(await page.evaluate(() => document.documentElement.dataset.witness), "still the same page");
});

inWebUi("a card removes the error of a lost connection once it is back", {
  processes: { sync: SYNC },
  complaints: [/ERR_CONNECTION_REFUSED/, /ERR_INCOMPLETE_CHUNKED_ENCODING/, /ERR_CONNECTION_RESET/, /ERR_EMPTY_RESPONSE/],
}, async ({ page, kiosk }) => {
  const place = card(page, "Data Sync Service");
  await seen(place, /^running$/i);
  await kiosk.kill();
  await seen(page, /^connection lost/i);
  await button(place, "Restart").click();
  await seen(place, /cannot be reached/i);
  await kiosk.revive();
  await gone(page, /^connection lost/i);
  await gone(place, /cannot be reached/i);
});

inWebUi("a kiosk without processes shows the first steps", {}, async ({ page, kiosk }) => {
  await seen(page, /nothing is set up yet/i);
  await kiosk.ask("POST", "/api/processes", { name: "Clock", command: "sleep 1000" });
  await card(page, "Clock").waitFor();
  await gone(page, /nothing is set up yet/i);
});

inWebUi("a hidden tab catches up once it is visible, and never reports a lost connection", { processes: { sync: SYNC } }, async ({ page, kiosk }) => {
  await seen(card(page, "Data Sync Service"), /^running$/i);
  await page.evaluate(() => {
    const state = document.getElementById("connection");
    new MutationObserver(() => state.dataset.state === "lost" && (state.dataset.wasLost = "yes")).observe(state, { attributes: true });
  });
  await hide(page);
  await kiosk.halt("sync");
  await kiosk.untilStatus("sync", "stopped");
  await kiosk.ask("POST", "/api/processes", { name: "Clock", command: "sleep 1000" });
  await unhide(page);
  await seen(card(page, "Data Sync Service"), /^stopped$/i);
  await seen(card(page, "Clock"), /^running$/i);
  await seen(page, "Connected");
  assert.equal(await page.locator("#connection").getAttribute("data-was-lost"), null);
});
