import { FaceLog, processWarnings } from '../../shared/logger.js';
import type { CacheLogger } from '../../shared/types.js';

/** Where no logger is given, an outage is a warning of the process. */
export function logOf(logger: CacheLogger | undefined): FaceLog {
  const heard = logger !== undefined && !isSilent(logger);
  return new FaceLog(heard ? logger : processWarnings(() => false), 'cachalot');
}

/** Without a logger Bentocache has one whose methods do nothing, and gives it to its drivers within one of its own. */
function isSilent(logger: CacheLogger): boolean {
  const { warn } = (logger as { internalLogger?: CacheLogger }).internalLogger ?? logger;
  return (
    typeof warn === 'function' && /^(?:\(\)\s*=>|(?:function\s*)?\w*\s*\(\))\s*\{\s*\}$/.test(String(warn))
  );
}
