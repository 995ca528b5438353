// `npm run demo`: installs and builds what is missing, then runs examples/demo. Node's built-ins only.

// Imports come after this check: an older Node would fail on them with an error that says nothing of versions.
if (Number(process.versions.node.split('.')[0]) < 20) {
  console.error(
    `Node.js 20 or later is needed, this is ${process.versions.node}. See https://nodejs.org/en/download`,
  );
  process.exit(1);
}

const { spawn } = await import('node:child_process');
const { join } = await import('node:path');
const { build } = await import('./build.mjs');
const { install } = await import('./install.mjs');
const { root } = await import('./root.mjs');
const { missingTools } = await import('./toolchain.mjs');
const { readOptions } = await import('../examples/demo/options.mjs');

// Before the build: nobody wants to wait for it to be told of a misspelt flag.
const options = readOptions(process.argv.slice(2));
if (options.help !== undefined || options.error !== undefined) {
  (options.error === undefined ? console.log : console.error)(options.help ?? options.error);
  process.exit(options.error === undefined ? 0 : 1);
}

const missing = missingTools();
if (missing.length > 0) {
  console.error(missing.join('\n'));
  process.exit(1);
}
if (!(await install()) || !(await build())) {
  console.error('\nThe demo could not be built; the reason is above.');
  process.exit(1);
}

const demo = spawn(process.execPath, [join(root, 'examples/demo/main.mjs'), ...process.argv.slice(2)], {
  stdio: 'inherit',
});
demo.once('exit', (code, signal) => {
  process.exitCode = signal ? 1 : code;
});
