// Small things that several views show.

import { idOf } from "./api.js";
import { h } from "./dom.js";
import { ago, authority, countdown, DAY, date, kindName, moment, targetName, vaultName } from "./format.js";
import { RESULTS, STATES, STATUSES } from "./words.js";

/** A link's address for one secret, one target, one rotation. */
export const secretHref = (secret) =>
  `#/secrets/${encodeURIComponent(authority(secret.vault))}/${encodeURIComponent(secret.name)}`;
export const targetHref = (target) => `#/targets/${encodeURIComponent(target)}`;
export const rotationHref = (id) => `#/rotations/${encodeURIComponent(id)}`;

export const secretLink = (secret, attributes = {}) =>
  h("a", { href: secretHref(secret), "data-focus": `secret:${idOf(secret)}`, ...attributes }, secret.name);

/** A target by its name, with its kind. */
export const targetLink = (target, provider) =>
  h(
    "span",
    {},
    h("a", { href: targetHref(target), title: target, "data-focus": `target:${target}` }, targetName(target)),
    provider && h("small", { class: "soft" }, ` ${kindName(provider)}`),
  );

const pill = ({ look, name, means }) => h("span", { class: `pill ${look}`, title: means }, name);
export const statusPill = (status) => pill(STATUSES[status]);
export const statePill = (state) => pill(STATES[state]);

/** A time as people say it, with the exact one behind it. */
export const time = (text) => (text ? h("time", { datetime: text, title: moment(text) }, ago(text)) : "–");

/** A day, with the exact time behind it. */
export const onDay = (text) => (text ? h("time", { datetime: text, title: moment(text) }, date(text)) : "–");

/** A clock that runs down to a time. */
export function clock(text) {
  const left = () => countdown(new Date(text) - Date.now());
  const shown = h("time", { class: "countdown", datetime: text, role: "timer", "aria-live": "off" }, left());
  const ticking = setInterval(() => {
    if (!shown.isConnected && shown.dataset.seen) clearInterval(ticking);
    shown.dataset.seen = shown.isConnected ? "1" : (shown.dataset.seen ?? "");
    shown.textContent = left();
  }, 1000);
  return shown;
}

/** How much of a secret's validity is left, as a bar. Where it began is known only from its last rotation. */
export function life(item, now = Date.now()) {
  if (!item.expiresOn) return h("span", { class: "soft" }, "no expiry");
  const { completedOn, state } = item.lastRotation ?? {};
  const end = new Date(item.expiresOn);
  const isKnown = state === "Completed";
  const begin = isKnown ? new Date(completedOn) : end - Math.max(90 * DAY, end - now);
  const left = Math.min(1, Math.max(0, (end - now) / (end - begin)));
  const look = end - now < 10 * DAY ? "bad" : end - now < 30 * DAY ? "warn" : "";
  const words = `${ago(item.expiresOn, now)} (${date(item.expiresOn)})`;
  return h(
    "span",
    { class: "two-lines", title: `Expires ${words}` },
    h("span", {}, ago(item.expiresOn, now)),
    h(
      "span",
      { class: `life ${look} ${isKnown ? "" : "guess"}`, "aria-hidden": "true" },
      h("i", { style: { transform: `scaleX(${left.toFixed(3)})` } }),
    ),
  );
}

/** Whether a secret's key was seen to be live, and when. */
export function verified(item) {
  if (!item.verified) return h("span", { class: "soft" }, "not yet");
  const { on, result, why } = item.verified;
  return h(
    "span",
    { class: "two-lines", title: why ?? moment(on) },
    h("span", {}, RESULTS[result]),
    h("small", {}, ago(on)),
  );
}

/** Whether a secret was seen to hold no live key of its target. */
export const holdsNeither = ({ heldKey, verified: seen }) => !heldKey && seen?.result === "Drift";

/** The key that a secret holds: the one that was seen in it, or else the one that its tag names. */
export const keyIn = (item) => (holdsNeither(item) ? null : (item.heldKey ?? item.keyName));

/** Where a secret lies. */
export const place = (secret) => h("small", { title: secret.vault }, vaultName(secret.vault));

/** An error as people read it: what happened, and what to do. */
export function problemBox(problem, remedy) {
  return h(
    "div",
    { class: "notice bad stack", role: "alert" },
    h("p", {}, problem.message),
    remedy && h("p", { class: "small" }, remedy),
    problem.rotationId &&
      h("p", { class: "small" }, h("a", { href: rotationHref(problem.rotationId) }, "Show that rotation")),
  );
}

/** Something that is being loaded: grey bars, and a word for screen readers. */
export const loading = (bars = 3) =>
  h(
    "div",
    { class: "stack", role: "status" },
    h("span", { class: "hidden" }, "Loading"),
    Array.from({ length: bars }, () => h("div", { class: "loading" })),
  );

export const facts = (pairs) =>
  h(
    "dl",
    { class: "facts" },
    pairs.filter(Boolean).map(([term, ...shown]) => h("div", {}, h("dt", {}, term), h("dd", {}, shown))),
  );
