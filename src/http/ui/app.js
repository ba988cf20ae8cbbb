// The page: its tabs, its notices, and the connection to the kiosk.

import { lookBehaviors, showBehaviors } from "./behaviors.js";
import { UNREACHABLE } from "./api.js";
import { byId, el, say } from "./dom.js";
import { connect, kiosk, onChange, whenRefused } from "./feed.js";
import { follow, leave, showLogs } from "./logs.js";
import { showProcesses } from "./processes.js";
import { lookSchedule, showSchedule } from "./schedule.js";
import { admitted } from "./signin.js";
import { look, problemList, showSystem } from "./system.js";
import { count } from "./words.js";

const TABS = ["processes", "schedule", "behaviors", "logs", "system"];

/** Where in the page somebody is, by the address: `#logs/data-sync`. */
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
  else leave();
  if (shown === "schedule") lookSchedule();
  if (shown === "behaviors") lookBehaviors();
  if (shown === "system") look();
}

/** The keys of the tab pattern: arrows go round, Home and End go to the ends, and the tab follows. */
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

/** What is in force where the file cannot be used. */
const INSTEAD = {
  running: "The configuration from before stays in force.",
  last_good: "The last good copy is in use.",
};

let shownNotices = "";

function showNotices() {
  const connection = byId("connection");
  connection.dataset.state = kiosk.connection;
  say(connection, CONNECTIONS[kiosk.connection]);
  if (kiosk.connection === "connected") {
    for (const error of document.querySelectorAll(".error")) if (error.textContent.startsWith(UNREACHABLE)) say(error, "");
  }
  // Rebuilt only when something else is to be said, so that it is read out once.
  const { configuration } = kiosk;
  const matter = [kiosk.connection === "lost", kiosk.isShuttingDown, configuration?.source, configuration?.problems];
  const key = JSON.stringify(matter);
  if (key === shownNotices) return;
  shownNotices = key;
  byId("banners").replaceChildren(...notices());
}

function notices() {
  const notices = [];
  const notice = (isBad, title, ...text) =>
    notices.push(el("div", { className: isBad ? "notice bad" : "notice", role: isBad ? "alert" : "status" }, el("strong", {}, title), ...text));
  if (kiosk.connection === "lost") {
    notice(true, "Connection lost.", " What you see may be out of date. Trying again by itself…");
  } else if (kiosk.isShuttingDown) {
    notice(false, "Ossuary is shutting down.", " All processes are being stopped.");
  }
  const { source, problems = [], file } = kiosk.configuration ?? {};
  if (INSTEAD[source]) {
    notice(true, INSTEAD[source], " ", el("code", {}, file), " cannot be used until it is repaired.");
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
whenRefused(admitted);
await admitted();
connect();
showPlace();
