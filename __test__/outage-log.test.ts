// What the log of an outage makes of events and failures that come in an order of their own.

import { expect, it, vi } from 'vitest';
import { ConnectionError } from '../js/shared/errors.js';
import { Logger } from '../js/shared/logger.js';
import { OutageLog } from '../js/shared/outage-log.js';

const server = '127.0.0.1:1';

function recorded() {
  const lines: string[] = [];
  const add = (level: string) => (line: string) => void lines.push(`${level} ${line}`);
  const log = new OutageLog(
    new Logger({ warn: add('warn'), info: add('info'), debug: add('debug') }, 'face'),
  );
  return { lines, log };
}

it('takes a failure that is heard of after the end of its outage for a part of it', () => {
  const { lines, log } = recorded();
  log.event({ type: 'connected', server });
  log.event({ type: 'disconnected', server, code: 'CACHALOT_CONNECTION', message: 'reset' });
  log.event({ type: 'connected', server });
  log.outage(new ConnectionError('of the outage'));
  expect(lines).toEqual([
    `debug [face] Connected to ${server}.`,
    `warn [face] No connection to ${server}: reset. Reads from it are misses until it is back.`,
    `info [face] Connected to ${server} again.`,
  ]);
});

it('tells of a failure that comes later', () => {
  const { lines, log } = recorded();
  log.event({ type: 'disconnected', server, code: 'CACHALOT_CONNECTION', message: 'reset' });
  log.event({ type: 'connected', server });
  const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 1_000);
  log.outage(new ConnectionError('of the next outage'));
  clock.mockRestore();
  expect(lines.at(-1)).toBe(
    'warn [face] of the next outage. Reads are misses until the server answers again.',
  );
});

it.each(['disconnected', 'outage'])('does not call the first connection "again" (%s before it)', (what) => {
  const { lines, log } = recorded();
  if (what === 'outage') {
    log.outage(new ConnectionError('refused'));
  } else {
    log.event({ type: 'disconnected', server, code: 'CACHALOT_CONNECTION', message: 'refused' });
  }
  log.event({ type: 'connected', server });
  expect(lines.at(-1)).toBe(`info [face] Connected to ${server}.`);
});

it('tells a logger that has only log', () => {
  const lines: string[] = [];
  const log = new OutageLog(new Logger({ log: (line) => void lines.push(line) }, 'face'));
  log.event({ type: 'connected', server });
  log.event({ type: 'disconnected', server, code: 'CACHALOT_CONNECTION', message: 'reset' });
  log.event({ type: 'connected', server });
  expect(lines).toEqual([
    `[face] No connection to ${server}: reset. Reads from it are misses until it is back.`,
    `[face] Connected to ${server} again.`,
  ]);
});
