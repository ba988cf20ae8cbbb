// The tab Schedule: the rules, when they are due, what is typed, and what somebody else does meanwhile.

import assert from "node:assert/strict";
import { button, card, dialog, gone, onThePage, openTab, seen } from "./browser.mjs";
import { vacantDisplay } from "./kiosk.mjs";
import { pretendParts, problem } from "./pretend.mjs";

const PROCESSES = {
  gallery: { name: "Gallery Display", type: "chromium", command: "sh -c 'exec sleep 1000'", display: vacantDisplay(), autostart: false },
  sync: { name: "Data Sync Service", command: "sleep 1000" },
  off: { name: "Local API Server", command: "sleep 1000", enabled: false },
};

const MORNING = {
  id: "morning",
  name: "Morning canvas",
  trigger: { type: "time", time: "08:00", days: ["mon", "tue", "wed", "thu", "fri"] },
  action: { type: "switch_canvas", process_id: "gallery", url: "https://lumencanvas.studio/canvas/morning" },
  until: "18:00",
};
const NIGHTLY = {
  id: "nightly",
  name: "Nightly restart",
  trigger: { type: "time", time: "03:00:30", days: ["*"] },
  action: { type: "restart_process", process_id: "sync" },
  catch_up: true,
};

const OFTEN = {
  id: "often",
  name: "Refresh often",
  trigger: { type: "interval", minutes: 30 },
  action: { type: "refresh_page", process_id: "gallery" },
};

const scheduleOf = (...rules) => ({ enabled: true, timezone: "Europe/Berlin", rules });

/** A kiosk with this schedule, and the tab open. */
function onTheTab(name, schedule, body, { complaints = [], view, before = () => {} } = {}) {
  onThePage(name, { processes: PROCESSES, rest: { schedule }, complaints, view }, async (things) => {
    const told = await before(things);
    const tab = await openTab(things.page, "Schedule");
    await button(tab, "Add Rule").waitFor();
    await body({ ...things, tab, told, rule: (name) => card(things.page, name) });
  });
}

/** A Tuesday afternoon in Berlin, by the clock of the page; the kiosk seems to tell this of its schedule. */
const onATuesday = (schedule, { next = {}, record = [] } = {}) => async ({ page }) => {
  await page.clock.setFixedTime("2026-11-24T16:30:00+01:00");
  await page.route("**/api/schedule/next", (route) => route.fulfill({ json: { timezone: "Europe/Berlin", clock_trusted: true, occurrences: [], conflicts: [], ...next } }));
  await page.route("**/api/schedule/record", (route) => route.fulfill({ json: { record } }));
  return pretendParts(page, { schedule: { enabled: true, timezone: "Europe/Berlin", clock_trusted: true, rules: {}, ...schedule } });
};

const fares = (next, last = null, active = false) => ({ next, last, active });

onTheTab("a rule is told in words: when, what, the next time, and what came of the last", scheduleOf(MORNING, NIGHTLY), async ({ tab, rule }) => {
  await seen(rule("Morning canvas"), "Mon–Fri, 08:00 to 18:00");
  await seen(rule("Morning canvas"), "Show https://lumencanvas.studio/canvas/morning on Gallery Display");
  await seen(rule("Morning canvas"), "Today 18:00");
  await seen(rule("Morning canvas"), "Today 08:00 · Done");
  await seen(rule("Morning canvas"), /^active$/i);
  await seen(rule("Nightly restart"), "Every day at 03:00:30");
  await seen(rule("Nightly restart"), "Restart Data Sync Service");
  await seen(rule("Nightly restart"), "Tomorrow 03:00:30");
  await seen(rule("Nightly restart"), "Today 03:00:30 · Failed: sync is disabled");
  assert.equal(await rule("Nightly restart").getByText(/^active$/i).isVisible(), false);
  assert.equal(await tab.getByText(/not trusted/).isVisible(), false);
}, {
  before: onATuesday({
    rules: {
      morning: fares("2026-11-24T18:00:00+01:00", { at: "2026-11-24T08:00:00+01:00", outcome: "done", detail: null }, true),
      nightly: fares("2026-11-25T03:00:30+01:00", { at: "2026-11-24T03:00:30+01:00", outcome: "failed", detail: "sync is disabled" }),
    },
  }),
});

onTheTab("a time is told by the clock beside the kiosk, wherever whoever looks may be", scheduleOf(MORNING, NIGHTLY), async ({ rule }) => {
  await seen(rule("Morning canvas"), "Thu 08:00");
  await seen(rule("Morning canvas"), "Yesterday 23:30 · Missed: the kiosk was off");
  await seen(rule("Nightly restart"), "Dec 7 03:00:30");
}, {
  view: { timezoneId: "Pacific/Auckland", locale: "en-US" },
  before: onATuesday({
    rules: {
      morning: fares("2026-11-26T08:00:00+01:00", { at: "2026-11-23T23:30:00+01:00", outcome: "missed", detail: "the kiosk was off" }),
      nightly: fares("2026-12-07T03:00:30+01:00"),
    },
  }),
});

onTheTab("a clock that is not trusted is told in one sentence, as long as it is not", scheduleOf(MORNING, OFTEN), async ({ tab, rule, told }) => {
  await seen(tab, "The clock is not trusted yet:");
  await seen(rule("Morning canvas"), "When the clock is trusted");
  assert.equal(await rule("Refresh often").getByText("When the clock is trusted").isVisible(), false, "an interval needs no clock");
  await told.show({ schedule: { enabled: true, timezone: "Europe/Berlin", clock_trusted: true, rules: { morning: fares("2026-11-25T08:00:00+01:00") } } });
  await seen(rule("Morning canvas"), "Tomorrow 08:00");
  await gone(tab, "The clock is not trusted yet:");
}, { before: onATuesday({ clock_trusted: false, rules: { morning: fares(null), often: fares(null) } }) });

onTheTab("an interval is not said to wait for the clock", scheduleOf(MORNING, { ...NIGHTLY, trigger: { type: "interval", minutes: 30 } }), async ({ rule }) => {
  await seen(rule("Morning canvas"), "When the clock is trusted");
  await seen(rule("Nightly restart"), "Every 30 minutes, at a time unknown");
  await gone(rule("Nightly restart"), "When the clock is trusted");
}, { before: onATuesday({ clock_trusted: false, rules: { morning: fares(null), nightly: fares(null) } }) });

onTheTab("what is to come, what happened, and which rules are in each other's way are listed", scheduleOf(MORNING, NIGHTLY), async ({ tab }) => {
  const [next, record] = [tab.getByRole("list", { name: "The next 24 hours" }), tab.getByRole("list", { name: "What happened" })];
  assert.deepEqual(await next.getByRole("listitem").allInnerTexts(), [
    "today 18:00\nMorning canvas\nEnds",
    "tomorrow 03:00:30\nNightly restart\nRestart Data Sync Service",
  ]);
  assert.deepEqual(await record.getByRole("listitem").allInnerTexts(), [
    "today 08:00\nMorning canvas\nDone",
    "today 03:00:30\nNightly restart\nFailed: sync is disabled",
    "yesterday 18:00\nA rule that is gone (end)\nSkipped: the page was another already",
  ]);
  await seen(tab, "Tomorrow 08:00: Morning canvas and Nightly restart both want Gallery Display");
}, {
  before: onATuesday({}, {
    next: {
      occurrences: [
        { rule: "morning", at: "2026-11-24T18:00:00+01:00", kind: "end", action: MORNING.action },
        { rule: "nightly", at: "2026-11-25T03:00:30+01:00", kind: "begin", action: NIGHTLY.action },
      ],
      conflicts: [{ rules: ["morning", "nightly"], at: "2026-11-25T08:00:00+01:00", text: "Morning canvas and Nightly restart both want Gallery Display" }],
    },
    record: [
      { rule: "morning", name: "Morning canvas", at: "2026-11-24T08:00:00+01:00", kind: "begin", outcome: "done", detail: null },
      { rule: "nightly", name: "Nightly restart", at: "2026-11-24T03:00:30+01:00", kind: "begin", outcome: "failed", detail: "sync is disabled" },
      { rule: "gone", name: "A rule that is gone", at: "2026-11-23T18:00:00+01:00", kind: "end", outcome: "skipped", detail: "the page was another already" },
    ],
  }),
});

onTheTab("a kiosk without rules says what rules are for", undefined, async ({ tab }) => {
  await seen(tab, "There is no rule yet.");
});

onTheTab("a rule goes off and on by its switch, and so does the whole schedule", scheduleOf(MORNING, NIGHTLY), async ({ page, kiosk, tab, rule }) => {
  const one = rule("Morning canvas").getByRole("switch", { name: "Enabled" });
  await one.click();
  await seen(page, "Morning canvas is disabled.");
  assert.deepEqual(kiosk.file.schedule, scheduleOf({ ...MORNING, enabled: false }, NIGHTLY));
  await seen(rule("Morning canvas"), "Not while it is off");
  assert.equal(await one.getAttribute("aria-checked"), "false");
  await one.click();
  await seen(page, "Morning canvas is enabled.");
  const all = tab.getByRole("switch", { name: "Rules are carried out" });
  await all.click();
  await seen(page, "The schedule is off.");
  assert.equal(kiosk.file.schedule.enabled, false);
  await seen(rule("Nightly restart"), "Not while the schedule is off");
});

onTheTab("a rule is added: days, times with seconds, a page, and an end", undefined, async ({ page, kiosk, tab, rule }) => {
  await button(tab, "Add Rule").click();
  const form = dialog(page);
  await form.getByLabel("Name").fill("Evening canvas");
  await form.getByLabel("At", { exact: true }).fill("18:00:30");
  await form.getByLabel("Until").fill("2300");
  for (const day of ["Sat", "Sun"]) await form.getByLabel(day).uncheck({ force: true });
  await form.getByLabel("URL").fill("https://lumencanvas.studio/canvas/evening");
  await form.getByLabel("Catch up").check();
  await seen(form, "Mon–Fri, 18:00:30 to 23:00: Show https://lumencanvas.studio/canvas/evening on Gallery Display");
  await button(form, "Add").click();
  await form.waitFor({ state: "hidden" });
  await rule("Evening canvas").waitFor();
  assert.deepEqual(kiosk.file.schedule.rules, [{
    id: "evening-canvas",
    name: "Evening canvas",
    trigger: { type: "time", time: "18:00:30", days: ["mon", "tue", "wed", "thu", "fri"] },
    action: { type: "switch_canvas", process_id: "gallery", url: "https://lumencanvas.studio/canvas/evening" },
    until: "23:00",
    catch_up: true,
  }]);
});

/** Every other trigger and action, by what is chosen and typed. */
const OTHERS = [
  [{ when: "Interval", "Every minutes": "90" }, { action: "Restart a process", Process: "Data Sync Service" },
    { type: "interval", minutes: 90 }, { type: "restart_process", process_id: "sync" }, "Every 90 minutes: Restart Data Sync Service"],
  [{ when: "Start" }, { action: "Run a command", Command: "logger hello" },
    { type: "boot" }, { type: "run_command", command: "logger hello" }, "When the kiosk starts: Run logger hello"],
  [{ when: "Connection", "The connection": "is back" }, { action: "Refresh the page", Process: "Whatever is on the screen" },
    { type: "connection", event: "regained" }, { type: "refresh_page" }, "When the connection is back: Refresh the page"],
  [{ when: "Connection", "The connection": "is lost" }, { action: "Switch the screen", "The screen": "goes off" },
    { type: "connection", event: "lost" }, { type: "display_power", power: "off" }, "When the connection is lost: Switch the screen off"],
  [{ when: "Time", At: "7:05" }, { action: "Start a process", Process: "Data Sync Service" },
    { type: "time", time: "07:05", days: ["*"] }, { type: "start_process", process_id: "sync" }, "Every day at 07:05: Start Data Sync Service"],
  [{ when: "Start" }, { action: "Stop a process", Process: "Data Sync Service" },
    { type: "boot" }, { type: "stop_process", process_id: "sync" }, "When the kiosk starts: Stop Data Sync Service"],
  [{ when: "Start" }, { action: "Enable a process", Process: "Data Sync Service" },
    { type: "boot" }, { type: "enable_process", process_id: "sync" }, "When the kiosk starts: Enable Data Sync Service"],
  [{ when: "Start" }, { action: "Disable a process", Process: "Data Sync Service" },
    { type: "boot" }, { type: "disable_process", process_id: "sync" }, "When the kiosk starts: Disable Data Sync Service"],
  [{ when: "Start" }, { action: "Change a process", Process: "Data Sync Service", Command: "sleep 2000", "Other fields": '{"name": "Slow Sync"}' },
    { type: "boot" }, { type: "update_process", process_id: "sync", updates: { command: "sleep 2000", name: "Slow Sync" } },
    "When the kiosk starts: Change Data Sync Service: command sleep 2000, name Slow Sync"],
  [{ when: "Interval", "Every minutes": "10080" }, { action: "Restart the machine" },
    { type: "interval", minutes: 10080 }, { type: "reboot" }, "Every 168 hours: Restart the machine"],
];

onTheTab("every trigger and every action can be chosen", undefined, async ({ page, kiosk, tab, rule }) => {
  for (const [number, [{ when, ...trigger }, { action, ...rest }, ...expected]] of OTHERS.entries()) {
    await button(tab, "Add Rule").click();
    const form = dialog(page);
    await form.getByLabel("Name").fill(`Rule ${number}`);
    await form.getByLabel(when, { exact: true }).check({ force: true });
    await form.getByLabel("Action").selectOption(action);
    for (const [label, value] of Object.entries({ ...trigger, ...rest })) {
      const field = form.getByLabel(label, { exact: true }).filter({ visible: true });
      if ((await field.evaluate((it) => it.tagName)) === "SELECT") await field.selectOption(value);
      else await field.fill(value);
    }
    await seen(form, expected[2]);
    await button(form, "Add").click();
    await form.waitFor({ state: "hidden" });
    await rule(`Rule ${number}`).waitFor();
    const { trigger: saved, action: done } = kiosk.file.schedule.rules[number];
    assert.deepEqual([saved, done], expected.slice(0, 2));
  }
});

onTheTab("a rule is edited, and what the page does not know of it stays", scheduleOf({ ...MORNING, colour: "teal" }, NIGHTLY), async ({ page, kiosk, rule }) => {
  await button(rule("Morning canvas"), "Edit").click();
  const form = dialog(page);
  assert.equal(await form.getByLabel("At", { exact: true }).inputValue(), "08:00");
  assert.equal(await form.getByLabel("Until").inputValue(), "18:00");
  assert.equal(await form.getByLabel("Sat").isChecked(), false);
  assert.equal(await form.getByLabel("Process").inputValue(), "gallery");
  await form.getByLabel("Until").fill("");
  await form.getByLabel("Sat").check({ force: true });
  await form.getByLabel("Sun").check({ force: true });
  await button(form, "Save").click();
  await form.waitFor({ state: "hidden" });
  await seen(rule("Morning canvas"), "Every day at 08:00");
  const { until, ...rest } = MORNING;
  assert.deepEqual(kiosk.file.schedule, scheduleOf({ ...rest, colour: "teal", trigger: { ...MORNING.trigger, days: ["*"] } }, NIGHTLY));
});

onTheTab("a rule is deleted after a question", scheduleOf(MORNING, NIGHTLY), async ({ page, kiosk, rule }) => {
  await button(rule("Morning canvas"), "Delete").click();
  await button(dialog(page), "Cancel").click();
  await rule("Morning canvas").waitFor();
  await button(rule("Morning canvas"), "Delete").click();
  await button(dialog(page), "Delete").click();
  await rule("Morning canvas").waitFor({ state: "hidden" });
  assert.deepEqual(kiosk.file.schedule.rules, [NIGHTLY]);
  assert.notEqual(await page.evaluate(() => document.activeElement.tagName), "BODY");
});

onTheTab("what is wrong with a rule is told beside each field, and stays as it was typed", scheduleOf(MORNING), async ({ page, kiosk, tab, rule }) => {
  await button(tab, "Add Rule").click();
  const form = dialog(page);
  await form.getByLabel("Name").fill("Wrong");
  await form.getByLabel("At", { exact: true }).fill("25 o'cl");
  await form.getByLabel("Until").fill("late");
  await form.getByLabel("URL").fill("canvas");
  await button(form, "Add").click();
  for (const label of ["At", "Until", "URL"]) {
    const field = form.getByLabel(label, { exact: true });
    await field.and(page.locator("[aria-invalid=true]")).waitFor();
    const told = await field.evaluate((it) => document.getElementById(it.getAttribute("aria-describedby").split(" ").pop()).textContent);
    assert.notEqual(told, "");
  }
  assert.equal(await form.getByLabel("At", { exact: true }).inputValue(), "25 o'cl");
  assert.equal(await form.getByLabel("At", { exact: true }).evaluate((it) => it === document.activeElement), true);
  assert.deepEqual(kiosk.file.schedule.rules, [MORNING]);
  await page.keyboard.press("Escape");
  await form.waitFor({ state: "hidden" });
  await button(tab, "Add Rule").click();
  assert.equal(await form.getByLabel("At", { exact: true }).inputValue(), "25 o'cl", "Escape has lost nothing");
  await form.getByLabel("At", { exact: true }).fill("9:30");
  await form.getByLabel("Until").fill("");
  await form.getByLabel("URL").fill("https://example.org/");
  await button(form, "Add").click();
  await form.waitFor({ state: "hidden" });
  await seen(rule("Wrong"), "Every day at 09:30");
}, { complaints: [/status of 422/] });

onTheTab("fields that are no JSON are told before anything is sent", scheduleOf(), async ({ page, kiosk, tab }) => {
  await button(tab, "Add Rule").click();
  const form = dialog(page);
  await form.getByLabel("Name").fill("Other display");
  await form.getByLabel("Start", { exact: true }).check({ force: true });
  await form.getByLabel("Action").selectOption("Change a process");
  await form.getByLabel("Other fields").fill("{display: :1}");
  await button(form, "Add").click();
  await seen(form, 'Must be JSON: {"field": value}');
  assert.equal(await form.getByLabel("Other fields").inputValue(), "{display: :1}");
  assert.deepEqual(kiosk.file.schedule.rules, []);
});

onTheTab("what somebody else changes is shown, and is not overwritten unseen", scheduleOf(MORNING, NIGHTLY), async ({ page, kiosk, rule }) => {
  await button(rule("Morning canvas"), "Edit").click();
  const form = dialog(page);
  await form.getByLabel("Until").fill("17:00");
  await kiosk.ask("PUT", "/api/schedule", scheduleOf({ ...MORNING, trigger: { ...MORNING.trigger, time: "07:45" } }, { ...NIGHTLY, name: "Nightly again" }));
  await rule("Nightly again").waitFor();
  await button(form, "Save").click();
  await seen(form, /^Changed elsewhere meanwhile: Morning canvas, Mon–Fri, 07:45 to 18:00/);
  assert.equal(kiosk.file.schedule.rules[0].trigger.time, "07:45");
  await button(form, "Save").click();
  await form.waitFor({ state: "hidden" });
  assert.deepEqual(kiosk.file.schedule, scheduleOf({ ...MORNING, until: "17:00" }, { ...NIGHTLY, name: "Nightly again" }));
});

onTheTab("another change of the configuration does not stand in the way of a rule", scheduleOf(MORNING), async ({ page, kiosk, rule }) => {
  let isFirst = true;
  await page.route("**/api/schedule", async (route) => {
    if (route.request().method() === "PUT" && isFirst) {
      isFirst = false;
      await kiosk.ask("PUT", "/api/processes/sync", { name: "Picture Sync" });
    }
    return route.fallback();
  });
  await rule("Morning canvas").getByRole("switch").click();
  await seen(page, "Morning canvas is disabled.");
  assert.equal(kiosk.file.schedule.rules[0].enabled, false);
  assert.equal(kiosk.file.processes.sync.name, "Picture Sync");
}, { complaints: [/status of 412/] });

onTheTab("a lost connection loses nothing that was typed", scheduleOf(), async ({ page, kiosk, tab, rule }) => {
  await button(tab, "Add Rule").click();
  const form = dialog(page);
  await form.getByLabel("Name").fill("Reload");
  await form.getByLabel("Interval").check({ force: true });
  await form.getByLabel("Every minutes").fill("15");
  await form.getByLabel("Action").selectOption("Refresh the page");
  await kiosk.kill();
  await button(form, "Add").click();
  await seen(form, /cannot be reached/);
  await kiosk.revive();
  await gone(page, /^connection lost/i);
  await button(form, "Add").click();
  await form.waitFor({ state: "hidden" });
  await seen(rule("Reload"), "Every 15 minutes");
}, { complaints: [/ERR_CONNECTION_REFUSED/, /ERR_INCOMPLETE_CHUNKED_ENCODING/, /ERR_CONNECTION_RESET/, /ERR_EMPTY_RESPONSE/] });

onTheTab("the zone is typed or left to the kiosk, and one that does not exist stays typed", scheduleOf(MORNING), async ({ page, kiosk, tab }) => {
  const zone = tab.getByLabel("Time zone");
  assert.equal(await zone.inputValue(), "Europe/Berlin");
  await zone.fill("half past eight");
  await button(tab, "Set").click();
  await zone.and(page.locator("[aria-invalid=true]")).waitFor();
  assert.equal(await zone.inputValue(), "half past eight");
  assert.equal(kiosk.file.schedule.timezone, "Europe/Berlin");
  await zone.fill("Europe/Atlantis");
  await button(tab, "Set").click();
  await seen(tab, /Europe\/Atlantis/);
  await zone.and(page.locator("[aria-invalid=true]")).waitFor();
  await zone.fill("Asia/Kathmandu");
  await button(tab, "Set").click();
  await seen(page, "The rules go by Asia/Kathmandu.");
  assert.equal(kiosk.file.schedule.timezone, "Asia/Kathmandu");
  await zone.fill("");
  await button(tab, "Set").click();
  await seen(page, "The rules go by the kiosk's own zone.");
  assert.equal(kiosk.file.schedule.timezone, "auto");
}, { complaints: [/status of 422/] });

onTheTab("a rule that cannot be run says why", scheduleOf(NIGHTLY), async ({ page, rule }) => {
  await page.route("**/api/schedule/rules/nightly/run", (route) => route.fulfill(problem(503, "the kiosk is shutting down")));
  await button(rule("Nightly restart"), "Run now").click();
  await seen(rule("Nightly restart"), "The kiosk is shutting down");
}, { complaints: [/status of 503/] });

onTheTab("a rule runs by hand, and what came of it is told, also in the record", scheduleOf(NIGHTLY), async ({ page, kiosk, tab, rule }) => {
  const { pid } = await kiosk.untilStatus("sync", "running");
  await button(rule("Nightly restart"), "Run now").click();
  await kiosk.until(({ sync }) => sync?.status === "running" && sync.pid !== pid);
  await seen(rule("Nightly restart"), /· Done$/);
  await seen(tab.getByRole("list", { name: "What happened" }), "Nightly restart (by hand)");
});

const BY_HAND = { name: "Opening hours", trigger: { type: "time", time: "08:00" }, action: { type: "restart_process", process_id: "sync" } };

onTheTab("rules that were written without an id are as good as others", scheduleOf(NIGHTLY, BY_HAND, BY_HAND), async ({ page, kiosk, tab }) => {
  const second = tab.getByRole("list", { name: "Rules" }).getByRole("listitem").nth(2);
  await button(second, "Run now").click();
  await seen(second, /· Done$/);
  await second.getByRole("switch").click();
  await seen(page, "Opening hours is disabled.");
  const { rules } = kiosk.file.schedule;
  assert.deepEqual(rules.map(({ id, enabled }) => [id, enabled]), [["nightly", undefined], ["opening-hours", undefined], ["opening-hours-2", false]]);
});

const PLAIN = { id: "plain", name: "Plain", trigger: { type: "boot" }, action: { type: "update_process", process_id: "gallery", updates: { url: null, name: "Plain Display" } } };

onTheTab("a field that an update takes away stays away", scheduleOf(PLAIN), async ({ page, kiosk, rule }) => {
  await button(rule("Plain"), "Edit").click();
  const form = dialog(page);
  assert.deepEqual(JSON.parse(await form.getByLabel("Other fields").inputValue()), { url: null, name: "Plain Display" });
  await form.getByLabel("Command").fill("chromium https://example.org/");
  await button(form, "Save").click();
  await form.waitFor({ state: "hidden" });
  assert.deepEqual(kiosk.file.schedule.rules[0].action.updates, { command: "chromium https://example.org/", url: null, name: "Plain Display" });
});

onTheTab("what is emptied is gone, and missed where it has to be there", scheduleOf(MORNING), async ({ page, kiosk, rule }) => {
  await button(rule("Morning canvas"), "Edit").click();
  const form = dialog(page);
  await form.getByLabel("At", { exact: true }).fill("");
  await form.getByLabel("URL").fill("");
  await button(form, "Save").click();
  for (const label of ["At", "URL"]) await form.getByLabel(label, { exact: true }).and(page.locator("[aria-invalid=true]")).waitFor();
  assert.deepEqual(kiosk.file.schedule.rules, [MORNING]);
}, { complaints: [/status of 422/] });

onTheTab("a rule that fails says why, and harms nothing else", scheduleOf({ ...NIGHTLY, action: { type: "start_process", process_id: "off" } }), async ({ page, kiosk, tab, rule }) => {
  await button(rule("Nightly restart"), "Run now").click();
  await seen(rule("Nightly restart"), /Failed: off is disabled/);
  await seen(tab.getByRole("list", { name: "What happened" }), /^Failed: off is disabled/);
  await seen(page, "Connected");
  await kiosk.untilStatus("sync", "running");
});

onTheTab("deleting a process that rules need asks first, and switches them off", scheduleOf(NIGHTLY), async ({ page, kiosk, rule }) => {
  await kiosk.halt("sync");
  await openTab(page, "Processes");
  await seen(card(page, "Data Sync Service"), /^stopped$/i);
  await button(card(page, "Data Sync Service"), "Delete").click();
  await button(dialog(page), "Delete").click();
  await seen(dialog(page), "Delete Data Sync Service although rules need it?");
  await seen(dialog(page), /Nightly restart/);
  await button(dialog(page), "Cancel").click();
  await card(page, "Data Sync Service").waitFor();
  await button(card(page, "Data Sync Service"), "Delete").click();
  await button(dialog(page), "Delete").click();
  await button(dialog(page), "Delete and switch off the rules").click();
  await card(page, "Data Sync Service").waitFor({ state: "hidden" });
  assert.equal(kiosk.file.schedule.rules[0].enabled, false);
  await openTab(page, "Schedule");
  await seen(rule("Nightly restart"), /no process sync|sync/);
  await seen(rule("Nightly restart"), "Not while it is off");
}, { complaints: [/status of 409/] });
