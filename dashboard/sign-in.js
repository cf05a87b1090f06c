// How the person who looks at this page is let in: by a function key that stays in this tab, or by Microsoft Entra.

import { fill, h } from "./dom.js";

const KEPT_AS = "function-key";
const VIEW = "view-before-sign-in";
const LEFT_AT = "left-for-sign-in-at";
const AT_ONCE = 30_000; // Milliseconds: who comes back from a sign-in so soon, and is refused, would go round and round.
const byEntra = document.querySelector('meta[name="authentication"]').content === "entra";

let asking = null;

/** Return the function key once the person has given it, null where people sign in with Microsoft Entra. */
export async function currentKey() {
  if (byEntra) return null;
  if (sessionStorage.getItem(KEPT_AS) === null) await signIn();
  return sessionStorage.getItem(KEPT_AS);
}

/**
 * Let the person sign in, and return when that is done: once for all calls that were refused. `refused` is the key that
 * was not accepted, if there was one. With Microsoft Entra the page is left, and comes back where it was.
 */
export async function signIn(refused = null) {
  const key = sessionStorage.getItem(KEPT_AS);
  // Another call was refused before, and the person has given another key since.
  if (!byEntra && key !== null && key !== refused) return undefined;
  asking ??= (byEntra ? goToEntra() : askForKey()).finally(() => {
    asking = null;
  });
  return asking;
}

/** Show how to leave, once there is somebody to. */
export function showSession(place) {
  fill(
    place,
    byEntra
      ? h("a", { class: "button", href: "/.auth/logout?post_logout_redirect_uri=/api/dashboard" }, "Sign out")
      : h("button", { type: "button", click: forget }, "Forget the key"),
  );
}

function forget() {
  sessionStorage.removeItem(KEPT_AS);
  location.reload();
}

/** Return to the view from which the person was sent to sign in: an address loses what is behind its # on the way. */
export function comeBack() {
  const view = sessionStorage.getItem(VIEW);
  sessionStorage.removeItem(VIEW);
  if (view && location.hash.length < 2) history.replaceState(null, "", view);
}

async function goToEntra() {
  if (Date.now() - Number(sessionStorage.getItem(LEFT_AT)) < AT_ONCE) {
    const detail = "You have signed in, and the app does not accept it. Sign out, and sign in again as someone else.";
    throw Object.assign(new Error(detail), { code: "unauthorized" });
  }
  sessionStorage.setItem(LEFT_AT, String(Date.now()));
  sessionStorage.setItem(VIEW, location.hash);
  location.assign(`/.auth/login/aad?post_login_redirect_uri=${encodeURIComponent("/api/dashboard")}`);
  await new Promise(() => {}); // The page is being left.
}

function askForKey() {
  const wasRefused = sessionStorage.getItem(KEPT_AS) !== null;
  sessionStorage.removeItem(KEPT_AS);
  return new Promise((resolve) => {
    const input = h("input", {
      type: "password",
      name: "key",
      autocomplete: "off",
      spellcheck: "false",
      required: true,
      autofocus: true,
      "aria-describedby": "key-help",
      "aria-invalid": wasRefused ? "true" : null,
    });
    const form = h(
      "form",
      {
        submit: (event) => {
          event.preventDefault();
          sessionStorage.setItem(KEPT_AS, input.value.trim());
          dialog.remove();
          resolve();
        },
      },
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
            h("code", {}, "az functionapp keys list --name APP --resource-group GROUP --query functionKeys.default"),
          ),
        ),
      ),
      h("footer", {}, h("button", { class: "main", type: "submit" }, "Sign in")),
    );
    const dialog = h("dialog", { "aria-label": "Sign in", cancel: (event) => event.preventDefault() }, form);
    document.body.append(dialog);
    dialog.showModal();
  });
}
