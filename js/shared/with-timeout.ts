/** Waiting for so long and no longer. */

export const TIMED_OUT = Symbol('late');

/**
 * Waits so many milliseconds at most (`Infinity` = until it settles).
 * @param alive whether the process is kept alive meanwhile, if the time is finite
 */
export async function withTimeout<T>(
  promise: Promise<T>,
  ms: number,
  alive = true,
): Promise<T | typeof TIMED_OUT> {
  if (!Number.isFinite(ms)) {
    return promise;
  }
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<typeof TIMED_OUT>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, ms), TIMED_OUT);
    if (!alive) {
      timer.unref();
    }
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
