// Access: claiming a kiosk, signing in and out, sessions and tokens.

import assert from "node:assert/strict";
import { button, card, dialog, gone, inWebUi, openTab, seen } from "./browser.mjs";
import { PASSWORD } from "./kiosk.mjs";

const ANONYMOUS = { isAnonymous: true, complaints: [/status of 401/, /status of 4\d\d/] };

inWebUi("an unclaimed kiosk asks for its claim code and a password", ANONYMOUS, async ({ page, kiosk }) => {
  await seen(page, "Claim this kiosk");
  const form = dialog(page);
  await form.getByLabel("Code").fill("2222-2222");
  await form.getByLabel("New password").fill(PASSWORD);
  await button(form, "Claim").click();
  await seen(form, /not the code/);
  assert.equal(await form.getByLabel("New password").inputValue(), PASSWORD, "the input is kept");
  await page.keyboard.press("Escape");
  await seen(page, "Claim this kiosk");

  const { claim_code: code } = await kiosk.asRoot("GET", "/api/status");
  await form.getByLabel("Code").fill(code.toLowerCase().replace("-", " "));
  await form.getByLabel("New password").fill("short");
  await button(form, "Claim").click();
  await seen(form, /at least 8 characters/i);
  await form.getByLabel("New password").fill(PASSWORD);
  await form.getByLabel("New password").press("Enter");
  await gone(page, "Claim this kiosk");
  await seen(page, "Connected");
  await page.reload();
  await seen(page, "Connected");
});

inWebUi("an anonymous client signs in, and out again", ANONYMOUS, async ({ page, kiosk }) => {
  await kiosk.asRoot("PUT", "/api/password", { password: PASSWORD, revoke_tokens: false });
  await page.reload();
  await seen(page, /^Sign in to/);
  const form = dialog(page);
  await form.getByLabel("Password").fill("something else");
  await button(form, "Sign in").click();
  await seen(form, /not the password/);
  await form.getByLabel("Password").fill(PASSWORD);
  await form.getByLabel("Password").press("Enter");
  await seen(page, "Connected");
  const tab = await openTab(page, "System");
  await tab.locator("#sign-out").click();
  await seen(page, /^Sign in to/);
});

inWebUi(
  "a session that ends while a form is open asks to sign in again and keeps the input",
  { complaints: [/status of 401/] },
  async ({ page, kiosk }) => {
    await seen(page, "Connected");
    await button(page, "Add Background Process").click();
    await page.getByLabel("Name").fill("Web Cam");
    await page.getByLabel("Command").fill("node cam.js");
    for (const { id } of (await kiosk.ask("GET", "/api/sessions")).sessions) await kiosk.ask("DELETE", `/api/sessions/${id}`);
    await dialog(page).locator("button.primary").click();
    await seen(page, /^Sign in to/);
    await dialog(page).getByLabel("Password").fill(PASSWORD);
    await dialog(page).getByLabel("Password").press("Enter");
    await card(page, "Web Cam").waitFor();
    assert.equal((await kiosk.process("web-cam")).command, "node cam.js");
    await seen(page, "Connected");
  },
);

inWebUi("an idle web UI asks to sign in again when its session ends", { complaints: [/status of 401/] }, async ({ page, kiosk }) => {
  await seen(page, "Connected");
  for (const { id } of (await kiosk.ask("GET", "/api/sessions")).sessions) await kiosk.ask("DELETE", `/api/sessions/${id}`);
  await seen(page, /^Sign in to/);
});

inWebUi("sessions and tokens are listed, created and revoked", {}, async ({ page, kiosk }) => {
  const tab = await openTab(page, "System");
  await seen(tab, "This is you");
  await seen(tab, "the test");
  await button(tab, "Add a token").click();
  await dialog(page).getByLabel("Name").fill("Lobby");
  await dialog(page).getByLabel("Role").selectOption("operate");
  await dialog(page).getByLabel("Your password").fill(PASSWORD);
  await button(dialog(page), "Add").click();
  const secret = await dialog(page).locator("code.secret").innerText();
  const answer = await fetch(`${kiosk.url}/api/status`, { headers: { Authorization: `Bearer ${secret}` } });
  assert.equal(answer.status, 200);
  await button(dialog(page), "Done").click();
  await seen(tab, /Operate · created/);
  await button(tab, "Revoke Lobby").click();
  await button(dialog(page), "Revoke").click();
  await seen(tab, "Lobby is revoked.");
  const after = await fetch(`${kiosk.url}/api/status`, { headers: { Authorization: `Bearer ${secret}` } });
  assert.equal(after.status, 401);
});
