// A leaked key: who holds it, when it dies, how long that is from now, and how to call it off.

import { ask, idOf, pathOf } from "./api.js";
import { open } from "./dialog.js";
import { h } from "./dom.js";
import { moment, plural, targetName } from "./format.js";
import { clock, keyIn, place, rotationHref, secretLink, statusPill, targetHref } from "./pieces.js";
import { ending, stepList } from "./rotating.js";
import { refresh, reread } from "./store.js";
import { remedyOf, SKIPPED } from "./words.js";

const DELAYS = [
  ["PT0S", "At once", "Clients that have not read their secret again fail."],
  ["PT1H", "One hour later", "For clients that read their secret at least every hour."],
  ["PT4H", "Four hours later", ""],
  ["P1D", "One day later", "For clients of App Service, which read a secret once a day."],
];
const USUAL = "PT1H";

/** Report that the key which a secret holds has leaked, in two steps: who holds it, and when it dies. */
export function reportLeak(item) {
  const draw = async (dialog) => {
    const details = await ask("GET", pathOf(item.secret));
    const held = keyIn(details);
    const holders = [details, ...details.neighbours.filter((each) => held && keyIn(each) === held)];
    showHolders(dialog, details, held, holders);
  };
  return open(`The key in ${item.secret.name} has leaked`, draw, item);
}

/** Who holds the key, of a secret and the neighbours that the API knows. */
function showHolders(dialog, details, held, holders) {
  const key = `${held ?? "this key"} of ${targetName(details.target ?? "")}`;
  const who = `${plural(holders.length, "secret holds", "secrets hold")} ${key}.`;
  dialog.show({
    content: [
      h("p", { class: "soft small" }, "Step 1 of 2: who holds it"),
      h("p", {}, `${who} Each that can be rotated moves to the other key at once.`),
      h("ul", { class: "stack" }, holders.map(holderLine)),
      h(
        "p",
        { class: "soft small" },
        "Secrets that the app does not manage are not known here. Their clients fail when the key dies.",
      ),
    ],
    label: "Next",
    act: () => askWhen(dialog, details, held),
  });
}

function holderLine({ secret, status }) {
  const stays = ["Paused", "Misconfigured", "TargetMissing"].includes(status);
  return h(
    "li",
    { class: "row" },
    h("b", {}, secret.name),
    place(secret),
    status && statusPill(status),
    stays && h("span", { class: "soft small" }, "It must be mended or resumed before the key can die."),
  );
}

async function askWhen(dialog, details, held) {
  const body = { secret: idOf(details.secret), revokePreviousAfter: USUAL };
  const plan = await ask("POST", "/rotations", { body: { ...body, dryRun: true } });
  const end = ending(plan);
  const key = crypto.randomUUID();
  const reason = h("input", { maxlength: 500, autocomplete: "off", required: true });
  const choices = DELAYS.map(([value]) =>
    h("input", { type: "radio", name: "delay", value, checked: value === USUAL }),
  );
  const labels = DELAYS.map(([, label, hint], index) =>
    h("label", { class: "choice" }, choices[index], h("span", {}, label, hint && h("small", {}, hint))),
  );
  let asked = null;
  dialog.show({
    content: [
      h("p", { class: "soft small" }, "Step 2 of 2: when it dies"),
      end.state !== "Completed" &&
        h(
          "p",
          { class: "notice warn" },
          `This secret cannot be moved as it stands: ${plan.error?.message ?? end.code}. ${remedyOf(end.code) ?? "The key stays alive until it can."}`,
        ),
      h("fieldset", { class: "stack card" }, h("legend", {}, "The key dies after the last secret has moved"), labels),
      h(
        "label",
        { class: "field" },
        "Reason",
        reason,
        h("small", {}, "It is kept in the record and published with its events."),
      ),
      h(
        "p",
        { class: "notice warn" },
        `${held ?? "The key"} is regenerated for good. Everyone who has the leaked value loses access then, and so does every client that does not read its secret again.`,
      ),
      stepList(plan),
    ],
    label: "Report the leak",
    isDanger: true,
    act: async () => {
      dialog.showBusy("The leak is being recorded, and the secret is being moved.");
      // Tried again, it is the same to the letter. The report is about the version whose key was shown.
      asked ??= {
        ...body,
        secret: plan.secret?.version ? `${body.secret}/${plan.secret.version}` : body.secret,
        revokePreviousAfter: choices.find((each) => each.checked).value,
        reason: reason.value.trim(),
      };
      const rotation = await ask("POST", "/rotations", { body: asked, headers: { "Idempotency-Key": key } });
      refresh();
      reread(details.secret).catch(() => {});
      if (rotation.state === "Skipped" && !rotation.revocation) return notReported(dialog, rotation);
      dialog.finish("The leak is on record. The countdown is on the page of the target.");
      location.hash = targetHref(details.target);
    },
  });
}

function notReported(dialog, { skipReason }) {
  const words = `Nothing was reported: ${SKIPPED[skipReason] ?? skipReason}. Look at the secret again, and report the key that it holds now.`;
  dialog.show({ content: h("p", { class: "notice warn", role: "alert" }, words) });
}

/** Show a revocation that waits: how long, for whom, and a button that calls it off. */
export function revocationCard(revocation, holders) {
  const isWaiting = revocation.state === "Scheduled";
  return h(
    "div",
    { class: "notice bad stack" },
    h("h2", {}, isWaiting ? "A leaked key waits to die" : "A leaked key is alive"),
    isWaiting &&
      revocation.allowedOn &&
      h(
        "div",
        { class: "row" },
        clock(revocation.allowedOn),
        h(
          "span",
          {},
          "until it is regenerated, at the earliest",
          h("br"),
          h("span", { class: "soft small" }, moment(revocation.allowedOn)),
        ),
      ),
    holders.length > 0
      ? [
          h(
            "p",
            {},
            `${plural(holders.length, "secret holds", "secrets hold")} it still. While one does, the key lives.`,
          ),
          h(
            "ul",
            {},
            holders.map((each) =>
              h("li", { class: "row" }, secretLink(each.secret), each.status && statusPill(each.status)),
            ),
          ),
        ]
      : h("p", {}, "No managed secret holds it any more."),
    h(
      "div",
      { class: "row" },
      isWaiting &&
        h(
          "button",
          { type: "button", "data-focus": "false-alarm", click: () => cancel(revocation) },
          "It was a false alarm",
        ),
      h("a", { href: rotationHref(revocation.id) }, "Show the revocation"),
    ),
  );
}

function cancel(revocation) {
  return open("Call the revocation off", (dialog) =>
    dialog.show({
      content: [
        h(
          "p",
          {},
          "The reported key stays alive, and nothing regenerates it for now. Secrets that have moved already stay on their new key.",
        ),
        h("p", {}, "Do this only where the key did not leak."),
      ],
      label: "Keep the key alive",
      isDanger: true,
      close: "Go back",
      act: async () => {
        dialog.showBusy("The revocation is being cancelled.");
        await ask("DELETE", `/rotations/${revocation.id}`);
        await refresh();
        dialog.finish("The revocation is cancelled.");
        dispatchEvent(new HashChangeEvent("hashchange"));
      },
    }),
  );
}
