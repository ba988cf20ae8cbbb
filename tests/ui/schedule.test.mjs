// The tab Schedule: the rules, their occurrences, the rule editor, and concurrent changes by other clients.

import assert from "node:assert/strict";
import { button, card, dialog, gone, inWebUi, openTab, seen } from "./browser.mjs";
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

/** A test with this schedule, and the tab open. */
function onTheTab(name, schedule, body, { complaints = [], view, before = () => {} } = {}) {
  inWebUi(name, { processes: PROCESSES, rest: { schedule }, complaints, view }, async (things) => {
    const parts = await before(things);
    const tab = await openTab(things.page, "Schedule");
    await button(tab, "Add Rule").waitFor();
    await body({ ...things, tab, parts, rule: (name) => card(things.page, name) });
  });
}

/** Sets the browser's clock to a Tuesday afternoon in Berlin, and simulates the state of the schedule. */
const onATuesday = (schedule, { next = {}, record = [] } = {}) => async ({ page }) => {
  await page.clock.setFixedTime("2026-11-24T16:30:00+01:00");
  await page.route("**/api/schedule/next", (route) => route.fulfill({ json: { timezone: "Europe/Berlin", clock_trusted: true, occurrences: [], conflicts: [], ...next } }));
  await page.route("**/api/schedule/record", (route) => route.fulfill({ json: { record } }));
  return pretendParts(page, { schedule: { enabled: true, timezone: "Europe/Berlin", clock_trusted: true, rules: {}, ...schedule } });
};

const stateOf = (next, last = null, active = false) => ({ next, last, active });

onTheTab("a rule is described in words: trigger, action, next occurrence and last outcome", scheduleOf(MORNING, NIGHTLY), async ({ tab, rule }) => {
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
      morning: stateOf("2026-11-24T18:00:00+01:00", { at: "2026-11-24T08:00:00+01:00", outcome: "done", detail: null }, true),
      nightly: stateOf("2026-11-25T03:00:30+01:00", { at: "2026-11-24T03:00:30+01:00", outcome: "failed", detail: "sync is disabled" }),
    },
  }),
});

onTheTab("times are shown in the kiosk's zone, not in that of the browser", scheduleOf(MORNING, NIGHTLY), async ({ rule }) => {
  await seen(rule("Morning canvas"), "Thu 08:00");
  await seen(rule("Morning canvas"), "Yesterday 23:30 · Missed: the kiosk was off");
  await seen(rule("Nightly restart"), "Dec 7 03:00:30");
}, {
  view: { timezoneId: "Pacific/Auckland", locale: "en-US" },
  before: onATuesday({
    rules: {
      morning: stateOf("2026-11-26T08:00:00+01:00", { at: "2026-11-23T23:30:00+01:00", outcome: "missed", detail: "the kiosk was off" }),
      nightly: stateOf("2026-12-07T03:00:30+01:00"),
    },
  }),
});

onTheTab("a notice is shown while the clock is not trusted", scheduleOf(MORNING, OFTEN), async ({ tab, rule, parts }) => {
  await seen(tab, "The clock is not trusted yet:");
  await seen(rule("Morning canvas"), "When the clock is trusted");
  assert.equal(await rule("Refresh often").getByText("When the clock is trusted").isVisible(), false, "an interval needs no clock");
  await parts.show({ schedule: { enabled: true, timezone: "Europe/Berlin", clock_trusted: true, rules: { morning: stateOf("2026-11-25T08:00:00+01:00") } } });
  await seen(rule("Morning canvas"), "Tomorrow 08:00");
  await gone(tab, "The clock is not trusted yet:");
}, { before: onATuesday({ clock_trusted: false, rules: { morning: stateOf(null), often: stateOf(null) } }) });

onTheTab("a rule with an interval does not wait for the clock", scheduleOf(MORNING, { ...NIGHTLY, trigger: { type: "interval", minutes: 30 } }), async ({ rule }) => {
  await seen(rule("Morning canvas"), "When the clock is trusted");
  await seen(rule("Nightly restart"), "Every 30 minutes, at an unknown time");
  await gone(rule("Nightly restart"), "When the clock is trusted");
}, { before: onATuesday({ clock_trusted: false, rules: { morning: stateOf(null), nightly: stateOf(null) } }) });

onTheTab("the preview, the record and conflicts are listed", scheduleOf(MORNING, NIGHTLY), async ({ tab }) => {
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

onTheTab("a kiosk without rules explains rules", undefined, async ({ tab }) => {
  await seen(tab, "There is no rule yet.");
});

onTheTab("switches disable and enable a rule and the whole schedule", scheduleOf(MORNING, NIGHTLY), async ({ page, kiosk, tab, rule }) => {
  const one = rule("Morning canvas").getByRole("switch", { name: "Enabled" });
  await one.click();
  await seen(page, "Morning canvas is disabled.");
  assert.deepEqual(kiosk.file.schedule, scheduleOf({ ...MORNING, enabled: false }, NIGHTLY));
  await seen(rule("Morning canvas"), "None: the rule is disabled");
  assert.equal(await one.getAttribute("aria-checked"), "false");
  await one.click();
  await seen(page, "Morning canvas is enabled.");
  const all = tab.getByRole("switch", { name: "Rules enabled" });
  await all.click();
  await seen(page, "The schedule is disabled.");
  assert.equal(kiosk.file.schedule.enabled, false);
  await seen(rule("Nightly restart"), "None: the schedule is disabled");
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

/** Every other trigger and action: the input, and the resulting rule. */
const OTHERS = [
  [{ when: "Interval", "Interval in minutes": "90" }, { action: "Restart a process", Process: "Data Sync Service" },
    { type: "interval", minutes: 90 }, { type: "restart_process", process_id: "sync" }, "Every 90 minutes: Restart Data Sync Service"],
  [{ when: "Start" }, { action: "Run a command", Command: "logger hello" },
    { type: "boot" }, { type: "run_command", command: "logger hello" }, "When the kiosk starts: Run logger hello"],
  [{ when: "Connection", "The connection": "is back" }, { action: "Refresh the page", Process: "The process on the screen" },
    { type: "connection", event: "regained" }, { type: "refresh_page" }, "When the connection is back: Refresh the page"],
  [{ when: "Connection", "The connection": "is lost" }, { action: "Switch the screen", Screen: "off" },
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
  [{ when: "Interval", "Interval in minutes": "10080" }, { action: "Restart the machine" },
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

onTheTab("editing a rule keeps fields that the web UI does not know", scheduleOf({ ...MORNING, colour: "teal" }, NIGHTLY), async ({ page, kiosk, rule }) => {
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

onTheTab("a rule is deleted after a confirmation", scheduleOf(MORNING, NIGHTLY), async ({ page, kiosk, rule }) => {
  await button(rule("Morning canvas"), "Delete").click();
  await button(dialog(page), "Cancel").click();
  await rule("Morning canvas").waitFor();
  await button(rule("Morning canvas"), "Delete").click();
  await button(dialog(page), "Delete").click();
  await rule("Morning canvas").waitFor({ state: "hidden" });
  assert.deepEqual(kiosk.file.schedule.rules, [NIGHTLY]);
  assert.notEqual(await page.evaluate(() => document.activeElement.tagName), "BODY");
});

onTheTab("each error is shown beside its field, and the input is kept", scheduleOf(MORNING), async ({ page, kiosk, tab, rule }) => {
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
    const error = await field.evaluate((it) => document.getElementById(it.getAttribute("aria-describedby").split(" ").pop()).textContent);
    assert.notEqual(error, "");
  }
  assert.equal(await form.getByLabel("At", { exact: true }).inputValue(), "25 o'cl");
  assert.equal(await form.getByLabel("At", { exact: true }).evaluate((it) => it === document.activeElement), true);
  assert.deepEqual(kiosk.file.schedule.rules, [MORNING]);
  await page.keyboard.press("Escape");
  await form.waitFor({ state: "hidden" });
  await button(tab, "Add Rule").click();
  assert.equal(await form.getByLabel("At", { exact: true }).inputValue(), "25 o'cl", "Escape keeps the input");
  await form.getByLabel("At", { exact: true }).fill("9:30");
  await form.getByLabel("Until").fill("");
  await form.getByLabel("URL").fill("https://example.org/");
  await button(form, "Add").click();
  await form.waitFor({ state: "hidden" });
  await seen(rule("Wrong"), "Every day at 09:30");
}, { complaints: [/status of 422/] });

onTheTab("invalid JSON is refused before anything is sent", scheduleOf(), async ({ page, kiosk, tab }) => {
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

onTheTab("a change by another client is shown before it is overwritten", scheduleOf(MORNING, NIGHTLY), async ({ page, kiosk, rule }) => {
  await button(rule("Morning canvas"), "Edit").click();
  const form = dialog(page);
  await form.getByLabel("Until").fill("17:00");
  await kiosk.ask("PUT", "/api/schedule", scheduleOf({ ...MORNING, trigger: { ...MORNING.trigger, time: "07:45" } }, { ...NIGHTLY, name: "Nightly again" }));
  await rule("Nightly again").waitFor();
  await button(form, "Save").click();
  await seen(form, /^Another client changed this rule: Morning canvas, Mon–Fri, 07:45 to 18:00/);
  assert.equal(kiosk.file.schedule.rules[0].trigger.time, "07:45");
  await button(form, "Save").click();
  await form.waitFor({ state: "hidden" });
  assert.deepEqual(kiosk.file.schedule, scheduleOf({ ...MORNING, until: "17:00" }, { ...NIGHTLY, name: "Nightly again" }));
});

onTheTab("a concurrent change of the configuration does not prevent a change of a rule", scheduleOf(MORNING), async ({ page, kiosk, rule }) => {
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

onTheTab("the input survives a lost connection", scheduleOf(), async ({ page, kiosk, tab, rule }) => {
  await button(tab, "Add Rule").click();
  const form = dialog(page);
  await form.getByLabel("Name").fill("Reload");
  await form.getByLabel("Interval", { exact: true }).check({ force: true });
  await form.getByLabel("Interval in minutes").fill("15");
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

onTheTab("the time zone can be set or left to the kiosk, and an invalid one stays in the field", scheduleOf(MORNING), async ({ page, kiosk, tab }) => {
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
  await seen(page, "The rules use the time zone Asia/Kathmandu.");
  assert.equal(kiosk.file.schedule.timezone, "Asia/Kathmandu");
  await zone.fill("");
  await button(tab, "Set").click();
  await seen(page, "The rules use the kiosk's own time zone.");
  assert.equal(kiosk.file.schedule.timezone, "auto");
}, { complaints: [/status of 422/] });

onTheTab("a rule that cannot be run shows the reason", scheduleOf(NIGHTLY), async ({ page, rule }) => {
  await page.route("**/api/schedule/rules/nightly/run", (route) => route.fulfill(problem(503, "the kiosk is shutting down")));
  await button(rule("Nightly restart"), "Run now").click();
  await seen(rule("Nightly restart"), "The kiosk is shutting down");
}, { complaints: [/status of 503/] });

onTheTab("a rule runs by hand, and its outcome is shown on the card and in the record", scheduleOf(NIGHTLY), async ({ page, kiosk, tab, rule }) => {
  const { pid } = await kiosk.untilStatus("sync", "running");
  await button(rule("Nightly restart"), "Run now").click();
  await kiosk.until(({ sync }) => sync?.status === "running" && sync.pid !== pid);
  await seen(rule("Nightly restart"), /· Done$/);
  await seen(tab.getByRole("list", { name: "What happened" }), "Nightly restart (by hand)");
});

const BY_HAND = { name: "Opening hours", trigger: { type: "time", time: "08:00" }, action: { type: "restart_process", process_id: "sync" } };

onTheTab("rules without an id can be run and changed", scheduleOf(NIGHTLY, BY_HAND, BY_HAND), async ({ page, kiosk, tab }) => {
  const second = tab.getByRole("list", { name: "Rules" }).getByRole("listitem").nth(2);
  await button(second, "Run now").click();
  await seen(second, /· Done$/);
  await second.getByRole("switch").click();
  await seen(page, "Opening hours is disabled.");
  const { rules } = kiosk.file.schedule;
  assert.deepEqual(rules.map(({ id, enabled }) => [id, enabled]), [["nightly", undefined], ["opening-hours", undefined], ["opening-hours-2", false]]);
});

const PLAIN = { id: "plain", name: "Plain", trigger: { type: "boot" }, action: { type: "update_process", process_id: "gallery", updates: { url: null, name: "Plain Display" } } };

onTheTab("editing a rule keeps an update that removes a field", scheduleOf(PLAIN), async ({ page, kiosk, rule }) => {
  await button(rule("Plain"), "Edit").click();
  const form = dialog(page);
  assert.deepEqual(JSON.parse(await form.getByLabel("Other fields").inputValue()), { url: null, name: "Plain Display" });
  await form.getByLabel("Command").fill("chromium https://example.org/");
  await button(form, "Save").click();
  await form.waitFor({ state: "hidden" });
  assert.deepEqual(kiosk.file.schedule.rules[0].action.updates, { command: "chromium https://example.org/", url: null, name: "Plain Display" });
});

onTheTab("a required field that was emptied is refused", scheduleOf(MORNING), async ({ page, kiosk, rule }) => {
  await button(rule("Morning canvas"), "Edit").click();
  const form = dialog(page);
  await form.getByLabel("At", { exact: true }).fill("");
  await form.getByLabel("URL").fill("");
  await button(form, "Save").click();
  for (const label of ["At", "URL"]) await form.getByLabel(label, { exact: true }).and(page.locator("[aria-invalid=true]")).waitFor();
  assert.deepEqual(kiosk.file.schedule.rules, [MORNING]);
}, { complaints: [/status of 422/] });

onTheTab("a failed rule shows the reason, and affects nothing else", scheduleOf({ ...NIGHTLY, action: { type: "start_process", process_id: "off" } }), async ({ page, kiosk, tab, rule }) => {
  await button(rule("Nightly restart"), "Run now").click();
  await seen(rule("Nightly restart"), /Failed: off is disabled/);
  await seen(tab.getByRole("list", { name: "What happened" }), /^Failed: off is disabled/);
  await seen(page, "Connected");
  await kiosk.untilStatus("sync", "running");
});

onTheTab("deleting a process that rules use asks first, and disables the rules", scheduleOf(NIGHTLY), async ({ page, kiosk, rule }) => {
  await kiosk.halt("sync");
  await openTab(page, "Processes");
  await seen(card(page, "Data Sync Service"), /^stopped$/i);
  await button(card(page, "Data Sync Service"), "Delete").click();
  await button(dialog(page), "Delete").click();
  await seen(dialog(page), "Delete Data Sync Service although rules use it?");
  await seen(dialog(page), /Nightly restart/);
  await button(dialog(page), "Cancel").click();
  await card(page, "Data Sync Service").waitFor();
  await button(card(page, "Data Sync Service"), "Delete").click();
  await button(dialog(page), "Delete").click();
  await button(dialog(page), "Delete and disable the rules").click();
  await card(page, "Data Sync Service").waitFor({ state: "hidden" });
  assert.equal(kiosk.file.schedule.rules[0].enabled, false);
  await openTab(page, "Schedule");
  await seen(rule("Nightly restart"), /no process sync|sync/);
  await seen(rule("Nightly restart"), "None: the rule is disabled");
}, { complaints: [/status of 409/] });
