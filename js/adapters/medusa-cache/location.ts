/** memcached servers as its npm client takes them: one address, a list, or an object of weights. */
import { type Check, describe, invalid, unsupported } from '../../options/check.js';
import { type MemcachedAddress, memcachedServers } from '../../options/endpoint.js';

export const location: Check<MemcachedAddress[]> = (value, at) => {
  if (typeof value === 'string' && value !== '') {
    return memcachedServers([value], at);
  }
  if (Array.isArray(value)) {
    return memcachedServers(value, at);
  }
  if (typeof value !== 'object' || value === null) {
    throw invalid(at, 'an address, an array of addresses, or an object of weights', describe(value, true));
  }
  const weights = Object.values(value);
  const wrong = weights.find((weight) => typeof weight !== 'number' || !(weight > 0));
  if (wrong !== undefined) {
    throw invalid(at, 'weights above 0', describe(wrong));
  }
  if (new Set(weights).size > 1) {
    throw unsupported(
      at,
      'servers of different weights are not supported: keys are spread evenly',
      'Give the addresses as an array, or all of them the same weight',
    );
  }
  return memcachedServers(Object.keys(value), at);
};
