// The bar above the table of secrets: what is looked for, and in which order.

import { fill, h } from "./dom.js";
import { kindName, vaultName } from "./format.js";
import { STATUSES } from "./words.js";

/** Return whether a secret is one of those that are looked for. */
export function isWanted(item, { q, status, vault, kind }) {
  if (status && item.status !== status) return false;
  if (vault && item.secret.vault !== vault) return false;
  if (kind && item.provider !== kind) return false;
  return !q || `${item.secret.name} ${item.target ?? ""}`.toLowerCase().includes(q.toLowerCase());
}

/** Return the bar, which calls `want` with what a person changes. `offer` gives it the secrets to choose from. */
export function filterBar(wanted, want) {
  const select = (name, label, first) => {
    const element = h(
      "select",
      { "aria-label": label, change: () => want({ [name]: element.value }) },
      h("option", { value: "" }, first),
    );
    return element;
  };
  const search = h("input", {
    type: "search",
    placeholder: "Search by name or target",
    "aria-label": "Search secrets",
    value: wanted.q,
    input: () => want({ q: search.value }),
  });
  const selects = {
    status: select("status", "Status", "Any status"),
    vault: select("vault", "Vault", "Any vault"),
    kind: select("kind", "Kind", "Any kind"),
  };
  const group = h("input", {
    type: "checkbox",
    checked: wanted.group !== "",
    change: () => want({ group: group.checked ? "target" : "" }),
  });
  const order = h(
    "select",
    { "aria-label": "Sort by", class: "narrow-only", change: () => want({ sort: order.value }) },
    [
      ["", "By name"],
      ["expiry", "By expiry"],
      ["status", "By urgency"],
      ["target", "By target"],
    ].map(([value, label]) => h("option", { value }, label)),
  );
  const offer = (name, values, label) => {
    const element = selects[name];
    const options = [...new Set([...values, wanted[name]])].filter(Boolean).sort();
    if (element.options.length !== options.length + 1) {
      fill(
        element,
        element.options[0],
        options.map((value) => h("option", { value }, label(value))),
      );
    }
    element.value = wanted[name];
    element.hidden = options.length < 2 && !wanted[name] && name === "vault";
  };
  return {
    element: h(
      "div",
      { class: "filters", role: "search" },
      search,
      Object.values(selects),
      order,
      h("label", { class: "choice" }, group, "Group by target"),
    ),
    offer(items) {
      if (search.value !== wanted.q) search.value = wanted.q;
      order.value = wanted.sort;
      offer(
        "status",
        items.map((item) => item.status),
        (value) => STATUSES[value].name,
      );
      offer(
        "vault",
        items.map((item) => item.secret.vault),
        vaultName,
      );
      offer(
        "kind",
        items.map((item) => item.provider),
        kindName,
      );
    },
  };
}
