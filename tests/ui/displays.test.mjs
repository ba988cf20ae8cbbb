// The displays on the tab System: their processes, rotation and screens.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { button, gone, inWebUi, openTab, pretendDisplay, seen } from "./browser.mjs";
import { RealDisplay, vacantDisplay } from "./kiosk.mjs";
import { pretendParts, problem } from "./pretend.mjs";

/** A display with every field set. */
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

/** A test with the tab open, and these simulated displays. */
function onTheTab(name, parts, body, { complaints = [], rest = {} } = {}) {
  inWebUi(name, { processes: { gallery: GALLERY }, rest, complaints }, async (things) => {
    const screens = await pretendParts(things.page, { displays: [WALL], connectors: [], ...parts });
    const tab = await openTab(things.page, "System");
    await body({ ...things, tab, screens, row: rowOf(tab, ":7") });
  });
}

const rowOf = (tab, name) => tab.getByRole("listitem", { name, exact: true });

onTheTab("a display shows its process, its monitor and its connector", { displays: [WALL, AWAY], connectors: CONNECTORS }, async ({ tab, row }) => {
  for (const fact of ["DELL U2415", "HDMI-1, connected to HDMI-A-1", "1080 × 1920", "Gallery Display", "Screen on", "It is on, as requested."]) {
    await seen(row, fact);
  }
  assert.equal(await row.getByLabel("Rotation").inputValue(), "90");
  assert.equal(await button(row, "Switch on").isVisible(), false);
  await seen(tab, "HDMI-A-2: nothing is connected");
  await seen(tab, "DP-1: LG HDR 4K is connected, but no known display uses it");
  assert.equal(await tab.getByText("HDMI-A-1:").count(), 0);
});

onTheTab("a disconnected display is described in one line", { displays: [WALL, AWAY] }, async ({ tab }) => {
  const row = rowOf(tab, ":8");
  await seen(row, "Not connected");
  await seen(row, "Gallery Display waits for it; rotation set to 180°");
  assert.equal(await row.getByRole("button").count(), 0);
});

onTheTab("a kiosk without a display says so", { displays: [] }, async ({ tab }) => {
  await seen(tab, /There is no display/);
});

onTheTab("a difference between the requested and the actual state is shown live, with the reason", {}, async ({ row, screens }) => {
  await seen(row, "Screen on");
  const mismatch = { ...WALL.power, requested: "off", problem: "the screen is on, although dpms was asked to switch it off" };
  const stuck = { requested: 270, actual: 90, problem: "xrandr: cannot rotate" };
  await screens.show({ displays: [{ ...WALL, power: mismatch, rotation: stuck }] });
  await seen(row, "Requested: off, but it is on.");
  await seen(row, "The screen is on, although dpms was asked to switch it off");
  await seen(row, "Set to 270°, but it is 90°.");
  await seen(row, "Xrandr: cannot rotate");
  await button(row, "Switch on").waitFor();
  await button(row, "Switch off").waitFor();
  await screens.show({ displays: [WALL] });
  await gone(row, "Xrandr: cannot rotate");
  await gone(row, /although dpms/);
});

onTheTab("a button switches a screen, and the focus moves to the other button", {}, async ({ page, row, screens }) => {
  const asked = [];
  await page.route("**/api/displays/**", (route) => {
    asked.push([new URL(route.request().url()).pathname, route.request().postDataJSON()]);
    return route.fulfill({ status: 202, json: WALL });
  });
  await button(row, "Switch off").click();
  await seen(page, "Switching the screen of :7 off.");
  await screens.show({ displays: [{ ...WALL, power: { ...WALL.power, requested: "off", actual: "off" } }] });
  await seen(row, "Screen off");
  assert.equal(await button(row, "Switch off").isVisible(), false);
  assert.equal(await button(row, "Switch on").evaluate((it) => it === document.activeElement), true);
  await button(row, "Switch on").click();
  await seen(page, "Switching the screen of :7 on.");
  assert.deepEqual(asked, [["/api/displays/%3A7/power", { on: false }], ["/api/displays/%3A7/power", { on: true }]]);
});

onTheTab("a screen that cannot be switched shows the reason", {}, async ({ page, row }) => {
  await page.route("**/api/displays/**", (route) => route.fulfill(problem(409, "nothing on this system can switch the screen of :7")));
  await button(row, "Switch off").click();
  await seen(row, "Nothing on this system can switch the screen of :7");
}, { complaints: [/status of 409/] });

onTheTab("a rotation is saved in the configuration, and the rest of it is kept", {}, async ({ page, kiosk, row }) => {
  const before = kiosk.file;
  await row.getByLabel("Rotation").selectOption("270");
  await button(row, "Rotate").click();
  await seen(page, /^Rotation of :7: 270°/);
  assert.deepEqual(kiosk.file, { ...before, displays: { ":7": { rotation: 270 }, ":9": { rotation: 90 } } });
  await row.getByLabel("Rotation").selectOption("");
  await button(row, "Rotate").click();
  await seen(page, /^Rotation of :7: Not set/);
  assert.deepEqual(kiosk.file, before);
}, { rest: { displays: { ":9": { rotation: 90 } } } });

onTheTab("events do not change a chosen rotation that is not saved yet", {}, async ({ row, screens }) => {
  await row.getByLabel("Rotation").selectOption("180");
  await screens.show({ displays: [{ ...WALL, resolution: "800x600" }] });
  await seen(row, "800 × 600");
  assert.equal(await row.getByLabel("Rotation").inputValue(), "180");
});

onTheTab("a concurrent change of the configuration does not prevent a rotation", {}, async ({ page, kiosk, row }) => {
  let isFirst = true;
  await page.route("**/api/config", async (route) => {
    if (route.request().method() === "PUT" && isFirst) {
      isFirst = false;
      await kiosk.ask("PUT", "/api/processes/gallery", { name: "Entrance" });
    }
    return route.fallback();
  });
  await row.getByLabel("Rotation").selectOption("0");
  await button(row, "Rotate").click();
  await seen(page, /^Rotation of :7: 0°/);
  assert.deepEqual(kiosk.file.displays, { ":7": { rotation: 0 } });
  assert.equal(kiosk.file.processes.gallery.name, "Entrance");
}, { complaints: [/status of 412/] });

onTheTab("a refused rotation shows the error beside its field, and stays chosen", {}, async ({ page, row }) => {
  await page.route("**/api/config", (route) =>
    route.request().method() === "PUT" ? route.fulfill(problem(503, "the configuration cannot be saved: no space left on device")) : route.fallback());
  await row.getByLabel("Rotation").selectOption("0");
  await button(row, "Rotate").click();
  await seen(row, /no space left on device/);
  assert.equal(await row.getByLabel("Rotation").inputValue(), "0");
}, { complaints: [/status of 503/] });

/** A simulated `vcgencmd` that switches the screen. */
const FIRMWARE = `#!/bin/sh
if [ $# = 2 ]; then echo "$2" >"$0.on"; fi
echo display_power=$(cat "$0.on" 2>/dev/null || echo 1)
`;

/** Whether this machine has screens of its own: then the daemon does not use `vcgencmd`. */
function hasScreens() {
  try {
    return readdirSync("/sys/class/drm").some((name) => name.includes("-"));
  } catch {
    return false;
  }
}

inWebUi("a button switches a real screen off and on, and the actual state is shown", { tools: { vcgencmd: FIRMWARE } }, async ({ page, keep }) => {
  const display = keep(await RealDisplay.open(), (display) => display.close());
  const row = rowOf(await openTab(page, "System"), display.name);
  await seen(row, "800 × 600");
  if (hasScreens()) return;
  await button(row, "Switch off").click();
  await seen(row, "It is off, as requested.");
  await button(row, "Switch on").click();
  await seen(row, "It is on, as requested.");
  await seen(row, "Screen on");
});

inWebUi("a display appears and disappears in the list", {}, async ({ page, keep }) => {
  const tab = await openTab(page, "System");
  const display = await pretendDisplay(keep);
  await rowOf(tab, display.name).waitFor();
  await display.close();
  await rowOf(tab, display.name).waitFor({ state: "hidden" });
});
