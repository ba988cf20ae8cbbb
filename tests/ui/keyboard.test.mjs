// The web UI without a mouse.

import assert from "node:assert/strict";
import { button, card, dialog, inWebUi, seen } from "./browser.mjs";

const SYNC = { name: "Data Sync Service", command: "sleep 1000" };

/** Presses Tab until this element has the focus, at most 60 times. */
async function tabTo(page, thing) {
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press("Tab");
    if (await hasFocus(thing)) return;
  }
  assert.fail(`the keyboard does not reach ${thing}`);
}

function hasFocus(thing) {
  return thing.evaluate((it) => it === document.activeElement);
}

inWebUi("the tab list is one tab stop, and arrows move within it", { processes: { sync: SYNC } }, async ({ page }) => {
  const tab = (name) => page.getByRole("tab", { name });
  const isOpen = async (name) => {
    await page.getByRole("tabpanel", { name }).waitFor();
    assert.equal(await tab(name).getAttribute("aria-selected"), "true");
    assert.equal(await hasFocus(tab(name)), true, `${name} has the focus`);
  };
  await card(page, "Data Sync Service").waitFor();
  await tabTo(page, tab("Processes"));
  const names = await page.getByRole("tab").allTextContents();
  for (const name of [...names.slice(1), names[0]]) {
    await page.keyboard.press("ArrowRight");
    await isOpen(name);
  }
  await page.keyboard.press("ArrowLeft");
  await isOpen("System");
  await page.keyboard.press("Home");
  await isOpen("Processes");
  await page.keyboard.press("End");
  await isOpen("System");
  await page.keyboard.press("Tab");
  assert.equal(await hasFocus(tab("Processes")), false);
  assert.equal(await hasFocus(tab("Logs")), false);
});

inWebUi("a process is added by keyboard, and the focus returns", {}, async ({ page, kiosk }) => {
  const add = button(page, "Add Background Process");
  await tabTo(page, add);
  await page.keyboard.press("Enter");
  const name = dialog(page).getByLabel("Name", { exact: true });
  await name.waitFor();
  assert.equal(await hasFocus(name), true, "the first field has the focus");
  await page.keyboard.type("Data Sync Service");
  await tabTo(page, dialog(page).getByLabel("Command", { exact: true }));
  await page.keyboard.type("sleep 1000");
  await tabTo(page, dialog(page).getByLabel("Restart", { exact: true }));
  await page.keyboard.press("n");
  await tabTo(page, button(dialog(page), "Add"));
  await page.keyboard.press("Enter");
  await dialog(page).waitFor({ state: "hidden" });
  await seen(card(page, "Data Sync Service"), /^running$/i);
  assert.equal(await hasFocus(add), true, "back at the button");
  assert.equal((await kiosk.process("data-sync-service")).restart_on_crash, false);
});

inWebUi("Escape closes a dialog, and the focus returns", { processes: { sync: SYNC } }, async ({ page, kiosk }) => {
  const edit = button(card(page, "Data Sync Service"), "Edit");
  await tabTo(page, edit);
  await page.keyboard.press("Enter");
  await dialog(page).getByLabel("Name", { exact: true }).waitFor();
  await page.keyboard.press("Escape");
  await dialog(page).waitFor({ state: "hidden" });
  assert.equal(await hasFocus(edit), true);
  assert.equal((await kiosk.process("sync")).name, "Data Sync Service");
});

inWebUi("a process is stopped and started by keyboard without losing the focus", {
  processes: { sync: SYNC },
}, async ({ page }) => {
  const place = card(page, "Data Sync Service");
  await seen(place, /^running$/i);
  await tabTo(page, button(place, "Stop"));
  await page.keyboard.press("Enter");
  await seen(place, /^stopped$/i);
  assert.equal(await hasFocus(button(place, "Start")), true, "the button that replaces it has the focus");
  await page.keyboard.press("Enter");
  await seen(place, /^running$/i);
  assert.equal(await place.evaluate((it) => it.contains(document.activeElement)), true);
});

inWebUi("a process is deleted by keyboard, and the focus is not lost", {
  processes: { sync: { ...SYNC, autostart: false } },
}, async ({ page }) => {
  const place = card(page, "Data Sync Service");
  await tabTo(page, button(place, "Delete"));
  await page.keyboard.press("Enter");
  await dialog(page).waitFor();
  assert.equal(await hasFocus(button(dialog(page), "Cancel")), true, "Cancel has the focus");
  await tabTo(page, button(dialog(page), "Delete"));
  await page.keyboard.press("Enter");
  await place.waitFor({ state: "hidden" });
  assert.notEqual(await page.evaluate(() => document.activeElement.tagName), "BODY");
});

inWebUi("a rule is added and disabled by keyboard alone", {
  processes: { sync: SYNC },
}, async ({ page, kiosk }) => {
  await card(page, "Data Sync Service").waitFor();
  await tabTo(page, page.getByRole("tab", { name: "Processes" }));
  await page.keyboard.press("ArrowRight");
  const add = button(page, "Add Rule");
  await add.waitFor();
  await tabTo(page, add);
  await page.keyboard.press("Enter");
  const field = (label) => dialog(page).getByLabel(label, { exact: true });
  await field("Name").waitFor();
  assert.equal(await hasFocus(field("Name")), true, "the first field has the focus");
  await page.keyboard.type("Weekend pause");
  await tabTo(page, field("At"));
  await page.keyboard.type("20:00");
  for (const day of ["Mon", "Tue", "Wed", "Thu", "Fri"]) {
    await tabTo(page, field(day));
    await page.keyboard.press("Space");
  }
  await tabTo(page, field("Action"));
  await page.keyboard.type("Stop");
  await tabTo(page, button(dialog(page), "Add"));
  await page.keyboard.press("Enter");
  await dialog(page).waitFor({ state: "hidden" });
  assert.equal(await hasFocus(add), true, "back at the button");
  await seen(card(page, "Weekend pause"), "Sat and Sun at 20:00");
  await seen(card(page, "Weekend pause"), "Stop Data Sync Service");
  const enabled = card(page, "Weekend pause").getByRole("switch");
  await enabled.focus();
  await page.keyboard.press("Space");
  await seen(card(page, "Weekend pause"), "None: the rule is disabled");
  assert.equal(await hasFocus(enabled), true);
  assert.equal(kiosk.file.schedule.rules[0].enabled, false);
});

inWebUi("a dialog keeps the scroll position of a long page, and the focus returns into view", {
  processes: Object.fromEntries(Array.from({ length: 30 }, (_, place) => [`helper-${place + 1}`, { name: `Helper ${place + 1}`, command: "sleep 1000", autostart: false }])),
  view: { viewport: { width: 1280, height: 740 } },
}, async ({ page }) => {
  const place = () => page.evaluate(() => scrollY);
  const inSight = (thing) => thing.evaluate((it) => {
    const { top, bottom } = it.getBoundingClientRect();
    return top >= 0 && bottom <= innerHeight;
  });
  for (const name of ["Edit", "Delete"]) {
    const opener = button(card(page, "Helper 25"), name);
    await opener.scrollIntoViewIfNeeded();
    const before = await place();
    assert.ok(before > 1000, `scrolled to ${before}`);
    await opener.click();
    await dialog(page).waitFor();
    assert.equal(await place(), before, `${name} is open`);
    assert.equal(await inSight(dialog(page)), true, "the whole dialog is in view");
    await page.keyboard.press("Escape");
    await dialog(page).waitFor({ state: "hidden" });
    assert.equal(await place(), before, `${name} was closed`);
    assert.equal(await hasFocus(opener) && await inSight(opener), true);
  }
});
