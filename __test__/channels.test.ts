// Messages between processes, over the store's own connection.

import { join } from 'node:path';
import { afterEach, describe, expect, inject, it, vi } from 'vitest';
import { memcached, memory, redis, type StoreSpec } from '../js/options/config.js';
import { ConfigError } from '../js/shared/errors.js';
import type { NativeStore, StoreEvent } from '../js/store/native-store.js';
import { openStore } from '../js/store/open.js';
import { uniquePrefix } from './contract/stores.js';
import { runNode } from './support/processes.js';
import { proxy } from './support/proxy.js';

const open: NativeStore[] = [];
let prefix = uniquePrefix();
afterEach(async () => {
  await Promise.all(open.splice(0).map((store) => store.close()));
  prefix = uniquePrefix();
});

function opened(spec: StoreSpec, onEvent?: (event: StoreEvent) => void): NativeStore {
  const store = openStore(spec, onEvent);
  open.push(store);
  return store;
}

const { redis: server } = inject('servers');
const onRedis = (onEvent?: (event: StoreEvent) => void) =>
  opened(redis({ url: server.url, prefix }), onEvent);

describe('on Redis', () => {
  it('listeners hear what is published on their channel, in order, as it was given', async () => {
    const [one, other] = [onRedis(), onRedis()];
    const heard: string[] = [];
    await one.subscribe('a', (text) => void heard.push(`1 ${text}`));
    await one.subscribe('a', (text) => void heard.push(`2 ${text}`));
    await one.subscribe('Zürich 🐋', (text) => void heard.push(`3 ${text}`));
    await other.publish('a', '');
    await other.publish('nobody', 'x');
    await other.publish('Zürich 🐋', '\r\n\u0000"🐋');
    await one.publish('a', 'own');
    const expected = ['1 ', '2 ', '3 \r\n\u0000"🐋', '1 own', '2 own'];
    await expect.poll(() => heard, { timeout: 5000 }).toEqual(expected);
  });

  it('a burst arrives whole, while the store does its work', async () => {
    const [one, other] = [onRedis(), onRedis()];
    const heard: string[] = [];
    await one.subscribe('a', (text) => void heard.push(text));
    const texts = Array.from({ length: 5000 }, (_, n) => `${n} ${'x'.repeat(100)}`);
    const sent = Promise.all(texts.map((text) => other.publish('a', text)));
    for (let n = 0; n < 100; n++) {
      await one.set('k', String(n), 60_000, [], true);
      expect(await one.get('k')).toBe(n);
    }
    await sent;
    await expect.poll(() => heard.length, { timeout: 5000 }).toBe(texts.length);
    expect(heard).toEqual(texts);
  });

  it('after unsubscribe nothing is heard, and after close neither', async () => {
    const [one, other] = [onRedis(), onRedis()];
    const heard: string[] = [];
    await one.subscribe('a', (text) => void heard.push(text));
    await one.subscribe('b', (text) => void heard.push(text));
    await one.unsubscribe('a');
    await one.unsubscribe('a');
    await other.publish('a', '1');
    await other.publish('b', '2');
    await expect.poll(() => heard, { timeout: 5000 }).toEqual(['2']);
    await one.close();
    await other.publish('b', '3');
    await expect(one.publish('b', 'x')).rejects.toMatchObject({ code: 'CACHALOT_CLOSED' });
    await expect(one.subscribe('b', () => {})).rejects.toMatchObject({ code: 'CACHALOT_CLOSED' });
    expect(heard).toEqual(['2']);
  });

  it('a listener that throws costs nobody else the message', async () => {
    const [one, other] = [onRedis(), onRedis()];
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const heard: string[] = [];
    await one.subscribe('a', () => {
      throw new Error('a defect');
    });
    await one.subscribe('a', (text) => void heard.push(text));
    await other.publish('a', '1');
    await expect.poll(() => heard, { timeout: 5000 }).toEqual(['1']);
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('a defect'), 'CachalotWarning');
    warn.mockRestore();
  });

  it('in an outage a subscription rejects and is kept; the next connection has all of them', async () => {
    const wire = await proxy(server.port);
    const url = `redis://127.0.0.1:${wire.port}`;
    const one = opened(redis({ url, prefix, commandTimeout: 300, connectTimeout: 300 }));
    const other = onRedis();
    const heard: string[] = [];
    await one.subscribe('a', (text) => void heard.push(`a ${text}`));
    await wire.refuse();
    await expect(one.subscribe('b', (text) => void heard.push(`b ${text}`))).rejects.toMatchObject({
      code: expect.stringMatching(/^CACHALOT_(CONNECTION|TIMEOUT)$/),
    });
    await expect(one.publish('a', 'lost')).rejects.toThrow();
    await wire.accept();
    const arrived = async () => {
      await other.publish('a', '1');
      await other.publish('b', '1');
      return new Set(heard);
    };
    await expect.poll(arrived, { timeout: 5000 }).toEqual(new Set(['a 1', 'b 1']));
    await wire.stop();
  });

  it('without RESP3 it says what to do, and hears nothing', async () => {
    const one = opened(redis({ url: server.url, prefix, tracking: false }));
    const heard = vi.fn();
    const refused = one.subscribe('a', heard);
    await expect(refused).rejects.toMatchObject({ code: 'CACHALOT_UNSUPPORTED' });
    await expect(refused).rejects.toThrow(/`tracking: true`/);
    await one.publish('a', '1');
    expect(heard).not.toHaveBeenCalled();
  });

  it('a message over maxValueBytes is refused', async () => {
    const one = opened(redis({ url: server.url, prefix, maxValueBytes: 10 }));
    await one.publish('a', 'x'.repeat(10));
    await expect(one.publish('a', 'x'.repeat(11))).rejects.toMatchObject({ code: 'CACHALOT_TOO_LARGE' });
  });

  it.each([
    ['', /channel: expected a non-empty string, got an empty one/],
    [5, /channel: expected a string, got number/],
    ['\ud800', /channel: expected well-formed text/],
  ])('the channel %j is refused', async (channel, message) => {
    const one = onRedis();
    for (const call of [
      one.publish(channel as string, 'x'),
      one.subscribe(channel as string, () => {}),
      one.unsubscribe(channel as string),
    ]) {
      await expect(call).rejects.toThrow(ConfigError);
      await expect(call).rejects.toThrow(message);
    }
    await expect(one.publish('a', 5 as never)).rejects.toThrow(/text: expected a string, got number/);
  });

  it('a subscription keeps no process alive', async () => {
    const program = join(__dirname, 'native/subscribed.mjs');
    const { code, stdout, stderr } = await runNode(program, { args: [String(server.port)] });
    expect({ code, stdout: stdout.trim(), stderr }).toEqual({ code: 0, stdout: 'subscribed', stderr: '' });
  });
});

describe.each<[string, () => StoreSpec]>([
  ['memory', () => memory({ prefix })],
  ['memcached', () => memcached({ servers: inject('servers').memcached, prefix })],
])('on %s', (_kind, spec) => {
  it('says which store to take', async () => {
    const store = opened(spec());
    for (const call of [store.publish('a', 'x'), store.subscribe('a', () => {})]) {
      await expect(call).rejects.toMatchObject({ code: 'CACHALOT_UNSUPPORTED' });
      await expect(call).rejects.toThrow(/redis\(\{ url \}\)/);
    }
    await store.unsubscribe('a');
  });
});
