/** What Medusa injects into a service: its dependencies, of which the logger is used. */
import type { CacheLogger } from './logger.js';

/** What a provider is constructed with: an object, or a container's cradle that throws on unknown names. */
export interface ProviderDependencies {
  /** @default console */
  logger?: CacheLogger | undefined;
}

/** Returns the logger that Medusa injects, or the console. */
export function loggerOf(dependencies: unknown): CacheLogger {
  const logger = probe(dependencies, 'logger');
  return typeof logger === 'object' && logger !== null ? logger : console;
}

/** Reads one dependency. A cradle throws for a name that it does not know; that means absent. */
export function probe(dependencies: unknown, name: string): unknown {
  try {
    return (dependencies as Record<string, unknown> | null | undefined)?.[name] ?? undefined;
  } catch {
    return undefined;
  }
}
