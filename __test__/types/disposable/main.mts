// With a library that has it, a cache is disposed of by `await using`.

import { type Cache, createCache, memory } from 'cachalot';

export async function main(): Promise<boolean> {
  await using cache = createCache({ store: memory() });
  const disposable: AsyncDisposable = cache;
  const given: Cache = cache;
  return disposable !== null && (await given.has('k'));
}
