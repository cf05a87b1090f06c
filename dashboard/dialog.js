// A dialog that asks once, says what will happen, and shows what came of it.

import { fill, h, toast } from "./dom.js";
import { authority } from "./format.js";
import { loading, problemBox } from "./pieces.js";
import { remedyOf } from "./words.js";

const MAY_BE_DONE =
  "It may have been done all the same. Trying again asks for the same once more, and never does it twice.";

/**
 * Open a dialog, and return when it is closed. `draw` is given the dialog and fills it by `show`; what it throws is shown
 * as a problem. `item` is the secret that it is about: names may be alike, so that its vault and target are shown.
 * Closing it gives the focus back to what had it.
 */
export async function open(title, draw, item = null) {
  const before = document.activeElement;
  const dialog = new Dialog(title, item);
  document.body.append(dialog.element);
  dialog.element.showModal();
  try {
    await draw(dialog);
  } catch (problem) {
    dialog.showProblem(problem);
  }
  await dialog.closed;
  dialog.element.remove();
  const again = document.querySelector(`[data-focus="${CSS.escape(before?.dataset.focus ?? "")}"]`);
  (before?.isConnected ? before : (again ?? document.getElementById("content"))).focus();
}

class Dialog {
  #title = h("h1", { id: "dialog-title", tabindex: "-1" });
  #inside = h("div", { class: "inside stack" });
  #footer = h("footer");
  #act = null;
  #isBusy = false;
  #isRunning = false;

  constructor(title, item) {
    this.#title.textContent = title;
    const submit = (event) => {
      event.preventDefault();
      this.#run();
    };
    const form = h("form", { submit }, h("header", {}, this.#title, whereOf(item)), this.#inside, this.#footer);
    this.element = h("dialog", { "aria-labelledby": "dialog-title" }, form);
    this.closed = new Promise((resolve) => {
      // A browser closes a dialog at the second Escape, whatever a page says to the first one.
      this.element.addEventListener("close", () => (this.#isBusy ? this.element.showModal() : resolve()));
    });
    this.element.addEventListener("cancel", (event) => this.#isBusy && event.preventDefault());
    this.show({ content: loading(2) });
  }

  /**
   * Show something, with a button for what can be done now: `act` is called when the person presses it, and `label` says
   * what it does. Without one there is only a button to close.
   */
  show({ content, title = null, label = null, act = null, isDanger = false, close = act ? "Cancel" : "Close" }) {
    if (title) this.#title.textContent = title;
    this.#act = act;
    this.#isBusy = false;
    this.#inside.removeAttribute("aria-busy");
    fill(this.#inside, content);
    fill(
      this.#footer,
      h("button", { type: "button", click: () => this.element.close() }, close),
      act && h("button", { type: "submit", class: isDanger ? "danger" : "main" }, label),
    );
    (this.#inside.querySelector("[autofocus]") ?? this.#title).focus();
  }

  /** Show that something is being done, which closing would not stop. */
  showBusy(sentence) {
    this.#isBusy = true;
    for (const button of this.#footer.querySelectorAll("button")) button.disabled = true;
    this.#inside.append(h("p", { class: "notice", role: "status" }, sentence));
    this.#inside.setAttribute("aria-busy", "true");
  }

  showProblem(problem, act = null) {
    if (problem.code === undefined) console.error(problem);
    const content = [problemBox(problem, remedyOf(problem.code)), act && h("p", {}, MAY_BE_DONE)];
    this.show({ content, label: "Try again", act, close: "Close" });
  }

  /** Close, and say in a sentence what came of it. */
  finish(sentence) {
    this.#isBusy = false;
    this.element.close();
    toast(sentence);
  }

  async #run() {
    // Pressed twice is pressed once.
    if (this.#isRunning || !this.#act) return;
    const act = this.#act;
    this.#isRunning = true;
    try {
      await act();
    } catch (problem) {
      this.showProblem(problem, problem.isLost ? act : null);
    } finally {
      this.#isRunning = false;
    }
  }
}

/** Where the secret of a dialog lies, and what its key opens. */
function whereOf(item) {
  if (!item?.secret) return null;
  const { secret, target } = item;
  return h("p", { class: "soft small" }, `In ${authority(secret.vault)}`, target && [", for ", h("code", {}, target)]);
}
