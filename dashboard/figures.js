// The figures: how many secrets there are, what comes, what was, and whether the app is well.

import { h } from "./dom.js";
import { DAY, number } from "./format.js";
import { hasFailed } from "./needs.js";
import { loading } from "./pieces.js";
import { known } from "./store.js";
import { PARTS } from "./words.js";

/** Return the figures of some secrets, as far as they are read. */
export function figures(items) {
  const now = Date.now();
  const secrets = items.filter((item) => item.secret.name && item.status !== "NearlyManaged");
  const due = secrets.filter((item) => item.nextRotationOn && new Date(item.nextRotationOn) - now < 7 * DAY);
  const rotated = secrets.filter(
    ({ lastRotation: each }) => each?.state === "Completed" && now - new Date(each.completedOn) < 30 * DAY,
  );
  const failed = secrets.filter(hasFailed);
  const so = known.isWhole ? "" : "+";
  const tile = (value, label, look = "", href = null) =>
    h(
      href ? "a" : "div",
      { class: `tile card ${look}`, href, "data-focus": `tile:${label}` },
      h("b", {}, value),
      h("span", { class: "soft" }, label),
    );
  if (known.readOn === null && items.length === 0) return known.problem ? null : loading(1);
  return h(
    "div",
    { class: "tiles" },
    tile(number(secrets.length) + so, "managed secrets"),
    tile(number(due.length) + so, "rotated in the next 7 days", "", "#/calendar"),
    tile(number(rotated.length) + so, "rotated in the last 30 days", "", "#/rotations?state=Completed&days=30"),
    tile(
      number(failed.length) + so,
      "whose last rotation failed",
      failed.length ? "bad" : "",
      "#/rotations?state=Failed",
    ),
    healthTile(tile),
  );
}

function healthTile(tile) {
  const { health } = known;
  if (!health) return tile("…", "health");
  const down = Object.entries(health.checks).filter(([part, state]) => part in PARTS && state !== "ok");
  if (!down.length) return tile("Healthy", "the app could rotate a key now", "good");
  const parts = down.map(([part, state]) => `${PARTS[part]} (${state.replaceAll("_", " ")})`);
  return tile(health.status === "Healthy" ? "Impaired" : "Down", parts.join(", "), "bad");
}
