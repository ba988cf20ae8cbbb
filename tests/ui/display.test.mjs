// Display processes: presets, displays, and one browser at a time.

import assert from "node:assert/strict";
import { button, card, dialog, gone, inWebUi, pretendDisplay, seen } from "./browser.mjs";
import { vacantDisplay } from "./kiosk.mjs";

const SHOW = "sh -c 'exec sleep 1000'";

/** A display process that is not started: its display is in the list. */
function stopped(display) {
  return { gallery: { name: "Gallery Display", type: "chromium", command: SHOW, display, autostart: false } };
}

/** Opens the dialog for a new display process with one of the presets. */
async function addDisplayProcess(page, preset) {
  await button(page, "Add Display Process").click();
  await dialog(page).getByLabel(preset).check({ force: true });
}

inWebUi("a LumenCanvas is added by its URL", {}, async ({ page, kiosk }) => {
  await addDisplayProcess(page, /LumenCanvas/);
  await dialog(page).getByLabel("Name", { exact: true }).fill("Gallery Display");
  await dialog(page).getByRole("textbox", { name: /URL/ }).fill("https://lumencanvas.studio/canvas/abc");
  await dialog(page).getByLabel("Autostart").uncheck();
  await button(dialog(page), "Add").click();
  await dialog(page).waitFor({ state: "hidden" });
  await seen(card(page, "Gallery Display"), /lumencanvas\.studio\/canvas\/abc/);
  const process = await kiosk.process("gallery-display");
  assert.equal(process.type, "chromium");
  assert.match(process.url ?? process.command, /https:\/\/lumencanvas\.studio\/canvas\/abc/);
  assert.equal(process.flags.kiosk, true);
  assert.equal(process.flags.webgpu, true);
  assert.equal(process.restart, "always", "a display process always restarts");
});

inWebUi("a web kiosk is added and runs on its display", {}, async ({ page, kiosk, keep }) => {
  const screen = await pretendDisplay(keep);
  await kiosk.untilDisplay(screen.name);
  await addDisplayProcess(page, /Web Kiosk/);
  await dialog(page).getByLabel("Name", { exact: true }).fill("Front Door");
  await dialog(page).getByRole("textbox", { name: /URL/ }).fill("https://example.org/door?a=1&b=2");
  await dialog(page).getByLabel("Display", { exact: true }).selectOption(screen.name);
  await button(dialog(page), "Add").click();
  await dialog(page).waitFor({ state: "hidden" });
  // The browser is a stub: it runs, and its page never finishes loading.
  await seen(card(page, "Front Door"), /^loading$/i);
  await seen(card(page, "Front Door"), /^display$/i);
  const process = await kiosk.process("front-door");
  assert.equal(process.display, screen.name);
  assert.equal(process.url, "https://example.org/door?a=1&b=2");
});

inWebUi("a display process with a custom command runs on the chosen display", {
  processes: stopped(":0"),
}, async ({ page, kiosk, keep }) => {
  const screen = await pretendDisplay(keep);
  await kiosk.untilDisplay(screen.name);
  await addDisplayProcess(page, /Custom/);
  await dialog(page).getByLabel("Name", { exact: true }).fill("Slide Show");
  await dialog(page).getByLabel("Command", { exact: true }).fill(SHOW);
  const displays = dialog(page).getByLabel("Display", { exact: true });
  const offered = await displays.locator("option").allTextContents();
  assert.ok(offered.some((text) => text.includes(":0")), "configured displays are offered");
  assert.ok(offered.some((text) => text.includes(screen.name)), "existing displays are offered");
  await displays.selectOption(screen.name);
  await button(dialog(page), "Add").click();
  await dialog(page).waitFor({ state: "hidden" });
  await seen(card(page, "Slide Show"), /^running$/i);
  assert.equal((await kiosk.process("slide-show")).command, SHOW);
});

inWebUi("a process waits for a display that does not exist", {
  processes: { gallery: { ...stopped(vacantDisplay()).gallery, autostart: true } },
}, async ({ page, kiosk }) => {
  const place = card(page, "Gallery Display");
  await seen(place, /^waiting$/i);
  await seen(place, /waits for display/i);
  assert.equal((await kiosk.process("gallery")).pid, null);
});

inWebUi("the dialog warns if a display process exists already", {
  processes: stopped(vacantDisplay()),
}, async ({ page }) => {
  await button(page, "Add Background Process").click();
  await gone(dialog(page), /Gallery Display/);
  await button(dialog(page), "Cancel").click();
  await dialog(page).waitFor({ state: "hidden" });
  await button(page, "Add Display Process").click();
  await seen(dialog(page), /Gallery Display/);
});

inWebUi("the first display process is added without a warning", {}, async ({ page }) => {
  await button(page, "Add Display Process").click();
  await dialog(page).getByLabel("Name", { exact: true }).waitFor();
  await gone(dialog(page), /already|only one|one at a time/i);
});

inWebUi("starting a second display process asks first, and then stops the first", {}, async ({ page, kiosk, keep }) => {
  const screen = await pretendDisplay(keep);
  const show = (name) => ({ name, type: "chromium", command: SHOW, display: screen.name });
  await kiosk.ask("POST", "/api/processes", { id: "morning", ...show("Morning") });
  await kiosk.ask("POST", "/api/processes", { id: "evening", ...show("Evening"), autostart: false });
  await kiosk.untilStatus("morning", "running");

  await button(card(page, "Evening"), "Start").click();
  await seen(dialog(page), /Morning/);
  await button(dialog(page), "Cancel").click();
  await dialog(page).waitFor({ state: "hidden" });
  assert.equal((await kiosk.process("morning")).status, "running");
  assert.equal((await kiosk.process("evening")).status, "stopped");

  await button(card(page, "Evening"), "Start").click();
  await button(dialog(page), /start|switch/i).click();
  await seen(card(page, "Evening"), /^running$/i);
  await seen(card(page, "Morning"), /^stopped$/i);
  assert.equal(kiosk.file.active_display_process, "evening");
});

inWebUi("a display process is edited, stopped and deleted", {}, async ({ page, kiosk, keep }) => {
  const screen = await pretendDisplay(keep);
  await kiosk.ask("POST", "/api/processes", { id: "gallery", ...stopped(screen.name).gallery, autostart: true });
  const before = await kiosk.untilStatus("gallery", "running");
  const place = card(page, "Gallery Display");
  await seen(place, /^running$/i);
  await seen(place, new RegExp(`Display ${screen.name}`));

  await button(place, "Edit").click();
  assert.equal(await dialog(page).getByLabel("Command", { exact: true }).inputValue(), SHOW);
  assert.equal(await dialog(page).getByLabel("Display", { exact: true }).inputValue(), screen.name);
  await dialog(page).getByLabel("Command", { exact: true }).fill("sleep 2000");
  await button(dialog(page), "Save").click();
  await dialog(page).waitFor({ state: "hidden" });
  await kiosk.until(({ gallery }) => gallery.status === "running" && gallery.pid !== before.pid);
  await seen(place, "sleep 2000");

  await button(place, "Stop").click();
  await seen(place, /^stopped$/i);
  await button(place, "Delete").click();
  await button(dialog(page), "Delete").click();
  await place.waitFor({ state: "hidden" });
  assert.deepEqual(kiosk.file.processes, {});
});

inWebUi("an edit of the name keeps a command that contains the URL", {
  processes: {
    gallery: {
      name: "Gallery Display",
      type: "chromium",
      command: "chromium --kiosk https://lumencanvas.studio/canvas/abc",
      display: vacantDisplay(),
      flags: { kiosk: true, webgpu: true, autoplay: true },
    },
  },
}, async ({ page, kiosk }) => {
  const place = card(page, "Gallery Display");
  await seen(place, /chromium --kiosk https:\/\/lumencanvas\.studio\/canvas\/abc/);
  await seen(place, /WebGPU/);
  await button(place, "Edit").click();
  await dialog(page).getByLabel("Name", { exact: true }).fill("Gallery");
  await button(dialog(page), "Save").click();
  await dialog(page).waitFor({ state: "hidden" });
  await card(page, "Gallery").waitFor();
  const { gallery } = kiosk.file.processes;
  assert.equal(gallery.command, "chromium --kiosk https://lumencanvas.studio/canvas/abc");
  assert.deepEqual(gallery.flags, { kiosk: true, webgpu: true, autoplay: true });
});

inWebUi("an invalid URL shows the error beside its field", {
  complaints: [/status of 422/],
}, async ({ page }) => {
  await addDisplayProcess(page, /Web Kiosk/);
  await dialog(page).getByLabel("Name", { exact: true }).fill("Front Door");
  const url = dialog(page).getByRole("textbox", { name: /URL/ });
  await url.fill("no address");
  await button(dialog(page), "Add").click();
  await dialog(page).locator("[aria-invalid=true]").waitFor();
  assert.equal(await url.getAttribute("aria-invalid"), "true");
  assert.equal(await url.inputValue(), "no address");
  assert.equal(await dialog(page).getByLabel("Name", { exact: true }).inputValue(), "Front Door");
});
