// Simulated parts of the API: the daemon is real, but the state of the kiosk page and of the displays is not.

/** An image of one teal pixel. */
export const IMAGE = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mPgL0//DwADWwHfFk5Y5gAAAABJRU5ErkJggg==",
  "base64",
);

/** A healthy page. */
export const PAGE = {
  state: "healthy",
  url: "https://lumencanvas.studio/canvas/abc",
  title: "Entrance Hall",
  since: "2026-11-23T08:00:00Z",
  reason: null,
  last_painted: null,
  last_step: null,
};

/**
 * Gives these pages, by id, to processes, also after a reload of the web UI; screenshots of them can be taken. `asked`
 * records the requests, `answers` are the responses to further requests, by the last part of their path; `show` changes
 * a page.
 */
export async function pretendPages(page, pages) {
  const screen = { asked: [], answers: {}, show: (id, changes) => page.evaluate(([id, changes]) => window.pretend(id, changes), [id, changes]) };
  await page.route(/\/api\/processes\/[^/]+\/(screenshot|evidence|reload|navigate)(\?|$)/, async (route) => {
    const request = route.request();
    const url = new URL(request.url());
    const what = url.pathname.split("/").pop();
    screen.asked.push({ what, width: url.searchParams.get("width"), body: request.postDataJSON() });
    const usual = ["screenshot", "evidence"].includes(what) ? { contentType: "image/png", body: IMAGE } : { json: {} };
    await route.fulfill(screen.answers[what] ?? usual);
  });
  await page.addInitScript(addPages, pages);
  if (page.url() !== "about:blank") await page.reload();
  return screen;
}

/**
 * Replaces these parts of the snapshot, also after a reload of the web UI; `show` changes some of them.
 */
export async function pretendParts(page, parts) {
  await page.addInitScript(replaceParts, parts);
  if (page.url() !== "about:blank") await page.reload();
  return { show: (changes) => page.evaluate((changes) => window.pretendParts(changes), changes) };
}

/** A problem response (RFC 9457), as the daemon sends it. */
export const problem = (status, detail, field) => ({
  status,
  contentType: "application/problem+json",
  body: JSON.stringify({ type: "/problems/pretended", title: "Pretended", status, detail, field }),
});

/** Runs in the web UI before its scripts: adds the pages to the daemon's events. */
function addPages(pages) {
  const processes = {};
  const changed = [];
  const withPages = (data) => {
    Object.assign(processes, data.processes);
    for (const [id, process] of Object.entries(data.processes)) if (id in pages) process.page = pages[id];
    return data;
  };
  window.EventSource = class extends window.EventSource {
    addEventListener(type, listener) {
      if (type !== "snapshot" && type !== "change") return super.addEventListener(type, listener);
      if (type === "change") changed.push(listener);
      super.addEventListener(type, ({ data }) => listener({ data: JSON.stringify(withPages(JSON.parse(data))) }));
    }
  };
  window.pretend = (id, changes) => {
    pages[id] = { ...pages[id], ...changes };
    const data = withPages({ processes: { [id]: { ...processes[id] } }, shutting_down: false });
    for (const listener of changed) listener({ data: JSON.stringify(data) });
  };
}

/** Runs in the web UI before its scripts: replaces parts of the daemon's events. */
function replaceParts(parts) {
  const changed = [];
  window.EventSource = class extends window.EventSource {
    addEventListener(type, listener) {
      if (type !== "snapshot" && type !== "change") return super.addEventListener(type, listener);
      if (type === "change") changed.push(listener);
      super.addEventListener(type, ({ data }) => listener({ data: JSON.stringify({ ...JSON.parse(data), ...parts }) }));
    }
  };
  window.pretendParts = (changes) => {
    Object.assign(parts, changes);
    for (const listener of changed) listener({ data: JSON.stringify({ processes: {}, shutting_down: false, ...parts }) });
  };
}
