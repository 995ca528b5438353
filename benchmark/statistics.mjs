// From the slices of a cell to the figures that are published.

export const median = (numbers) => {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** Medians over the rounds of every field of a slice, and the extremes of ops/s, which show how steady the run was. */
export function summarise(slices) {
  const of = (field) => median(slices.map((slice) => slice[field]));
  const rates = slices.map((slice) => slice.opsPerSecond);
  return {
    opsPerSecond: of('opsPerSecond'),
    slowest: Math.min(...rates),
    fastest: Math.max(...rates),
    p50: of('p50'),
    p99: of('p99'),
    mainThread: of('mainThread'),
    process: of('process'),
    operations: slices.reduce((sum, slice) => sum + slice.operations, 0),
  };
}

export const isOurs = (name) => name.startsWith('cachalot');

/** `[{ ours, peer, throughput, mainThread }]`: ours against each peer on the same server; above 1 is in our favour. */
export function ratios(cell) {
  const pairs = [];
  for (const ours of cell.results.filter((result) => isOurs(result.name))) {
    for (const peer of cell.results.filter(
      (result) => !isOurs(result.name) && result.server === ours.server,
    )) {
      pairs.push({
        ours: ours.name,
        peer: peer.name,
        throughput: ours.opsPerSecond / peer.opsPerSecond,
        mainThread: peer.mainThread / ours.mainThread,
      });
    }
  }
  return pairs;
}

export const sizeName = (bytes) => (bytes < 1_024 ? `${bytes} B` : `${bytes / 1_024} KB`);

export const cellName = ({ operation, bytes, concurrency, tagged }) =>
  `${operation} ${sizeName(bytes)}, ${concurrency} at a time${tagged ? ', 5 tags' : ''}`;

/** What was promised before measuring, and what came of it. */
export function expectations(cells) {
  const cell = cells.find(
    (c) => c.operation === 'get' && c.bytes === 1_024 && c.concurrency === 64 && !c.tagged,
  );
  const pair =
    cell && ratios(cell).find(({ ours, peer }) => ours === 'cachalot redis' && peer === 'caching-redis');
  if (!pair) return [];
  return [{ what: `${cellName(cell)}: at least 2.00x caching-redis`, expected: 2, seen: pair.throughput }];
}
