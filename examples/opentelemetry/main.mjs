// A cache whose metrics go to OpenTelemetry; here they are printed. With the package built (`npm ci && npm run build` at
// the root), in this folder:
//
//   npm install && npm start
//   REDIS_URL=redis://127.0.0.1:6379 npm start
//   MEMCACHED_SERVER=127.0.0.1:11211 npm start

import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { createCache, memcached, memory, redis } from 'cachalot';
import { observe } from './metrics.mjs';

const { REDIS_URL, MEMCACHED_SERVER } = process.env;
const prefix = 'opentelemetry-example';
const store = REDIS_URL
  ? redis({ url: REDIS_URL, prefix })
  : MEMCACHED_SERVER
    ? memcached({ servers: [MEMCACHED_SERVER], prefix })
    : memory({ prefix });
const cache = createCache({ store });

// An application has an exporter of its own here, as a rule one for OTLP.
const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const provider = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter })] });
const stop = observe(cache, provider.getMeter('cachalot'), { name: 'catalogue', prefix });

await cache.clear();
for (const id of [1, 2, 1, 1, 2]) {
  await cache.getOrSet({ key: `product:${id}`, factory: async () => ({ id, title: `Product ${id}` }) });
}
await cache
  .getOrSet({ key: 'product:3', factory: () => Promise.reject(new Error('no database')) })
  .catch((error) => console.log(`product:3: ${error.message}`));
await cache.delete('product:2');

await provider.forceFlush();
for (const { metrics } of exporter.getMetrics().at(-1)?.scopeMetrics ?? []) {
  for (const { descriptor, dataPoints } of metrics) {
    for (const { attributes, value } of dataPoints) {
      const { cache: _, ...by } = attributes;
      const shown = typeof value === 'number' ? value : `${value.count} times`;
      // How long something took differs from run to run.
      if (descriptor.name !== 'cachalot.latency')
        console.log(descriptor.name, ...Object.values(by), '=', shown);
    }
  }
}

stop();
await provider.shutdown();
await cache.close();
