/** What `useL2Layer` takes, for the adapters that make one. */

import { type Check, object } from '../../options/check.js';
import type { StoreSpec } from '../../options/native-config.js';
import { prefix as checkPrefix } from '../../options/store.js';
import type { CacheLogger } from '../../shared/logger.js';
import { type Logger, loggerOption } from '../../shared/logger.js';
import { OutageLog } from '../../shared/outage-log.js';
import { described, openStore } from '../../store/open.js';
import { CachalotDriver } from './driver.js';
import { followOperations } from './operations.js';
import { logOf, SharedStores } from './shared-resources.js';
import type { CreateDriverResult, L2CacheDriver } from './types.js';

export interface CachalotDriverOptions {
  /** `redis({ url })`, `memcached({ servers })` or `memory()`, imported from `cachalot`. */
  store: StoreSpec;
  /**
   * Takes the place of the prefix that Bentocache names; both come after the store's own prefix and a `/`.
   * @default Bentocache's `prefix`, which is `bentocache` by default
   */
  prefix?: string | undefined;
  /**
   * Gets a line when an outage begins and one when it ends.
   * @default Bentocache's; where that is none, a warning of the process for each outage
   */
  logger?: CacheLogger | undefined;
}

const anyStore: Check<StoreSpec> = (value, at) => described(at.caller, value);

const checkOptions = object<CachalotDriverOptions>({
  store: anyStore,
  prefix: checkPrefix,
  logger: loggerOption,
});

/** @param caller whose options these are, for messages */
export function createDriver(
  caller: string,
  options: CachalotDriverOptions,
): CreateDriverResult<L2CacheDriver> {
  const { store, prefix, logger: own } = checkOptions(options, { caller, path: '' });
  const spec = described(caller, store);
  let log: Logger | undefined;
  const stores = new SharedStores((name) => {
    const outages = new OutageLog(
      log ?? logOf(own),
      'Bentocache decides what its operations answer until it is back',
    );
    return openStore({ ...spec, native: { ...spec.native, prefix: name } }, (event) => outages.event(event));
  });
  return {
    options: prefix === undefined ? {} : { prefix },
    factory: (config: { prefix?: unknown; logger?: CacheLogger } = {}) => {
      followOperations();
      if (log === undefined) {
        log = logOf(own ?? config.logger);
        log.ignored(spec);
      }
      return new CachalotDriver(stores.hold(prefixed(caller, spec.native.prefix, config.prefix)));
    },
  };
}

/** The store's prefix, and behind it the one that Bentocache names. */
function prefixed(caller: string, own: string, named: unknown): string {
  if (named === undefined || named === null || named === '') {
    return own;
  }
  const at = { caller, path: 'prefix' };
  const below = checkPrefix(named, at).replace(/:+$/, '');
  return below === '' ? own : checkPrefix(`${own.replace(/:$/, '')}/${below}`, at);
}
