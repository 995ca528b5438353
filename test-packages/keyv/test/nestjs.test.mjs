// NestJS's CacheModule: the example's application, started as it is, on every store.

import { CachalotKeyv } from 'cachalot/keyv';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startRedis } from '../../servers.mjs';
import { ENVIRONMENTS, start } from '../support/programs.mjs';
import { STORES } from '../support/stores.mjs';

/** Starts the application on a free port; its URL is in its first line. */
async function listening(environment) {
  const program = start('nestjs/dist/main.js', { PORT: '0', ...environment });
  await expect
    .poll(() => program.output + program.errors, { timeout: 15_000 })
    .toMatch(/listening on http:\S+\n/);
  const [, url] = /listening on (\S+)/.exec(program.output);
  const get = async (path) => (await fetch(url + path)).json();
  return { ...program, program, url, get };
}

/** Nest answers first and stores then. In process memory that is over before another request comes in. */
async function stored(kind, path) {
  if (kind === 'memory') return;
  const adapter = new CachalotKeyv({ store: STORES[kind](), prefix: 'nestjs-example', namespace: 'http' });
  onTestFinished(() => adapter.disconnect());
  await expect.poll(() => adapter.has(path), { timeout: 5_000, interval: 5 }).toBe(true);
}

describe.each(Object.entries(ENVIRONMENTS))('on %s', (kind, environment) => {
  it('caches a route by its URL, in a store that processes share', async () => {
    const one = await listening(environment());
    const id = `${process.pid}${kind.length}`;
    const first = await one.get(`/products/${id}`);
    expect(first).toEqual({ id, title: `Product ${id}`, query: 1 });
    await stored(kind, `/products/${id}`);
    expect(await one.get(`/products/${id}`)).toEqual(first);
    // Another URL is another entry.
    expect((await one.get(`/products/${id}0`)).query).toBe(2);
    if (kind !== 'memory') {
      const two = await listening(environment());
      expect(await two.get(`/products/${id}`)).toEqual(first);
    }
    const { status } = await fetch(`${one.url}/products/${id}/cache`, { method: 'DELETE' });
    expect(status).toBe(204);
    expect((await one.get(`/products/${id}`)).query).toBe(3);
    expect(await one.get(`/products/${id}/price`)).toEqual({ id, price: 100 + Number(id) });
    expect(one.program.errors).toBe('');
  });

  it('lets go of its connections at the end and exits', async () => {
    const application = await listening(environment());
    await application.get('/products/1');
    application.child.kill('SIGTERM');
    expect(await application.ended).toBe('SIGTERM');
    expect(application.program.errors).toBe('');
  });
});

describe('in an outage', () => {
  it('routes answer, uncached', async () => {
    const server = await startRedis();
    const application = await listening({ REDIS_URL: `redis://127.0.0.1:${server.port}` });
    expect((await application.get('/products/1')).query).toBe(1);
    await server.stop();
    expect((await application.get('/products/1')).query).toBe(2);
    expect((await application.get('/products/1')).query).toBe(3);
    expect(application.program.errors).toMatch(/could not be reached|lost|refused/i);
  });
});
