// The built-in pages in a real browser: at every size, in portrait, without a network.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { onBuiltInPage } from "./browser.mjs";
import { REPOSITORY } from "./kiosk.mjs";

const JSQR = readFileSync(createRequire(import.meta.url).resolve("jsqr"), "utf8");

/** Rendered by the same code as in the daemon. */
const { pages, overlay, noOverlay } = JSON.parse(
  execFileSync("cargo", ["run", "--quiet", "--example", "screen_pages"], { cwd: REPOSITORY, maxBuffer: 1 << 24 }),
);

const SIZES = [[1920, 1080], [1080, 1920], [800, 480], [480, 800], [1024, 600], [1280, 1024], [1920, 360], [320, 240], [240, 320], [3840, 2160]];

/** The address by which the kiosk's browser gets the page. */
const addressOf = (document) => `data:text/html;base64,${Buffer.from(document).toString("base64")}`;

/** The elements that overflow the frame or overlap. */
function misplaced() {
  const box = (it) => it.getBoundingClientRect();
  const name = (it) => it.className || it.tagName;
  const frame = box(document.querySelector("main"));
  const shown = [...document.querySelectorAll("h1, p, figure")].filter((it) => box(it).width > 0);
  const within = (it) => {
    const { left, top, right, bottom } = box(it);
    return left >= frame.left && top >= frame.top && right <= frame.right && bottom <= frame.bottom && it.scrollWidth <= it.clientWidth + 1;
  };
  const overlap = ([one, other]) => {
    const [a, b] = [box(one), box(other)];
    return a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
  };
  const pairs = shown.flatMap((one, place) => shown.slice(place + 1).map((other) => [one, other]));
  return [
    ...shown.filter((it) => !within(it)).map((it) => `${name(it)} overflows`),
    ...pairs.filter(overlap).map(([one, other]) => `${name(one)} overlaps ${name(other)}`),
  ];
}

for (const [width, height] of SIZES) {
  onBuiltInPage(`every page fits a screen of ${width} by ${height}`, { viewport: { width, height } }, async ({ page }) => {
    for (const [name, document] of Object.entries(pages)) {
      await page.goto(addressOf(document));
      assert.deepEqual(await page.evaluate(misplaced), [], name);
    }
  });
}

for (const [width, height] of [[1920, 1080], [1080, 1920], [320, 240], [240, 320]]) {
  onBuiltInPage(`the QR code opens the web UI at ${width} by ${height}`, { viewport: { width, height } }, async ({ page }) => {
    await page.goto(addressOf(pages.offline));
    const image = await page.screenshot();
    await page.evaluate(JSQR);
    const read = await page.evaluate(async (image) => {
      const bytes = Uint8Array.from(atob(image), (character) => character.charCodeAt(0));
      const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
      canvas.drawImage(bitmap, 0, 0);
      const { data } = canvas.getImageData(0, 0, bitmap.width, bitmap.height);
      return window.jsQR(data, bitmap.width, bitmap.height)?.data;
    }, image.toString("base64"));
    assert.equal(read, "http://gallery-entrance.local:8081/");
  });
}

onBuiltInPage("a built-in page has no animation", {}, async ({ page }) => {
  for (const [name, document] of Object.entries(pages)) {
    await page.goto(addressOf(document));
    assert.equal(await page.evaluate(() => document.getAnimations().length), 0, name);
  }
});

onBuiltInPage("the content moves every three minutes, and returns", {}, async ({ page }) => {
  await page.clock.install();
  await page.goto(addressOf(pages.offline));
  const place = () => page.evaluate(() => Object.values(document.querySelector("h1").getBoundingClientRect().toJSON()).join());
  await page.clock.runFor("03:00");
  const first = await place();
  const places = new Set();
  for (let step = 0; step < 8; step += 1) {
    await page.clock.runFor("03:00");
    places.add(await place());
    assert.deepEqual(await page.evaluate(misplaced), []);
  }
  assert.equal(places.size, 8, "each step is at a different position");
  assert.equal(await place(), first);
});

/** A page with a strict content security policy, and a form. */
const STRICT = `<!doctype html>
  <meta http-equiv="Content-Security-Policy" content="default-src 'none'; require-trusted-types-for 'script'">
  <body><input id="typed"><button id="below">Order</button>`;

const HIDING = "*{display:none!important;color:red!important;font-size:90px!important;opacity:0!important;visibility:hidden!important}";

onBuiltInPage("the notice is shown over any page, once, and does not change the page", {}, async ({ page, context }) => {
  await page.goto(addressOf(STRICT));
  await page.fill("#typed", "half a sentence");
  await page.evaluate((rules) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`ossuary-notice, ossuary-notice ${rules}`);
    document.adoptedStyleSheets = [sheet];
  }, HIDING);
  // Only the lower half: in the upper half the focus outline is drawn a little differently each time.
  const shoot = () => page.screenshot({ clip: { x: 0, y: 360, width: 1280, height: 360 } });
  const before = await shoot();
  // As in the daemon: the content security policy does not apply to DevTools.
  const devtools = await context.newCDPSession(page);
  const run = async (expression) => (await devtools.send("Runtime.evaluate", { expression, returnByValue: true })).exceptionDetails;
  assert.equal(await run(overlay), undefined);
  const once = await shoot();
  assert.ok(!once.equals(before), "the notice is visible");
  assert.equal(await run(overlay), undefined);
  assert.ok((await shoot()).equals(once), "a second call replaces the notice");
  assert.equal(await page.locator("ossuary-notice").count(), 1);
  assert.equal(await page.evaluate(() => document.querySelector("ossuary-notice").shadowRoot), null);
  assert.equal(await page.inputValue("#typed"), "half a sentence");
  assert.equal(await page.evaluate(() => document.activeElement.id), "typed");
  assert.equal(await run(noOverlay), undefined);
  assert.ok((await shoot()).equals(before), "the notice is removed without a trace");
  assert.equal(await run(noOverlay), undefined);
});

onBuiltInPage("the notice is visible over a modal dialog, and passes clicks through", {}, async ({ page }) => {
  await page.goto("data:text/html,<body style='margin:0'><dialog style='inset:0;width:100vw;height:100vh;max-width:none;max-height:none;padding:0;border:0;background:white'><button style='position:fixed;inset:0;width:100vw;height:100vh;background:white;border:0'></button></dialog>");
  await page.evaluate(() => {
    document.querySelector("dialog").showModal();
    document.querySelector("button").addEventListener("click", (event) => (document.title = `${event.clientX} pressed`));
  });
  const before = await page.screenshot();
  await page.evaluate(overlay);
  assert.ok(!(await page.screenshot()).equals(before), "the notice is visible");
  const { height } = page.viewportSize();
  await page.mouse.click(80, height - 80);
  assert.equal(await page.title(), "80 pressed");
});

onBuiltInPage("the notice is shown over an image as well as over a page", {}, async ({ page }) => {
  await page.goto("data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='600' height='400'><rect width='600' height='400' fill='teal'/></svg>");
  assert.equal(await page.evaluate(overlay), true);
  assert.equal(await page.evaluate(() => document.querySelectorAll("ossuary-notice").length), 1);
});
