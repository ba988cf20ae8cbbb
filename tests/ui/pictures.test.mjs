// Takes screenshots of the web UI for the README (`page.png`), if OSSUARY_SCREENSHOTS names a directory.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { button, card, dialog, inWebUi, openTab, pretendDisplay, seen } from "./browser.mjs";
import { PAGE, pretendPages } from "./pretend.mjs";

const DIRECTORY = process.env.OSSUARY_SCREENSHOTS;

/** Runs the processes under the daemon's own account, so that they can execute the stubs. */
const AS_DAEMON = process.getuid() === 0 ? { user: "root" } : {};

/** The three processes of the plan. */
const PROCESSES = {
  "main-display": {
    ...AS_DAEMON,
    name: "Gallery Display",
    type: "chromium",
    command: "chromium --kiosk https://lumencanvas.studio/canvas/abc",
    display: ":0",
    flags: { kiosk: true, webgpu: true, autoplay: true },
  },
  "data-sync": { ...AS_DAEMON, name: "Data Sync Service", command: "python3 /home/pi/sync.py" },
  "api-server": {
    name: "Local API Server",
    command: "node /home/pi/server.js",
    autostart: false,
    restart_on_crash: false,
  },
};

/** The two rules of the plan. */
const RULES = [
  {
    id: "morning-switch",
    name: "Switch to Morning Canvas",
    trigger: { type: "time", time: "08:00", days: ["mon", "tue", "wed", "thu", "fri"] },
    action: { type: "switch_canvas", process_id: "main-display", url: "https://lumencanvas.studio/canvas/morning" },
    until: "18:00",
  },
  {
    id: "restart-sync",
    name: "Restart sync daily",
    trigger: { type: "time", time: "03:00", days: ["*"] },
    action: { type: "restart_process", process_id: "data-sync" },
  },
];

/** The page on the display. */
const CANVAS = `<body style="margin: 0; height: 100vh; display: grid; place-items: center; color: #fbf8f3; font: 300 9vh/1.3 sans-serif; text-align: center;
  background: radial-gradient(circle at 25% 30%, #4fd8c6 0 6%, transparent 6.3%), radial-gradient(circle at 78% 68%, #f2bb62 0 11%, transparent 11.3%),
  linear-gradient(135deg, #04201c, #0b6b63)"><p>Entrance Hall<br>Open until 18:00</p>`;

const DESK = { viewport: { width: 1280, height: 960 }, colorScheme: "light" };
const PHONE = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };

const VIEWS = {
  "page": DESK,
  "dark": { ...DESK, colorScheme: "dark" },
  "phone": PHONE,
  "phone-dark": { ...PHONE, colorScheme: "dark" },
};

for (const [name, view] of DIRECTORY ? Object.entries(VIEWS) : []) {
  const complaints = [/status of 422/, /ERR_/];
  inWebUi(`screenshots: ${name}`, { processes: PROCESSES, rest: { schedule: { rules: RULES } }, complaints, view }, async ({ page, kiosk, context, keep }) => {
    await pretendDisplay(keep, ":0");
    const canvas = await context.newPage();
    await canvas.setViewportSize({ width: 960, height: 540 });
    await canvas.setContent(CANVAS);
    const body = await canvas.screenshot({ scale: "css" });
    await canvas.close();
    mkdirSync(DIRECTORY, { recursive: true });
    const takeScreenshot = (what) =>
      page.screenshot({ path: join(DIRECTORY, `${[name, what].filter(Boolean).join("-")}.png`), animations: "disabled" });

    await kiosk.untilStatus("main-display", "running");
    const screen = await pretendPages(page, { "main-display": { ...PAGE, since: new Date().toISOString() } });
    screen.answers.screenshot = { contentType: "image/png", body };
    await seen(card(page, "Gallery Display"), /^running$/i);
    await seen(card(page, "Data Sync Service"), /^running$/i);
    // Two hours later: the web UI counts the uptime on.
    await page.clock.install();
    await page.goto(kiosk.url);
    await seen(card(page, "Data Sync Service"), /^running$/i);
    await page.clock.fastForward("02:15:04");
    await seen(card(page, "Data Sync Service"), /2h 15m/);
    await card(page, "Gallery Display").getByRole("img").waitFor();
    await takeScreenshot();

    await page.clock.resume();
    await button(page, "Add Display Process").click();
    await takeScreenshot("add-display");
    await button(dialog(page), "Cancel").click();
    await button(page, "Add Background Process").click();
    await dialog(page).getByLabel("Name", { exact: true }).fill("Weather Feed");
    await dialog(page).getByLabel("Command", { exact: true }).fill("echo 'never closed");
    await takeScreenshot("add-background");
    await button(dialog(page), "Add").click();
    await dialog(page).locator("[aria-invalid=true]").waitFor();
    await takeScreenshot("add-background-wrong");
    await button(dialog(page), "Cancel").click();
    await button(card(page, "Local API Server"), "Delete").click();
    await takeScreenshot("delete");
    await button(dialog(page), "Cancel").click();
    await seen(await openTab(page, "Schedule"), "Switch to Morning Canvas");
    await takeScreenshot("schedule");
    await button(card(page, "Switch to Morning Canvas"), "Edit").click();
    await takeScreenshot("edit-rule");
    await button(dialog(page), "Cancel").click();
    await openTab(page, "Logs");
    await seen(page.getByRole("tabpanel", { name: "Logs" }), /pid \d+/);
    await takeScreenshot("logs");
    await seen(await openTab(page, "System"), /memory/i);
    await takeScreenshot("system");
    kiosk.configure({ version: 3, processes: { sync: { command: 7 } } });
    await kiosk.ask("POST", "/api/reload").catch(() => {});
    await openTab(page, "Processes");
    await seen(page, /processes\.sync\.command/);
    await takeScreenshot("problem");
    await kiosk.kill();
    await seen(page, /^connection lost/i);
    await takeScreenshot("lost");
    await kiosk.revive();
  });
}

if (DIRECTORY) {
  inWebUi("screenshots: nothing is set up yet", { view: DESK }, async ({ page }) => {
    mkdirSync(DIRECTORY, { recursive: true });
    await seen(page, /nothing is set up yet/i);
    await page.screenshot({ path: join(DIRECTORY, "empty.png"), animations: "disabled" });
  });
}
