// What people write for memcached.

import { describe, expect, it } from 'vitest';
import { memcachedFace } from '../../js/adapters/medusa/options.js';
import { refusal } from './refusal.js';

describe('serverUrls', () => {
  const servers = (...serverUrls: unknown[]) => memcachedFace.settings({ serverUrls }).store.native.backend;

  it.each([
    ['cache', { host: 'cache', port: 11211 }],
    ['10.0.0.1:11212', { host: '10.0.0.1', port: 11212 }],
    ['[fe80::1%eth0]:11212', { host: 'fe80::1%eth0', port: 11212 }],
    ['[::1]', { host: '::1', port: 11211 }],
    ['memcached://cache:11212/', { host: 'cache', port: 11212 }],
    ['/run/memcached.sock', { path: '/run/memcached.sock' }],
    ['unix:///run/memcached.sock', { path: '/run/memcached.sock' }],
  ])('%s', (written, expected) => {
    expect(servers(written)).toEqual({ type: 'memcached', servers: [expected], timeouts: {} });
  });

  it.each([
    [['::1'], 'serverUrls[0]', 'brackets'],
    [['cache:0'], 'serverUrls[0]', 'port from 1 to 65535'],
    [['cache:123456'], 'serverUrls[0]', 'port'],
    [['a', ''], 'serverUrls[1]', 'an empty string'],
    [['a:1,b:2'], 'serverUrls[0]', 'split(",")'],
    [['redis://a'], 'serverUrls[0]', 'redis://'],
    [['u:p@a'], 'serverUrls[0]', '"username" and "password"'],
    [['a:1', 'b:1', 'a:1'], 'serverUrls', 'a:1 twice'],
    [[], 'serverUrls', 'an empty one'],
    [[undefined], 'serverUrls[0]', 'got nothing'],
  ])('refuses %j', (given, name, said) => {
    const error = refusal(() => servers(...given));
    expect(error.message).toContain(`option "${name}"`);
    expect(error.message).toContain(said);
  });

  it('is a list', () => {
    expect(refusal(() => memcachedFace.settings({ serverUrls: 'a:1,b:1' })).message).toContain('split(",")');
  });
});

describe('Memcached options', () => {
  it('has the documented defaults', () => {
    expect(memcachedFace.settings({})).toEqual({
      ttl: 3600,
      store: {
        kind: 'memcached',
        servers: ['127.0.0.1:11211'],
        native: {
          prefix: 'medusa',
          backend: { type: 'memcached', servers: [{ host: '127.0.0.1', port: 11211 }], timeouts: {} },
          compression: {},
          missMemory: {},
        },
      },
    });
  });

  it('reads memjs’s names, in seconds', () => {
    const { store, ttl } = memcachedFace.settings({
      username: 'u',
      password: 'p',
      maxItemBytes: 2048,
      options: {
        timeout: 0.5,
        conntimeout: 1.5,
        expires: 60,
        retries: 2,
        keepAlive: true,
        keepAliveDelay: 10,
      },
    });
    expect(ttl).toBe(60);
    expect(store.native.backend).toEqual({
      type: 'memcached',
      servers: [{ host: '127.0.0.1', port: 11211 }],
      username: 'u',
      password: 'p',
      maxItemBytes: 2048,
      timeouts: { connectMs: 1500, commandMs: 500, keepaliveMs: 10_000 },
    });
  });

  it('takes either name of the prefix, or both if they agree', () => {
    const prefix = (options: object) => memcachedFace.settings(options).store.native.prefix;
    expect(prefix({ cachePrefix: 'a' })).toBe('a');
    expect(prefix({ keyPrefix: 'b' })).toBe('b');
    expect(prefix({ cachePrefix: 'c', keyPrefix: 'c' })).toBe('c');
    expect(refusal(() => prefix({ cachePrefix: 'c', keyPrefix: 'd' })).message).toMatch(
      /"cachePrefix" and "keyPrefix"/,
    );
  });

  it.each([
    [{ defaultTtl: 5, options: { expires: 6 } }, '"defaultTtl" and "options.expires"'],
    [{ commandTimeout: 5, options: { timeout: 6 } }, '"commandTimeout" and "options.timeout"'],
    [{ ttl: 5 }, '"defaultTtl"'],
    [{ prefix: 'a' }, '"cachePrefix"'],
    [{ username: 'u' }, '"password"'],
    [{ password: 'p' }, '"username"'],
    [{ maxItemBytes: 10 }, '"maxItemBytes"'],
    [{ options: { expires: 0 } }, 'never'],
    [{ options: { tiemout: 1 } }, '"options.timeout"'],
  ])('refuses %j', (options, said) => {
    expect(refusal(() => memcachedFace.settings(options)).message).toContain(said);
  });
});
