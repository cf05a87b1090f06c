// The page: which view an address shows, the bar on top, and what holds for all views.

import { calendar } from "./calendar.js";
import { fill, h, refill } from "./dom.js";
import { home } from "./home.js";
import { tick, time } from "./pieces.js";
import { rotationView } from "./rotation.js";
import { rotationsView } from "./rotations.js";
import { secretView, targetView } from "./secret.js";
import { comeBack } from "./sign-in.js";
import { follow, known, start } from "./store.js";

const TITLE = "Azure Key Rotator";
const VIEWS = [
  ["#/", "Overview"],
  ["#/rotations", "Rotations"],
  ["#/calendar", "Calendar"],
];

const content = document.getElementById("content");
let leaving = new AbortController();

/** Show what the address says. A link to a view stays what it is: alerts point at them. */
function show({ isFirst = false } = {}) {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view, ...parts] = path.split("/").map(decoded);
  const asked = new URLSearchParams(query);
  for (const dialog of document.querySelectorAll("dialog[open]:not([aria-label])")) dialog.close();
  if (view === "secrets" && parts.length === 2) secretView(content, { vault: parts[0], name: parts[1] }, signal);
  else if (view === "targets" && parts.length) targetView(content, parts.join("/"), signal);
  else if (view === "rotations" && parts[0]) rotationView(content, parts[0], signal);
  else if (view === "rotations") rotationsView(content, asked, signal);
  else if (view === "calendar") calendar(content, signal);
  else if (view === "") home(content, asked, signal);
  else
    fill(
      content,
      h("h1", { tabindex: "-1" }, "There is no such page"),
      h("p", {}, h("a", { href: "#/" }, "Show all secrets")),
    );
  const heading = content.querySelector("h1");
  document.title = view ? `${heading.textContent} · ${TITLE}` : TITLE;
  markNavigation(view);
  if (!isFirst) {
    scrollTo(0, 0);
    heading.focus({ preventScroll: true });
  }
}

const closed = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);

/** Return a part of an address, as it is written where that cannot be decoded: then nothing is found under it. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function markNavigation(view) {
  const current = { "": "#/", secrets: "#/", targets: "#/" }[view] ?? `#/${view}`;
  fill(
    document.getElementById("navigation"),
    VIEWS.map(([href, label]) => h("a", { href, "aria-current": href === current ? "page" : null }, label)),
  );
}

/** Show what holds for every view: that the app only observes, and that it cannot be reached. */
function showBanners() {
  refill(
    document.getElementById("banners"),
    known.health?.checks.mode === "observing" &&
      h(
        "p",
        { class: "notice warn" },
        h("b", {}, "The app only observes. "),
        "It looks and plans, and changes no key. Its setting ROTATION_MODE is observe.",
      ),
    known.problem &&
      h(
        "p",
        { class: "notice bad" },
        `${closed(known.problem.message)} `,
        known.readOn ? ["What you see was read ", time(known.readOn.toISOString()), ". "] : "",
        known.problem.isLost ? "It is tried again by itself." : "",
      ),
  );
}

comeBack();
// Its address would be a view, which there is not.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  content.focus();
});
addEventListener("hashchange", () => show());
show({ isFirst: true });
setInterval(tick, 1000);
follow(showBanners, new AbortController().signal);
start();
