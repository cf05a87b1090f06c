// What will be rotated when, for the next 90 days.

import { fill, h, refill } from "./dom.js";
import { date, day, dayOf, plural } from "./format.js";
import { loading, place, secretLink, statusPill, targetLink } from "./pieces.js";
import { follow, known } from "./store.js";

const DAYS = 90;
const SHOWN = 20; // Secrets of one day.

/** Draw the calendar. */
export function calendar(content, signal) {
  const all = new Set(); // The days that a person wants to see whole.
  const [intro, strip, list] = [h("p", { class: "soft" }), h("div"), h("div", { class: "stack" })];
  fill(
    content,
    h("header", { class: "stack" }, h("h1", { tabindex: "-1" }, "Calendar"), intro),
    h("section", { "aria-label": "Days" }, strip),
    list,
  );

  function draw() {
    const items = [...known.secrets.values()];
    if (known.readOn === null && items.length === 0)
      return fill(list, known.problem ? h("p", { class: "empty" }, "The secrets could not be read.") : loading());
    const today = dayOf(new Date());
    const byDay = planned(items, today);
    const count = [...byDay.values()].reduce((sum, each) => sum + each.length, 0);
    intro.textContent = known.health?.checks.mode
      ? "The app only observes: it rotates nothing."
      : `${plural(count, "rotation")} in the next ${DAYS} days${known.isWhole ? "" : ", as far as the secrets are read"}.`;
    refill(strip, weeks(today, byDay, list));
    refill(
      list,
      count
        ? [...byDay.entries()]
            .sort(([one], [other]) => one - other)
            .map(([at, found]) => dayCard(new Date(at), found, all, draw))
        : h("p", { class: "empty card" }, "Nothing is rotated in that time."),
    );
  }

  follow(draw, signal);
}

/** Return the secrets by the day of their next rotation; what is late is rotated today. */
function planned(items, today) {
  const byDay = new Map();
  const end = addDays(today, DAYS);
  for (const item of items) {
    if (!item.nextRotationOn) continue;
    const at = Math.max(dayOf(item.nextRotationOn), today);
    if (at >= end) continue;
    if (!byDay.has(at)) byDay.set(at, []);
    byDay.get(at).push(item);
  }
  return byDay;
}

// Days have 23 or 25 hours twice a year.
const addDays = (when, count) => new Date(when.getFullYear(), when.getMonth(), when.getDate() + count);

/** The days as a column for each week, from the Monday before today on. */
function weeks(today, byDay, list) {
  const most = Math.max(1, ...[...byDay.values()].map((each) => each.length));
  const monday = addDays(today, -((today.getDay() + 6) % 7));
  const names = Array.from({ length: 7 }, (_, index) =>
    addDays(monday, index).toLocaleDateString(undefined, { weekday: "narrow" }),
  );
  const columns = [
    [h("span", { class: "label" }), ...names.map((name) => h("span", { class: "label", "aria-hidden": "true" }, name))],
  ];
  let month = null;
  for (let begin = monday; begin < addDays(today, DAYS); begin = addDays(begin, 7)) {
    const dates = Array.from({ length: 7 }, (_, index) => addDays(begin, index));
    const first = begin === monday ? today : begin;
    const isNew = first.getMonth() !== month;
    month = first.getMonth();
    columns.push([
      h(
        "span",
        { class: "label", "aria-hidden": "true" },
        isNew ? first.toLocaleDateString(undefined, { month: "short" }) : "",
      ),
      ...dates.map((when) =>
        when < today || when >= addDays(today, DAYS) ? h("span") : cell(when, byDay, most, list),
      ),
    ]);
  }
  return h("div", { class: "weeks" }, columns);
}

function cell(when, byDay, most, list) {
  const found = byDay.get(when.getTime())?.length ?? 0;
  if (!found) return h("span", { class: "date", "aria-hidden": "true" }, String(when.getDate()));
  const show = (event) => {
    event.preventDefault();
    const card = list.querySelector(`[data-day="${when.getTime()}"]`);
    card.scrollIntoView({ block: "center" });
    card.querySelector("h2").focus({ preventScroll: true });
  };
  const attributes = {
    href: "#/calendar",
    click: show,
    style: { "--weight": String(Math.round(8 + (22 * found) / most)) },
    "data-focus": `day:${when.getTime()}`,
  };
  return h(
    "a",
    attributes,
    h("span", { class: "hidden" }, `${day(when)}: ${plural(found, "rotation")}`),
    h("span", { "aria-hidden": "true" }, String(when.getDate())),
    h("b", { "aria-hidden": "true" }, String(found)),
  );
}

function dayCard(when, found, all, draw) {
  const at = when.getTime();
  const shown = all.has(at) ? found : found.slice(0, SHOWN);
  const rest = found.length - shown.length;
  return h(
    "section",
    { class: "day card", "data-day": at },
    h("h2", { tabindex: "-1" }, day(when), h("span", { class: "soft" }, ` · ${plural(found.length, "rotation")}`)),
    h(
      "ul",
      {},
      shown.map((item) =>
        h(
          "li",
          {},
          h("span", { class: "where two-lines" }, secretLink(item.secret), place(item.secret)),
          h("span", { class: "where one-line" }, item.target && targetLink(item.target, item.provider)),
          h("span", { class: "soft small" }, `expires ${date(item.expiresOn)}`),
          statusPill(item.status),
        ),
      ),
    ),
    rest > 0 &&
      h(
        "p",
        {},
        h(
          "button",
          {
            type: "button",
            "data-focus": `rest:${at}`,
            click: () => {
              all.add(at);
              draw();
            },
          },
          `Show ${plural(rest, "more rotation")}`,
        ),
      ),
  );
}
