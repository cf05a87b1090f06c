// Times, numbers and names as people read them, in the language and time zone of the browser.

const DAY = 86_400_000;
const UNITS = [
  ["day", DAY],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1_000],
];

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const dates = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const moments = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const hours = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const days = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const numbers = new Intl.NumberFormat();

export const number = (value) => numbers.format(value);
export const date = (text) => (text ? dates.format(new Date(text)) : "–");
export const moment = (text) => (text ? moments.format(new Date(text)) : "–");
export const hour = (text) => hours.format(new Date(text));
export const day = (when) => days.format(when);
export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

/** Return how far a time is from now: "in 3 days", "2 minutes ago". */
export function ago(text, now = Date.now()) {
  const distance = new Date(text) - now;
  const [unit, length] = UNITS.find(([, each]) => Math.abs(distance) >= each) ?? UNITS.at(-1);
  return relative.format(Math.trunc(distance / length), unit);
}

/** Return a time until something as a clock shows it: "1 d 04:05:09", "04:09". */
export function countdown(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const part = (value) => String(value).padStart(2, "0");
  const whole = Math.floor(seconds / 86_400);
  const hour = Math.floor((seconds % 86_400) / 3600);
  const rest = `${part(Math.floor((seconds % 3600) / 60))}:${part(seconds % 60)}`;
  return `${whole ? `${whole} d ` : ""}${whole || hour ? `${part(hour)}:` : ""}${rest}`;
}

/** Return how long something took, from two times. */
export function took(from, to) {
  const seconds = (new Date(to) - new Date(from)) / 1000;
  if (seconds < 0.05) return "less than 0.1 s";
  if (seconds < 60) return `${seconds.toLocaleString(undefined, { maximumFractionDigits: 1 })} s`;
  return seconds < 3600 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 360) / 10} h`;
}

/** Return the authority of a vault's URI, as paths of the API name it. */
export const authority = (vault) => vault.replace(/^https:\/\//, "");

/** Return a vault as people call it. */
export const vaultName = (vault) => authority(vault).replace(/\.vault\.[a-z.]+$/, "");

/** Return a target's name: of "/.../sites/my-site/workflows/orders" it is "my-site/orders". */
export function targetName(target) {
  const parts = target.split("/providers/").at(-1).split("/").slice(1);
  return parts.filter((_, index) => index % 2).join("/") || target;
}

/** Return a message with the names of a target and a secret where their long ids stand. */
export function shortened(text, target, secret) {
  const named = target ? text.replaceAll(target, targetName(target)) : text;
  return secret?.name ? named.replaceAll(`${secret.vault}/secrets/${secret.name}`, secret.name) : named;
}

/** Return the reason of an item as a sentence, with names in place of ids. */
export function sentence(text, { target, secret }) {
  const named = shortened(text, target, secret);
  const first = named.charAt(0).toUpperCase() + named.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

/** Return a kind of target, of its provider: "Batch/batchAccounts". */
export const kindName = (provider) => provider.replace(/^Microsoft\./, "");

/** Return the day that a time lies in, in the time zone of the browser. */
export function dayOf(text) {
  const when = new Date(text);
  return new Date(when.getFullYear(), when.getMonth(), when.getDate());
}

export { DAY };
