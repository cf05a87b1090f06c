// Which secrets need a person, why, and the one thing to do about each.

import { h } from "./dom.js";
import { sentence, vaultName } from "./format.js";
import { change, manage, resume, unmanage } from "./managing.js";
import { place, secretLink, statusPill, time } from "./pieces.js";
import { rotate } from "./rotating.js";
import { remedyOf, STATUSES } from "./words.js";

const URGENCY = Object.keys(STATUSES);
const NEEDY = new Set(["Drifted", "TargetMissing", "Expired", "Overdue", "Misconfigured", "NearlyManaged"]);

/** Return whether the last rotation of a secret has failed. */
export const hasFailed = (item) => item.lastRotation?.state === "Failed";

/** Return what each secret that needs a person needs, the most urgent first. */
export function needsOf(items) {
  return items
    .filter((item) => NEEDY.has(item.status) || item.leakedKey || hasFailed(item))
    .sort((one, other) => rank(one) - rank(other) || one.secret.name?.localeCompare(other.secret.name ?? "") || 0);
}

/** Return the card of a secret that needs a person. */
export function needCard(item) {
  const { look } = STATUSES[item.status];
  const isBad = look === "bad" || item.leakedKey || hasFailed(item);
  const [label, act, remedy] = remedyFor(item);
  return h(
    "li",
    { class: `need card ${isBad ? "bad" : ""}` },
    h(
      "h3",
      { class: "row" },
      item.secret.name ? [secretLink(item.secret), place(item.secret)] : `Vault ${vaultName(item.secret.vault)}`,
      statusPill(item.status),
      item.leakedKey && h("span", { class: "pill bad" }, "Leaked key alive"),
      hasFailed(item) && h("span", { class: "pill bad" }, "Last rotation failed"),
    ),
    h("div", { class: "why small" }, h("p", {}, reasonOf(item)), h("p", { class: "soft" }, remedy)),
    act &&
      h(
        "div",
        { class: "do" },
        h(
          "button",
          {
            type: "button",
            class: isBad ? "main" : null,
            click: () => act(item),
            "data-focus": `need:${item.secret.vault}/${item.secret.name}`,
            "aria-label": `${label}: ${item.secret.name}`,
          },
          label,
        ),
      ),
  );
}

function rank(item) {
  if (item.status === "Drifted") return -2;
  if (item.leakedKey) return -1;
  return URGENCY.indexOf(item.status);
}

function reasonOf(item) {
  if (item.leakedKey && item.status !== "Drifted") {
    const held = item.status === "UpToDate" || item.status === "Due" ? "" : ` ${sentence(item.why, item)}`;
    return `It holds a key that was reported as leaked, and that key lives as long as the secret holds it.${held}`;
  }
  if (item.why) return sentence(item.why, item);
  if (hasFailed(item))
    return ["Its last rotation failed ", time(item.lastRotation.completedOn), `: ${item.lastRotation.error}.`];
  return STATUSES[item.status].means;
}

/** Return what to do: a button's label, what it does, and a sentence beside it. */
function remedyFor(item) {
  if (!item.secret.name) return [null, null, "Correct what the reason names, then look again."];
  if (item.status === "Drifted") return ["Store a live key", (it) => rotate(it, { force: true }), remedyOf("drift")];
  if (item.status === "NearlyManaged") {
    return [
      "Put under management",
      manage,
      "Name its target again: the tag is written as it must be. Or remove the tag, if the secret is not for this app.",
    ];
  }
  if (item.status === "TargetMissing") return ["Stop managing", unmanage, remedyOf("target_not_found")];
  if (item.leakedKey && item.status === "Paused") {
    return [
      "Resume",
      resume,
      "Resumed, it moves to the other key within five minutes, and the leaked key dies after that.",
    ];
  }
  if (item.status === "Misconfigured") {
    return ["Correct it", change, "The validity and the strategy can be corrected here, everything else in the vault."];
  }
  if (item.leakedKey)
    return ["Rotate now", rotate, "It moves to the other key within five minutes. Rotate it now if you cannot wait."];
  return [
    "Rotate now",
    rotate,
    (hasFailed(item) && remedyOf(item.lastRotation.error)) ||
      "Rotate it when the cause is gone, or let the next sweep do it.",
  ];
}
