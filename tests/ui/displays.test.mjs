// The displays on the tab System: what is on them, how they are turned, and their screens.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { button, gone, onThePage, openTab, pretendDisplay, seen } from "./browser.mjs";
import { RealDisplay, vacantDisplay } from "./kiosk.mjs";
import { pretendParts, problem } from "./pretend.mjs";

/** A display with everything there is to tell of one. */
const WALL = {
  name: ":7",
  kind: "x",
  connected: true,
  resolution: "1080x1920",
  output: "HDMI-1",
  outputs: [{ name: "HDMI-1", rotation: 90, monitor: null }],
  connector: "HDMI-A-1",
  monitor: { maker: "DEL", product: 16, name: "DELL U2415", serial: null, preferred: "1920x1080" },
  rotation: { requested: 90, actual: 90, problem: null },
  power: { requested: "on", actual: "on", backend: "dpms", since: "2026-11-23T08:00:00Z", problem: null },
  process: "gallery",
  wanted_by: ["gallery"],
};
const AWAY = {
  ...WALL,
  name: ":8",
  connected: false,
  resolution: null,
  output: null,
  outputs: [],
  connector: null,
  monitor: null,
  rotation: { requested: 180, actual: null, problem: null },
  power: { requested: null, actual: null, backend: null, since: null, problem: null },
  process: null,
};
const CONNECTORS = [
  { name: "HDMI-A-1", connected: true, lit: true, preferred: "1920x1080", monitor: WALL.monitor, display: ":7" },
  { name: "HDMI-A-2", connected: false, lit: false, preferred: null, monitor: null, display: null },
  { name: "DP-1", connected: true, lit: false, preferred: "3840x2160", monitor: { ...WALL.monitor, name: "LG HDR 4K" }, display: null },
];
const GALLERY = { name: "Gallery Display", type: "chromium", command: "sh -c 'exec sleep 1000'", display: vacantDisplay(), autostart: false };

/** A kiosk that seems to have these displays, and the tab open. */
function onTheTab(name, parts, body, { complaints = [], rest = {} } = {}) {
  onThePage(name, { processes: { gallery: GALLERY }, rest, complaints }, async (things) => {
    const screens = await pretendParts(things.page, { displays: [WALL], connectors: [], ...parts });
    const tab = await openTab(things.page, "System");
    await body({ ...things, tab, screens, row: rowOf(tab, ":7") });
  });
}

const rowOf = (tab, name) => tab.getByRole("listitem", { name, exact: true });

onTheTab("a display tells what is on it, where, and for whom", { displays: [WALL, AWAY], connectors: CONNECTORS }, async ({ tab, row }) => {
  for (const fact of ["DELL U2415", "HDMI-1, plugged in at HDMI-A-1", "1080 × 1920", "Gallery Display", "Screen on", "It is on, as asked."]) {
    await seen(row, fact);
  }
  assert.equal(await row.getByLabel("Rotation").inputValue(), "90");
  assert.equal(await button(row, "Switch on").isVisible(), false);
  await seen(tab, "HDMI-A-2: nothing is plugged in");
  await seen(tab, "DP-1: LG HDR 4K is plugged in, and no display is known to be on it");
  assert.equal(await tab.getByText("HDMI-A-1:").count(), 0);
});

onTheTab("a display that is away is told of in one line", { displays: [WALL, AWAY] }, async ({ tab }) => {
  const row = rowOf(tab, ":8");
  await seen(row, "Not connected");
  await seen(row, "Gallery Display waits for it; it is to be turned by 180°");
  assert.equal(await row.getByRole("button").count(), 0);
});

onTheTab("a kiosk without a display says so", { displays: [] }, async ({ tab }) => {
  await seen(tab, /There is no display/);
});

onTheTab("what was asked for and what is true are both told, with the reason, as it happens", {}, async ({ row, screens }) => {
  await seen(row, "Screen on");
  const lying = { ...WALL.power, requested: "off", problem: "the screen is on, although dpms was told to switch it off" };
  const stuck = { requested: 270, actual: 90, problem: "xrandr: cannot rotate" };
  await screens.show({ displays: [{ ...WALL, power: lying, rotation: stuck }] });
  await seen(row, "Asked for off, and it is on.");
  await seen(row, "The screen is on, although dpms was told to switch it off");
  await seen(row, "Asked for 270°, and it is 90°.");
  await seen(row, "Xrandr: cannot rotate");
  await button(row, "Switch on").waitFor();
  await button(row, "Switch off").waitFor();
  await screens.show({ displays: [WALL] });
  await gone(row, "Xrandr: cannot rotate");
  await gone(row, /although dpms/);
});

onTheTab("a screen is switched by a button, and the focus stays at hand", {}, async ({ page, row, screens }) => {
  const asked = [];
  await page.route("**/api/displays/**", (route) => {
    asked.push([new URL(route.request().url()).pathname, route.request().postDataJSON()]);
    return route.fulfill({ status: 202, json: WALL });
  });
  await button(row, "Switch off").click();
  await seen(page, "The screen of :7 is asked to be off.");
  await screens.show({ displays: [{ ...WALL, power: { ...WALL.power, requested: "off", actual: "off" } }] });
  await seen(row, "Screen off");
  assert.equal(await button(row, "Switch off").isVisible(), false);
  assert.equal(await button(row, "Switch on").evaluate((it) => it === document.activeElement), true);
  await button(row, "Switch on").click();
  await seen(page, "The screen of :7 is asked to be on.");
  assert.deepEqual(asked, [["/api/displays/%3A7/power", { on: false }], ["/api/displays/%3A7/power", { on: true }]]);
});

onTheTab("a screen that cannot be switched says why", {}, async ({ page, row }) => {
  await page.route("**/api/displays/**", (route) => route.fulfill(problem(409, "nothing on this system can switch the screen of :7")));
  await button(row, "Switch off").click();
  await seen(row, "Nothing on this system can switch the screen of :7");
}, { complaints: [/status of 409/] });

onTheTab("a display is turned in the configuration, and the rest of it stays", {}, async ({ page, kiosk, row }) => {
  const before = kiosk.file;
  await row.getByLabel("Rotation").selectOption("270");
  await button(row, "Turn").click();
  await seen(page, /^:7 is to be turned: 270°/);
  assert.deepEqual(kiosk.file, { ...before, displays: { ":7": { rotation: 270 }, ":9": { rotation: 90 } } });
  await row.getByLabel("Rotation").selectOption("");
  await button(row, "Turn").click();
  await seen(page, /^:7 is to be turned: As it is/);
  assert.deepEqual(kiosk.file, before);
}, { rest: { displays: { ":9": { rotation: 90 } } } });

onTheTab("a rotation that nobody has saved yet is left alone by what happens meanwhile", {}, async ({ row, screens }) => {
  await row.getByLabel("Rotation").selectOption("180");
  await screens.show({ displays: [{ ...WALL, resolution: "800x600" }] });
  await seen(row, "800 × 600");
  assert.equal(await row.getByLabel("Rotation").inputValue(), "180");
});

onTheTab("another change of the configuration does not stand in the way of a turn", {}, async ({ page, kiosk, row }) => {
  let isFirst = true;
  await page.route("**/api/config", async (route) => {
    if (route.request().method() === "PUT" && isFirst) {
      isFirst = false;
      await kiosk.ask("PUT", "/api/processes/gallery", { name: "Entrance" });
    }
    return route.fallback();
  });
  await row.getByLabel("Rotation").selectOption("0");
  await button(row, "Turn").click();
  await seen(page, /^:7 is to be turned: 0°/);
  assert.deepEqual(kiosk.file.displays, { ":7": { rotation: 0 } });
  assert.equal(kiosk.file.processes.gallery.name, "Entrance");
}, { complaints: [/status of 412/] });

onTheTab("a turn that is refused is told at its field, and stays chosen", {}, async ({ page, row }) => {
  await page.route("**/api/config", (route) =>
    route.request().method() === "PUT" ? route.fulfill(problem(503, "the configuration cannot be saved: no space left on device")) : route.fallback());
  await row.getByLabel("Rotation").selectOption("0");
  await button(row, "Turn").click();
  await seen(row, /no space left on device/);
  assert.equal(await row.getByLabel("Rotation").inputValue(), "0");
}, { complaints: [/status of 503/] });

/** A firmware that does as it is told. */
const FIRMWARE = `#!/bin/sh
if [ $# = 2 ]; then echo "$2" >"$0.on"; fi
echo display_power=$(cat "$0.on" 2>/dev/null || echo 1)
`;

/** Where the machine has screens of its own, those count, and a firmware is not asked. */
function hasScreens() {
  try {
    return readdirSync("/sys/class/drm").some((name) => name.includes("-"));
  } catch {
    return false;
  }
}

onThePage("a real screen goes off and on by its button, and says what is true", { tools: { vcgencmd: FIRMWARE } }, async ({ page, keep }) => {
  const display = keep(await RealDisplay.open(), (display) => display.close());
  const row = rowOf(await openTab(page, "System"), display.name);
  await seen(row, "800 × 600");
  if (hasScreens()) return;
  await button(row, "Switch off").click();
  await seen(row, "It is off, as asked.");
  await button(row, "Switch on").click();
  await seen(row, "It is on, as asked.");
  await seen(row, "Screen on");
});

onThePage("a display that comes and goes is seen here", {}, async ({ page, keep }) => {
  const tab = await openTab(page, "System");
  const display = await pretendDisplay(keep);
  await rowOf(tab, display.name).waitFor();
  await display.close();
  await rowOf(tab, display.name).waitFor({ state: "hidden" });
});
