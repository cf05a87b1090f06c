// Reading something again and again while a view shows it.

const CALM = 15_000; // Milliseconds from one reading to the next,
const LIVE = 2_000; // and while something is going on.

/**
 * Read at once and then again and again, until the signal says that it is enough. `read` returns whether something is
 * going on. While the page is out of sight no reading begins. Return a function that reads now: where one is under way,
 * as soon as that has ended, since what was asked for may have changed meanwhile.
 */
export function poll(read, signal) {
  let timer = null;
  let isReading = false;
  let isStale = false;

  async function again() {
    if (isReading) isStale = true;
    if (isReading || signal.aborted || document.hidden) return;
    clearTimeout(timer);
    isReading = true;
    let isLive = false;
    try {
      do {
        isStale = false;
        isLive = await read();
      } while (isStale && !signal.aborted);
    } finally {
      isReading = false;
      if (!signal.aborted) timer = setTimeout(again, isLive ? LIVE : CALM);
    }
  }

  document.addEventListener("visibilitychange", again, { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  again();
  return again;
}
