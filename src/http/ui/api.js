// Sends requests to the daemon, and turns refusals into errors with a message for the operator.

/** A refused request: the message for the operator, and the fields that are wrong. */
export class Refusal extends Error {
  /**
   * `problems` are `{field, detail}`, in the order of the document. `status` is null if there was no response, `type`
   * if the response did not come from the daemon.
   */
  constructor(message, problems = [], { status = null, type = null } = {}) {
    super(message);
    Object.assign(this, { problems, status, type });
  }
}

/** The problems of a request without a valid session, as opposed to one with a wrong password. */
const UNAUTHENTICATED = ["/problems/sign-in", "/problems/unclaimed", "/problems/sealed"];

let authenticate = null;

/** Sets what to await after a request without a valid session, before that request is sent again. */
export function onUnauthenticated(listener) {
  authenticate = listener;
}

async function send(method, path, body, headers = {}, signal = undefined) {
  for (;;) {
    const answer = await sendOnce(method, path, body, headers, signal);
    if (answer.status !== 401 || authenticate === null || isSignIn(path)) return answer;
    const { type } = (await parsed(answer.clone())) ?? {};
    if (!UNAUTHENTICATED.includes(type)) return answer;
    await authenticate();
  }
}

const isSignIn = (path) => path === "/api/login" || path === "/api/claim";

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

/** The message if the kiosk does not answer. It is removed once the connection is back. */
export const UNREACHABLE = "The kiosk cannot be reached. Your input is kept: try again when the connection is back.";

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
    // A proxy answered, not the daemon. The status is enough.
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

/** Sends a request and returns the parsed response. Throws only a [`Refusal`]. `signal` cancels the request. */
export async function ask(method, path, body, signal) {
  const answer = await send(method, path, body, {}, signal);
  if (!answer.ok) throw await refusal(answer);
  return parsed(answer);
}

/** The current version of a document. `known` is a version read earlier, or null; it is returned if it is current. */
export async function latest(path, known) {
  const answer = await send("GET", path, undefined, known ? { "If-None-Match": known.etag } : {});
  if (answer.status === 304) return known;
  if (!answer.ok) throw await refusal(answer);
  return { etag: answer.headers.get("ETag"), content: await parsed(answer) };
}

/** Replaces the known version of a document. Fails with 412 if there is a newer one. */
export async function replace(path, content, known) {
  const answer = await send("PUT", path, content, { "If-Match": known.etag });
  if (!answer.ok) throw await refusal(answer);
  return { etag: answer.headers.get("ETag"), content: await parsed(answer) };
}

/** An image, as a `data:` URL. */
export async function image(path) {
  const answer = await send("GET", path);
  if (!answer.ok) throw await refusal(answer);
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(unreachable()));
    answer.blob().then((blob) => reader.readAsDataURL(blob), () => reject(unreachable()));
  });
}

/** The path of a process, followed by `rest`. */
export const pathOf = (id, rest = "") => `/api/processes/${encodeURIComponent(id)}${rest}`;
