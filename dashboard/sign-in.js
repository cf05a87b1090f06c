// How the person who looks at this page is let in: by a function key that stays in this tab, or by Microsoft Entra.

import { fill, h } from "./dom.js";

const KEPT_AS = "function-key";
const VIEW = "view-before-sign-in";
const SENT = "sent-to-sign-in";
const OUT = "/.auth/logout?post_logout_redirect_uri=/api/dashboard";
const IN = "/.auth/login/aad?post_login_redirect_uri=/api/dashboard";
const byEntra = document.querySelector('meta[name="authentication"]').content === "entra";

let asking = null;
let hasBeenIn = false;
const place = () => document.getElementById("session");

/** Return the function key once the person has given it, null where people sign in with Microsoft Entra. */
export async function currentKey() {
  if (byEntra) return null;
  if (sessionStorage.getItem(KEPT_AS) === null) await askForKey();
  return sessionStorage.getItem(KEPT_AS);
}

/** Remember that a call was let in. */
export function letIn() {
  if (hasBeenIn) return;
  hasBeenIn = true;
  sessionStorage.removeItem(SENT);
  const forget = () => {
    sessionStorage.removeItem(KEPT_AS);
    location.reload();
  };
  const out = byEntra
    ? h("a", { class: "button", href: OUT }, "Sign out")
    : h("button", { type: "button", click: forget }, "Forget the key");
  fill(place(), out);
}

/**
 * Do what is to be done where a call was refused because nobody knows who calls, and return when it can be repeated.
 * `refused` is the key that was not accepted, if there was one. With Microsoft Entra the page is left once, when it is
 * opened. Later it is not: the person may be at something, and is told instead. Throws what they are told.
 */
export async function signIn(refused) {
  if (!byEntra) return askForKey(refused);
  if (!hasBeenIn && !sessionStorage.getItem(SENT)) return leave();
  hasBeenIn = false;
  fill(place(), h("button", { type: "button", class: "main", click: leave }, "Sign in"));
  const words = sessionStorage.getItem(SENT)
    ? "You were sent to sign in, and the app still does not know you. Sign in again, or as someone else."
    : "Your session has ended. Sign in again to go on.";
  throw Object.assign(new Error(words), { code: "signed_out" });
}

/** Return to the view from which the person was sent to sign in: an address loses what is behind its # on the way. */
export function comeBack() {
  const view = sessionStorage.getItem(VIEW);
  sessionStorage.removeItem(VIEW);
  if (view && location.hash.length < 2) history.replaceState(null, "", view);
}

async function leave() {
  sessionStorage.setItem(SENT, "1");
  sessionStorage.setItem(VIEW, location.hash);
  location.assign(IN);
  await new Promise(() => {}); // The page is being left.
}

/** Ask for a key, once for all calls that need one. */
async function askForKey(refused = null) {
  const key = sessionStorage.getItem(KEPT_AS);
  // Another call was refused before, and the person has given another key since.
  if (key !== null && key !== refused) return;
  asking ??= showForm(key !== null).finally(() => {
    asking = null;
  });
  await asking;
}

function showForm(wasRefused) {
  sessionStorage.removeItem(KEPT_AS);
  return new Promise((resolve) => {
    const input = h("input", {
      type: "password",
      name: "key",
      autocomplete: "off",
      spellcheck: "false",
      required: true,
      // What a header can hold.
      pattern: "\\s*[!-~]+\\s*",
      title: "A function key: letters, digits and signs, without blanks",
      autofocus: true,
      "aria-describedby": "key-help",
      "aria-invalid": wasRefused ? "true" : null,
    });
    const submit = (event) => {
      event.preventDefault();
      sessionStorage.setItem(KEPT_AS, input.value.trim());
      dialog.remove();
      resolve();
    };
    const form = h(
      "form",
      { submit },
      h("header", {}, h("h1", {}, "Sign in")),
      h(
        "div",
        { class: "inside stack" },
        wasRefused && h("p", { class: "notice bad", role: "alert" }, "The app did not accept that function key."),
        h("label", { class: "field" }, "Function key", input),
        h(
          "div",
          { id: "key-help", class: "soft stack small" },
          h("p", {}, "The key stays in this tab, and is gone when you close it."),
          h(
            "p",
            {},
            "To read it: ",
            h(
              "code",
              {},
              "az functionapp keys list --name APP --resource-group GROUP --query functionKeys.default --output tsv",
            ),
          ),
        ),
      ),
      h("footer", {}, h("button", { class: "main", type: "submit" }, "Sign in")),
    );
    // Whatever Escape does: without a key there is nothing to see.
    const dialog = h("dialog", { "aria-label": "Sign in", close: () => dialog.showModal() }, form);
    document.body.append(dialog);
    dialog.showModal();
  });
}
