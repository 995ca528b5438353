/** Waiting for so long and no longer. */

export const LATE = Symbol('late');

/** An hour: a timer that only keeps the process alive while someone waits. */
const ALIVE_MS = 3_600_000;

/** Waits so many milliseconds at most (`Infinity` = until it settles), and keeps the process alive meanwhile. */
export async function race<T>(promise: Promise<T>, ms: number): Promise<T | typeof LATE> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<typeof LATE>((resolve) => {
    timer = Number.isFinite(ms)
      ? setTimeout(resolve, Math.max(0, ms), LATE)
      : setInterval(() => {}, ALIVE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
