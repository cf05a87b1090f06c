// The HTTP API, which is the same for everyone: docs/http-api.md.

import { authority } from "./format.js";
import { currentKey, letIn, signIn } from "./sign-in.js";

const PUBLIC = "/health"; // It answers the same to everyone, also where it is an error.
const ANSWERED_WITHIN = 240_000; // App Service gives a caller up after 230 s.

/** An answer that is an error: `detail` is a sentence for people, `code` is stable. */
export class Problem extends Error {
  constructor(status, problem) {
    super(problem.detail);
    this.status = status;
    this.code = problem.code;
    this.rotationId = problem.rotationId ?? null;
    this.allowedOn = problem.allowedOn ?? null;
    // Whether it may have been done all the same: no answer came, or one that promises nothing.
    this.isLost = status === 0 || status >= 500;
  }
}

/** Return what a call answers, or null where it has no body. Throws a `Problem`. */
export async function ask(method, path, { query = {}, body, headers = {}, signal } = {}) {
  const key = path === PUBLIC ? null : await currentKey();
  const answer = await send(method, `/api${path}${queryOf(query)}`, key, body, headers, signal);
  const content = await read(answer);
  if (answer.status === 401) {
    await signIn(key);
    return ask(method, path, { query, body, headers, signal });
  }
  if (path !== PUBLIC) letIn();
  if (answer.ok || path === PUBLIC) return content;
  throw new Problem(
    answer.status,
    content ?? {
      code: "unreadable",
      detail: `The app answered ${answer.status} ${answer.statusText}, without saying why. Try again; if it stays so, look at its logs.`,
    },
  );
}

/** Return the path of a secret. */
export const pathOf = (secret) =>
  `/secrets/${encodeURIComponent(authority(secret.vault))}/${encodeURIComponent(secret.name)}`;

/** Return the id of a secret. */
export const idOf = (secret) => `${secret.vault}/secrets/${secret.name}`;

async function send(method, path, key, body, headers, signal) {
  const limit = AbortSignal.timeout(ANSWERED_WITHIN);
  try {
    return await fetch(path, {
      method,
      // No other site can send a header of this name, so that none can ask in the name of who is signed in here.
      headers: {
        "X-Rotator": "1",
        ...(key ? { "x-functions-key": key } : {}),
        ...(body ? { "Content-Type": "application/json" } : {}),
        ...headers,
      },
      body: body ? JSON.stringify(body) : undefined,
      cache: "no-store",
      redirect: "error",
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    const detail = error.name === "TimeoutError" ? "The app did not answer in time." : "The app cannot be reached.";
    throw new Problem(0, {
      code: "unreachable",
      detail: `${detail} Check your connection, and whether the app is running.`,
    });
  }
}

async function read(answer) {
  const text = await answer.text();
  if (!/^application\/(problem\+)?json\b/.test(answer.headers.get("Content-Type") ?? "")) return null;
  return text ? JSON.parse(text) : null;
}

function queryOf(query) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
}
