/** Credentials that change while connections live: tokens of a cloud's identity service, rotated passwords. */
import { type Check, describe, invalid } from './check.js';

export interface RedisCredentials {
  /** ACL user. @default the server's default user */
  username?: string | undefined;
  password: string;
  /** When they end: a Date, or milliseconds since 1970. Others are asked for after three quarters of their life. @default never */
  expiresAt?: Date | number | undefined;
}

export type CredentialsSource = () => RedisCredentials | Promise<RedisCredentials>;

export const credentialsSource: Check<CredentialsSource> = (value, at) => {
  if (typeof value !== 'function') {
    throw invalid(
      at,
      'a function that gives { username?, password, expiresAt? }, or a promise of it',
      describe(value, true),
      'What does not change goes into "username" and "password"',
    );
  }
  return value as CredentialsSource;
};
