// A browser on the screen that nobody runs here: the daemon is real, what it would say of the page is not.

/** A picture of one teal pixel. */
export const PICTURE = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mPgL0//DwADWwHfFk5Y5gAAAABJRU5ErkJggg==",
  "base64",
);

/** A page that is well. */
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
 * From now on, and after the page was loaded anew, these processes have these pages, by id, and pictures of them can
 * be taken. What is asked of them is noted: `asked` are the requests, `answers` what the next ones of a kind are
 * answered with, by the last part of their path; `show` changes a page.
 */
export async function pretendPages(page, pages) {
  const screen = { asked: [], answers: {}, show: (id, changes) => page.evaluate(([id, changes]) => window.pretend(id, changes), [id, changes]) };
  await page.route(/\/api\/processes\/[^/]+\/(screenshot|evidence|reload|navigate)(\?|$)/, async (route) => {
    const request = route.request();
    const url = new URL(request.url());
    const what = url.pathname.split("/").pop();
    screen.asked.push({ what, width: url.searchParams.get("width"), body: request.postDataJSON() });
    const usual = ["screenshot", "evidence"].includes(what) ? { contentType: "image/png", body: PICTURE } : { json: {} };
    await route.fulfill(screen.answers[what] ?? usual);
  });
  await page.addInitScript(disguise, pages);
  if (page.url() !== "about:blank") await page.reload();
  return screen;
}

/**
 * From now on, and after the page was loaded anew, what the daemon tells of the kiosk has these parts instead of its
 * own; `show` changes some of them.
 */
export async function pretendParts(page, parts) {
  await page.addInitScript(replaceParts, parts);
  if (page.url() !== "about:blank") await page.reload();
  return { show: (changes) => page.evaluate((changes) => window.pretendParts(changes), changes) };
}

/** A problem as the daemon tells it. */
export const problem = (status, detail, field) => ({
  status,
  contentType: "application/problem+json",
  body: JSON.stringify({ type: "/problems/pretended", title: "Pretended", status, detail, field }),
});

/** Runs in the page, before anything else does: dresses the events that come from the daemon. */
function disguise(pages) {
  const processes = {};
  const changed = [];
  const dressed = (data) => {
    Object.assign(processes, data.processes);
    for (const [id, process] of Object.entries(data.processes)) if (id in pages) process.page = pages[id];
    return data;
  };
  window.EventSource = class extends window.EventSource {
    addEventListener(type, listener) {
      if (type !== "snapshot" && type !== "change") return super.addEventListener(type, listener);
      if (type === "change") changed.push(listener);
      super.addEventListener(type, ({ data }) => listener({ data: JSON.stringify(dressed(JSON.parse(data))) }));
    }
  };
  window.pretend = (id, changes) => {
    pages[id] = { ...pages[id], ...changes };
    const data = dressed({ processes: { [id]: { ...processes[id] } }, shutting_down: false });
    for (const listener of changed) listener({ data: JSON.stringify(data) });
  };
}

/** Runs in the page, before anything else does: puts parts of the events in the place of the daemon's. */
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
