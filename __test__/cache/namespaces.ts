import { expect, it } from 'vitest';
import { opener, type SpecUnderTest } from './caches.js';

export function namespaces(store: SpecUnderTest) {
  const open = opener(store);

  it('clears what is under a namespace and nothing beside it', async () => {
    const cache = open();
    const keys = ['users', 'users:1', 'users:1:posts', 'users:2', 'users2:1', 'user:1', 'admin:users:1'];
    await cache.setMany(keys.map((key) => ({ key, value: key })));
    await cache.namespace('users').clear();
    const left = ['users', 'users2:1', 'user:1', 'admin:users:1'];
    expect(await cache.getMany(keys)).toEqual(keys.map((key) => (left.includes(key) ? key : undefined)));
  });

  it('reaches what another handle wrote, at any depth', async () => {
    const [one, other] = [open(), open()];
    const users = one.namespace('users');
    const posts = users.namespace('posts');
    await posts.set({ key: '1', value: 'post' });
    await users.set({ key: '1', value: 'user' });
    await other.set({ key: 'users:posts:2', value: 'post' });
    expect(await other.get('users:posts:1')).toBe('post');
    await other.namespace('users:posts').clear();
    expect(await one.getMany(['users:posts:1', 'users:posts:2', 'users:1'])).toEqual([
      undefined,
      undefined,
      'user',
    ]);
    await other.namespace('users').clear();
    expect(await users.get('1')).toBeUndefined();
  });

  it('has tags across namespaces, which no namespace can be mistaken for', async () => {
    const cache = open();
    const a = cache.namespace('a');
    await a.set({ key: '1', value: 1, tags: ['red'] });
    await cache.set({ key: '2', value: 2, tags: ['red', 'a', '!ns:a', '!!ns:a'] });
    await a.clear();
    expect(await cache.getMany(['a:1', '2'])).toEqual([undefined, 2]);
    await a.set({ key: '1', value: 1, tags: ['red'] });
    await cache.deleteByTag(['a', '!ns:a']);
    expect(await cache.getMany(['a:1', '2'])).toEqual([1, undefined]);
    await cache.namespace('other').deleteByTag(['red']);
    expect(await a.get('1')).toBeUndefined();
  });

  it('reaches a value with 1,000 tags of its own, as each of them does', async () => {
    const [one, other] = [open(), open()];
    const tags = Array.from({ length: 1_000 }, (_, n) => (n % 2 === 0 ? `t${n}` : `!ns:t${n}`));
    const clears = [
      () => other.namespace('a').clear(),
      () => other.namespace('a:b').clear(),
      () => other.deleteByTag({ tags: ['t0'] }),
      () => other.deleteByTag({ tags: ['!ns:t999'] }),
      () => other.deleteByTag({ tags: tags.toReversed() }),
    ];
    for (const clear of clears) {
      await one.namespace('a:b').set({ key: 'k', value: 1, tags });
      expect(await other.get('a:b:k')).toBe(1);
      await other.deleteByTag({ tags: ['!ns:a', 't999'] });
      expect(await other.get('a:b:k')).toBe(1);
      expect(await clear()).toBe(true);
      expect(await one.get('a:b:k')).toBeUndefined();
    }
  });

  it('reaches a value in a namespace as long as a key may be', async () => {
    const cache = open();
    const name = 'n'.repeat(65_533);
    await cache.namespace(name).set({ key: 'k', value: 1 });
    expect(await cache.get(`${name}:k`)).toBe(1);
    await cache.namespace(name).clear();
    expect(await cache.get(`${name}:k`)).toBeUndefined();
  });

  it('guards what a factory has read against the clear of its namespace, and no set', async () => {
    const cache = open();
    const users = cache.namespace('users');
    const factory = async () => {
      await cache.namespace('users').clear();
      return 'from before';
    };
    expect(await users.getOrSet({ key: '1', factory })).toBe('from before');
    expect(await users.get('1')).toBeUndefined();
    await cache.namespace('users').clear();
    await users.set({ key: '1', value: 'set' });
    expect(await users.get('1')).toBe('set');
  });

  it('refuses names that mean nothing, and levels that no tag reaches', async () => {
    const cache = open();
    for (const name of ['', ':', 7, undefined, 'half \ud800']) {
      expect(() => cache.namespace(name as string)).toThrow(/namespace: expected a non-empty string/);
    }
    let deep = cache;
    for (let level = 1; level <= 8; level++) deep = deep.namespace(`l${level}`);
    expect(() => deep.namespace('l9')).toThrow(/at most 8 levels, got 9/);
    await deep.set({ key: 'a:b:c', value: 1 });
    await deep.clear();
    expect(await deep.get('a:b:c')).toBeUndefined();
  });
}
