/** What was thrown, for people. Anything can be thrown, also what cannot be made a string. */
export function textOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? String(thrown.message) : String(thrown);
  } catch {
    return Object.prototype.toString.call(thrown);
  }
}
