// A dialog that asks once, says what will happen, and shows what came of it.

import { fill, h, toast } from "./dom.js";
import { loading, problemBox } from "./pieces.js";
import { remedyOf } from "./words.js";

/**
 * Open a dialog, and return when it is closed. `draw` is given the dialog and fills it by `show`; what it throws is shown
 * as a problem. Closing it gives the focus back to what had it.
 */
export async function open(title, draw) {
  const before = document.activeElement;
  const dialog = new Dialog(title);
  document.body.append(dialog.element);
  dialog.element.showModal();
  const closed = new Promise((resolve) => {
    dialog.element.addEventListener("close", resolve);
  });
  try {
    await draw(dialog);
  } catch (problem) {
    dialog.showProblem(problem);
  }
  await closed;
  dialog.element.remove();
  const again = document.querySelector(`[data-focus="${CSS.escape(before?.dataset.focus ?? "")}"]`);
  (before?.isConnected ? before : (again ?? document.getElementById("content"))).focus();
}

class Dialog {
  #title = h("h1", { id: "dialog-title", tabindex: "-1" });
  #inside = h("div", { class: "inside stack" });
  #footer = h("footer");
  #form = h("form", {}, h("header", {}, this.#title), this.#inside, this.#footer);
  #act = null;

  constructor(title) {
    this.#title.textContent = title;
    this.element = h(
      "dialog",
      { "aria-labelledby": "dialog-title", cancel: (event) => this.#isBusy && event.preventDefault() },
      this.#form,
    );
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (event.submitter?.value === "close" || !this.#act) this.element.close();
      else this.#run();
    });
    this.show({ content: loading(2) });
  }

  get #isBusy() {
    return this.#inside.getAttribute("aria-busy") === "true";
  }

  get isOpen() {
    return this.element.open;
  }

  /**
   * Show something, with a button for what can be done now: `act` is called when the person presses it, and `label` says
   * what it does. Without one there is only a button to close.
   */
  show({ content, title = null, label = null, act = null, isDanger = false, close = act ? "Cancel" : "Close" }) {
    if (title) this.#title.textContent = title;
    this.#act = act;
    this.#inside.removeAttribute("aria-busy");
    fill(this.#inside, content);
    fill(
      this.#footer,
      h("button", { type: "submit", value: "close", formnovalidate: true }, close),
      act && h("button", { type: "submit", value: "act", class: isDanger ? "danger" : "main" }, label),
    );
    (this.#inside.querySelector("[autofocus]") ?? this.#title).focus();
  }

  /** Show that something is being done, which cannot be stopped by closing. */
  showBusy(sentence) {
    for (const button of this.#footer.querySelectorAll("button")) button.disabled = true;
    this.#inside.append(h("p", { class: "notice", role: "status" }, sentence));
    this.#inside.setAttribute("aria-busy", "true");
  }

  showProblem(problem) {
    if (problem.code === undefined) console.error(problem);
    this.show({ content: problemBox(problem, remedyOf(problem.code)) });
  }

  /** Close, and say in a sentence what came of it. */
  finish(sentence) {
    this.element.close();
    toast(sentence);
  }

  async #run() {
    try {
      await this.#act();
    } catch (problem) {
      this.showProblem(problem);
    }
  }
}
