// The demo's command line. No import beside Node's own: it is read before anything is installed.

import { parseArgs } from 'node:util';

const HELP = `npm run demo                                  in this process's memory
npm run demo -- --redis redis://127.0.0.1:6379    on Redis or Valkey
npm run demo -- --memcached 127.0.0.1:11211       on memcached; several servers: a:11211,b:11211

  --products N   how many products the catalogue has, 100 to 50000 (3000)
  --seed N       another catalogue, 0 to 4294967295 (1)
  --help         this text`;

/**
 * @param {string[]} argv
 * @returns {{ backend: 'memory' | 'redis' | 'memcached', address?: string, products: number, seed: number }
 *   | { help: string } | { error: string }}
 */
export function readOptions(argv) {
  try {
    const { values } = parseArgs({
      args: argv,
      options: {
        redis: { type: 'string' },
        memcached: { type: 'string' },
        products: { type: 'string', default: '3000' },
        seed: { type: 'string', default: '1' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) return { help: HELP };
    if (values.redis !== undefined && values.memcached !== undefined) {
      throw new Error('--redis and --memcached: choose one of them.');
    }
    const backend =
      values.redis !== undefined ? 'redis' : values.memcached !== undefined ? 'memcached' : 'memory';
    const address = values.redis ?? values.memcached;
    if (address === '') throw new Error(`--${backend}: expected an address, got nothing.`);
    return {
      backend,
      address,
      products: whole('--products', values.products, 100, 50_000),
      seed: whole('--seed', values.seed, 0, 4_294_967_295),
    };
  } catch (error) {
    return { error: `${error.message}\n\n${HELP}` };
  }
}

function whole(name, text, from, to) {
  const number = Number(text);
  if (text.trim() === '' || !Number.isInteger(number) || number < from || number > to) {
    throw new Error(`${name}: expected a whole number from ${from} to ${to}, got "${text}".`);
  }
  return number;
}
