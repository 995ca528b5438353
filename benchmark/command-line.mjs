// How the commands of the benchmark read what they are asked: help is printed, and what is wrong is said in one line.

import { parseArgs } from 'node:util';

/**
 * @param {object} declared options as parseArgs takes them; `help` is added
 * @returns what parseArgs makes of them, `words` with what is no option, or `{ help: true }`
 * @throws with a message of one line
 */
export function parsed(argv, declared, { words = false } = {}) {
  try {
    const { values, positionals } = parseArgs({
      args: argv,
      options: { ...declared, help: { type: 'boolean', short: 'h', default: false } },
      allowPositionals: words,
    });
    return { ...values, words: positionals };
  } catch (error) {
    // What parseArgs says after the first sentence is how to write positional arguments.
    throw new Error(error.message.replace(/\.\s.*$/s, '.').replaceAll(/\s*\n\s*/g, ' '));
  }
}

export const refusal = ({ message }) => `${message.replace(/\.?$/, '.')} --help names all options.`;

/** For a command whose options need no further look: ends the process after its help or its refusal. */
export function readOrEnd(help, declared, rules) {
  try {
    const asked = parsed(process.argv.slice(2), declared, rules);
    if (!asked.help) return asked;
    console.log(help);
    return process.exit(0);
  } catch (error) {
    console.error(refusal(error));
    return process.exit(2);
  }
}
