// Elements without markup in text: nothing here parses HTML, so that no name or message can be markup.

/**
 * Return an element. Attributes that are false or null are left out, functions are listeners, and `style` is an object.
 * Children may be elements, texts, nested lists, and null for nothing.
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else if (name === "style") for (const [key, each] of Object.entries(value)) element.style.setProperty(key, each);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...flat(children));
  return element;
}

/** Replace what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...flat(children));
}

/**
 * Replace what an element holds, unless that looks the same already: a person may be reading or pressing it.
 * Times that run do not count. What has the focus gets it again, where the new content has something with the same
 * `data-focus`.
 */
export function refill(element, ...children) {
  const fresh = h("div", {}, ...children);
  if (looks(fresh) === looks(element)) return;
  const focused = element.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  const open = new Set([...element.querySelectorAll("details[open]")].map((each) => each.dataset.focus));
  element.replaceChildren(...fresh.childNodes);
  for (const each of element.querySelectorAll("details")) if (open.has(each.dataset.focus)) each.open = true;
  if (focused) element.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

/** Show a sentence for some seconds, an error for longer, which screen readers read aloud. */
export function toast(text, kind = "good") {
  const isBad = kind === "bad";
  const shown = h("p", { class: `notice ${kind}`, role: isBad ? "alert" : null }, text);
  document.getElementById("toasts").append(shown);
  setTimeout(() => shown.remove(), isBad ? 60_000 : 8_000);
}

function looks(element) {
  const copy = element.cloneNode(true);
  for (const each of copy.querySelectorAll("time")) each.textContent = "";
  return copy.innerHTML;
}

function flat(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}
