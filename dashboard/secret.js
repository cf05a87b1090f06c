// One secret, or one target: its two keys, who holds which, its versions, its rotations, and what can be done.

import { ask, idOf, pathOf } from "./api.js";
import { h, refill } from "./dom.js";
import { kindName, plural, sentence, targetName, vaultName } from "./format.js";
import { reportLeak, revocationCard } from "./leak.js";
import { change, manage, pause, resume, unmanage, verify } from "./managing.js";
import {
  facts,
  holdsNeither,
  keyIn,
  life,
  onDay,
  place,
  secretLink,
  statusPill,
  targetLink,
  time,
  verified,
} from "./pieces.js";
import { rotate } from "./rotating.js";
import { isRunning, rotationRows } from "./rotations.js";
import { known } from "./store.js";
import { live, section } from "./view.js";
import { STATUSES } from "./words.js";

const KEYS = ["Primary", "Secondary"];
const ROTATIONS_SHOWN = 20;
const BACK = { href: "#/", label: "All secrets" };

/** Draw one secret. */
export function secretView(content, secret, signal) {
  // The address of a vault in a link is its authority.
  const named = { vault: `https://${secret.vault}`, name: secret.name };
  const draw = async ({ head, body }) => {
    const [item, { rotations }] = await Promise.all([
      ask("GET", pathOf(named), { signal }),
      ask("GET", "/rotations", { query: { secret: idOf(named), top: ROTATIONS_SHOWN }, signal }),
    ]);
    const holders = [item, ...item.neighbours];
    const revocation = await revocationOf(holders, rotations, signal);
    refill(head, secretHead(item, again));
    refill(
      body,
      item.why && reason(item),
      leak(revocation, holders),
      section("At a glance", h("div", { class: "card" }, glance(item))),
      item.target && section("The two keys of its target", slots(holders, revocation)),
      section("Versions", h("div", { class: "card" }, versions(rotations))),
      section("Rotations", rotationRows(rotations, "This secret was never rotated by the app.")),
    );
    return isGoingOn(rotations, revocation);
  };
  const again = live(content, { title: secret.name, back: BACK }, draw, signal);
}

/** Draw one target: the secrets that hold its keys. */
export function targetView(content, target, signal) {
  const draw = async ({ head, body }) => {
    const [{ secrets }, { rotations }] = await Promise.all([
      ask("GET", "/secrets", { query: { target, top: 200 }, signal }),
      ask("GET", "/rotations", { query: { target, top: ROTATIONS_SHOWN }, signal }),
    ]);
    // One of them knows which key each holds.
    const first = secrets.length ? await ask("GET", pathOf(secrets[0].secret), { signal }) : null;
    const holders = first ? [first, ...first.neighbours] : [];
    const revocation = await revocationOf(holders, rotations, signal);
    const { provider } = secrets[0] ?? {};
    refill(
      head,
      h(
        "p",
        { class: "soft" },
        provider ? `${kindName(provider)} · ${plural(secrets.length, "managed secret")}` : "Target",
      ),
      h("p", { class: "small" }, h("code", {}, target)),
    );
    const none = h("p", { class: "empty card" }, "No managed secret holds a key of this target.");
    refill(
      body,
      leak(revocation, holders),
      section("Its two keys", holders.length ? slots(holders, revocation) : none),
      section("Rotations", rotationRows(rotations, "No key of this target was ever rotated by the app.")),
    );
    return isGoingOn(rotations, revocation);
  };
  live(content, { title: targetName(target), back: BACK }, draw, signal);
}

// One that waits for hours is no reason to ask every other second: its clock runs by itself.
const isGoingOn = (rotations, revocation) => [...rotations, revocation ?? {}].some(isRunning);

function secretHead(item, again) {
  const act = (label, action, options = {}) =>
    h(
      "button",
      {
        type: "button",
        "data-focus": `do:${label}`,
        ...options,
        click: async () => {
          await action(item);
          again();
        },
      },
      label,
    );
  const isManaged = item.status !== "NearlyManaged";
  const first = { Drifted: ["Store a live key", (it) => rotate(it, { force: true })], Paused: ["Resume", resume] }[
    item.status
  ] ?? ["Rotate", rotate];
  return [
    h(
      "p",
      { class: "row" },
      statusPill(item.status),
      item.leakedKey && h("span", { class: "pill bad" }, "Leaked key alive"),
      h("span", { class: "soft" }, "in ", h("span", { title: item.secret.vault }, vaultName(item.secret.vault))),
    ),
    !isManaged && h("div", { class: "row" }, act("Put under management", manage, { class: "main" })),
    isManaged &&
      h(
        "div",
        { class: "row", role: "group", "aria-label": "Actions" },
        act(...first, { class: "main" }),
        act("Verify", verify),
        item.status !== "Paused" && act("Pause", pause),
        act("Change", change),
        !item.leakedKey && act("The key has leaked", reportLeak),
        act("Stop managing", unmanage),
      ),
  ];
}

const reason = (item) =>
  h("section", {}, h("p", { class: `notice ${STATUSES[item.status].look}` }, sentence(item.why, item)));

function glance(item) {
  return facts([
    ["Target", item.target ? targetLink(item.target, item.provider) : "not readable"],
    [
      "Key in use",
      holdsNeither(item) ? "neither" : (item.heldKey ?? (item.keyName ? `${item.keyName} (by its tag)` : "unknown")),
    ],
    ["Expires", life(item)],
    [
      "Next rotation",
      item.nextRotationOn
        ? onDay(item.nextRotationOn)
        : known.health?.checks.mode
          ? "none: the app only observes"
          : "none as it stands",
    ],
    ["Verified", verified(item)],
    ["Last seen", time(item.seenOn)],
  ]);
}

function slots(holders, revocation) {
  const astray = holders.filter(holdsNeither);
  return [
    h(
      "div",
      { class: "slots" },
      KEYS.map((key) => {
        const here = holders.filter((each) => keyIn(each) === key);
        const isLeaked = here.some((each) => each.leakedKey);
        // Nobody holds it any more, and it lives until it is regenerated.
        const isDying = !here.length && holders.length > 0 && revocation?.state === "Scheduled";
        return h(
          "div",
          { class: `slot card ${isLeaked || isDying ? "leaked" : here.length ? "used" : ""}` },
          h(
            "h3",
            { class: "row" },
            key,
            isLeaked || isDying
              ? h("span", { class: "pill bad" }, "Leaked")
              : here.length
                ? h("span", { class: "pill good" }, "In use")
                : h("span", { class: "pill calm" }, "Free"),
          ),
          here.length
            ? h(
                "ul",
                { class: "stack" },
                here.map((each) =>
                  h(
                    "li",
                    {},
                    secretLink(each.secret),
                    place(each.secret),
                    each.status && statusPill(each.status),
                    !each.heldKey && h("small", { class: "soft" }, "by its tag; not compared yet"),
                  ),
                ),
              )
            : h("p", { class: "soft" }, "No managed secret holds it."),
        );
      }),
    ),
    astray.length > 0 &&
      h(
        "p",
        { class: "row" },
        astray.map((each) => secretLink(each.secret)),
        `${astray.length === 1 ? "holds" : "hold"} neither of them.`,
      ),
  ];
}

function versions(rotations) {
  const stored = rotations.filter(({ state, secret }) => state === "Completed" && secret?.version);
  if (!stored.length) return h("p", { class: "soft" }, "The app has stored no version of this secret yet.");
  const line = ({ secret, keyName, completedOn, adopted, proven }, index) =>
    h(
      "li",
      { class: index ? "later" : "done" },
      h(
        "p",
        {},
        h("code", {}, secret.version.slice(0, 8)),
        index ? "" : h("b", {}, " current"),
        ` · holds ${keyName}${adopted ? ", adopted from another secret" : ""}${proven ? ", proven" : proven === false ? ", not proven" : ""}`,
      ),
      h("p", { class: "small soft" }, "stored ", time(completedOn), ", expires ", onDay(secret.expiresOn)),
    );
  const oldest = stored.at(-1).secret.previousVersion;
  return h(
    "ol",
    { class: "timeline" },
    stored.map(line),
    oldest && h("li", { class: "later" }, h("code", {}, oldest.slice(0, 8)), " · before the first of these rotations"),
  );
}

/** Return the revocation of a key of the target that has leaked, null where there is none. */
async function revocationOf(holders, rotations, signal) {
  const known = holders.find((each) => each.leakedKey)?.leakedKey.revocation;
  const waits = ({ state, secret, keyName }) => state === "Scheduled" && secret === null && keyName === null;
  const moved = rotations.find(({ revocation }) => revocation)?.revocation.id;
  const id = known ?? rotations.find(waits)?.id ?? moved;
  if (!id) return null;
  try {
    return await ask("GET", `/rotations/${id}`, { signal });
  } catch (problem) {
    if (problem.code === "rotation_not_found") return { id, state: "Gone" };
    throw problem;
  }
}

const leak = (revocation, holders) => {
  const here = holders.filter((each) => each.leakedKey);
  const isOver = revocation?.state !== "Scheduled" && here.length === 0;
  return revocation && !isOver && h("section", {}, revocationCard(revocation, here));
};
