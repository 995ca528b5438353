// The databases of a run: the shop as it was seeded, and a copy for each test file, so that none sees another's changes.

import { stores } from '../../medusa-stores.mjs';

export const SEEDED = 'shop';

/** Of the tests of the Caching Module of Medusa 2.19. */
export const OLDER = 'older';

/** @param {string} user a store's id, or `OLDER` */
export const databaseOf = (user) => `${SEEDED}_${user}`;

export const databases = [...Object.keys(stores), OLDER].map(databaseOf);
