// The operator's browser: the web UI in a real Chromium. An unexpected error or request fails the test.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { after, test } from "node:test";
import { chromium } from "playwright-core";
import { HERE, Kiosk, PATIENCE, PretendDisplay } from "./kiosk.mjs";

const OUTPUT = resolve(HERE, "../output");
const SUBJECT = basename(process.argv[1], ".test.mjs");

/** What Debian's Chromium needs to run as root, without a screen, and without requests to its vendor. */
const SWITCHES = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Launched by the first test that needs it: a file that runs no test would never close its browser. */
let launched;

function launch() {
  launched ??= chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: SWITCHES });
  return launched;
}

after(async () => (await launched)?.close());

/**
 * A test with its own kiosk and its own page. It also fails on an error in the console, on a violation of the content
 * security policy, and on a request to another origin.
 *
 * `options.processes` and `options.rest` are the configuration, `options.tools` the programs of the kiosk;
 * `options.view` is for Playwright's context (viewport, colour scheme); `options.complaints` are console errors that
 * the test expects, for instance of a refused request; with `options.isAnonymous` the browser is not signed in.
 */
export function inWebUi(name, options, body) {
  test(name, { timeout: 3 * PATIENCE }, async () => {
    const things = [];
    const keep = (thing, end) => things.push(() => end(thing)) && thing;
    try {
      const kiosk = keep(await Kiosk.start(options.processes, options.rest, options.tools), (kiosk) => kiosk.stop());
      const context = keep(await (await launch()).newContext(options.view), (context) => context.close());
      context.setDefaultTimeout(PATIENCE);
      const page = await context.newPage();
      if (!options.isAnonymous) await kiosk.signIn(context);
      const faults = watch(page, kiosk.url, options.complaints ?? []);
      try {
        await page.goto(kiosk.url);
        await body({ page, kiosk, context, keep });
        assert.deepEqual(faults, [], "unexpected errors or requests");
      } catch (error) {
        mkdirSync(OUTPUT, { recursive: true });
        const screenshot = join(OUTPUT, `${SUBJECT} ${name}.png`.replaceAll(/[^\w.]+/g, "-"));
        await page.screenshot({ path: screenshot, fullPage: true }).catch(() => {});
        error.message += `\n(screenshot: ${screenshot}; errors: ${JSON.stringify(faults)})`;
        throw error;
      }
    } finally {
      for (const end of things.reverse()) await end();
    }
  });
}

/**
 * A test of a built-in page: in a browser without a network, whose console has to stay empty. `view` is for
 * Playwright's context.
 */
export function onBuiltInPage(name, view, body) {
  test(name, { timeout: 3 * PATIENCE }, async () => {
    const context = await (await launch()).newContext({ offline: true, ...view });
    try {
      context.setDefaultTimeout(PATIENCE);
      const page = await context.newPage();
      const faults = watch(page, "null", []);
      await body({ page, context });
      assert.deepEqual(faults, [], "unexpected errors or requests");
    } finally {
      await context.close();
    }
  });
}

/** Opens a display for the duration of the test: the one named, or an unused one. */
export async function pretendDisplay(keep, name) {
  return keep(await PretendDisplay.open(name), (display) => display.close());
}

/** Collects the errors of a page and its requests to other origins. */
function watch(page, origin, complaints) {
  const faults = [];
  const isExpected = (text) => complaints.some((complaint) => complaint.test(text));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()) && !isExpected(message.text())) {
      faults.push(`${message.type()}: ${message.text()}`);
    }
  });
  page.on("pageerror", (error) => faults.push(`uncaught: ${error.stack}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol !== "data:" && url.origin !== origin) faults.push(`request to another origin: ${url}`);
  });
  return faults;
}

// ---- locators, by role and name ----

/** The card of a process. */
export function card(page, name) {
  return page
    .locator("article, li, [role=listitem]")
    .filter({ has: page.getByRole("heading", { name, exact: true }) })
    .last();
}

/** A button in a card or another element. */
export function button(place, name) {
  return place.getByRole("button", { name, exact: true });
}

/** Opens a tab. */
export async function openTab(page, name) {
  await page.getByRole("tab", { name }).click();
  return page.getByRole("tabpanel", { name });
}

/** The dialog that is open. */
export function dialog(page) {
  return page.locator("dialog[open], [role=dialog]:visible, [role=alertdialog]:visible").last();
}

/** Waits until a text is visible. */
export function seen(place, text) {
  return place.getByText(text).filter({ visible: true }).first().waitFor();
}

/** Waits until a text is no longer visible. */
export function gone(place, text) {
  return place.getByText(text).filter({ visible: true }).first().waitFor({ state: "hidden" });
}

/** Makes the page believe that its tab is hidden: headless, Chromium keeps all tabs visible. */
export async function hide(page) {
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { value: true, configurable: true });
    Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
}

/** Makes the page believe that its tab is visible again. */
export async function unhide(page) {
  await page.evaluate(() => {
    delete document.hidden;
    delete document.visibilityState;
    document.dispatchEvent(new Event("visibilitychange"));
  });
}
