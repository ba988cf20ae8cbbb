// The web UI: its tabs, its notices, and the state of the connection to the kiosk.

import { refreshBehaviors, showBehaviors } from "./behaviors.js";
import { UNREACHABLE } from "./api.js";
import { byId, el, say } from "./dom.js";
import { connect, kiosk, onChange, onRefused } from "./feed.js";
import { follow, unfollow, showLogs } from "./logs.js";
import { showProcesses } from "./processes.js";
import { refreshSchedule, showSchedule } from "./schedule.js";
import { ensureSession } from "./signin.js";
import { problemList, refreshSystem, showSystem } from "./system.js";
import { count } from "./words.js";

const TABS = ["processes", "schedule", "behaviors", "logs", "system"];

/** The open tab and its selection, by the fragment of the URL: `#logs/data-sync`. */
function place() {
  const [tab, id = ""] = location.hash.slice(1).split("/");
  return TABS.includes(tab) ? { tab, id } : { tab: "processes", id: "" };
}

function showPlace() {
  const { tab: shown, id } = place();
  for (const name of TABS) {
    const tab = byId(`tab-${name}`);
    tab.setAttribute("aria-selected", name === shown);
    tab.tabIndex = name === shown ? 0 : -1;
    byId(`panel-${name}`).hidden = name !== shown;
  }
  document.title = shown === "processes" ? "Ossuary" : `${byId(`tab-${shown}`).textContent} · Ossuary`;
  if (shown === "logs") follow(id);
  else unfollow();
  if (shown === "schedule") refreshSchedule();
  if (shown === "behaviors") refreshBehaviors();
  if (shown === "system") refreshSystem();
}

/** The keys of the ARIA tab pattern: arrows wrap around, Home and End go to the ends, and the tab opens. */
function onKey(event) {
  const here = TABS.indexOf(place().tab);
  const last = TABS.length - 1;
  const there = {
    ArrowRight: here === last ? 0 : here + 1,
    ArrowLeft: here === 0 ? last : here - 1,
    Home: 0,
    End: last,
  }[event.key];
  if (there === undefined) return;
  event.preventDefault();
  location.replace(`#${TABS[there]}`);
  byId(`tab-${TABS[there]}`).focus();
}

const CONNECTIONS = { connecting: "Connecting…", connected: "Connected", lost: "Connection lost" };

/** What is in effect if the file cannot be used. */
const INSTEAD = {
  running: "The previous configuration stays in effect.",
  last_good: "The last good copy is in effect.",
};

let shownNotices = "";

function showNotices() {
  const connection = byId("connection");
  connection.dataset.state = kiosk.connection;
  say(connection, CONNECTIONS[kiosk.connection]);
  if (kiosk.connection === "connected") {
    for (const error of document.querySelectorAll(".error")) if (error.textContent.startsWith(UNREACHABLE)) say(error, "");
  }
  // Rebuilt only after a change, so that screen readers read each notice once.
  const { configuration } = kiosk;
  const content = [kiosk.connection === "lost", kiosk.isShuttingDown, configuration?.source, configuration?.file_differs, configuration?.problems];
  const key = JSON.stringify(content);
  if (key === shownNotices) return;
  shownNotices = key;
  byId("banners").replaceChildren(...notices());
}

function notices() {
  const notices = [];
  const notice = (isBad, title, ...text) =>
    notices.push(el("div", { className: isBad ? "notice bad" : "notice", role: isBad ? "alert" : "status" }, el("strong", {}, title), ...text));
  if (kiosk.connection === "lost") {
    notice(true, "Connection lost.", " What you see may be out of date. Reconnecting automatically…");
  } else if (kiosk.isShuttingDown) {
    notice(false, "Ossuary is shutting down.", " All processes are stopping.");
  }
  const { source, problems = [], file, file_differs: differs } = kiosk.configuration ?? {};
  if (INSTEAD[source]) {
    notice(true, INSTEAD[source], " ", el("code", {}, file), " cannot be used until it is repaired.");
  }
  if (differs) {
    notice(false, "The configuration file was changed on disk.", " Reload it in ", el("a", { href: "#system" }, "System"), " to apply the change.");
  }
  if (problems.length > 0) {
    notice(true, `${count(problems.length, "problem")} with the configuration in`, " ", el("code", {}, file), problemList(problems));
  }
  return notices;
}

for (const name of TABS) {
  const tab = byId(`tab-${name}`);
  tab.addEventListener("click", () => {
    if (place().tab === name) showPlace();
    else location.hash = name;
  });
  tab.addEventListener("keydown", onKey);
}
addEventListener("hashchange", showPlace);
showProcesses();
showLogs((id) => location.replace(`#logs/${id}`));
showSystem();
showSchedule();
showBehaviors();
onChange(showNotices);
onRefused(ensureSession);
await ensureSession();
connect();
showPlace();
