// Asks the daemon to do something, and says in words when it will not.

/** A refusal: what to tell the operator, and which fields are to blame. */
export class Refusal extends Error {
  /**
   * `problems` are `{field, detail}`, in the order of the document; `status` is null where nobody answered, and `type`
   * where it was not the daemon.
   */
  constructor(message, problems = [], { status = null, type = null } = {}) {
    super(message);
    Object.assign(this, { problems, status, type });
  }
}

/** What a stranger is told, rather than somebody whose password is wrong. */
const STRANGER = ["/problems/sign-in", "/problems/unclaimed", "/problems/sealed"];

let letIn = null;

/** Whom to call when the kiosk does not know who asks: what was asked waits for that, and is asked again. */
export function whenStranger(listener) {
  letIn = listener;
}

async function send(method, path, body, headers = {}, signal = undefined) {
  for (;;) {
    const answer = await sendOnce(method, path, body, headers, signal);
    if (answer.status !== 401 || letIn === null || isWayIn(path)) return answer;
    const { type } = (await parsed(answer.clone())) ?? {};
    if (!STRANGER.includes(type)) return answer;
    await letIn();
  }
}

const isWayIn = (path) => path === "/api/login" || path === "/api/claim";

async function sendOnce(method, path, body, headers, signal) {
  try {
    return await fetch(path, {
      method,
      headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
    });
  } catch {
    throw unreachable();
  }
}

/** The message where nothing answers: not true any more once the connection is back. */
export const UNREACHABLE = "The kiosk cannot be reached. Nothing was lost: try again when the connection is back.";

const unreachable = () => new Refusal(UNREACHABLE);

async function parsed(answer) {
  let text;
  try {
    text = await answer.text();
  } catch {
    throw unreachable();
  }
  try {
    return text === "" ? null : JSON.parse(text);
  } catch {
    // Not from the daemon: something between here and there. The status says enough.
    return null;
  }
}

async function refusal(answer) {
  const document = await parsed(answer);
  const detail = document?.detail ?? `The kiosk answered ${answer.status} ${answer.statusText}`.trimEnd();
  const blamed = document?.field ? [{ field: document.field, detail }] : [];
  const message = document?.field ? `${document.field}: ${detail}` : detail;
  return new Refusal(message, document?.problems ?? blamed, { status: answer.status, type: document?.type });
}

/** One request; what it answers, parsed. Throws a [`Refusal`] and nothing else. `signal` gives it up. */
export async function ask(method, path, body, signal) {
  const answer = await send(method, path, body, {}, signal);
  if (!answer.ok) throw await refusal(answer);
  return parsed(answer);
}

/** A document of which one version is known, or null: the one there is now, or the same where it has not changed. */
export async function latest(path, known) {
  const answer = await send("GET", path, undefined, known ? { "If-None-Match": known.etag } : {});
  if (answer.status === 304) return known;
  if (!answer.ok) throw await refusal(answer);
  return { etag: answer.headers.get("ETag"), content: await parsed(answer) };
}

/** Puts a document in the place of the version that is known, and of no other: 412 where there is a newer one. */
export async function replace(path, content, known) {
  const answer = await send("PUT", path, content, { "If-Match": known.etag });
  if (!answer.ok) throw await refusal(answer);
  return { etag: answer.headers.get("ETag"), content: await parsed(answer) };
}

/** A picture, as an address that an image takes. */
export async function picture(path) {
  const answer = await send("GET", path);
  if (!answer.ok) throw await refusal(answer);
  return new Promise((found, failed) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => found(reader.result));
    reader.addEventListener("error", () => failed(unreachable()));
    answer.blob().then((picture) => reader.readAsDataURL(picture), () => failed(unreachable()));
  });
}

/** The path of a process, or of something it has. */
export const pathOf = (id, rest = "") => `/api/processes/${encodeURIComponent(id)}${rest}`;
