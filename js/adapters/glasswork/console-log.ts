import type { CacheLogger } from '../../shared/types.js';

/** Where no logger is given: what is worth a line, which a connection that comes is not. Looked up late, for those who replace `console`. */
export const consoleLog: CacheLogger = {
  info: (message) => console.info(message),
  warn: (message) => console.warn(message),
};
