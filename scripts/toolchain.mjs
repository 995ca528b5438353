// What a build needs from the machine, checked before anything starts, so that the answer is one sentence.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './root.mjs';

/** @returns {string[]} what is missing, each with what to do; empty if nothing is */
export function missingTools() {
  const complaints = [];
  const wanted = /^rust-version = "([\d.]+)"/m.exec(readFileSync(join(root, 'Cargo.toml'), 'utf8'))?.[1];
  const rustc = version('rustc', ['--version']);
  const advice = 'Install Rust from https://rustup.rs, or run: rustup update stable';
  if (version('cargo', ['--version']) === undefined || rustc === undefined) {
    complaints.push(
      `A Rust toolchain (${wanted} or later) is needed, and cargo or rustc was not found. ${advice}`,
    );
  } else if (older(rustc, wanted)) {
    complaints.push(`Rust ${wanted} or later is needed, this is ${rustc}. ${advice}`);
  }
  if (process.platform === 'linux' && !['cc', 'gcc', 'clang'].some((name) => version(name, ['--version']))) {
    complaints.push(
      'A C compiler is needed (zstd is C, and Rust links with it). On Debian: apt-get install build-essential',
    );
  }
  return complaints;
}

/** @returns {string[]} what the checks need beside that */
export function missingCheckers() {
  return ['fmt', 'clippy']
    .filter((name) => version('cargo', [name, '--version']) === undefined)
    .map((name) => `cargo ${name} was not found. Run: rustup component add rustfmt clippy`);
}

/** @returns {string | undefined} the first number of three parts that the program prints; `undefined`: not found */
function version(command, args) {
  try {
    const text = execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return /\d+\.\d+\.\d+/.exec(text)?.[0] ?? '0.0.0';
  } catch {
    return undefined;
  }
}

function older(have, wanted) {
  const [a, b] = [have, wanted].map((text) => text.split('.').map(Number));
  for (let i = 0; i < 3; i++) {
    if ((a[i] ?? 0) !== (b[i] ?? 0)) return (a[i] ?? 0) < (b[i] ?? 0);
  }
  return false;
}
