// A kiosk to test: the real daemon in a directory of its own, with simulated displays.

import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** The timeout, in milliseconds: longer than any step takes on a busy machine. */
export const PATIENCE = 20_000;

/** The password of every claimed kiosk. */
export const PASSWORD = "correct horse";

/** The directory of these tests. Debian 12 has Node.js 18, whose modules have no `import.meta.dirname`. */
export const HERE = fileURLToPath(new URL(".", import.meta.url));
export const REPOSITORY = resolve(HERE, "../..");
const TARGET = resolve(REPOSITORY, process.env.CARGO_TARGET_DIR ?? "target");
const BINARY = process.env.OSSUARY_BINARY ?? join(TARGET, "debug/ossuary");

/**
 * Replaces a browser or an operator's program, found in PATH by its name: it prints its arguments, and runs until it is
 * stopped.
 */
const STUB = '#!/bin/sh\necho "showing $*"\nexec sleep 100000\n';
const STUBBED = ["chromium", "node", "python3"];

/** A daemon with its processes, and a client of its API. */
export class Kiosk {
  /**
   * Starts a daemon whose configuration has these processes. `rest` is the rest of the configuration; `tools` are
   * additional programs in PATH, by name.
   */
  static async start(processes = {}, rest = {}, tools = {}) {
    const kiosk = new Kiosk();
    kiosk.directory = mkdtempSync(join(tmpdir(), "ossuary-page-"));
    chmodSync(kiosk.directory, 0o777);
    const programs = join(kiosk.directory, "programs");
    mkdirSync(programs);
    // A program may write to its own directory, and the daemon may not be root (see `account`).
    chmodSync(programs, 0o777);
    for (const name of STUBBED) writeFileSync(join(programs, name), STUB, { mode: 0o755 });
    for (const [name, program] of Object.entries(tools)) writeFileSync(join(programs, name), program, { mode: 0o755 });
    kiosk.configure({ version: 3, processes, ...rest });
    await kiosk.#launch(0);
    return kiosk;
  }

  /** Writes the configuration file: a document, or any text. Does not reload it. */
  configure(document) {
    const text = typeof document === "string" ? document : JSON.stringify(document);
    writeFileSync(this.configFile, text, { mode: 0o666 });
  }

  get configFile() {
    return join(this.directory, "config.json");
  }

  /** The content of the configuration file. */
  get file() {
    return JSON.parse(readFileSync(this.configFile, "utf8"));
  }

  async #launch(port) {
    const folder = (name) => join(this.directory, name);
    this.daemon = spawn(
      BINARY,
      ["daemon", "--config", this.configFile, "--state-dir", folder("state"), "--run-dir", folder("run")]
        .concat("--listen", `127.0.0.1:${port}`),
      {
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...process.env, PATH: `${folder("programs")}:${process.env.PATH}` },
        ...account(),
      },
    );
    this.log = "";
    this.daemon.stderr.on("data", (bytes) => (this.log += bytes));
    this.ended = once(this.daemon, "close");
    this.ended.catch(() => {}); // A failed start is reported below.
    for await (const line of createInterface(this.daemon.stdout)) {
      const address = /^listening on (http:\/\/\S+?)\/?$/.exec(line);
      if (address) {
        this.url = address[1];
        this.daemon.stdout.resume();
        this.token ??= (await this.asRoot("POST", "/api/tokens", { name: "the test", role: "admin" })).token;
        return;
      }
    }
    await this.ended;
    throw new Error(`${BINARY} did not start:\n${this.log}`);
  }

  /** Kills the daemon with SIGKILL. Its processes continue to run, as on any machine without systemd. */
  async kill() {
    this.daemon.kill("SIGKILL");
    await this.ended;
  }

  /** Starts the daemon again, on the same port. */
  async revive() {
    await this.#launch(new URL(this.url).port);
  }

  /** Stops the daemon and all its processes, and removes its directory. */
  async stop() {
    if (this.daemon.exitCode === null && this.daemon.signalCode === null) this.daemon.kill("SIGTERM");
    await this.ended;
    for (const pid of this.#orphans()) end(-pid);
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** The processes that a killed daemon left running, by the PID files that a clean end removes. */
  #orphans() {
    const run = join(this.directory, "run");
    const files = readdirSync(run).filter((name) => name.endsWith(".pid") && name !== "manager.pid");
    return files.map((name) => Number(readFileSync(join(run, name), "utf8"))).filter((pid) => pid > 1);
  }

  // ---- access ----

  /** Sends a request through the socket, which has root's rights; returns the response. */
  async asRoot(method, path, body) {
    const asked = request({
      socketPath: join(this.directory, "run/ossuary.sock"),
      method,
      path,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
    });
    asked.end(body === undefined ? undefined : JSON.stringify(body));
    const [answer] = await once(asked, "response");
    let text = "";
    for await (const piece of answer.setEncoding("utf8")) text += piece;
    if (answer.statusCode >= 400) throw new Error(`${method} ${path}: ${answer.statusCode} ${text}`);
    return text === "" ? null : JSON.parse(text);
  }

  /** Sets the password of the kiosk, and signs a browser in. */
  async signIn(context) {
    await this.asRoot("PUT", "/api/password", { password: PASSWORD, revoke_tokens: false });
    const answer = await fetch(`${this.url}/api/login`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ password: PASSWORD }),
    });
    const [, name, value] = /^([\w-]+)=([^;]*)/.exec(answer.headers.get("set-cookie"));
    await context.addCookies([{ name, value, url: this.url, httpOnly: true, sameSite: "Strict" }]);
  }

  // ---- the API, as another client uses it ----

  /** Sends a request with a token and returns the response. Throws unless it succeeds. */
  async ask(method, path, body) {
    const answer = await fetch(this.url + path, {
      method,
      headers: { Authorization: `Bearer ${this.token}`, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === "" ? null : JSON.parse(text);
  }

  process(id) {
    return this.ask("GET", `/api/processes/${id}`);
  }

  start(id) {
    return this.ask("POST", `/api/processes/${id}/start`);
  }

  halt(id) {
    return this.ask("POST", `/api/processes/${id}/stop`);
  }

  /** Follows the events until `looksRight` accepts the processes, by id, and the displays; returns the processes. */
  async until(looksRight) {
    const timeout = AbortSignal.timeout(PATIENCE);
    const processes = {};
    let displays = [];
    try {
      const events = await fetch(`${this.url}/api/events`, {
        signal: timeout,
        headers: { Authorization: `Bearer ${this.token}` },
      });
      for await (const { data } of eventsOf(events.body)) {
        Object.assign(processes, data.processes);
        for (const id of data.removed ?? []) delete processes[id];
        displays = data.displays ?? displays;
        if (looksRight(processes, displays)) return processes;
      }
    } catch (error) {
      if (!timeout.aborted) throw error;
    }
    throw new Error(`timeout: ${looksRight}\nlast seen: ${JSON.stringify({ processes, displays }, null, 1)}`);
  }

  /** Waits until the daemon has noticed a display. */
  untilDisplay(name) {
    return this.until((_, displays) => displays.some((display) => display.name === name && display.connected));
  }

  /** Waits until a process is in this state; returns the process. */
  async untilStatus(id, status) {
    return (await this.until((processes) => processes[id]?.status === status))[id];
  }
}

/** The server-sent events of a body, with parsed data. */
async function* eventsOf(body) {
  let rest = "";
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + text).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const field = (name) => new RegExp(`^${name}: ?(.*)$`, "m").exec(block)?.[1];
      if (field("data")) yield { event: field("event"), data: JSON.parse(field("data")) };
    }
  }
}

/** A simulated X display: a socket that accepts connections, which is all that the daemon checks. */
export class PretendDisplay {
  static async open(name = vacantDisplay()) {
    const display = new PretendDisplay();
    display.name = name;
    mkdirSync(SOCKETS, { recursive: true, mode: 0o1777 });
    const socket = join(SOCKETS, `X${display.name.slice(1)}`);
    display.clients = new Set();
    display.server = createServer((client) => {
      display.clients.add(client);
      client.on("error", () => {}).on("close", () => display.clients.delete(client)).resume();
    });
    display.server.listen(socket);
    await once(display.server, "listening");
    chmodSync(socket, 0o777);
    return display;
  }

  /** Disconnects all clients and removes the socket. */
  close() {
    const closed = new Promise((done) => this.server.close(done));
    for (const client of this.clients) client.destroy();
    return closed;
  }
}

/** An X display with a screen, provided by Xvfb. */
export class RealDisplay {
  static async open(size = "800x600") {
    const display = new RealDisplay();
    // Xvfb chooses a free number, and prints it once it is ready.
    const args = ["-displayfd", "1", "-screen", "0", `${size}x24`, "-nolisten", "tcp", "-ac"];
    display.server = spawn("Xvfb", args, { stdio: ["ignore", "pipe", "ignore"] });
    display.ended = once(display.server, "close");
    for await (const number of createInterface(display.server.stdout)) {
      display.name = `:${number}`;
      return display;
    }
    throw new Error("Xvfb did not start");
  }

  async close() {
    this.server.kill();
    await this.ended;
  }
}

const SOCKETS = "/tmp/.X11-unix";

/** High enough not to collide with real displays and those of other tests. */
let nextDisplay = 90;

/** The name of a display that does not exist; a different one on each call. */
export function vacantDisplay() {
  let taken = [];
  try {
    taken = readdirSync(SOCKETS);
  } catch {
    // This machine has not had a display yet.
  }
  while (taken.includes(`X${nextDisplay}`)) nextDisplay += 1;
  return `:${nextDisplay++}`;
}

/**
 * The account of the daemon. As root, the daemon runs its browser under an unprivileged account. A machine without one
 * (a container) tests a daemon with user id 65534 instead.
 */
function account() {
  if (process.getuid() !== 0) return {};
  const accounts = readFileSync("/etc/passwd", "utf8").split("\n").map((line) => line.split(":"));
  const isOrdinary = ([name, , uid]) => name === "kiosk" || (uid >= 1000 && uid < 60_000);
  return accounts.some(isOrdinary) ? {} : { uid: 65534, gid: 65534 };
}

/** Kills a process or a process group, which may have ended already. */
function end(pid) {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}
