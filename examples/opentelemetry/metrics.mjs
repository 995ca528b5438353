// Metrics of a cache for OpenTelemetry: its counters, read when they are collected, and what each factory took, heard
// when it ran.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';

/** Sums of `stats()`, and what each says. */
const COUNTERS = {
  'cachalot.hits': ['Reads that found a value', (stats) => stats.hits],
  'cachalot.hits.l1': ['Hits of values kept in the process', (stats) => stats.l1Hits],
  'cachalot.hits.stale': ['Hits past their ttl, within their grace', (stats) => stats.staleHits],
  'cachalot.misses': ['Reads that found none', (stats) => stats.misses],
  'cachalot.sets': ['Values given to the store', (stats) => stats.sets],
  'cachalot.sets.refused': ['Sets that a clear since had made too old', (stats) => stats.rejectedWrites],
  'cachalot.deletes': ['Keys deleted', (stats) => stats.deletes],
  'cachalot.clears': ['Clears by tags, of a namespace or of everything', (stats) => stats.clears],
  'cachalot.bytes.in': ['Bytes of values given to the store', (stats) => stats.bytesIn],
  'cachalot.bytes.stored': ['Bytes kept of them', (stats) => stats.bytesStored],
};

/**
 * @param {import('cachalot').Cache} cache
 * @param {import('@opentelemetry/api').Meter} meter
 * @param {{ name: string, prefix: string }} of `name`: what the cache is called in the metrics; `prefix`: of its store,
 * by which it is told apart from others on the channels
 * @returns {() => void} stops it
 */
export function observe(cache, meter, { name, prefix }) {
  const attributes = { cache: name };
  const counters = Object.entries(COUNTERS).map(([metric, [description, read]]) => ({
    instrument: meter.createObservableCounter(metric, { description }),
    read,
  }));
  const errors = meter.createObservableCounter('cachalot.errors', { description: 'Errors, by code' });
  const latency = meter.createObservableGauge('cachalot.latency', {
    description: 'Quantiles of how long reads, writes and factories take',
    unit: 'ms',
  });
  const instruments = [...counters.map(({ instrument }) => instrument), errors, latency];
  const collect = (result) => {
    const stats = cache.stats();
    for (const { instrument, read } of counters) result.observe(instrument, read(stats), attributes);
    for (const [code, count] of Object.entries(stats.errors))
      result.observe(errors, count, { ...attributes, code });
    for (const [operation, { count, ...quantiles }] of Object.entries(stats.latency))
      for (const [quantile, ms] of count === 0 ? [] : Object.entries(quantiles))
        result.observe(latency, ms, { ...attributes, operation, quantile });
  };
  meter.addBatchObservableCallback(collect, instruments);

  const factories = meter.createHistogram('cachalot.factory.duration', {
    description: 'How long factories ran, by their outcome',
    unit: 'ms',
  });
  const ran = (told) => {
    if (told.prefix === prefix) factories.record(told.ms, { ...attributes, outcome: told.outcome });
  };
  subscribe('cachalot:factory', ran);

  return () => {
    meter.removeBatchObservableCallback(collect, instruments);
    unsubscribe('cachalot:factory', ran);
  };
}
