// `npm run build`: the addon and dist/, where their sources changed.

import { build } from './build.mjs';

if (!(await build())) process.exitCode = 1;
