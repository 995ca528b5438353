// The bus as Bentocache uses it. Bentocache itself with it is in test-packages/bentocache.

import { afterEach, describe, expect, inject, it, vi } from 'vitest';
import { cachalotBus } from '../js/adapters/adonis/index.js';
import { type BusTransport, cachalotBusDriver } from '../js/adapters/bentocache/index.js';
import { memcached, memory, redis } from '../js/options/config.js';
import { CachalotError, ConfigError } from '../js/shared/errors.js';
import { uniquePrefix } from './contract/stores.js';
import { proxy } from './support/proxy.js';

const open: BusTransport[] = [];
let prefix = uniquePrefix();
afterEach(async () => {
  await Promise.all(open.splice(0).map((bus) => bus.disconnect()));
  prefix = uniquePrefix();
});

const { redis: server } = inject('servers');

function bus(id: string, port = server.port): BusTransport {
  const url = `redis://127.0.0.1:${port}`;
  const store = redis({ url, prefix, commandTimeout: 300, connectTimeout: 300 });
  const made = cachalotBusDriver({ store }).factory({});
  open.push(made);
  return made.setId(id);
}

const MESSAGE = { keys: ['users:1', 'Zürich'], type: 'delete', namespace: 'bentocache' };

describe('the bus', () => {
  it('brings what others send, and not its own', async () => {
    const [one, other] = [bus('one'), bus('other')];
    const heard: unknown[] = [];
    await one.subscribe('c', (message) => void heard.push(['one', message]));
    await other.subscribe('c', (message) => void heard.push(['other', message]));
    await one.publish('c', MESSAGE);
    await other.publish('c', { ...MESSAGE, type: 'clear', keys: [] });
    await expect.poll(() => heard, { timeout: 5000 }).toHaveLength(2);
    expect(heard).toContainEqual(['other', MESSAGE]);
    expect(heard).toContainEqual(['one', { ...MESSAGE, type: 'clear', keys: [] }]);
    await one.unsubscribe('c');
    await other.publish('c', MESSAGE);
    await one.publish('c', MESSAGE);
    await expect.poll(() => heard, { timeout: 5000 }).toHaveLength(3);
  });

  it("passes over what is not Bentocache's", async () => {
    const [one, other] = [bus('one'), bus('other')];
    const heard: unknown[] = [];
    await one.subscribe('c', (message) => void heard.push(message));
    const { openStore } = await import('../js/store/open.js');
    const store = openStore(redis({ url: server.url, prefix }));
    for (const text of ['', 'no JSON', 'null', '5', '[]', '{}', '{"busId":5,"payload":1}']) {
      await store.publish('c', text);
    }
    await store.close();
    await other.publish('c', MESSAGE);
    await expect.poll(() => heard, { timeout: 5000 }).toEqual([MESSAGE]);
  });

  it('in an outage publish rejects, subscribe does not, and after it both work and Bentocache is told', async () => {
    const wire = await proxy(server.port);
    const one = bus('one', wire.port);
    const other = bus('other');
    const reconnected = vi.fn();
    one.onReconnect(reconnected);
    await one.publish('c', MESSAGE);
    expect(reconnected).not.toHaveBeenCalled();
    await wire.refuse();
    await expect(one.publish('c', MESSAGE)).rejects.toMatchObject({
      code: expect.stringMatching(/^CACHALOT_(CONNECTION|TIMEOUT)$/),
    });
    const heard: unknown[] = [];
    await one.subscribe('c', (message) => void heard.push(message));
    await wire.accept();
    const arrived = async () => {
      await other.publish('c', MESSAGE);
      return heard.length;
    };
    await expect.poll(arrived, { timeout: 5000 }).toBeGreaterThan(0);
    expect(reconnected).toHaveBeenCalledOnce();
    await wire.stop();
  });

  it('hands Bentocache its own options, and nothing of the store', () => {
    const store = redis({ url: 'redis://user:hunter2@127.0.0.1:1' });
    expect(cachalotBusDriver({ store }).options).toEqual({});
    const retryQueue = { enabled: true, maxSize: 10 };
    expect(cachalotBusDriver({ store, retryQueue }).options).toEqual({ retryQueue });
  });

  it("AdonisJS's provider resolves to it", async () => {
    const provider = cachalotBus({
      store: redis({ url: server.url, prefix }),
      retryQueue: { enabled: false },
    });
    expect(provider.type).toBe('provider');
    const { options, factory } = await provider.resolver({});
    expect(options).toEqual({ retryQueue: { enabled: false } });
    const made = factory(options);
    open.push(made);
    const other = bus('other');
    const heard = vi.fn();
    await made.setId('made').subscribe('c', heard);
    await other.publish('c', MESSAGE);
    await expect.poll(() => heard.mock.calls, { timeout: 5000 }).toEqual([[MESSAGE]]);
  });
});

describe('options', () => {
  it.each([
    [undefined, ConfigError, /cachalotBusDriver\(\): expected an object of options, got nothing/],
    [{}, ConfigError, /option "store": expected redis\(.*got nothing/],
    [{ connection: {} }, ConfigError, /unknown option "connection"/],
    [{ store: memory() }, CachalotError, /option "store": expected redis\(\{ url \}\), got memory\(\)/],
    [{ store: memcached() }, CachalotError, /option "store": expected redis\(\{ url \}\), got memcached\(\)/],
    [
      { store: redis({ url: 'redis://127.0.0.1', tracking: false }) },
      CachalotError,
      /option "store": expected a store with RESP3, got one with "tracking: false"/,
    ],
  ])('%j is refused', (options, Class, message) => {
    const make = () => cachalotBusDriver(options as never);
    expect(make).toThrow(Class);
    expect(make).toThrow(message);
  });
});
