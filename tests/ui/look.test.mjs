// Layout on phones and desktops, light and dark themes, accessibility, and transfer size.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { button, card, dialog, inWebUi, openTab, pretendDisplay, seen } from "./browser.mjs";
import { vacantDisplay } from "./kiosk.mjs";
import { PAGE, pretendPages } from "./pretend.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TABS = ["Processes", "Schedule", "Behaviors", "Logs", "System"];
const SCREEN = vacantDisplay();
const LONG = "/usr/bin/python3 /home/pi/a-directory-with-quite-a-long-name/and-one-more/sync.py --every=60 --and-a-switch";

/** Processes in every state. */
const PROCESSES = {
  gallery: {
    name: "Gallery Display",
    type: "chromium",
    command: "sh -c 'exec sleep 1000' chromium https://lumencanvas.studio/canvas/abc",
    display: SCREEN,
    flags: { kiosk: true, webgpu: true, autoplay: true },
  },
  sync: { name: "Data Sync Service", command: "echo synchronised; echo late >&2; exec sleep 1000" },
  long: { name: "A process whose name is as long as a name may be, eighty characters, not one more", command: LONG, autostart: false },
  broken: { name: "Broken", command: "sh -c 'exit 3'", restart_on_crash: false },
  off: { name: "Off", command: "sleep 1000", enabled: false },
};
PROCESSES.long.name = PROCESSES.long.name.slice(0, 80);

const SCHEDULE = {
  enabled: true,
  timezone: "Europe/Berlin",
  rules: [
    {
      id: "morning",
      name: "Morning canvas",
      trigger: { type: "time", time: "08:00:30", days: ["mon", "wed", "fri"] },
      action: { type: "switch_canvas", process_id: "gallery", url: "https://lumencanvas.studio/canvas/with-quite-a-long-name-that-has-to-break" },
      until: "18:00",
    },
    { id: "night", name: PROCESSES.long.name, trigger: { type: "interval", minutes: 90 }, action: { type: "restart_process", process_id: "long" } },
    { id: "off", name: "Off", enabled: false, trigger: { type: "boot" }, action: { type: "refresh_page" } },
  ],
};

/** A test of the web UI with processes in every state, a screenshot and rules. */
function inFullWebUi(name, view, body) {
  inWebUi(name, { processes: PROCESSES, rest: { schedule: SCHEDULE }, view }, async (things) => {
    await pretendDisplay(things.keep, SCREEN);
    await pretendPages(things.page, { gallery: PAGE });
    await body(things);
  });
}

/** Opens every tab and every dialog in turn, and calls `look` once its content is loaded. */
async function visitAll(page, look) {
  await seen(card(page, "Data Sync Service"), /^running$/i);
  await seen(card(page, "Broken"), /^failed$/i);
  await card(page, "Gallery Display").getByRole("img").waitFor();
  for (const tab of TABS) {
    const panel = await openTab(page, tab);
    if (tab === "Logs") {
      await panel.getByLabel("Process").selectOption({ label: "Data Sync Service" });
      await seen(panel, "synchronised");
    }
    if (tab === "Schedule") await seen(panel, "Morning canvas");
    if (tab === "Behaviors") await button(panel, "Save").waitFor();
    if (tab === "System") await seen(panel, /memory/i);
    await look(`the tab ${tab}`);
  }
  await openTab(page, "Processes");
  await visitDialogs(page, look, {
    "adding a display process": button(page, "Add Display Process"),
    "adding a background process": button(page, "Add Background Process"),
    "editing a display process": button(card(page, "Gallery Display"), "Edit"),
    "editing a background process": button(card(page, "Data Sync Service"), "Edit"),
    "opening a URL": button(card(page, "Gallery Display"), "Open URL"),
    "deleting": button(card(page, "Broken"), "Delete"),
  });
  await openTab(page, "Schedule");
  await visitDialogs(page, look, {
    "adding a rule": button(page, "Add Rule"),
    "editing a rule": button(card(page, "Morning canvas"), "Edit"),
    "deleting a rule": button(card(page, "Morning canvas"), "Delete"),
  });
}

async function visitDialogs(page, look, openers) {
  for (const [name, opener] of Object.entries(openers)) {
    await opener.click();
    await dialog(page).waitFor();
    await look(`the dialog for ${name}`);
    await button(dialog(page), "Cancel").click();
    await dialog(page).waitFor({ state: "hidden" });
  }
}

for (const colorScheme of ["light", "dark"]) {
  inFullWebUi(`axe finds nothing in any tab or dialog, ${colorScheme}`, {
    colorScheme,
    // Without transitions: axe checks the final colours.
    reducedMotion: "reduce",
  }, async ({ page }) => {
    // Over the DevTools protocol, because the content security policy blocks foreign scripts.
    await page.evaluate(AXE);
    const found = [];
    await visitAll(page, async (place) => {
      const { violations } = await page.evaluate(() => window.axe.run());
      for (const { id, help, nodes } of violations) {
        found.push(`${place}: ${id}: ${help}: ${nodes.map((node) => `${node.html} (${node.any[0]?.message ?? ""})`).join("; ")}`);
      }
    });
    assert.deepEqual(found, []);
  });
}

for (const width of [320, 360, 768, 1280]) {
  inFullWebUi(`nothing scrolls sideways at ${width} pixels`, {
    viewport: { width, height: 740 }, hasTouch: width <= 360,
  }, async ({ page }) => {
    await visitAll(page, async (place) => {
      const wide = await page.evaluate(() => {
        const isWide = (it) => it.scrollWidth > it.clientWidth;
        const boxes = [document.documentElement, ...document.querySelectorAll("dialog[open]")];
        return boxes.filter(isWide).map((it) => `${it.tagName} ${it.scrollWidth} > ${it.clientWidth}`);
      });
      assert.deepEqual(wide, [], place);
    });
  });
}

inWebUi("no tab label wraps at 320 pixels", { view: { viewport: { width: 320, height: 640 } } }, async ({ page }) => {
  const tabs = await page.getByRole("tab").evaluateAll((tabs) => tabs.map((tab) => {
    const text = document.createRange();
    text.selectNodeContents(tab);
    const { left, right } = tab.getBoundingClientRect();
    return { lines: text.getClientRects().length, isInside: left >= 0 && right <= innerWidth };
  }));
  assert.deepEqual(tabs, TABS.map(() => ({ lines: 1, isInside: true })));
});

inFullWebUi("every button is large enough for touch on a phone", { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }, async ({ page }) => {
  await visitAll(page, async (place) => {
    const small = await page.evaluate(() =>
      [...document.querySelectorAll("button, a.button, [role=tab], select, input:not([type=checkbox], [type=radio])")]
        .map((it) => ({ label: it.textContent.trim() || it.id, box: it.getBoundingClientRect() }))
        .filter(({ box }) => box.width > 0 && (box.height < 36 || box.width < 36))
        .map(({ label, box }) => `${label}: ${Math.round(box.width)} by ${Math.round(box.height)}`),
    );
    assert.deepEqual(small, [], place);
  });
});

inFullWebUi("nothing is animated with reduced motion", { reducedMotion: "reduce" }, async ({ page }) => {
  await visitAll(page, async (place) => {
    const moving = await page.evaluate(() =>
      document.getAnimations()
        .filter((animation) => animation.playState === "running" && animation.effect.getComputedTiming().duration > 10)
        .map((animation) => `${animation.animationName ?? animation.transitionProperty} of ${animation.effect.target.className}`),
    );
    assert.deepEqual(moving, [], place);
  });
});

inFullWebUi("the web UI is under 80 kB on the wire and sends no request to another origin", {}, async ({ page, kiosk, context }) => {
  const wire = await context.newCDPSession(page);
  const sizes = new Map();
  const paths = new Map();
  await wire.send("Network.enable");
  await wire.send("Network.setCacheDisabled", { cacheDisabled: true });
  wire.on("Network.requestWillBeSent", ({ requestId, request }) => paths.set(requestId, new URL(request.url)));
  wire.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => sizes.set(requestId, encodedDataLength));
  await page.reload();
  await visitAll(page, async () => {});
  for (const [request, url] of paths) {
    assert.ok(url.protocol === "data:" || url.origin === kiosk.url, `request to another origin: ${url}`);
    if (url.pathname.startsWith("/api/")) sizes.delete(request);
  }
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  assert.ok(sizes.size > 2, "the page, its style sheet and its scripts were counted");
  assert.ok(total < 80_000, `${total} bytes in ${sizes.size} answers`);
});

inWebUi("the icon of a failed process is visible", { processes: { broken: PROCESSES.broken } }, async ({ page }) => {
  await seen(card(page, "Broken"), /^failed$/i);
  const sign = await card(page, "Broken").locator(".badge.status").evaluate((badge) => {
    const { borderBottomWidth, borderBottomColor, borderTopWidth } = getComputedStyle(badge, "::before");
    return { borderBottomWidth, borderTopWidth, isInk: borderBottomColor === getComputedStyle(badge).color };
  });
  assert.deepEqual(sign, { borderBottomWidth: "8px", borderTopWidth: "0px", isInk: true });
});

inWebUi("a card shows every flag that is set, also by default", {
  processes: { gallery: { name: "Gallery", type: "chromium", url: "https://example.org/", display: vacantDisplay(), flags: { cursor: true } } },
}, async ({ page }) => {
  await seen(card(page, "Gallery"), /Kiosk • Autoplay • Cursor/);
});

inWebUi("the headings of the tab System are all alike", {}, async ({ page }) => {
  const system = await openTab(page, "System");
  await seen(system, /memory/i);
  const sizes = await system.locator("h3").evaluateAll((headings) => headings.map((it) => getComputedStyle(it).fontSize + getComputedStyle(it).color));
  assert.equal(sizes.length, 7);
  assert.equal(new Set(sizes).size, 1, sizes);
});

inWebUi("a dialog also dims the gutter of the scrollbar", {}, async ({ page }) => {
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const before = await ground();
  await button(page, "Add Background Process").click();
  await dialog(page).waitFor();
  assert.notEqual(await ground(), before);
  await button(dialog(page), "Cancel").click();
  await dialog(page).waitFor({ state: "hidden" });
  assert.equal(await ground(), before);
});
