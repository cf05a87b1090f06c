// Rotating a secret: the app rehearses it first, the dialog says what clients will notice, and asks once.

import { ask, idOf } from "./api.js";
import { open } from "./dialog.js";
import { h } from "./dom.js";
import { date, moment, shortened, targetName } from "./format.js";
import { facts, rotationHref, statePill } from "./pieces.js";
import { reread } from "./store.js";
import { remedyOf, SKIPPED } from "./words.js";

/**
 * Rotate a secret: what would happen is shown before anything does. `force` stores a live key where it holds none.
 *
 * What is asked for in the end is about the version that the plan is about: where somebody was quicker, or the dialog was
 * open for long, nothing happens.
 */
export function rotate(item, { force = false } = {}) {
  const title = force ? `Store a live key in ${item.secret.name}` : `Rotate ${item.secret.name}`;
  return open(title, (dialog) => rehearse(dialog, item, force ? { force } : {}), item);
}

async function rehearse(dialog, item, options) {
  const plan = await ask("POST", "/rotations", { body: { secret: idOf(item.secret), ...options, dryRun: true } });
  const end = ending(plan);
  const steps = stepList(plan);
  if (end.state !== "Completed") {
    const isTooSoon = end.code === "too_soon";
    return dialog.show({
      content: [
        h("p", {}, `This rotation would end ${end.state}: ${whyOf(plan, end.code)}.`),
        remedyOf(end.code) && h("p", { class: "soft" }, remedyOf(end.code)),
        steps,
      ],
      ...(isTooSoon
        ? { label: "Plan it without waiting", act: () => rehearse(dialog, item, { ...options, ignoreGrace: true }) }
        : {}),
    });
  }
  const reason = h("input", { maxlength: 500, name: "reason", autocomplete: "off" });
  const key = crypto.randomUUID();
  const isStored = plan.adopted || !plan.steps.some(({ step }) => step === "regenerate");
  let body = null;
  const words = isStored
    ? `The live key ${plan.keyName} of ${targetName(plan.target)} is stored in ${item.secret.name}. No key is regenerated.`
    : `${plan.keyName} of ${targetName(plan.target)} is regenerated and stored in ${item.secret.name}.`;
  return dialog.show({
    content: [
      h("p", {}, words),
      h("p", { class: "notice" }, noticed(plan, options, isStored, item)),
      h("label", { class: "field" }, "Reason", reason, h("small", {}, "It is kept in the record. It may be empty.")),
      steps,
    ],
    label: isStored ? "Store the key" : `Regenerate ${plan.keyName}`,
    isDanger: plan.keyName === plan.previousKeyName && !isStored,
    act: async () => {
      dialog.showBusy(
        "The key is being rotated. This takes a few seconds, and up to two minutes where a service is slow.",
      );
      // Tried again, it is the same to the letter, and so the same rotation.
      body ??= {
        secret: `${idOf(item.secret)}/${plan.secret.version}`,
        ...options,
        ...(reason.value.trim() ? { reason: reason.value.trim() } : {}),
      };
      const rotation = await ask("POST", "/rotations", { body, headers: { "Idempotency-Key": key } });
      await reread(item.secret).catch(() => {});
      showOutcome(dialog, rotation);
    },
  });
}

const whyOf = (plan, code) =>
  plan.error ? shortened(plan.error.message, plan.target, plan.secret) : (SKIPPED[code] ?? code);

/** Say what clients of a secret will notice of a planned rotation. */
function noticed({ keyName, previousKeyName }, { force, ignoreGrace }, isStored, { leakedKey }) {
  if (force && isStored) return "Clients that hold the dead key work again as soon as they read the new version.";
  if (keyName === previousKeyName) {
    return "The key that clients use now is regenerated in place: they fail until they read the new version.";
  }
  if (leakedKey) {
    return `The key that the secret holds now was reported as leaked. It dies some time after the last secret has moved, and not before ${moment(leakedKey.dueOn)}: clients must read the new version before that.`;
  }
  if (force || ignoreGrace) {
    return "Clients that still use the key from before the last rotation fail until they read the secret again.";
  }
  const held = previousKeyName ? ` (${previousKeyName})` : "";
  return `Clients notice nothing: the key that the secret holds now${held} stays alive until the next rotation. They have that long to read the new version.`;
}

function showOutcome(dialog, rotation) {
  const { secret, state } = rotation;
  const words =
    {
      Completed: `The new version of ${secret?.name} holds ${rotation.keyName}${rotation.proven ? ", which was seen to work" : ""}.`,
      Skipped: `Nothing was changed: ${SKIPPED[rotation.skipReason] ?? rotation.skipReason}.`,
    }[state] ?? "It is not finished yet, and goes on by itself.";
  dialog.show({
    title: `Rotation ${state === "Completed" ? "completed" : state === "Skipped" ? "skipped" : "running"}`,
    content: [
      h("p", { class: "row", role: "status" }, statePill(state), words),
      state === "Completed" &&
        facts([
          ["Version", h("code", {}, secret.version)],
          ["Expires", date(secret.expiresOn)],
        ]),
      rotation.proven === false &&
        h(
          "p",
          { class: "notice warn" },
          "Nobody could ask the target whether the new key works. Look at a client of this secret.",
        ),
      h(
        "p",
        {},
        h("a", { href: rotationHref(rotation.id), click: () => dialog.element.close() }, "Show this rotation"),
      ),
    ],
  });
}

/** Return how a planned rotation would end, of its last steps. */
export function ending(plan) {
  const { detail } = plan.steps.findLast(({ step }) => step === "end") ?? { detail: "Completed" };
  const [, state, code] = /^(Completed|Failed|Skipped)[: (]*([a-z_]*)/.exec(detail) ?? [null, "Completed", ""];
  return { state, code: plan.error?.code ?? (code || null) };
}

/** Return the steps of a plan. */
export const stepList = ({ steps, target, secret }) =>
  h(
    "details",
    { open: true },
    h("summary", {}, "What the app would do, step by step"),
    h(
      "ol",
      { class: "steps small" },
      steps.map(({ step, detail }) => h("li", {}, h("b", {}, step), h("span", {}, shortened(detail, target, secret)))),
    ),
  );
