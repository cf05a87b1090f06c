// Every managed secret that the API lists, and the app's health: kept up to date while the page is in sight.

import { ask, pathOf } from "./api.js";

const FIRST_PAGE = 10; // What is in sight, and soon there.
const PAGE = 200; // The most that the API gives at once.
const MOST = 20_000; // Secrets that are kept: some 30 MB.
const EVERY = 15_000; // Milliseconds from one walk through the list to the next,
const SHARE = 12; // and at least so many times as long as the walk itself took.

/** What is known. `secrets` is by key; `isWhole` says whether the list was read to its end. */
export const known = {
  secrets: new Map(),
  asOf: null,
  readOn: null,
  isWhole: false,
  isCut: false,
  health: null,
  problem: null,
};

const listeners = new Set();
let timer = null;
let walking = null;
// What actions have answered since the walk began: it may come with what was there before.
let touched = new Set();

/** Return the key of a secret: of a line about a vault that could not be looked through it has no name. */
export const keyOf = (secret) => `${secret.vault}/${secret.name ?? ""}`.toLowerCase();

/** Call a listener whenever something is known that was not, until the signal says that it is enough. */
export function follow(listener, signal) {
  listeners.add(listener);
  signal.addEventListener("abort", () => listeners.delete(listener));
  listener();
}

/** Begin to read, and go on for as long as the page is in sight. */
export function start() {
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : refresh()));
  return refresh();
}

/** Read everything again now, once for all who ask for it meanwhile. */
export function refresh() {
  walking ??= readAll().finally(() => {
    walking = null;
  });
  return walking;
}

/** Let the app look through its vaults and compare all secrets now, and read what it has found. */
export async function lookNow() {
  await ask("GET", "/secrets", { query: { refresh: true, top: 1 } });
  await walking;
  await refresh();
}

/** Read one secret again, and return it. One that is not managed any more is forgotten. */
export async function reread(secret) {
  try {
    const item = await ask("GET", pathOf(secret));
    keep(item);
    return item;
  } catch (problem) {
    if (problem.code === "secret_not_found") forget(secret);
    throw problem;
  }
}

/** Remember what a call has answered about a secret. */
export function keep(item) {
  touched.add(keyOf(item.secret));
  known.secrets.set(keyOf(item.secret), item);
  tell();
}

/** Forget a secret that is not managed any more. */
export function forget(secret) {
  touched.add(keyOf(secret));
  if (known.secrets.delete(keyOf(secret))) tell();
}

async function readAll() {
  clearTimeout(timer);
  const begun = performance.now();
  try {
    await Promise.all([readSecrets(), readHealth()]);
    known.problem = null;
  } catch (problem) {
    known.problem = problem;
  }
  tell();
  const pause = Math.max(EVERY, SHARE * (performance.now() - begun));
  if (!document.hidden) timer = setTimeout(refresh, pause);
}

async function readHealth() {
  known.health = await ask("GET", "/health");
  tell();
}

async function readSecrets() {
  const seen = new Set();
  touched = new Set();
  let continuation = null;
  let top = FIRST_PAGE;
  known.isCut = false;
  do {
    const page = await ask("GET", "/secrets", { query: { top, continuation } });
    for (const item of page.secrets) {
      const key = keyOf(item.secret);
      if (!touched.has(key)) known.secrets.set(key, item);
      seen.add(key);
    }
    ({ continuation } = page);
    known.asOf = page.asOf;
    known.isCut = continuation !== null && seen.size >= MOST;
    top = PAGE;
    tell();
  } while (continuation !== null && !known.isCut);
  for (const key of known.secrets.keys()) if (!seen.has(key) && !touched.has(key)) known.secrets.delete(key);
  known.isWhole = true;
  known.readOn = new Date();
}

function tell() {
  for (const listener of [...listeners]) listener();
}
