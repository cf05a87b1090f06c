// The table of secrets: any number of rows, of which only those in sight are in the document.

import { fill, h } from "./dom.js";
import { date, kindName, moment, plural, targetName } from "./format.js";
import { life, place, secretLink, statusPill, targetHref, targetLink, verified } from "./pieces.js";
import { keyOf } from "./store.js";
import { STATUSES } from "./words.js";

const WIDE = { row: 60, heads: true };
const NARROW = { row: 84, heads: false };
const AROUND = 12; // Rows above and below those in sight.

const URGENCY = Object.keys(STATUSES);
const last = "\uffff";

/** The columns: what is sorted by, and what a row shows. */
const COLUMNS = [
  ["name", "Secret", (item) => item.secret.name ?? ""],
  ["target", "Target", (item) => (item.target ? targetName(item.target) : last)],
  ["key", "Key", (item) => item.keyName ?? last],
  ["expiry", "Expires", (item) => item.expiresOn ?? last],
  ["next", "Next rotation", (item) => item.nextRotationOn ?? last],
  ["verified", "Verified", (item) => item.verified?.on ?? ""],
  ["status", "Status", (item) => String(URGENCY.indexOf(item.status))],
];
const VALUE = Object.fromEntries(COLUMNS.map(([name, , value]) => [name, value]));
const order = new Intl.Collator(undefined, { numeric: true });

/** Return the items in an order, such as "expiry" or "-expiry"; alike ones by name. */
export function sorted(items, by) {
  const name = by.replace("-", "");
  const value = VALUE[name] ?? VALUE.name;
  const sign = by.startsWith("-") ? -1 : 1;
  const keyed = items.map((item) => [value(item), item]);
  keyed.sort(
    ([one, a], [other, b]) => sign * order.compare(one, other) || order.compare(keyOf(a.secret), keyOf(b.secret)),
  );
  return keyed.map(([, item]) => item);
}

/** Return the items with a line before each target's, in the order in which the targets first come. */
export function grouped(items) {
  const groups = new Map();
  for (const item of items) {
    const target = item.target?.toLowerCase() ?? "";
    if (!groups.has(target)) groups.set(target, []);
    groups.get(target).push(item);
  }
  return [...groups.values()].flatMap((each) => [
    { group: each[0].target, provider: each[0].provider, count: each.length },
    ...each,
  ]);
}

/** A table that shows whatever `show` is given last. `sort` is called with the order that a person asks for. */
export class SecretsTable {
  #rows = [];
  #shown = new Map();
  #layout = WIDE;
  #body = h("div", { class: "body", role: "rowgroup" });
  #heads = h("div", { class: "cells heads", role: "row" });
  #narrow = matchMedia("(max-width: 62rem)");

  constructor(sort, signal) {
    this.element = h(
      "div",
      { class: "table", role: "table", "aria-label": "Secrets" },
      h("div", { role: "rowgroup" }, this.#heads),
      this.#body,
    );
    this.sort = sort;
    const again = () => this.#place();
    addEventListener("scroll", again, { signal, passive: true });
    addEventListener("resize", again, { signal, passive: true });
    this.#narrow.addEventListener("change", () => this.#lay(), { signal });
    this.#lay();
  }

  show(rows, by) {
    this.#rows = rows;
    this.#drawHeads(by);
    this.#shown.forEach((element, index) => {
      if (element.dataset.of !== stamp(rows[index])) this.#remove(index);
    });
    this.element.setAttribute("aria-rowcount", rows.length + 1);
    this.#body.style.height = `${rows.length * this.#layout.row}px`;
    this.#place();
  }

  #lay() {
    this.#layout = this.#narrow.matches ? NARROW : WIDE;
    this.element.style.setProperty("--row", `${this.#layout.row}px`);
    this.#body.style.height = `${this.#rows.length * this.#layout.row}px`;
    for (const index of [...this.#shown.keys()]) this.#remove(index);
    this.#place();
  }

  #drawHeads(by) {
    const name = by.replace("-", "");
    const direction = by.startsWith("-") ? "descending" : "ascending";
    const focused = this.#heads.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
    fill(
      this.#heads,
      COLUMNS.map(([key, label]) =>
        h(
          "div",
          { role: "columnheader", "aria-sort": key === name ? direction : "none" },
          h(
            "button",
            { type: "button", "data-focus": `sort:${key}`, click: () => this.sort(by === key ? `-${key}` : key) },
            label,
          ),
        ),
      ),
    );
    if (focused) this.#heads.querySelector(`[data-focus="${focused}"]`)?.focus();
  }

  /** Put those rows into the document that are in sight, and take away the others, but for one that has the focus. */
  #place() {
    const { row } = this.#layout;
    const top = this.#body.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(-top / row) - AROUND);
    const end = Math.min(this.#rows.length, Math.ceil((innerHeight - top) / row) + AROUND);
    this.#shown.forEach((element, index) => {
      if ((index < first || index >= end) && !element.contains(document.activeElement)) this.#remove(index);
    });
    let before = null;
    for (let index = end - 1; index >= first; index -= 1) {
      let element = this.#shown.get(index);
      if (!element) {
        element = this.#draw(this.#rows[index], index);
        this.#shown.set(index, element);
        this.#body.insertBefore(element, before);
      }
      before = element;
    }
  }

  #remove(index) {
    this.#shown.get(index).remove();
    this.#shown.delete(index);
  }

  #draw(item, index) {
    const at = {
      role: "row",
      "aria-rowindex": index + 2,
      "data-of": stamp(item),
      style: { transform: `translateY(${index * this.#layout.row}px)` },
    };
    if ("count" in item) {
      return h(
        "div",
        { ...at, class: "group" },
        h(
          "div",
          { role: "cell", "aria-colspan": COLUMNS.length, class: "one-line" },
          item.group ? targetLink(item.group, item.provider) : "No readable target",
          h("span", { class: "soft" }, ` · ${plural(item.count, "secret")}`),
        ),
      );
    }
    const cell = (name, ...content) => h("div", { role: "cell", class: name }, content);
    return h(
      "div",
      { ...at, class: "cells" },
      cell(
        "two-lines",
        item.secret.name
          ? secretLink(item.secret, { class: "name" })
          : h("span", { class: "name" }, "The vault itself"),
        place(item.secret),
      ),
      cell(
        "target two-lines",
        item.target
          ? [
              h("a", { href: targetHref(item.target), title: item.target }, targetName(item.target)),
              h("small", {}, kindName(item.provider ?? "")),
            ]
          : h("span", { class: "soft" }, "not readable"),
      ),
      cell("key", item.keyName ?? "–"),
      cell("expiry", life(item)),
      cell(
        "next one-line",
        item.nextRotationOn
          ? h("time", { datetime: item.nextRotationOn, title: moment(item.nextRotationOn) }, date(item.nextRotationOn))
          : h("span", { class: "soft" }, "none"),
      ),
      cell("verified", verified(item)),
      cell(
        "status",
        item.leakedKey
          ? h("span", { class: "pill bad", title: "It holds a key that was reported as leaked." }, "Leaked key")
          : statusPill(item.status),
      ),
    );
  }
}

/** What a row shows, as a word: rows that would look the same stay in the document. */
function stamp(item) {
  if (!item) return "";
  if ("count" in item) return `${item.group}|${item.count}`;
  const { secret, status, keyName, expiresOn, nextRotationOn, verified: seen, leakedKey, lastRotation, target } = item;
  return [
    keyOf(secret),
    status,
    keyName,
    expiresOn,
    nextRotationOn,
    seen?.on,
    seen?.result,
    Boolean(leakedKey),
    lastRotation?.id,
    target,
  ].join("|");
}
