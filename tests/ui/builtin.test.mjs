// The pages that come from the daemon itself, as a screen shows them: at every size, on its side, without a network.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { onTheScreen } from "./browser.mjs";
import { REPOSITORY } from "./kiosk.mjs";

const JSQR = readFileSync(createRequire(import.meta.url).resolve("jsqr"), "utf8");

/** Built with the daemon, from the same sources. */
const { pages, overlay, noOverlay } = JSON.parse(
  execFileSync("cargo", ["run", "--quiet", "--example", "screen_pages"], { cwd: REPOSITORY, maxBuffer: 1 << 24 }),
);

const SIZES = [[1920, 1080], [1080, 1920], [800, 480], [480, 800], [1024, 600], [1280, 1024], [1920, 360], [320, 240], [240, 320], [3840, 2160]];

/** As the browser of the kiosk gets it. */
const addressOf = (document) => `data:text/html;base64,${Buffer.from(document).toString("base64")}`;

/** What sticks out of its frame, or lies over something else. */
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
    ...shown.filter((it) => !within(it)).map((it) => `${name(it)} sticks out`),
    ...pairs.filter(overlap).map(([one, other]) => `${name(one)} lies over ${name(other)}`),
  ];
}

for (const [width, height] of SIZES) {
  onTheScreen(`every page fits a screen of ${width} by ${height}`, { viewport: { width, height } }, async ({ page }) => {
    for (const [name, document] of Object.entries(pages)) {
      await page.goto(addressOf(document));
      assert.deepEqual(await page.evaluate(misplaced), [], name);
    }
  });
}

for (const [width, height] of [[1920, 1080], [1080, 1920], [320, 240], [240, 320]]) {
  onTheScreen(`the QR code leads to the control page at ${width} by ${height}`, { viewport: { width, height } }, async ({ page }) => {
    await page.goto(addressOf(pages.offline));
    const picture = await page.screenshot();
    await page.evaluate(JSQR);
    const read = await page.evaluate(async (picture) => {
      const bytes = Uint8Array.from(atob(picture), (character) => character.charCodeAt(0));
      const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
      canvas.drawImage(bitmap, 0, 0);
      const { data } = canvas.getImageData(0, 0, bitmap.width, bitmap.height);
      return window.jsQR(data, bitmap.width, bitmap.height)?.data;
    }, picture.toString("base64"));
    assert.equal(read, "http://gallery-entrance.local:8081/");
  });
}

onTheScreen("nothing moves on a page that stands for days", {}, async ({ page }) => {
  for (const [name, document] of Object.entries(pages)) {
    await page.goto(addressOf(document));
    assert.equal(await page.evaluate(() => document.getAnimations().length), 0, name);
  }
});

onTheScreen("the picture steps aside now and then, and comes back", {}, async ({ page }) => {
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
  assert.equal(places.size, 8, "each step is another place");
  assert.equal(await place(), first);
});

/** A page that does what it can against a notice, and has something typed into it. */
const STUBBORN = `<!doctype html>
  <meta http-equiv="Content-Security-Policy" content="default-src 'none'; require-trusted-types-for 'script'">
  <body><input id="typed"><button id="below">Order</button>`;

const CRUEL = "*{display:none!important;color:red!important;font-size:90px!important;opacity:0!important;visibility:hidden!important}";

onTheScreen("the notice lies over any page, once, and takes nothing from it", {}, async ({ page, context }) => {
  await page.goto(addressOf(STUBBORN));
  await page.fill("#typed", "half a sentence");
  await page.evaluate((rules) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`ossuary-notice, ossuary-notice ${rules}`);
    document.adoptedStyleSheets = [sheet];
  }, CRUEL);
  // The lower half: above it the outline of what has the focus is drawn a little differently each time.
  const shoot = () => page.screenshot({ clip: { x: 0, y: 360, width: 1280, height: 360 } });
  const before = await shoot();
  // As the daemon does it: the page's policy is the page's.
  const devtools = await context.newCDPSession(page);
  const run = async (expression) => (await devtools.send("Runtime.evaluate", { expression, returnByValue: true })).exceptionDetails;
  assert.equal(await run(overlay), undefined);
  const once = await shoot();
  assert.ok(!once.equals(before), "it is seen");
  assert.equal(await run(overlay), undefined);
  assert.ok((await shoot()).equals(once), "twice is once");
  assert.equal(await page.locator("ossuary-notice").count(), 1);
  assert.equal(await page.evaluate(() => document.querySelector("ossuary-notice").shadowRoot), null);
  assert.equal(await page.inputValue("#typed"), "half a sentence");
  assert.equal(await page.evaluate(() => document.activeElement.id), "typed");
  assert.equal(await run(noOverlay), undefined);
  assert.ok((await shoot()).equals(before), "as if it had never been");
  assert.equal(await run(noOverlay), undefined);
});

onTheScreen("the notice is seen over a page that fills the screen, and lets a finger through", {}, async ({ page }) => {
  await page.goto("data:text/html,<body style='margin:0'><dialog style='inset:0;width:100vw;height:100vh;max-width:none;max-height:none;padding:0;border:0;background:white'><button style='position:fixed;inset:0;width:100vw;height:100vh;background:white;border:0'></button></dialog>");
  await page.evaluate(() => {
    document.querySelector("dialog").showModal();
    document.querySelector("button").addEventListener("click", (event) => (document.title = `${event.clientX} pressed`));
  });
  const before = await page.screenshot();
  await page.evaluate(overlay);
  assert.ok(!(await page.screenshot()).equals(before), "it is seen");
  const { height } = page.viewportSize();
  await page.mouse.click(80, height - 80);
  assert.equal(await page.title(), "80 pressed");
});

onTheScreen("the notice lies over a picture as well as over a page", {}, async ({ page }) => {
  await page.goto("data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='600' height='400'><rect width='600' height='400' fill='teal'/></svg>");
  assert.equal(await page.evaluate(overlay), true);
  assert.equal(await page.evaluate(() => document.querySelectorAll("ossuary-notice").length), 1);
});
