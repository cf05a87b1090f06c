// The first view: what needs a person, the figures, and all secrets.

import { fill, h, refill, toast } from "./dom.js";
import { figures } from "./figures.js";
import { filterBar, isWanted } from "./filters.js";
import { number, plural } from "./format.js";
import { manage } from "./managing.js";
import { needCard, needsOf } from "./needs.js";
import { loading, time } from "./pieces.js";
import { follow, known, lookNow } from "./store.js";
import { grouped, SecretsTable, sorted } from "./table.js";

const NEEDS_SHOWN = 12;
const SHARE = 4; // So many times as long as a drawing took nothing is drawn, while thousands of secrets arrive.
const WANTED = ["q", "status", "vault", "kind", "sort", "group"];

/** Draw the view into an element until the signal says that it is left. `query` is what the address asks for. */
export function home(content, query, signal) {
  const wanted = Object.fromEntries(WANTED.map((name) => [name, query.get(name) ?? ""]));
  const headline = h("h2", { id: "needs", "aria-live": "polite" }, "What needs you");
  const lookButton = h("button", { type: "button", class: "plain", click: look }, "Look now");
  const needs = h("div", { class: "stack" });
  const tiles = h("section", { "aria-label": "Figures" });
  const count = h("p", { class: "soft small", role: "status" });
  const none = h("div");
  const table = new SecretsTable((by) => want({ sort: by }), signal);
  const filters = filterBar(wanted, want);
  let showsAllNeeds = false;
  fill(
    content,
    h("h1", { class: "hidden", tabindex: "-1" }, "Overview"),
    h("section", { "aria-labelledby": "needs" }, h("div", { class: "row spread" }, headline, lookButton), needs),
    tiles,
    h(
      "section",
      { "aria-labelledby": "all" },
      h(
        "div",
        { class: "row spread" },
        h("h2", { id: "all" }, "Secrets"),
        h("button", { type: "button", click: () => manage(null) }, "Manage another secret"),
      ),
      filters.element,
      count,
      table.element,
      none,
    ),
  );

  function want(change) {
    Object.assign(wanted, change);
    const asked = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value));
    history.replaceState(null, "", `#/${asked.size ? `?${asked}` : ""}`);
    draw();
  }

  function draw() {
    const items = [...known.secrets.values()];
    drawNeeds(items);
    refill(tiles, figures(items));
    filters.offer(items);
    const found = items.filter((item) => isWanted(item, wanted));
    const by = wanted.sort || "name";
    const rows = sorted(found, by);
    table.show(wanted.group ? grouped(rows) : rows, by);
    table.element.hidden = found.length === 0;
    count.textContent = counted(items, found);
    refill(none, found.length === 0 && empty(items, () => want({ q: "", status: "", vault: "", kind: "" })));
  }

  function drawNeeds(items) {
    const found = needsOf(items);
    const shown = showsAllNeeds ? found : found.slice(0, NEEDS_SHOWN);
    const more = found.length - shown.length;
    const words = found.length ? `${plural(found.length, "secret needs", "secrets need")} you` : "What needs you";
    // It is read aloud when it changes.
    if (headline.textContent !== words) headline.textContent = words;
    refill(
      needs,
      found.length ? h("ul", { class: "needs" }, shown.map(needCard)) : calm(),
      more > 0 && h("p", {}, h("button", { type: "button", click: showAll }, `Show ${number(more)} more`)),
    );
  }

  function showAll() {
    showsAllNeeds = true;
    draw();
  }

  async function look() {
    lookButton.disabled = true;
    lookButton.textContent = "Looking, for up to two minutes …";
    try {
      await lookNow();
      toast("The app has looked at all secrets.");
    } catch (problem) {
      toast(problem.message, "bad");
    }
    lookButton.disabled = false;
    lookButton.textContent = "Look now";
  }

  follow(seldom(draw, signal), signal);
}

/** Call a function at once, and then at most so often that a person can still read. */
function seldom(draw, signal) {
  let timer = null;
  let isStale = false;
  const tick = () => {
    timer = null;
    if (isStale && !signal.aborted) run();
  };
  const run = () => {
    isStale = false;
    const begun = performance.now();
    draw();
    timer = setTimeout(tick, SHARE * (performance.now() - begun));
  };
  return () => {
    isStale = true;
    if (timer === null) run();
  };
}

function calm() {
  if (known.readOn === null) return known.problem ? null : loading(1);
  return h(
    "div",
    { class: "card nothing" },
    h("span", { class: "pill good" }, "All well"),
    h(
      "p",
      {},
      "Nothing needs you. ",
      known.asOf && h("span", { class: "soft" }, "The app last looked through its vaults ", time(known.asOf), "."),
    ),
  );
}

function counted(items, found) {
  if (known.isCut)
    return `The first ${number(items.length)} secrets are shown; more are managed. ${plural(found.length, "secret")} found.`;
  if (!known.isWhole && items.length) return `${plural(items.length, "secret")} read so far …`;
  return found.length === items.length ? "" : `${number(found.length)} of ${plural(items.length, "secret")}`;
}

function empty(items, clear) {
  if (known.readOn === null && items.length === 0)
    return known.problem ? h("p", { class: "empty" }, "The secrets could not be read.") : loading(4);
  if (items.length) {
    return h(
      "div",
      { class: "empty stack card" },
      h("p", {}, "No secret is like that."),
      h("button", { type: "button", click: clear }, "Show all secrets"),
    );
  }
  return h(
    "div",
    { class: "empty stack card" },
    h("p", {}, "No secret is managed yet."),
    h("p", {}, "Put one under management, or let the app create one: no person sees its key."),
    h("button", { type: "button", class: "main", click: () => manage(null) }, "Manage a secret"),
  );
}
