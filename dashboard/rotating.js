// Rotating a secret: the app rehearses it first, the dialog says what clients will notice, and asks once.

import { ask, idOf } from "./api.js";
import { open } from "./dialog.js";
import { h } from "./dom.js";
import { date, shortened, targetName } from "./format.js";
import { facts, rotationHref, statePill } from "./pieces.js";
import { reread } from "./store.js";
import { remedyOf, SKIPPED } from "./words.js";

/** Rotate a secret: what would happen is shown before anything does. `options` are members of the request. */
export function rotate(item, options = {}) {
  const body = { secret: idOf(item.secret), ...("force" in options ? { force: true } : {}) };
  const title = body.force ? `Store a live key in ${item.secret.name}` : `Rotate ${item.secret.name}`;
  return open(title, (dialog) => rehearse(dialog, item, body));
}

async function rehearse(dialog, item, body) {
  const plan = await ask("POST", "/rotations", { body: { ...body, dryRun: true } });
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
        ? { label: "Plan it without waiting", act: () => rehearse(dialog, item, { ...body, ignoreGrace: true }) }
        : {}),
    });
  }
  const reason = h("input", { maxlength: 500, name: "reason", autocomplete: "off" });
  const key = crypto.randomUUID();
  const isStored = plan.adopted || !plan.steps.some(({ step }) => step === "regenerate");
  dialog.show({
    content: [
      h(
        "p",
        {},
        isStored
          ? `The live key ${plan.keyName} of ${targetName(plan.target)} is stored in ${item.secret.name}. No key is regenerated.`
          : `${plan.keyName} of ${targetName(plan.target)} is regenerated and stored in ${item.secret.name}.`,
      ),
      h("p", { class: "notice" }, noticed(plan, body, isStored)),
      h("label", { class: "field" }, "Reason", reason, h("small", {}, "It is kept in the record. It may be empty.")),
      steps,
    ],
    label: isStored ? "Store the key" : `Regenerate ${plan.keyName}`,
    isDanger: plan.keyName === plan.previousKeyName && !isStored,
    act: async () => {
      dialog.showBusy(
        "The key is being rotated. This takes a few seconds, and up to two minutes where a service is slow.",
      );
      const asked = reason.value.trim() ? { ...body, reason: reason.value.trim() } : body;
      const rotation = await ask("POST", "/rotations", { body: asked, headers: { "Idempotency-Key": key } });
      await reread(item.secret).catch(() => {});
      showOutcome(dialog, rotation);
    },
  });
}

const whyOf = (plan, code) =>
  plan.error ? shortened(plan.error.message, plan.target, plan.secret) : (SKIPPED[code] ?? code);

/** Say what clients of a secret will notice of a planned rotation. */
function noticed(plan, { force, ignoreGrace }, isStored) {
  if (force && isStored) return "Clients that hold the dead key work again as soon as they read the new version.";
  if (plan.keyName === plan.previousKeyName) {
    return "The key that clients use now is regenerated in place: they fail until they read the new version.";
  }
  if (force || ignoreGrace)
    return "Clients that still use the key from before the last rotation fail until they read the secret again.";
  return `Clients notice nothing: the key that the secret holds now${plan.previousKeyName ? ` (${plan.previousKeyName})` : ""} stays alive until the next rotation. They have that long to read the new version.`;
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
