// A view that is read again and again while it is shown, and says so when it cannot be.

import { fill, h } from "./dom.js";
import { loading, problemBox } from "./pieces.js";
import { poll } from "./poll.js";
import { remedyOf } from "./words.js";

/**
 * Draw the frame of a view with a title, and let `draw` fill its `head` and `body` until the signal says that the view is
 * left. `draw` returns whether something is going on. What it throws is shown as a problem, and what was there stays.
 * Return a function that reads now.
 */
export function live(content, { title, back = null }, draw, signal) {
  const [head, problems, body] = [h("div", { class: "stack" }), h("div"), h("div", { class: "stack" }, loading())];
  const up = back && h("p", { class: "small" }, h("a", { href: back.href }, back.label));
  fill(content, h("header", { class: "stack" }, up, h("h1", { tabindex: "-1" }, title), head), problems, body);

  async function read() {
    try {
      const isLive = await draw({ head, body });
      fill(problems);
      return isLive;
    } catch (problem) {
      if (problem.name === "AbortError") return false;
      if (problem.code === undefined) console.error(problem);
      fill(problems, problemBox(problem, remedyOf(problem.code)));
      for (const each of body.querySelectorAll('[role="status"]')) each.remove();
      return false;
    }
  }

  return poll(read, signal);
}

/** A part of a view with a heading of its own. */
export const section = (title, ...content) => h("section", {}, h("h2", {}, title), content);
