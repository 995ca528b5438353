// What peers share: settings that would otherwise make them unequal.

/** Seconds. No entry may expire during a run, and everyone sends a ttl. */
export const TTL = 3_600;

/** Anything that a client has to say during a run is a finding, not noise. */
export const logger = {
  info() {},
  debug() {},
  warn: (...said) => console.error('warn:', ...said),
  error: (...said) => console.error('error:', ...said),
};

export const redisUrl = ({ redisPort }) => `redis://127.0.0.1:${redisPort}`;
export const memcachedAddress = ({ memcachedPort }) => `127.0.0.1:${memcachedPort}`;
