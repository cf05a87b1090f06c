// Reading something again and again while a view shows it.

const CALM = 15_000; // Milliseconds from one reading to the next,
const LIVE = 2_000; // and while something is going on.

/**
 * Read at once and then again and again, until the signal says that it is enough. `read` returns whether something is
 * going on. While the page is out of sight nothing is read. Return a function that reads now.
 */
export function poll(read, signal) {
  let timer = null;
  let isReading = false;

  async function again() {
    if (isReading || signal.aborted) return;
    clearTimeout(timer);
    isReading = true;
    let isLive = false;
    try {
      isLive = document.hidden ? false : await read();
    } finally {
      isReading = false;
      if (!signal.aborted) timer = setTimeout(again, isLive ? LIVE : CALM);
    }
  }

  document.addEventListener("visibilitychange", () => document.hidden || again(), { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  again();
  return again;
}
