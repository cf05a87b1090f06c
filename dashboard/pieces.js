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

/** A time as people say it, with the exact one behind it. `tick` keeps it true. */
export const time = (text) =>
  text ? h("time", { datetime: text, title: moment(text), "data-runs": "ago" }, ago(text)) : "–";

/** A day, with the exact time behind it. */
export const onDay = (text) => (text ? h("time", { datetime: text, title: moment(text) }, date(text)) : "–");

/** A clock that runs down to a time. `tick` keeps it going. */
export const clock = (text) =>
  h("time", { class: "countdown", datetime: text, role: "timer", "aria-live": "off", "data-runs": "down" }, left(text));

const left = (text) => countdown(new Date(text) - Date.now());

/** Show what time it is by now, wherever a time runs. */
export function tick() {
  for (const each of document.querySelectorAll("time[data-runs]")) {
    const text = each.dataset.runs === "ago" ? ago(each.dateTime) : left(each.dateTime);
    if (each.textContent !== text) each.textContent = text;
  }
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
  return h(
    "span",
    { class: "two-lines" },
    time(item.expiresOn),
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
    h("small", {}, time(on)),
  );
}

/** Whether a secret was seen to hold no live key of its target. */
export const holdsNeither = ({ heldKey, verified: seen }) => !heldKey && seen?.result === "Drift";

/** The key that a secret holds: the one that was seen in it, or else the one that its tag names. */
export const keyIn = (item) => (holdsNeither(item) ? null : (item.heldKey ?? item.keyName));

/** Where a secret lies. */
export const place = (secret) => h("small", { class: "soft", title: secret.vault }, vaultName(secret.vault));

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
