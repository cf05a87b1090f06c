// One rotation with its steps, live while it runs.

import { ask } from "./api.js";
import { open } from "./dialog.js";
import { h, refill } from "./dom.js";
import { date, moment, shortened, took } from "./format.js";
import { facts, rotationHref, secretLink, statePill, targetLink } from "./pieces.js";
import { isRunning } from "./rotations.js";
import { live, section } from "./view.js";
import { remedyOf, SKIPPED, STATES, TRIGGERS } from "./words.js";

const BACK = { href: "#/rotations", label: "All rotations" };

/** Draw one rotation. */
export function rotationView(content, id, signal) {
  const draw = async ({ head, body }) => {
    const rotation = await ask("GET", `/rotations/${encodeURIComponent(id)}`, { signal });
    refill(head, rotationHead(rotation, again));
    refill(
      body,
      outcome(rotation),
      section("Steps", h("div", { class: "card" }, stepsOf(rotation))),
      section("Details", h("div", { class: "card" }, details(rotation))),
    );
    return isRunning(rotation);
  };
  const again = live(content, { title: "Rotation", back: BACK }, draw, signal);
}

function rotationHead(rotation, again) {
  const { secret, target, provider, state } = rotation;
  return [
    h(
      "p",
      { class: "row" },
      statePill(state),
      secret && secretLink({ vault: secret.vault, name: secret.name }),
      target && targetLink(target, provider),
    ),
    state === "Scheduled" &&
      h(
        "div",
        { class: "row" },
        h("button", { type: "button", "data-focus": "cancel", click: () => cancel(rotation, again) }, "Cancel it"),
      ),
  ];
}

function cancel({ id }, again) {
  return open("Cancel this rotation", (dialog) =>
    dialog.show({
      content: h(
        "p",
        {},
        "It does not take place. Nothing is regenerated or stored. A leaked key that it would have regenerated stays alive.",
      ),
      label: "Cancel the rotation",
      isDanger: true,
      close: "Go back",
      act: async () => {
        dialog.showBusy("The rotation is being cancelled.");
        await ask("DELETE", `/rotations/${id}`);
        dialog.finish("The rotation is cancelled.");
        again();
      },
    }),
  );
}

function outcome({ state, error, skipReason, allowedOn, proven, gapSeconds, target, secret }) {
  if (error) {
    return h(
      "div",
      { class: "notice bad stack" },
      h("p", {}, h("b", {}, error.code), `: ${shortened(error.message, target, secret)}`),
      remedyOf(error.code) && h("p", {}, remedyOf(error.code)),
    );
  }
  if (skipReason) return h("p", { class: "notice" }, `Nothing was done: ${SKIPPED[skipReason] ?? skipReason}.`);
  if (state === "Scheduled" && allowedOn)
    return h(
      "p",
      { class: "notice" },
      `It begins ${moment(allowedOn)} or within five minutes after that, or later where a secret still holds the key.`,
    );
  if (proven === false)
    return h(
      "p",
      { class: "notice warn" },
      "The new key is stored, but the target could not be asked whether it works.",
    );
  return gapSeconds
    ? h(
        "p",
        { class: "notice warn" },
        `The secret held a dead key for ${gapSeconds.toLocaleString(undefined, { maximumFractionDigits: 1 })} seconds.`,
      )
    : null;
}

/** The steps of a rotation, as far as its record shows them: a dry run names each, a real one what it has reached. */
function stepsOf(rotation) {
  if (rotation.steps) {
    return h(
      "ol",
      { class: "timeline" },
      rotation.steps.map(({ step, detail }) =>
        h("li", { class: "later" }, h("p", {}, h("b", {}, step)), h("p", { class: "small" }, detail)),
      ),
    );
  }
  const { state, keyName, previousKeyName, secret, proven, adopted, startedOn, completedOn, attempts, error } =
    rotation;
  const isStored = Boolean(secret?.version && secret.previousVersion);
  const isOver = completedOn !== null;
  // Only a secret that held no live key has none before.
  const isTaken = secret !== null && keyName !== null && previousKeyName === null && !adopted;
  const steps = [
    ["Accepted", moment(startedOn), true],
    keyName && [
      adopted
        ? `Adopted ${keyName}, which another secret of the target holds`
        : isTaken
          ? `Took the live key ${keyName}: the secret held neither. No key was regenerated`
          : `Chose ${keyName}${previousKeyName ? `; the secret holds ${previousKeyName}` : ""}`,
      null,
      true,
    ],
    keyName && !adopted && !isTaken && (isStored || state === "Completed") && [`Regenerated ${keyName}`, null, true],
    proven !== null && [
      proven
        ? "Saw the new key work"
        : error?.code === "key_refused"
          ? "The target refused the new key"
          : "Could not find out whether the new key works",
      null,
      true,
    ],
    isStored && [
      h(
        "span",
        {},
        "Stored version ",
        h("code", {}, secret.version.slice(0, 8)),
        `, which expires ${date(secret.expiresOn)}`,
      ),
      null,
      true,
    ],
    [
      isOver
        ? STATES[state].name
        : state === "Scheduled"
          ? "Waits for its time"
          : `At work${attempts > 1 ? `: attempt ${attempts}` : ""}`,
      isOver ? moment(completedOn) : null,
      isOver && state !== "Failed",
    ],
  ];
  const shown = steps.filter(Boolean);
  return h(
    "ol",
    { class: "timeline" },
    shown.map(([words, when, isDone], index) => {
      const isLast = index === shown.length - 1;
      return h(
        "li",
        {
          class: isDone
            ? "done"
            : isLast && state === "Failed"
              ? "bad"
              : isLast && isRunning(rotation)
                ? "now"
                : "later",
        },
        h("p", {}, words),
        when && h("p", { class: "small soft" }, when),
      );
    }),
  );
}

function details({
  id,
  trigger,
  requestedBy,
  reason,
  attempts,
  startedOn,
  completedOn,
  secret,
  keyName,
  revocation,
  state,
}) {
  return facts([
    ["Id", h("code", {}, id)],
    ["Started because", TRIGGERS[trigger] ?? trigger],
    requestedBy && [
      "Asked for by",
      requestedBy.name ?? requestedBy.appId ?? requestedBy.objectId ?? "someone without a name",
    ],
    reason && ["Reason", reason],
    keyName && ["Key", keyName],
    [state === "Scheduled" ? "Asked for" : "Began", moment(startedOn)],
    completedOn && ["Ended", `${moment(completedOn)} (${took(startedOn, completedOn)})`],
    ["Attempts", String(attempts)],
    secret?.version && ["Version", h("code", {}, secret.version)],
    secret?.previousVersion && ["Version before", h("code", {}, secret.previousVersion)],
    revocation && ["Moves away from a leaked key", h("a", { href: rotationHref(revocation.id) }, "its revocation")],
  ]);
}
