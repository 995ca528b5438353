// `npm run bench:native`: the parts of the core alone, by divan.

import { execFileSync } from 'node:child_process';
import { readOrEnd, refusal } from '../command-line.mjs';
import { must } from '../foreground.mjs';
import { build } from './build.mjs';

const HELP = `npm run bench:native                  codec, envelope, table of clears and protocols alone, by divan
npm run bench:native -- envelope      those whose name matches one of these regular expressions

  --list   names, measuring nothing
  --help   this text

What follows a further -- goes to divan: npm run bench:native -- envelope -- --sample-count 500`;

const { list, words } = readOrEnd(HELP, { list: { type: 'boolean', default: false } }, { words: true });
const program = build('native');
const names = execFileSync(program, ['--bench', '--list', ...words], { encoding: 'utf8' }).trim();
if (list) console.log(names);
else if (names.split('\n').length > 1) await must(program, ['--bench', ...words]);
else {
  console.error(refusal(new Error(`${words.join(' ')}: matches no name; --list names all.`)));
  process.exit(2);
}
