// How the person who looks at this page is let in: by a function key that stays in this tab, or by Microsoft Entra.

import { fill, h } from "./dom.js";

const KEPT_AS = "function-key";
const byEntra = document.querySelector('meta[name="authentication"]').content === "entra";

let asking = null;

/** Return the function key once the person has given it, null where people sign in with Microsoft Entra. */
export async function currentKey() {
  if (byEntra) return null;
  if (sessionStorage.getItem(KEPT_AS) === null) await signIn();
  return sessionStorage.getItem(KEPT_AS);
}

/**
 * Let the person sign in, and return when that is done: once for all calls that were refused.
 * With Microsoft Entra the page is left, and comes back where it was.
 */
export function signIn() {
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

function goToEntra() {
  const back = `/api/dashboard${location.hash}`;
  location.assign(`/.auth/login/aad?post_login_redirect_uri=${encodeURIComponent(back)}`);
  return new Promise(() => {}); // The page is being left.
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
