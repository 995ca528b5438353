import { randomBytes } from 'node:crypto';
import { Secret } from '@adonisjs/core/helpers';
import { defineConfig } from '@adonisjs/core/http';

/** Nothing here outlives a process. */
export const appKey = new Secret(randomBytes(32).toString('hex'));
export const http = defineConfig({ useAsyncLocalStorage: false, cookie: {} });
