// The operator's browser: the page in a real Chromium, watched for everything it should not do.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { after, test } from "node:test";
import { chromium } from "playwright-core";
import { HERE, Kiosk, PATIENCE, PretendDisplay } from "./kiosk.mjs";

const OUTPUT = resolve(HERE, "../output");
const SUBJECT = basename(process.argv[1], ".test.mjs");

/** What a Chromium of Debian needs to run as root, without a screen, and without calling home. */
const SWITCHES = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Launched for the first test that needs it: a file without a test would wait for its browser for ever. */
let launched;

function launch() {
  launched ??= chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: SWITCHES });
  return launched;
}

after(async () => (await launched)?.close());

/**
 * A test with a kiosk and a page of its own. Whatever goes wrong in the page fails it, too: an error in the console,
 * something the content security policy stopped, a request that leaves the origin.
 *
 * `options.processes` and `options.rest` are the kiosk's document, `options.tools` its programs; `options.view` is for Playwright's context
 * (viewport, colour scheme); `options.complaints` are errors of the console that belong to the test, as a request
 * that is to be refused; with `options.isStranger` the browser is not signed in.
 */
export function onThePage(name, options, body) {
  test(name, { timeout: 3 * PATIENCE }, async () => {
    const things = [];
    const keep = (thing, end) => things.push(() => end(thing)) && thing;
    try {
      const kiosk = keep(await Kiosk.start(options.processes, options.rest, options.tools), (kiosk) => kiosk.stop());
      const context = keep(await (await launch()).newContext(options.view), (context) => context.close());
      context.setDefaultTimeout(PATIENCE);
      const page = await context.newPage();
      if (!options.isStranger) await kiosk.signIn(context);
      const faults = watch(page, kiosk.url, options.complaints ?? []);
      try {
        await page.goto(kiosk.url);
        await body({ page, kiosk, context, keep });
        assert.deepEqual(faults, [], "the page did what it should not");
      } catch (error) {
        mkdirSync(OUTPUT, { recursive: true });
        const picture = join(OUTPUT, `${SUBJECT} ${name}.png`.replaceAll(/[^\w.]+/g, "-"));
        await page.screenshot({ path: picture, fullPage: true }).catch(() => {});
        error.message += `\n(picture: ${picture}; the page's faults: ${JSON.stringify(faults)})`;
        throw error;
      }
    } finally {
      for (const end of things.reverse()) await end();
    }
  });
}

/**
 * A test of a page that needs no kiosk: a browser without a network, whose console stays silent. `view` is for
 * Playwright's context.
 */
export function onTheScreen(name, view, body) {
  test(name, { timeout: 3 * PATIENCE }, async () => {
    const context = await (await launch()).newContext({ offline: true, ...view });
    try {
      context.setDefaultTimeout(PATIENCE);
      const page = await context.newPage();
      const faults = watch(page, "null", []);
      await body({ page, context });
      assert.deepEqual(faults, [], "the page did what it should not");
    } finally {
      await context.close();
    }
  });
}

/** Opens a display that is there as long as the test: the one named, or one nobody has. */
export async function pretendDisplay(keep, name) {
  return keep(await PretendDisplay.open(name), (display) => display.close());
}

/** Notes what the page does wrong. */
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
    if (url.protocol !== "data:" && url.origin !== origin) faults.push(`asked elsewhere: ${url}`);
  });
  return faults;
}

// ---- what an operator sees, by role and name ----

/** The card of a process. */
export function card(page, name) {
  return page
    .locator("article, li, [role=listitem]")
    .filter({ has: page.getByRole("heading", { name, exact: true }) })
    .last();
}

/** A button of a card, or of anything else. */
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

/** Waits until text is seen. */
export function seen(place, text) {
  return place.getByText(text).filter({ visible: true }).first().waitFor();
}

/** Waits until text is not seen any more. */
export function gone(place, text) {
  return place.getByText(text).filter({ visible: true }).first().waitFor({ state: "hidden" });
}

/** Another tab of the browser is in front. Headless, Chromium keeps all tabs visible: only the page is made to believe it. */
export async function hide(page) {
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { value: true, configurable: true });
    Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
}

/** The tab is in front again. */
export async function unhide(page) {
  await page.evaluate(() => {
    delete document.hidden;
    delete document.visibilityState;
    document.dispatchEvent(new Event("visibilitychange"));
  });
}
