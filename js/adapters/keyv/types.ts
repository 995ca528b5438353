/** What the methods and events of the adapter take and bring. */
import type { Duration } from '../../options/duration.js';
import type { StoreEvent } from '../../store/native-store.js';

export interface CachalotKeyvEntry {
  key: string;
  value: unknown;
  /** Milliseconds, or text such as '5m'. @default for ever */
  ttl?: Duration | undefined;
}

/** What each event is told with. */
export interface CachalotKeyvEvents {
  /** An operation failed, and its caller was answered `undefined` or `false`. */
  error: Error;
  connected: Extract<StoreEvent, { type: 'connected' }>;
  disconnected: Extract<StoreEvent, { type: 'disconnected' }>;
  warning: Extract<StoreEvent, { type: 'warning' }>;
}

/** What Keyv looks at to learn what a store is. */
export interface CachalotKeyvDescription {
  dialect: string;
  url: string;
  [name: string]: unknown;
}
