// A leaked key: who holds it, when it dies, how long that is from now, and how to call it off.

import { ask, idOf, pathOf } from "./api.js";
import { open } from "./dialog.js";
import { h } from "./dom.js";
import { moment, plural, targetName } from "./format.js";
import { clock, keyIn, rotationHref, secretLink, statusPill } from "./pieces.js";
import { ending, stepList } from "./rotating.js";
import { refresh, reread } from "./store.js";
import { remedyOf } from "./words.js";

const DELAYS = [
  ["PT0S", "At once", "Clients that have not read their secret again fail."],
  ["PT1H", "One hour later", "For clients that read their secret at least every hour."],
  ["PT4H", "Four hours later", ""],
  ["P1D", "One day later", "For clients of App Service, which read a secret once a day."],
];
const USUAL = "PT1H";

/** Report that the key which a secret holds has leaked, in two steps: who holds it, and when it dies. */
export function reportLeak(item) {
  return open(`The key in ${item.secret.name} has leaked`, async (dialog) => {
    const details = await ask("GET", pathOf(item.secret));
    const held = keyIn(details);
    const holders = [details, ...details.neighbours.filter((each) => held && keyIn(each) === held)];
    showHolders(dialog, details, held, holders);
  });
}

/** Who holds the key, of a secret and the neighbours that the API knows. */
function showHolders(dialog, details, held, holders) {
  dialog.show({
    content: [
      h("p", { class: "soft small" }, "Step 1 of 2: who holds it"),
      h(
        "p",
        {},
        `${plural(holders.length, "secret holds", "secrets hold")} ${held ?? "this key"} of ${targetName(details.target ?? "")}. Each moves to the other key at once.`,
      ),
      h(
        "ul",
        { class: "stack" },
        holders.map((each) =>
          h(
            "li",
            { class: "row" },
            h("b", {}, each.secret.name),
            each.status && statusPill(each.status),
            each.status === "Paused" &&
              h("span", { class: "soft small" }, "Paused: it must be resumed before the key can die."),
          ),
        ),
      ),
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

async function askWhen(dialog, details, held) {
  const body = { secret: idOf(details.secret) };
  const plan = await ask("POST", "/rotations", { body: { ...body, revokePreviousAfter: USUAL, dryRun: true } });
  const end = ending(plan);
  const reason = h("input", { maxlength: 500, autocomplete: "off", required: true });
  const choices = DELAYS.map(([value, label, hint]) =>
    h(
      "label",
      { class: "choice" },
      h("input", { type: "radio", name: "delay", value, checked: value === USUAL }),
      h("span", {}, label, hint && h("small", {}, hint)),
    ),
  );
  dialog.show({
    content: [
      h("p", { class: "soft small" }, "Step 2 of 2: when it dies"),
      end.state !== "Completed" &&
        h(
          "p",
          { class: "notice warn" },
          `This secret cannot be moved as it stands: ${plan.error?.message ?? end.code}. ${remedyOf(end.code) ?? "The key stays alive until it can."}`,
        ),
      h("fieldset", { class: "stack card" }, h("legend", {}, "The key dies after the last secret has moved"), choices),
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
      const after = dialog.element.querySelector('input[name="delay"]:checked').value;
      dialog.showBusy("The leak is being recorded, and the secret is being moved.");
      await ask("POST", "/rotations", {
        body: { ...body, reason: reason.value.trim(), revokePreviousAfter: after },
        headers: { "Idempotency-Key": crypto.randomUUID() },
      });
      await Promise.all([reread(details.secret), refresh()]);
      dialog.finish("The leak is on record. The countdown is on the page of the target.");
      location.hash = `#/targets/${encodeURIComponent(details.target)}`;
    },
  });
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
