// Loads the addon (`index.js` is generated). If that fails, whoever uses it is told why and what to do: an error that is thrown while
// modules load is one that Node.js 20 tells twice, once to nobody who could catch it.

/** The first lines of what index.js tried, in order; its errors are a chain of causes, the last one first. */
function attempts(error) {
  const said = [];
  for (let one = error?.cause; one; one = one.cause) said.unshift(String(one.message).split('\n')[0]);
  return said;
}

/** The C library that this Node.js was built for: a file for another one does not load. */
function libc() {
  if (process.platform !== 'linux') return '';
  const { report } = process;
  if (typeof report?.getReport !== 'function') return '';
  report.excludeNetwork = true;
  const version = report.getReport().header.glibcVersionRuntime;
  return version ? ` with glibc ${version}` : ' with musl';
}

function explained(cause) {
  const all = attempts(cause).filter((line) => !/wasi/i.test(line));
  const sought = all.flatMap((line) => /^Cannot find module '(.*)'$/.exec(line)?.[1] ?? []);
  const reasons = all.filter((line) => !line.startsWith('Cannot find module '));
  if (sought.length === 0 && reasons.length === 0) reasons.push(cause?.message ?? String(cause));
  const parts = [
    `cachalot: expected a native addon for ${process.platform} ${process.arch}${libc()} (Node.js ${process.versions.node}), found none that loads.`,
    sought.length > 0 ? `Sought: ${sought.join(', ')}, from ${__dirname}.` : '',
    reasons.length > 0 ? `Reason: ${reasons.join('; ')}.` : '',
    'If your code is bundled, mark cachalot as external (esbuild: --external:cachalot, webpack: externals, Next.js: serverExternalPackages).',
    'If node_modules was installed on another platform, or without optional dependencies, install it here, with them.',
  ];
  const error = new Error(parts.filter(Boolean).join(' '), { cause });
  // As js/shared/errors.ts has it, of which nothing can be loaded from here.
  Object.defineProperty(error, Symbol.for('cachalot.error'), { value: true });
  return Object.assign(error, { name: 'UnsupportedError', code: 'CACHALOT_UNSUPPORTED', queued: false });
}

try {
  module.exports = require('./index.js');
} catch (cause) {
  module.exports = new Proxy(
    {},
    {
      get(_, name) {
        // What asks for these is a loader of modules.
        if (typeof name === 'symbol' || name === '__esModule' || name === 'then') return undefined;
        throw explained(cause);
      },
    },
  );
}
