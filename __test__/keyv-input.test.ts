// What Keyv's adapter and `createKeyv` take and refuse, which is the same on every store.

import { afterEach, describe, expect, it } from 'vitest';
import { CachalotKeyv, type CachalotKeyvOptions, createKeyv } from '../js/adapters/keyv/index.js';
import { memory } from '../js/options/config.js';
import { ConfigError } from '../js/shared/errors.js';
import { uniquePrefix } from './contract/stores.js';

const open: CachalotKeyv[] = [];
let prefix = uniquePrefix();
afterEach(async () => {
  await Promise.all(open.splice(0).map((adapter) => adapter.disconnect()));
  prefix = uniquePrefix();
});

describe('what no store could take', () => {
  const cache = () => {
    const made = new CachalotKeyv({ store: memory(), prefix });
    open.push(made);
    return made;
  };
  const refused = (message: RegExp) =>
    expect.objectContaining({ code: 'CACHALOT_CONFIG', message: expect.stringMatching(message) });

  it.each([
    ['an empty key', '', /CachalotKeyv: key: expected a non-empty string, got an empty string/],
    ['no key', undefined, /CachalotKeyv: key: expected a non-empty string, got nothing/],
    ['half a character', '\ud800', /CachalotKeyv: key: expected well-formed Unicode/],
    ['an endless key', 'x'.repeat(65_536), /CachalotKeyv: key: expected at most 65535 bytes/],
  ])('%s rejects everywhere', async (_, key, message) => {
    const adapter = cache();
    const errors: unknown[] = [];
    adapter.on('error', (error) => void errors.push(error));
    const wrong = key as string;
    await expect(adapter.get(wrong)).rejects.toEqual(refused(message));
    // Keyv 5 keeps silent about what a get throws.
    expect(errors).toEqual([refused(message)]);
    for (const call of [
      adapter.getMany(['k', wrong]),
      adapter.set(wrong, 'v'),
      adapter.setMany([{ key: wrong, value: 'v' }]),
      adapter.delete(wrong),
      adapter.deleteMany([wrong]),
      adapter.has(wrong),
      adapter.hasMany([wrong]),
    ]) {
      await expect(call).rejects.toEqual(refused(message));
    }
    expect(errors).toHaveLength(1);
  });

  it.each([-1, Number.NaN, -Infinity, '5', 'soon', {}, true])('a ttl of %s', async (ttl) => {
    const adapter = cache();
    await adapter.set('k', 'old');
    await expect(adapter.set('k', 'new', ttl as number)).rejects.toEqual(
      refused(/ttl: expected milliseconds/),
    );
    expect(await adapter.get('k')).toBe('old');
  });

  it('values that are no JSON come back as they were', async () => {
    const adapter = cache();
    for (const value of [1n, '\ud800', 'a\udfffb', new Map([[1, 'x']]), Number.NaN]) {
      expect(await adapter.set('k', value)).toBe(true);
      expect(await adapter.get('k')).toEqual(value);
    }
  });

  it('values that cannot be cloned', async () => {
    const adapter = cache();
    for (const value of [() => 1, { value: Symbol('s') }, Promise.resolve(1)]) {
      await expect(adapter.set('k', value)).rejects.toEqual(
        refused(/value: expected one that can be cloned/),
      );
    }
  });

  it('options', () => {
    const store = memory();
    const wrong: Array<[unknown, RegExp]> = [
      [undefined, /expected an object of options, got nothing/],
      [{}, /option "store": expected redis\(\{ url \}\), .* got nothing/],
      [{ store: 'redis://h' }, /option "store": expected redis/],
      [{ store, prefx: 'p' }, /unknown option "prefx". The closest valid option is "prefix"/],
      [{ store, prefix: '' }, /option "prefix": expected a non-empty string/],
      [{ store, namespace: 5 }, /option "namespace": expected a non-empty string, got 5/],
      [{ store, useKeyPrefix: 'no' }, /option "useKeyPrefix": expected true or false/],
    ];
    for (const [options, message] of wrong) {
      expect(() => new CachalotKeyv(options as CachalotKeyvOptions)).toThrow(message);
      expect(() => new CachalotKeyv(options as CachalotKeyvOptions)).toThrow(ConfigError);
    }
  });

  it('remembers a thousand namespaces of its Keyv instances, and forgets the first then', async () => {
    const adapter = cache();
    for (let n = 0; n <= 1000; n++) adapter.namespace = `n${n}`;
    await adapter.setMany([
      { key: 'n1:k', value: 'complete' },
      { key: 'n0:k', value: 'forgotten' },
    ]);
    expect(await adapter.get('n1000:n0:k')).toBe('forgotten');
    expect(await adapter.hasMany(['n1000:n1:k', 'n1:k'])).toEqual([false, true]);
  });

  it('a namespace that is no text', () => {
    const adapter = cache();
    expect(() => {
      adapter.namespace = 5 as unknown as string;
    }).toThrow(/CachalotKeyv: namespace: expected a string, got 5/);
    adapter.namespace = '';
    expect(adapter.namespace).toBeUndefined();
  });
});

describe('createKeyv', () => {
  it('makes a Keyv whose keys are the adapter to name', async () => {
    const keyv = createKeyv({ store: memory(), namespace: 'n', ttl: 60_000 });
    const adapter = keyv.store as CachalotKeyv;
    open.push(adapter);
    expect([await keyv.set('k', { n: 1 }), await keyv.get('k')]).toEqual([true, { n: 1 }]);
    expect(await keyv.get('n:k')).toBeUndefined();
    expect((await keyv.getRaw('k'))?.expires).toBeGreaterThan(Date.now());
    expect(keyv.namespace).toBe('n');
    const texts = createKeyv({ store: memory(), ttl: '5m' });
    open.push(texts.store as CachalotKeyv);
    expect(texts.ttl).toBe(300_000);
    const plain = createKeyv({ store: memory() });
    open.push(plain.store as CachalotKeyv);
    expect(plain.namespace).toBeUndefined();
    expect(() => createKeyv({ store: memory(), tll: 1 } as never)).toThrow(/unknown option "tll"/);
  });

  it.each([Number.NaN, -5, '5', '5m-garbage', {}, null])('refuses a ttl of %s', (ttl) => {
    const make = () => createKeyv({ store: memory(), ttl: ttl as number });
    expect(make).toThrow(ConfigError);
    expect(make).toThrow(/createKeyv: option "ttl": expected milliseconds of 0 or more/);
  });

  it('takes a ttl that is for ever', () => {
    for (const ttl of [0, Infinity, undefined]) {
      const keyv = createKeyv({ store: memory(), ttl });
      open.push(keyv.store as CachalotKeyv);
      expect(keyv.ttl).toBeUndefined();
    }
  });
});
