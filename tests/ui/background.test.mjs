// Adding, editing, starting, stopping and deleting a background process.

import assert from "node:assert/strict";
import { button, card, dialog, gone, inWebUi, seen } from "./browser.mjs";

const SYNC = { name: "Data Sync Service", command: "sleep 1000" };

inWebUi("a background process is added and runs", {}, async ({ page, kiosk }) => {
  await button(page, "Add Background Process").click();
  await dialog(page).getByLabel("Name", { exact: true }).fill("Data Sync Service");
  await dialog(page).getByLabel("Command", { exact: true }).fill("sleep 1000");
  await button(dialog(page), "Add").click();
  await dialog(page).waitFor({ state: "hidden" });
  await seen(card(page, "Data Sync Service"), /^running$/i);
  await seen(card(page, "Data Sync Service"), "sleep 1000");
  const process = await kiosk.process("data-sync-service");
  assert.equal(process.type, "custom");
  assert.equal(process.autostart, true);
  assert.equal(process.restart_on_crash, true);
});

inWebUi("a new process has the chosen settings", {}, async ({ page, kiosk }) => {
  await button(page, "Add Background Process").click();
  await dialog(page).getByLabel("Name", { exact: true }).fill("Local API Server");
  await dialog(page).getByLabel("Command", { exact: true }).fill("sleep 1000");
  await dialog(page).getByLabel("Restart", { exact: true }).selectOption("never");
  await dialog(page).getByLabel("Autostart").uncheck();
  await button(dialog(page), "Add").click();
  await dialog(page).waitFor({ state: "hidden" });
  await card(page, "Local API Server").waitFor();
  const process = await kiosk.process("local-api-server");
  assert.equal(process.autostart, false);
  assert.equal(process.restart_on_crash, false);
});

inWebUi("a new name does not restart the process, a new command does", { processes: { sync: SYNC } }, async ({ page, kiosk }) => {
  const before = await kiosk.untilStatus("sync", "running");

  await button(card(page, "Data Sync Service"), "Edit").click();
  assert.equal(await dialog(page).getByLabel("Command", { exact: true }).inputValue(), "sleep 1000");
  await dialog(page).getByLabel("Name", { exact: true }).fill("Picture Sync");
  await button(dialog(page), "Save").click();
  await dialog(page).waitFor({ state: "hidden" });
  await card(page, "Picture Sync").waitFor();
  const renamed = await kiosk.untilStatus("sync", "running");
  assert.equal(renamed.name, "Picture Sync");
  assert.equal(renamed.pid, before.pid);

  await button(card(page, "Picture Sync"), "Edit").click();
  await dialog(page).getByLabel("Command", { exact: true }).fill("sleep 2000");
  await button(dialog(page), "Save").click();
  await dialog(page).waitFor({ state: "hidden" });
  await seen(card(page, "Picture Sync"), "sleep 2000");
  const { sync } = await kiosk.until(({ sync }) => sync.status === "running" && sync.pid !== before.pid);
  assert.equal(sync.command, "sleep 2000");
});

inWebUi("an edit keeps fields that the dialog does not show", {
  processes: { sync: { ...SYNC, env: { PLACE: "cellar" }, stop_timeout_seconds: 3, depends_on: [] } },
}, async ({ page, kiosk }) => {
  await button(card(page, "Data Sync Service"), "Edit").click();
  await dialog(page).getByLabel("Restart", { exact: true }).selectOption("never");
  await button(dialog(page), "Save").click();
  await dialog(page).waitFor({ state: "hidden" });
  await kiosk.until(({ sync }) => sync.restart_on_crash === false);
  const { sync } = kiosk.file.processes;
  assert.deepEqual(sync.env, { PLACE: "cellar" });
  assert.equal(sync.stop_timeout_seconds, 3);
});

inWebUi("a line of the environment without `=` is refused", {
  processes: { sync: { ...SYNC, env: { PLACE: "cellar", KEY: "first line\nsecond line" } } },
}, async ({ page, kiosk }) => {
  await button(card(page, "Data Sync Service"), "Edit").click();
  await dialog(page).getByText("Advanced").click();
  const environment = dialog(page).getByLabel("Environment");
  const typed = await environment.inputValue();
  await environment.fill("PLACE=attic\nFOO");
  await button(dialog(page), "Save").click();
  await seen(dialog(page), "`FOO` must be NAME=value");
  // Unedited text: the value with a line break is kept.
  await environment.fill(typed);
  await dialog(page).getByLabel("Restart", { exact: true }).selectOption("never");
  await button(dialog(page), "Save").click();
  await dialog(page).waitFor({ state: "hidden" });
  await kiosk.until(({ sync }) => sync.restart_on_crash === false);
  assert.deepEqual(kiosk.file.processes.sync.env, { PLACE: "cellar", KEY: "first line\nsecond line" });
});

inWebUi("buttons stop, start and restart a process", {
  processes: { sync: SYNC },
}, async ({ page, kiosk }) => {
  const place = card(page, "Data Sync Service");
  const first = await kiosk.untilStatus("sync", "running");

  await button(place, "Restart").click();
  const { sync: second } = await kiosk.until(({ sync }) => sync.status === "running" && sync.pid !== first.pid);
  await seen(place, /^running$/i);

  await button(place, "Stop").click();
  await seen(place, /^stopped$/i);
  await button(place, "Stop").waitFor({ state: "hidden" });

  await button(place, "Start").click();
  await seen(place, /^running$/i);
  const third = await kiosk.untilStatus("sync", "running");
  assert.notEqual(third.pid, second.pid);
});

inWebUi("a stopped process is deleted after a confirmation", {
  processes: { sync: { ...SYNC, autostart: false } },
}, async ({ page, kiosk }) => {
  const place = card(page, "Data Sync Service");
  await button(place, "Delete").click();
  await seen(dialog(page), /Data Sync Service/);
  await button(dialog(page), "Cancel").click();
  await dialog(page).waitFor({ state: "hidden" });
  assert.ok(kiosk.file.processes.sync, "cancelled");

  await button(place, "Delete").click();
  await button(dialog(page), "Delete").click();
  await place.waitFor({ state: "hidden" });
  assert.deepEqual(kiosk.file.processes, {});
});

inWebUi("an error is shown beside its field, and the input is kept", {
  complaints: [/status of 422/],
}, async ({ page, kiosk }) => {
  await button(page, "Add Background Process").click();
  const name = dialog(page).getByLabel("Name", { exact: true });
  const command = dialog(page).getByLabel("Command", { exact: true });
  await name.fill("Data Sync Service");
  await dialog(page).getByLabel("Restart", { exact: true }).selectOption("never");

  for (const wrong of ["", "echo 'never closed"]) {
    await command.fill(wrong);
    await button(dialog(page), "Add").click();
    await dialog(page).locator("[aria-invalid=true]").waitFor();
    assert.equal(await command.getAttribute("aria-invalid"), "true");
    assert.match(await described(command), wrong === "" ? /\S/ : /quote/);
    assert.equal(await command.evaluate((field) => field === document.activeElement), true, "the field has the focus");
    assert.equal(await name.inputValue(), "Data Sync Service");
    assert.equal(await command.inputValue(), wrong);
    assert.equal(await dialog(page).getByLabel("Restart", { exact: true }).inputValue(), "never");
  }

  await command.fill("echo 'closed'; exec sleep 1000");
  await button(dialog(page), "Add").click();
  await dialog(page).waitFor({ state: "hidden" });
  assert.equal((await kiosk.untilStatus("data-sync-service", "running")).restart_on_crash, false);
});

inWebUi("Cancel discards the input", {}, async ({ page }) => {
  await button(page, "Add Background Process").click();
  await dialog(page).getByLabel("Name", { exact: true }).fill("Discarded");
  await button(dialog(page), "Cancel").click();
  await dialog(page).waitFor({ state: "hidden" });
  await button(page, "Add Background Process").click();
  assert.equal(await dialog(page).getByLabel("Name", { exact: true }).inputValue(), "");
});

inWebUi("Escape keeps the input for the next time", {}, async ({ page }) => {
  await button(page, "Add Background Process").click();
  await dialog(page).getByLabel("Command", { exact: true }).fill("a long one, typed with care");
  await page.keyboard.press("Escape");
  await dialog(page).waitFor({ state: "hidden" });
  await button(page, "Add Background Process").click();
  assert.equal(await dialog(page).getByLabel("Command", { exact: true }).inputValue(), "a long one, typed with care");
});

inWebUi("a running process is not deleted, and the button shows the reason", {
  processes: { sync: SYNC },
}, async ({ page, kiosk }) => {
  await kiosk.untilStatus("sync", "running");
  const place = card(page, "Data Sync Service");
  await seen(place, /^running$/i);
  const remove = button(place, "Delete");
  const isOff = await remove.evaluate((it) => it.disabled || it.getAttribute("aria-disabled") === "true");
  if (isOff) {
    const why = `${await described(remove)} ${await remove.getAttribute("title")}`;
    assert.match(why, /stop/i);
  } else {
    await remove.click();
    await seen(dialog(page), /stop/i);
  }
  assert.ok(kiosk.file.processes.sync);
});

inWebUi("a deletion that the daemon refuses shows the reason", {
  processes: { sync: { ...SYNC, autostart: false } },
  complaints: [/status of 409/],
}, async ({ page, kiosk }) => {
  await button(card(page, "Data Sync Service"), "Delete").click();
  await button(dialog(page), "Delete").waitFor();
  // Another client starts the process before the web UI receives the event.
  await page.route("**/api/processes/sync", async (route) => {
    await kiosk.start("sync");
    await kiosk.untilStatus("sync", "running");
    await route.continue();
  });
  await button(dialog(page), "Delete").click();
  await seen(page, /stop it first|still run/i);
  assert.ok(kiosk.file.processes.sync);
});

inWebUi("a disabled process is marked and cannot be started", {
  processes: { sync: { ...SYNC, enabled: false } },
}, async ({ page }) => {
  const place = card(page, "Data Sync Service");
  await seen(place, /disabled/i);
  const start = button(place, "Start");
  assert.equal((await start.count()) === 0 || (await start.isDisabled()), true);
  await gone(place, /^running$/i);
});

inWebUi("the restart policy can be changed, and the current one is shown", { processes: { sync: SYNC } }, async ({ page, kiosk }) => {
  const policy = dialog(page).getByLabel("Restart", { exact: true });
  const { pid } = await kiosk.untilStatus("sync", "running");
  let shown = "on_crash";
  for (const chosen of ["always", "never", "on_crash"]) {
    await button(card(page, "Data Sync Service"), "Edit").click();
    assert.equal(await policy.inputValue(), shown);
    await policy.selectOption(chosen);
    await button(dialog(page), "Save").click();
    await dialog(page).waitFor({ state: "hidden" });
    const { restart, restart_on_crash } = await kiosk.process("sync");
    assert.deepEqual({ restart, restart_on_crash }, { restart: chosen === "always" ? "always" : undefined, restart_on_crash: chosen !== "never" });
    shown = chosen;
  }
  assert.equal((await kiosk.process("sync")).pid, pid, "a new policy does not restart the process");
});

inWebUi("when two browsers edit one process, the second is shown the change of the first", { processes: { sync: SYNC } }, async ({ page, kiosk, context }) => {
  const field = (page, label) => dialog(page).getByLabel(label, { exact: true });
  const other = await context.newPage();
  await other.goto(kiosk.url);
  for (const browser of [page, other]) {
    await button(card(browser, "Data Sync Service"), "Edit").click();
    await field(browser, "Command").waitFor();
  }
  await field(other, "Command").fill("sleep 2000");
  await field(other, "Name").fill("Picture Sync");
  await button(dialog(other), "Save").click();
  await dialog(other).waitFor({ state: "hidden" });

  await field(page, "Command").fill("sleep 3000");
  await button(dialog(page), "Save").click();
  await seen(dialog(page), /^Not saved: /);
  await seen(dialog(page), "Command: sleep 2000");
  await gone(dialog(page), /Name: Picture Sync/);
  assert.equal(await field(page, "Command").inputValue(), "sleep 3000", "the input is kept");
  assert.equal((await kiosk.process("sync")).command, "sleep 2000");

  await button(dialog(page), "Save").click();
  await dialog(page).waitFor({ state: "hidden" });
  const { command, name } = await kiosk.process("sync");
  assert.deepEqual({ command, name }, { command: "sleep 3000", name: "Picture Sync" });
});

inWebUi("a change that arrives while saving is not lost", {
  processes: { sync: SYNC },
  complaints: [/status of 412/],
}, async ({ page, kiosk }) => {
  await button(card(page, "Data Sync Service"), "Edit").click();
  await dialog(page).getByLabel("Command", { exact: true }).fill("sleep 3000");
  let isFirst = true;
  await page.route("**/api/processes/sync", async (route) => {
    if (route.request().method() === "PUT" && isFirst) {
      isFirst = false;
      await kiosk.ask("PUT", "/api/processes/sync", { command: "sleep 2000" });
    }
    await route.continue();
  });
  await button(dialog(page), "Save").click();
  await seen(dialog(page), "Command: sleep 2000");
  assert.equal((await kiosk.process("sync")).command, "sleep 2000");
});

inWebUi("after an edit of the file by hand, a change is refused with the name of the reload button", {
  processes: { sync: SYNC },
  complaints: [/status of 409/],
}, async ({ page, kiosk }) => {
  kiosk.configure({ version: 3, processes: { sync: { ...SYNC, name: "Edited by hand" } } });
  await button(card(page, "Data Sync Service"), "Edit").click();
  await dialog(page).getByLabel("Command", { exact: true }).fill("sleep 2000");
  await button(dialog(page), "Save").click();
  await seen(dialog(page), /edited by hand.*"Reload configuration"/);
});

inWebUi("an error disappears once the process runs", {
  processes: { sync: SYNC },
  complaints: [/status of 409/],
}, async ({ page, kiosk }) => {
  const place = card(page, "Data Sync Service");
  await seen(place, /^running$/i);
  await page.route("**/api/processes/sync/restart", (route) =>
    route.fulfill({ status: 409, contentType: "application/problem+json", body: JSON.stringify({ type: "/problems/x", title: "x", status: 409, detail: "sync is refused" }) }));
  await button(place, "Restart").click();
  await seen(place, "Sync is refused");
  await kiosk.halt("sync");
  await seen(place, /^stopped$/i);
  await seen(place, "Sync is refused");
  await kiosk.start("sync");
  await seen(place, /^running$/i);
  await gone(place, "Sync is refused");
});

/** The description of a field or button, as screen readers read it. */
function described(thing) {
  return thing.evaluate((it) => {
    const ids = `${it.getAttribute("aria-describedby") ?? ""} ${it.getAttribute("aria-errormessage") ?? ""}`;
    return ids.split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join(" ");
  });
}
