import { expect } from 'vitest';
import { CachalotError } from '../../js/shared/errors.js';

/** The error of a call that must throw one. */
export function refusal(call: () => unknown): CachalotError {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(CachalotError);
    return error as CachalotError;
  }
  throw new Error('expected an error');
}
