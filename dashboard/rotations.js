// Rotations, newest first.

import { ask } from "./api.js";
import { h, refill } from "./dom.js";
import { DAY, targetName, took } from "./format.js";
import { rotationHref, secretLink, statePill, targetLink, time } from "./pieces.js";
import { live } from "./view.js";
import { SKIPPED, STATES } from "./words.js";

const PAGE = 50;
const SPANS = [
  ["", "At any time"],
  ["1", "In the last day"],
  ["7", "In the last 7 days"],
  ["30", "In the last 30 days"],
];

/** Return whether a rotation is at work or about to begin. */
export const isRunning = ({ state }) => state === "Accepted" || state === "Regenerating";

/** Draw the list. `query` is what the address asks for. */
export function rotationsView(content, query, signal) {
  const wanted = { state: query.get("state") ?? "", days: query.get("days") ?? "" };
  const states = Object.entries(STATES).filter(([state]) => state !== "Planned");
  const filters = h(
    "div",
    { class: "filters" },
    select("state", "State", [["", "Any state"], ...states.map(([state, { name }]) => [state, name])]),
    select("days", "Time", SPANS),
  );
  let pages = 1;

  function select(name, label, options) {
    const chosen = ([value, text]) => h("option", { value, selected: value === wanted[name] }, text);
    const change = ({ target }) => want({ [name]: target.value });
    return h("select", { "aria-label": label, change }, options.map(chosen));
  }

  async function draw({ head, body }) {
    const since = wanted.days ? new Date(Date.now() - Number(wanted.days) * DAY).toISOString() : null;
    const found = [];
    const asked = JSON.stringify([wanted, pages]);
    let continuation = null;
    for (let page = 0; page < pages && (page === 0 || continuation); page += 1) {
      const query = { state: wanted.state, since, top: PAGE, continuation };
      const answer = await ask("GET", "/rotations", { query, signal });
      found.push(...answer.rotations);
      ({ continuation } = answer);
    }
    if (!filters.isConnected) head.append(filters);
    // The person has changed the question meanwhile: the answer to that follows.
    if (asked !== JSON.stringify([wanted, pages])) return false;
    refill(
      body,
      rotationRows(found, "There was no such rotation."),
      continuation && h("p", {}, h("button", { type: "button", "data-focus": "more", click: more }, "Show more")),
    );
    return found.some(isRunning);
  }

  function more() {
    pages += 1;
    again();
  }

  function want(change) {
    Object.assign(wanted, change);
    pages = 1;
    const asked = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value));
    history.replaceState(null, "", `#/rotations${asked.size ? `?${asked}` : ""}`);
    again();
  }

  const again = live(content, { title: "Rotations" }, draw, signal);
}

/** Return rotations as rows, or a sentence where there are none. */
export function rotationRows(rotations, none) {
  if (!rotations.length) return h("p", { class: "empty card" }, none);
  return h(
    "ul",
    { class: "list card" },
    rotations.map((each) =>
      h(
        "li",
        {},
        h(
          "a",
          {
            href: rotationHref(each.id),
            "data-focus": `rotation:${each.id}`,
            "aria-label": `${STATES[each.state].name}: show this rotation of ${nameOf(each)}`,
          },
          statePill(each.state),
        ),
        h(
          "span",
          {},
          each.secret
            ? secretLink({ vault: each.secret.vault, name: each.secret.name })
            : h("span", { class: "soft" }, isRevocation(each) ? "revocation of a leaked key" : "no secret"),
          each.keyName && h("small", { class: "soft" }, ` ${each.keyName}`),
        ),
        h(
          "span",
          { class: "one-line" },
          each.target ? targetLink(each.target) : h("span", { class: "soft" }, "target not looked up"),
        ),
        h(
          "span",
          { class: "small soft" },
          each.state === "Scheduled" && each.allowedOn
            ? ["due ", time(each.allowedOn)]
            : time(each.completedOn ?? each.startedOn),
          each.completedOn ? ` · ${took(each.startedOn, each.completedOn)}` : "",
          each.error
            ? ` · ${each.error.code}`
            : each.skipReason
              ? ` · ${SKIPPED[each.skipReason] ?? each.skipReason}`
              : "",
        ),
      ),
    ),
  );
}

const isRevocation = ({ secret, keyName }) => secret === null && keyName === null;

const nameOf = ({ secret, target }) => secret?.name ?? (target ? targetName(target) : "a target");
