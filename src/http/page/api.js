// Asks the daemon to do something, and says in words when it will not.

/** A refusal: what to tell the operator, and which fields are to blame. */
export class Refusal extends Error {
  /** `problems` are `{field, detail}`, in the order of the document. */
  constructor(message, problems = []) {
    super(message);
    this.problems = problems;
  }
}

/** One request; what it answers, parsed. Throws a [`Refusal`] and nothing else. */
export async function ask(method, path, body) {
  let answer;
  let text;
  try {
    answer = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    text = await answer.text();
  } catch {
    throw new Refusal("The kiosk cannot be reached. Nothing was lost: try again when the connection is back.");
  }
  let document = null;
  try {
    document = text === "" ? null : JSON.parse(text);
  } catch {
    // Not from the daemon: something between here and there. The status says enough.
  }
  if (answer.ok) return document;
  const detail = document?.detail ?? `The kiosk answered ${answer.status} ${answer.statusText}`.trimEnd();
  const blamed = document?.field ? [{ field: document.field, detail: detail.replace(`${document.field}: `, "") }] : [];
  throw new Refusal(detail, document?.problems ?? blamed);
}

/** The path of a process, or of something it has. */
export const pathOf = (id, rest = "") => `/api/processes/${encodeURIComponent(id)}${rest}`;
