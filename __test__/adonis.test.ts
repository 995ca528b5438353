// The provider of a configuration over every store. AdonisJS itself with it is in test-packages/adonis.

import { describe, expect, inject, it } from 'vitest';
import { cachalot } from '../js/adapters/adonis/index.js';
import { memcached, memory, redis, type StoreSpec } from '../js/options/config.js';
import { ConfigError } from '../js/shared/errors.js';
import { uniquePrefix } from './contract/stores.js';

const stores: Record<string, (prefix: string) => StoreSpec> = {
  memory: (prefix) => memory({ name: 'adonis', prefix }),
  redis: (prefix) => redis({ url: inject('servers').redis.url, prefix }),
  memcached: (prefix) => memcached({ servers: inject('servers').memcached, prefix }),
};

describe.each(Object.entries(stores))('on %s', (_kind, store) => {
  it('resolves to a driver of Bentocache, of one store however often it is resolved', async () => {
    const provider = cachalot({ store: store(uniquePrefix()), prefix: 'own' });
    expect(provider.type).toBe('provider');
    const [one, other] = await Promise.all([provider.resolver({}), provider.resolver({})]);
    expect(one.options).toEqual({ prefix: 'own' });
    const [cache, again] = [one.factory(one.options), other.factory(other.options)];
    expect(await cache.set('users:k', 'v')).toBe(true);
    expect(await again.get('users:k')).toBe('v');
    await again.namespace('users').clear();
    expect(await cache.get('users:k')).toBeUndefined();
    await again.disconnect();
    expect(await cache.set('k', 'v')).toBe(true);
    await cache.disconnect();
    await expect(cache.get('k')).rejects.toMatchObject({ code: 'CACHALOT_CLOSED' });
  });
});

it.each([
  [undefined, /^cachalot\(\): expected an object of options, got nothing/],
  [{}, /^cachalot\(\): option "store": expected redis\(.*got nothing/],
  [
    { connectionName: 'main' },
    /^cachalot\(\): unknown option "connectionName"\. All are: store, prefix, logger\.$/,
  ],
  [{ store: memory(), prefix: '' }, /^cachalot\(\): option "prefix": expected a non-empty string/],
])('%j is refused when the configuration is loaded', (options, message) => {
  expect(() => cachalot(options as never)).toThrow(ConfigError);
  expect(() => cachalot(options as never)).toThrow(message);
});
