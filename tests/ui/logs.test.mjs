// The tab Logs: the live output of a process, always as text and never as markup.

import assert from "node:assert/strict";
import { appendFileSync, chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { button, card, gone, hide, inWebUi, openTab, seen, unhide } from "./browser.mjs";

const HOSTILE = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>";

/** Adds a process that prints the lines that the test appends to a file. */
async function printer(kiosk, process = {}) {
  const file = join(kiosk.directory, "printed");
  writeFileSync(file, "the first line\n");
  chmodSync(file, 0o644);
  await kiosk.ask("POST", "/api/processes", { id: "sync", name: "Data Sync Service", command: `tail -n +1 -f ${file}`, ...process });
  await kiosk.untilStatus("sync", "running");
  return (line) => appendFileSync(file, `${line}\n`);
}

inWebUi("lines appear as they are printed", {}, async ({ page, kiosk }) => {
  const print = await printer(kiosk);
  const logs = await openTab(page, "Logs");
  await seen(logs, "the first line");
  print("the second line");
  await seen(logs, "the second line");
});

inWebUi("a paused log does not change, and continues without a gap", {}, async ({ page, kiosk }) => {
  const print = await printer(kiosk);
  const logs = await openTab(page, "Logs");
  await seen(logs, "the first line");
  await button(logs, "Pause").click();
  print("printed meanwhile");
  await seen(logs, /1 new line/);
  await gone(logs, "printed meanwhile");
  await button(logs, "Resume").click();
  await seen(logs, "printed meanwhile");
});

inWebUi("another process has another log", {
  processes: { one: { name: "One", command: "echo I am one; exec sleep 1000" }, two: { name: "Two", command: "echo I am two; exec sleep 1000" } },
}, async ({ page }) => {
  const logs = await openTab(page, "Logs");
  await logs.getByLabel("Process").selectOption({ label: "Two" });
  await seen(logs, "I am two");
  await gone(logs, "I am one");
  await logs.getByLabel("Process").selectOption({ label: "One" });
  await seen(logs, "I am one");
  await gone(logs, "I am two");
});

inWebUi("a card leads to the log of its process", {
  processes: { one: { name: "One", command: "sleep 1000" }, two: { name: "Two", command: "echo I am two; exec sleep 1000" } },
}, async ({ page }) => {
  await card(page, "Two").getByRole("link", { name: "Logs" }).click();
  await seen(page.getByRole("tabpanel", { name: "Logs" }), "I am two");
  assert.equal(await page.getByRole("tab", { name: "Logs" }).getAttribute("aria-selected"), "true");
});

inWebUi("a log continues after the daemon was killed and started again", {
  complaints: [/ERR_/],
}, async ({ page, kiosk }) => {
  await printer(kiosk, { command: "echo alive as $$; exec sleep 1000" });
  const logs = await openTab(page, "Logs");
  const { pid } = await kiosk.process("sync");
  await seen(logs, `alive as ${pid}`);
  await kiosk.kill();
  await kiosk.revive();
  const again = await kiosk.untilStatus("sync", "running");
  await seen(logs, `alive as ${again.pid}`);
});

inWebUi("markup in a name, a command or a line is shown as text", {}, async ({ page, kiosk }) => {
  const print = await printer(kiosk, { name: HOSTILE.slice(0, 80) });
  await card(page, HOSTILE.slice(0, 80)).waitFor();
  await kiosk.ask("POST", "/api/processes", { id: "other", name: "Other", command: `echo '${HOSTILE.replaceAll("'", "")}'; exec sleep 9` });
  await seen(card(page, "Other"), /onerror/);
  const logs = await openTab(page, "Logs");
  await logs.getByLabel("Process").selectOption("sync");
  await seen(logs, "the first line");
  print(HOSTILE);
  await seen(logs, HOSTILE);
  assert.equal(await page.locator("main img, main script").count(), 0);
  assert.doesNotMatch(await page.title(), /taken/);
});

inWebUi("a log at its end stays there when the window is resized", {
  processes: { chatty: { name: "Chatty", command: "seq -f 'line %g of many, each of them long enough to be broken on a phone' 1 300; exec sleep 1000" } },
  view: { viewport: { width: 1280, height: 900 } },
}, async ({ page }) => {
  await seen(await openTab(page, "Logs"), "line 300");
  const untilAtEnd = () =>
    page.waitForFunction(() => {
      const pane = document.getElementById("log-lines");
      return pane.scrollTop > 0 && pane.scrollHeight - pane.scrollTop - pane.clientHeight < 40;
    });
  await untilAtEnd();
  for (const viewport of [{ width: 360, height: 600 }, { width: 700, height: 1000 }, { width: 1280, height: 500 }]) {
    await page.setViewportSize(viewport);
    await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
    await untilAtEnd();
  }
});

/** Waits until the newest line is visible, and the state is "Following". */
async function untilFollowing(page) {
  await page.waitForFunction(() => {
    const pane = document.getElementById("log-lines");
    return pane.scrollTop > 0 && pane.scrollHeight - pane.scrollTop - pane.clientHeight < 40;
  });
  await seen(page.getByRole("tabpanel", { name: "Logs" }), /^Following/);
}

for (const [device, viewport] of Object.entries({ desk: { width: 1280, height: 900 }, phone: { width: 360, height: 640 } })) {
  inWebUi(`lines that wrap scroll in as they are printed, on a ${device}`, { view: { viewport } }, async ({ page, kiosk }) => {
    const print = await printer(kiosk);
    const long = "long enough to be broken into several lines, ".repeat(8);
    for (let number = 1; number <= 200; number += 1) print(`${number} ${long}`);
    const logs = await openTab(page, "Logs");
    await logs.getByText(/^200 /).waitFor();
    await untilFollowing(page);
    for (const word of ["alpha", "beta", "gamma"]) {
      print(`${word} ${long}`);
      await logs.getByText(new RegExp(`^${word} `)).waitFor();
      await untilFollowing(page);
    }
  });
}

inWebUi("a log that was scrolled up stays there, and a button jumps to its end", {
  view: { viewport: { width: 1280, height: 900 } },
}, async ({ page, kiosk }) => {
  const print = await printer(kiosk);
  for (let number = 1; number <= 200; number += 1) print(`line ${number}`);
  const logs = await openTab(page, "Logs");
  await logs.getByText("line 200", { exact: true }).waitFor();
  await untilFollowing(page);
  await button(logs, "Jump to end").waitFor({ state: "hidden" });

  const pane = logs.getByRole("log");
  await pane.evaluate((it) => it.scrollTo(0, 100));
  await seen(logs, /^Not following/);
  await gone(logs, /^Following/);
  print("printed meanwhile");
  await seen(logs, "Not following. 1 new line.");
  assert.equal(await pane.evaluate((it) => it.scrollTop), 100);

  await button(logs, "Jump to end").click();
  await untilFollowing(page);
  print("printed after that");
  await logs.getByText("printed after that").waitFor();
  await untilFollowing(page);
});

inWebUi("a log continues where it was after its tab was hidden", {}, async ({ page, kiosk }) => {
  const print = await printer(kiosk);
  const logs = await openTab(page, "Logs");
  await seen(logs, "the first line");
  await button(logs, "Pause").click();
  await hide(page);
  print("printed while hidden");
  await unhide(page);
  await seen(logs, /1 new line/);
  await button(logs, "Resume").click();
  await seen(logs, "printed while hidden");
  assert.equal(await logs.getByText("the first line").count(), 1, "no line is repeated or lost");
});

inWebUi("seven tabs of a browser show the kiosk and its logs", {}, async ({ page, kiosk, context }) => {
  await printer(kiosk);
  const logs = await openTab(page, "Logs");
  await seen(logs, "the first line");
  let shown = page;
  for (let tab = 2; tab <= 7; tab += 1) {
    await hide(shown);
    shown = await context.newPage();
    await shown.goto(kiosk.url);
    await seen(card(shown, "Data Sync Service"), /^running$/i);
    await seen(await openTab(shown, "Logs"), "the first line");
  }
  await hide(shown);
  await unhide(page);
  await seen(page, "Connected");
  await seen(logs, /^Following/);
  await kiosk.halt("sync");
  await openTab(page, "Processes");
  await seen(card(page, "Data Sync Service"), /^stopped$/i);
});
