// Builds a program of this folder as it is measured: optimized, with the doors of the feature `bench`.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** @returns the path of the program @throws if there is no cargo, or it does not compile */
export function build(name) {
  const { status, stdout, error } = spawnSync(
    'cargo',
    [
      ...['bench', '--locked', '--no-default-features', '--features', 'bench', '--bench', name],
      ...['--no-run', '--message-format=json-render-diagnostics'],
    ],
    { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 26 },
  );
  if (error) throw new Error(`cargo: ${error.message}`);
  if (status !== 0) throw new Error(`cargo could not build ${name}.`);
  for (const line of stdout.split('\n').filter((text) => text.startsWith('{'))) {
    const message = JSON.parse(line);
    if (message.executable && message.target?.name === name) return message.executable;
  }
  throw new Error(`cargo named no program for ${name}.`);
}
