import { Ignitor, prettyPrintError } from '@adonisjs/core';

const root = new URL('../', import.meta.url);

/** What a program of this application starts from; relative paths are the application's. */
export function ignitor() {
  return new Ignitor(root, {
    importer: (path) => import(/^\.\.?\//.test(path) ? new URL(path, root).href : path),
  }).tap((app) => {
    app.listen('SIGTERM', () => app.terminate());
  });
}

export async function failed(error: unknown): Promise<void> {
  process.exitCode = 1;
  await prettyPrintError(error);
}
