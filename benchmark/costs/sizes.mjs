// Bytes on the disk: the addon, and the package as it is published, beside those of the peers.

import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PEERS } from '../peers/index.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** @returns `{ addon: { file, bytes }, packed, unpacked, peers: [{ name, bytes }] }`; peers without their dependencies */
export function sizes() {
  const addon = readdirSync(root).find((file) => file.endsWith('.node'));
  const [pack] = JSON.parse(
    execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  );
  const names = new Set(PEERS.flatMap((peer) => [peer.package, ...(peer.with ?? [])]));
  names.delete('cachalot');
  names.delete(null);
  return {
    addon: { file: addon, bytes: statSync(`${root}${addon}`).size },
    packed: pack.size,
    unpacked: pack.unpackedSize,
    peers: [...names].map((name) => ({ name, bytes: installed(name) })),
  };
}

function installed(name) {
  const modules = fileURLToPath(new URL('../node_modules/', import.meta.url));
  let bytes = folder(`${modules}${name}`);
  // A binary for this platform comes as a package of its own beside it.
  const [scope, rest] = name.startsWith('@') ? name.split('/') : [];
  if (scope) {
    for (const beside of readdirSync(`${modules}${scope}`)) {
      if (beside.startsWith(`${rest}-${process.platform}`)) bytes += folder(`${modules}${scope}/${beside}`);
    }
  }
  return bytes;
}

function folder(path) {
  return readdirSync(path, { withFileTypes: true }).reduce((sum, entry) => {
    const inside = `${path}/${entry.name}`;
    if (entry.isDirectory()) return sum + folder(inside);
    return sum + (entry.isFile() ? statSync(inside).size : 0);
  }, 0);
}
