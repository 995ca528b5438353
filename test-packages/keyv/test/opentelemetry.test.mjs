// The metrics of examples/opentelemetry, as an exporter gets them, on every store.

import { fileURLToPath } from 'node:url';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { createCache } from 'cachalot';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ENVIRONMENTS, start } from '../support/programs.mjs';
import { STORES, uniquePrefix } from '../support/stores.mjs';

const file = fileURLToPath(new URL('../.built/examples/opentelemetry/metrics.mjs', import.meta.url));
const { observe } = await import(file);

/** Longer than any test: only what is collected by hand counts. */
const NEVER_MS = 3_600_000;

function collector() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: NEVER_MS });
  const provider = new MeterProvider({ readers: [reader] });
  onTestFinished(() => provider.shutdown());
  /** Values by name and by what tells them apart. */
  const collect = async () => {
    exporter.reset();
    await provider.forceFlush();
    const metrics =
      exporter
        .getMetrics()
        .at(-1)
        ?.scopeMetrics.flatMap((scope) => scope.metrics) ?? [];
    return Object.fromEntries(
      metrics.flatMap(({ descriptor, dataPoints }) =>
        dataPoints.map(({ attributes, value }) => [
          [descriptor.name, ...Object.values(attributes)].join(' '),
          value,
        ]),
      ),
    );
  };
  return { meter: provider.getMeter('cachalot'), collect };
}

describe.each(Object.entries(STORES))('on %s', (_, store) => {
  it('counts what a cache did, and nothing of another', async () => {
    const [prefix, other] = [uniquePrefix(), uniquePrefix()];
    const [cache, beside] = [
      createCache({ store: store(), prefix }),
      createCache({ store: store(), prefix: other }),
    ];
    onTestFinished(() => Promise.all([cache.close(), beside.close()]));
    const { meter, collect } = collector();
    const stop = observe(cache, meter, { name: 'shop', prefix });
    const make = (of) => of.getOrSet({ key: 'k', factory: async () => 'made' });
    await Promise.all([make(cache), make(beside)]);
    expect([await cache.get('k'), await cache.get('none')]).toEqual(['made', undefined]);
    await cache.delete('k');
    await cache.clear();
    const before = await collect();
    expect(before).toMatchObject({
      'cachalot.hits shop': 1,
      'cachalot.misses shop': 2,
      'cachalot.sets shop': 1,
      'cachalot.deletes shop': 1,
      'cachalot.clears shop': 1,
      'cachalot.bytes.in shop': '"made"'.length,
      'cachalot.factory.duration shop stored': expect.objectContaining({ count: 1 }),
    });
    expect(before['cachalot.latency shop read p99']).toBeGreaterThanOrEqual(
      before['cachalot.latency shop read p50'],
    );
    stop();
    await make(cache);
    const after = await collect();
    // The SDK repeats a sum that it hears no more of.
    expect([after['cachalot.misses shop'], cache.stats().misses]).toEqual([2, 3]);
    expect(after['cachalot.factory.duration shop stored'].count).toBe(1);
  });
});

it('counts errors by their code', async () => {
  const prefix = uniquePrefix();
  const cache = createCache({ store: STORES.memory({ maxValueBytes: 100 }), prefix });
  onTestFinished(() => cache.close());
  const { meter, collect } = collector();
  observe(cache, meter, { name: 'shop', prefix });
  await cache.set({ key: 'k', value: 'v'.repeat(200) }).catch(() => {});
  expect(await collect()).toMatchObject({ 'cachalot.errors shop CACHALOT_TOO_LARGE': 1 });
});

it.each(Object.entries(ENVIRONMENTS))('the example prints them on %s', async (_, environment) => {
  const program = start('opentelemetry/main.mjs', environment());
  expect([await program.ended, program.errors]).toEqual([0, '']);
  const lines = program.output.trim().split('\n');
  expect(lines.filter((line) => !line.startsWith('cachalot.bytes.stored'))).toEqual([
    'product:3: no database',
    'cachalot.hits = 3',
    'cachalot.hits.l1 = 0',
    'cachalot.hits.stale = 0',
    'cachalot.misses = 3',
    'cachalot.sets = 2',
    'cachalot.sets.refused = 0',
    'cachalot.deletes = 1',
    'cachalot.clears = 1',
    'cachalot.bytes.in = 56',
    'cachalot.factory.duration stored = 2 times',
    'cachalot.factory.duration failed = 1 times',
  ]);
});
