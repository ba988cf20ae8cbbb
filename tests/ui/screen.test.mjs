// The page of a display process on its card: screenshot, state, recovery, and buttons.

import assert from "node:assert/strict";
import { button, card, dialog, gone, inWebUi, pretendDisplay, seen } from "./browser.mjs";
import { vacantDisplay } from "./kiosk.mjs";
import { PAGE, pretendPages, problem } from "./pretend.mjs";

/** A test of the card of a running display process with a healthy page. `before` runs before the web UI is loaded. */
function onTheCard(name, body, { processes = {}, complaints = [], before = () => {}, shown = PAGE } = {}) {
  const display = vacantDisplay();
  const gallery = { name: "Gallery Display", type: "chromium", command: "sh -c 'exec sleep 1000'", display };
  inWebUi(name, { processes: { ...processes, gallery }, complaints }, async (things) => {
    await pretendDisplay(things.keep, display);
    await things.kiosk.untilStatus("gallery", "running");
    await before(things);
    const screen = await pretendPages(things.page, { gallery: shown });
    await body({ ...things, screen, place: card(things.page, "Gallery Display") });
  });
}

/** Stops the clock of the web UI: only the test advances it. */
async function pauseClock({ page }) {
  const now = Date.now();
  await page.clock.install({ time: now });
  await page.clock.pauseAt(now + 1000);
}

/** Runs in the web UI before its scripts: holds the intersection entries back until the test delivers them at once. */
function holdIntersections() {
  const seen = [];
  window.IntersectionObserver = class extends window.IntersectionObserver {
    constructor(listener) {
      super((entries) => seen.push(...entries));
      window.deliverIntersections = () => listener(seen.splice(0), this);
    }
  };
  window.intersectionsHeld = () => seen.length;
}

const screenshots = (screen) => screen.asked.filter(({ what }) => what === "screenshot").length;

onTheCard("a card shows a screenshot and the state of the page", async ({ screen, place }) => {
  await place.getByRole("img", { name: /^The screen of Gallery Display at \d\d:\d\d:\d\d$/ }).waitFor();
  await seen(place, "Page is shown");
  await seen(place, /^since /);
  await seen(place, "Entrance Hall");
  await seen(place, "https://lumencanvas.studio/canvas/abc");
  assert.deepEqual(screen.asked[0], { what: "screenshot", width: "480", body: null });
});

onTheCard("an unhealthy page is described in words, with the reason", async ({ screen, place }) => {
  await place.getByRole("img").waitFor();
  await screen.show("gallery", { state: "net_error", reason: "net::ERR_NAME_NOT_RESOLVED", title: "" });
  await seen(place, "Page cannot be reached");
  await seen(place, "net::ERR_NAME_NOT_RESOLVED");
});

onTheCard("the badge, its colour and the state of the page say the same", async ({ page, screen, place }) => {
  const badge = place.locator(".badge.status");
  const colour = (thing) => thing.evaluate((it) => getComputedStyle(it).color);
  const token = (name) => page.evaluate((name) => {
    const probe = document.body.appendChild(document.createElement("p"));
    probe.style.color = `var(${name})`;
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  }, name);
  const conditions = {
    healthy: ["Running", "--teal"],
    "healthy, without its server": ["Server unreachable", "--amber"],
    net_error: ["Page unreachable", "--red"],
    hung: ["Not responding", "--red"],
    blank: ["Page blank", "--red"],
    crashed: ["Page crashed", "--red"],
    loading: ["Loading", "--amber"],
  };
  await place.getByRole("img").waitFor();
  for (const [condition, [label, name]] of Object.entries(conditions)) {
    const [state, rest] = condition.split(",");
    await screen.show("gallery", { state, server_reachable: rest === undefined });
    await seen(place, new RegExp(`^${label}$`));
    assert.equal(await badge.textContent(), label);
    assert.equal(await colour(badge), await token(name), `the badge of a page that is ${condition}`);
    assert.equal(await colour(place.locator(".page-state")), await token(name), `the state of a page that is ${condition}`);
  }
});

onTheCard("a recovered page no longer shows its earlier error", async ({ screen, place }) => {
  const what = "net::ERR_CONNECTION_REFUSED; a built-in page says so until the server is back";
  const step = { at: "2026-11-23T08:05:00Z", state: "net_error", what, evidence: null };
  await place.getByRole("img").waitFor();
  await screen.show("gallery", { state: "net_error", reason: "net::ERR_CONNECTION_REFUSED", last_step: step });
  await seen(place, /: net::ERR_CONNECTION_REFUSED; a built-in page/);
  await screen.show("gallery", { state: "healthy", reason: null });
  await gone(place, /ERR_CONNECTION_REFUSED/);
  await screen.show("gallery", { last_step: { ...step, evidence: "2026-11-23T08:05:01Z" } });
  await seen(place, /^Last recovery: .*\d\d:05$/);
  await gone(place, /ERR_CONNECTION_REFUSED/);
});

onTheCard("a recovery step is shown, with the screenshot before it", async ({ page, screen, place }) => {
  await place.getByRole("img").waitFor();
  assert.equal(await button(place, "Screenshot before recovery").count(), 0);
  const what = "the page does not answer; reloading";
  const step = { at: "2026-11-23T08:05:00Z", state: "hung", what, evidence: null };
  await screen.show("gallery", { state: "hung", last_painted: "2026-11-23T08:04:30Z", last_step: step });
  await seen(place, /, last healthy at \d\d:\d\d:30$/);
  await seen(place, /: The page does not answer; reloading$/);
  assert.equal(await button(place, "Screenshot before recovery").count(), 0);
  await screen.show("gallery", { state: "healthy", last_painted: null, last_step: { ...step, evidence: "2026-11-23T08:05:01Z" } });
  await button(place, "Screenshot before recovery").click();
  const shown = dialog(page);
  await shown.getByRole("img", { name: "The screen of Gallery Display before recovery" }).waitFor();
  assert.deepEqual(screen.asked.at(-1), { what: "evidence", width: null, body: null });
  await button(shown, "Close").click();
  await shown.waitFor({ state: "hidden" });
});

onTheCard("a card that scrolled into view while the browser was busy shows its screenshot", async ({ page, kiosk, place }) => {
  await page.waitForFunction(() => window.intersectionsHeld() === 1);
  await kiosk.start("gallery");
  await page.waitForFunction(() => window.intersectionsHeld() === 2);
  assert.equal(await place.getByRole("img").count(), 0);
  await page.evaluate(() => window.deliverIntersections());
  await place.getByRole("img").waitFor();
}, {
  before: async ({ page, kiosk }) => {
    await kiosk.halt("gallery");
    await kiosk.untilStatus("gallery", "stopped");
    await page.addInitScript(holdIntersections);
  },
});

onTheCard("only a running display process has a page", async ({ page, kiosk, place }) => {
  await button(place, "Reload").waitFor();
  await button(card(page, "Data Sync Service"), "Stop").waitFor();
  assert.equal(await button(card(page, "Data Sync Service"), "Reload").count(), 0);
  await kiosk.halt("gallery");
  await seen(place, /^stopped$/i);
  await button(place, "Reload").waitFor({ state: "hidden" });
}, { processes: { sync: { name: "Data Sync Service", command: "sleep 1000" } } });

onTheCard("a screenshot is taken every ten seconds and after every change", async ({ page, screen, place }) => {
  await place.getByRole("img").waitFor();
  assert.equal(screenshots(screen), 1);
  await page.clock.runFor(9_000);
  assert.equal(screenshots(screen), 1);
  const second = page.waitForResponse(/screenshot/);
  await page.clock.runFor(2_000);
  await second;
  await page.clock.runFor(1_000);
  assert.equal(screenshots(screen), 2);
  const third = page.waitForResponse(/screenshot/);
  await screen.show("gallery", { url: "https://example.org/next", title: "Next" });
  await third;
  await page.clock.runFor(5_000);
  assert.equal(screenshots(screen), 3);
}, { before: pauseClock });

onTheCard("no screenshot is taken while the card is hidden", async ({ page, screen, place }) => {
  await place.getByRole("img").waitFor();
  await page.getByRole("tab", { name: "Logs" }).click();
  await page.clock.runFor(60_000);
  assert.equal(screenshots(screen), 1, "another tab is open");
  await page.evaluate(() => Object.defineProperty(document, "hidden", { value: true, configurable: true }));
  await page.getByRole("tab", { name: "Processes" }).click();
  await page.clock.runFor(60_000);
  assert.equal(screenshots(screen), 1, "the browser tab is hidden");
  const next = page.waitForResponse(/screenshot/);
  await page.evaluate(() => delete document.hidden);
  await page.clock.runFor(1_000);
  await next;
  assert.equal(screenshots(screen), 2);
}, { before: pauseClock });

onTheCard("no screenshot is taken while the card is outside the viewport", async ({ page, screen, place }) => {
  await place.waitFor({ state: "attached" });
  await seen(card(page, "Helper 1"), /^running$/i);
  await page.clock.runFor(30_000);
  assert.equal(screenshots(screen), 0);
  await place.scrollIntoViewIfNeeded();
  await page.clock.runFor(1_000);
  await place.getByRole("img").waitFor();
}, {
  processes: Object.fromEntries([1, 2, 3, 4, 5, 6].map((it) => [`helper-${it}`, { name: `Helper ${it}`, command: "sleep 1000" }])),
  before: pauseClock,
});

onTheCard("an old screenshot is marked as stale", async ({ page, screen, place }) => {
  await place.getByRole("img", { name: /^The screen/ }).waitFor();
  await screen.show("gallery", { state: "hung", reason: "the page has not answered twice" });
  await place.getByRole("img", { name: /^Stale: the screen/ }).waitFor();
  await seen(place, /^Stale: from \d/);
  await page.clock.runFor(60_000);
  assert.equal(screenshots(screen), 1, "no screenshot of a hung page is requested");
  await screen.show("gallery", { state: "healthy", reason: null });
  await place.getByRole("img", { name: /^The screen/ }).waitFor();
  await gone(place, /^Stale/);

  screen.answers.screenshot = problem(503, "the page does not answer");
  const refused = page.waitForResponse(/screenshot/);
  await page.clock.runFor(11_000);
  await refused;
  await seen(place, /^Stale: from \d/);
}, { complaints: [/status of 503/], before: pauseClock });

onTheCard("a card without a screenshot shows the reason", async ({ screen, place }) => {
  await seen(place, "Page has crashed");
  await seen(place, "The page has crashed");
  assert.equal(await place.getByRole("img").count(), 0);
  assert.equal(screenshots(screen), 0);
}, { shown: { ...PAGE, state: "crashed" } });

onTheCard("a button reloads the page, and the card shows a refusal", async ({ page, screen, place }) => {
  const asked = page.waitForRequest(/\/reload$/);
  await button(place, "Reload").click();
  assert.equal((await asked).method(), "POST");
  await seen(page, /Gallery Display is reloading its page/);
  screen.answers.reload = problem(409, "gallery is not running; start it first");
  await button(place, "Reload").click();
  await seen(place, "Gallery is not running; start it first");
}, { complaints: [/status of 409/] });

onTheCard("another page is shown by its URL, cut or faded", async ({ page, screen, place }) => {
  await button(place, "Open URL").click();
  const field = dialog(page).getByLabel("URL", { exact: true });
  assert.equal(await field.inputValue(), PAGE.url);
  await field.fill("https://example.org/next");
  await dialog(page).getByLabel("Fade").check({ force: true });
  await button(dialog(page), "Show").click();
  await dialog(page).waitFor({ state: "hidden" });
  const { body } = screen.asked.find(({ what }) => what === "navigate");
  assert.deepEqual(body, { url: "https://example.org/next", transition: "fade" });
});

for (const [how, leave] of Object.entries({ Cancel: (page) => button(dialog(page), "Cancel").click(), Escape: (page) => page.keyboard.press("Escape") })) {
  onTheCard(`${how} cancels a page that is loading`, async ({ page, place }) => {
    await page.route("**/navigate", () => {}); // It takes as long as the test.
    await button(place, "Open URL").click();
    await dialog(page).getByLabel("URL", { exact: true }).fill("https://example.org/slow");
    const sent = page.waitForRequest(/\/navigate$/);
    await button(dialog(page), "Show").click();
    const request = await sent;
    const failed = page.waitForEvent("requestfailed");
    await leave(page);
    await dialog(page).waitFor({ state: "hidden" });
    assert.equal(await failed, request);
    assert.match(request.failure().errorText, /ERR_ABORTED/);
  });
}

onTheCard("a URL that cannot be shown stays in its field", async ({ page, screen, place }) => {
  screen.answers.navigate = problem(422, "url: must begin with http:// or https://", "url");
  await button(place, "Open URL").click();
  const field = dialog(page).getByLabel("URL", { exact: true });
  await field.fill("example dot org");
  await button(dialog(page), "Show").click();
  await seen(dialog(page), "Must begin with http:// or https://");
  assert.equal(await field.getAttribute("aria-invalid"), "true");
  assert.equal(await field.inputValue(), "example dot org");

  screen.answers.navigate = problem(409, "the page could not be loaded: net::ERR_CONNECTION_REFUSED; the old one stays");
  await field.fill("http://127.0.0.1:9/");
  await button(dialog(page), "Show").click();
  await seen(dialog(page), /ERR_CONNECTION_REFUSED; the old one stays/);
  assert.equal(await field.getAttribute("aria-invalid"), null);

  await page.keyboard.press("Escape");
  await dialog(page).waitFor({ state: "hidden" });
  await button(place, "Open URL").click();
  assert.equal(await field.inputValue(), "http://127.0.0.1:9/", "Escape keeps the input");
  await button(dialog(page), "Cancel").click();
  await dialog(page).waitFor({ state: "hidden" });
  await button(place, "Open URL").click();
  assert.equal(await field.inputValue(), PAGE.url, "Cancel discards the input");
}, { complaints: [/status of 4\d\d/] });

onTheCard("a screenshot is shown in full, and can be downloaded", async ({ page, screen, place }) => {
  await button(place, "Screenshot").click();
  await dialog(page).getByRole("img", { name: "The screen of Gallery Display" }).waitFor();
  assert.ok(screen.asked.some(({ what, width }) => what === "screenshot" && width === null));
  const [download] = await Promise.all([page.waitForEvent("download"), dialog(page).getByRole("link", { name: "Download" }).click()]);
  assert.match(download.suggestedFilename(), /^gallery[ _].*\.png$/);
  await button(dialog(page), "Close").click();
  await dialog(page).waitFor({ state: "hidden" });

  screen.answers.screenshot = problem(503, "the page does not answer");
  await button(place, "Screenshot").click();
  await seen(place, "The page does not answer");
}, { complaints: [/status of 503/] });
