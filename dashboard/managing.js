// How a secret is managed: each dialog says first what will happen, in words, and asks once.

import { ask, pathOf } from "./api.js";
import { open } from "./dialog.js";
import { h, toast } from "./dom.js";
import { authority, date, moment, targetName, vaultName } from "./format.js";
import { facts, targetLink } from "./pieces.js";
import { forget, keep, known } from "./store.js";

const SHORTEST_VALIDITY = 31;
const LONGEST_VALIDITY = 3650;

/** Let a secret be rotated again. It changes a tag and nothing else, so that nobody is asked. */
export async function resume(item) {
  try {
    keep(await ask("PATCH", pathOf(item.secret), { body: { paused: false } }));
    const then = item.leakedKey ? " It moves to the other key within five minutes." : "";
    toast(`${item.secret.name} is no longer paused.${then}`);
  } catch (problem) {
    toast(problem.message, "bad");
  }
}

/** Leave a secret alone from now on. */
export function pause(item) {
  return open(
    `Pause ${item.secret.name}`,
    (dialog) =>
      dialog.show({
        content: h(
          "p",
          {},
          `Nothing rotates ${item.secret.name} until somebody resumes it: no event, no sweep and no caller. It expires ${item.expiresOn ? `on ${date(item.expiresOn)}` : "never"} all the same.`,
        ),
        label: "Pause",
        act: () => write(dialog, item, { paused: true }, `${item.secret.name} is paused.`),
      }),
    item,
  );
}

/** Change the validity and the strategy of a secret. */
export function change(item) {
  const days = h("input", {
    type: "number",
    min: SHORTEST_VALIDITY,
    max: LONGEST_VALIDITY,
    inputmode: "numeric",
    autofocus: true,
  });
  const strategy = strategies("Leave it as it is");
  const none = h(
    "p",
    { role: "alert", hidden: true },
    "There is nothing to change: give a validity, or choose a strategy.",
  );
  return open(
    `Change ${item.secret.name}`,
    (dialog) =>
      dialog.show({
        content: [
          item.status === "Misconfigured" && h("p", { class: "notice warn" }, item.why),
          validityField(days, "Empty leaves it as it is."),
          strategyField(strategy),
          none,
        ],
        label: "Change",
        act: () => {
          const body = {
            ...(days.value ? { validityPeriodDays: Number(days.value) } : {}),
            ...(strategy.value ? { strategy: strategy.value } : {}),
          };
          none.hidden = Object.keys(body).length > 0;
          if (!none.hidden) return days.focus();
          return write(dialog, item, body, `${item.secret.name} is changed.`);
        },
      }),
    item,
  );
}

/** Stop managing a secret. */
export function unmanage(item) {
  return open(
    `Stop managing ${item.secret.name}`,
    (dialog) =>
      dialog.show({
        content: [
          h(
            "p",
            {},
            `The app's tags are removed from ${item.secret.name}. Nothing rotates it any more; it keeps its key and its expiry date.`,
          ),
          h("p", {}, "Other secrets of its target stay as they are."),
        ],
        label: "Stop managing",
        isDanger: true,
        act: async () => {
          dialog.showBusy("The tags are being removed.");
          await ask("PATCH", pathOf(item.secret), { body: { managed: false } });
          forget(item.secret);
          dialog.finish(`${item.secret.name} is not managed any more.`);
          location.hash = "#/";
        },
      }),
    item,
  );
}

/** Put a secret under management: one that is given, or one that the person names. */
export function manage(item) {
  const vaults = [...new Set([...known.secrets.values()].map(({ secret }) => secret.vault))];
  const vault = item
    ? null
    : h("input", {
        list: "vaults",
        required: true,
        placeholder: "my-vault.vault.azure.net",
        autocomplete: "off",
        value: vaults.length === 1 ? authority(vaults[0]) : null,
      });
  const name = item
    ? null
    : h("input", {
        required: true,
        pattern: "[0-9A-Za-z\\-]{1,127}",
        title: "1 to 127 letters, digits and hyphens",
        autocomplete: "off",
      });
  const target = h("input", {
    required: true,
    pattern: "\\s*/[Ss]ubscriptions/.+",
    title: "An ARM id, which begins with /subscriptions/",
    autocomplete: "off",
    spellcheck: "false",
    list: "targets",
    autofocus: item !== null,
  });
  const days = h("input", {
    type: "number",
    required: true,
    min: SHORTEST_VALIDITY,
    max: LONGEST_VALIDITY,
    value: "90",
    inputmode: "numeric",
  });
  const strategy = strategies("Alternate");
  const create = item ? null : h("input", { type: "checkbox" });
  const targets = [...new Set([...known.secrets.values()].map((each) => each.target).filter(Boolean))].slice(0, 500);
  return open(
    item ? `Put ${item.secret.name} under management` : "Manage a secret",
    (dialog) =>
      dialog.show({
        content: [
          item?.why && h("p", { class: "notice warn" }, item.why),
          !item && [
            h(
              "datalist",
              { id: "vaults" },
              vaults.map((each) => h("option", { value: authority(each) }, vaultName(each))),
            ),
            h("label", { class: "field" }, "Vault", vault),
            h("label", { class: "field" }, "Name of the secret", name),
          ],
          h(
            "datalist",
            { id: "targets" },
            targets.map((each) => h("option", { value: each }, targetName(each))),
          ),
          h(
            "label",
            { class: "field" },
            "Target",
            target,
            h("small", {}, "The ARM id of the resource whose key the secret holds."),
          ),
          validityField(days),
          strategyField(strategy),
          create &&
            h(
              "label",
              { class: "choice" },
              create,
              h(
                "span",
                {},
                "Create the secret if it does not exist",
                h("small", {}, "The app stores the key itself, so that no person sees it."),
              ),
            ),
        ],
        label: "Manage",
        act: async () => {
          dialog.showBusy("The app reads the secret and the keys of its target.");
          const secret = item?.secret ?? {
            vault: `https://${vault.value
              .trim()
              .replace(/^https:\/\//, "")
              .replace(/\/$/, "")}`,
            name: name.value,
          };
          const body = {
            target: target.value.trim(),
            validityPeriodDays: Number(days.value),
            ...(strategy.value ? { strategy: strategy.value } : {}),
            ...(create?.checked ? { create: true } : {}),
          };
          const found = await ask("PUT", pathOf(secret), { body });
          keep(found);
          dialog.show({
            title: `${found.secret.name} is managed`,
            content: facts([
              ["Target", targetLink(found.target, found.provider)],
              ["Holds", found.heldKey ?? found.keyName],
              ["Expires", date(found.expiresOn)],
              ["Next rotation", moment(found.nextRotationOn)],
            ]),
          });
        },
      }),
    item,
  );
}

/** Compare a secret with the keys of its target now. */
export async function verify(item) {
  try {
    const found = await ask("POST", `${pathOf(item.secret)}/verify`);
    keep(found);
    const { result, why } = found.verified;
    toast(
      result === "Live" ? `${item.secret.name} holds a live key: ${found.heldKey}.` : `${item.secret.name}: ${why}`,
      result === "Live" ? "good" : "bad",
    );
  } catch (problem) {
    toast(problem.message, "bad");
  }
}

async function write(dialog, item, body, sentence) {
  dialog.showBusy("The tags are being changed.");
  keep(await ask("PATCH", pathOf(item.secret), { body }));
  dialog.finish(sentence);
}

const validityField = (input, hint = "") =>
  h(
    "label",
    { class: "field" },
    "Validity of new versions, in days",
    input,
    h(
      "small",
      {},
      `From ${SHORTEST_VALIDITY} to ${LONGEST_VALIDITY}. A version is rotated before its end, 30 days unless ROTATION_LEAD_DAYS says otherwise. ${hint}`,
    ),
  );

const strategies = (first) =>
  h(
    "select",
    {},
    h("option", { value: "" }, first),
    h("option", { value: "Alternate" }, "Alternate"),
    h("option", { value: "InPlace" }, "InPlace"),
  );

const strategyField = (select) =>
  h(
    "label",
    { class: "field" },
    "Strategy",
    select,
    h(
      "small",
      {},
      "Alternate regenerates the key that is not in use. InPlace regenerates the key in use: clients fail until they read the new version.",
    ),
  );
