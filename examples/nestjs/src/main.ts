// NestJS's CacheModule over Cachalot. With the package built (`npm ci && npm run build` at the root), here:
//
//   npm install && npm start
//   REDIS_URL=redis://127.0.0.1:6379 npm start
//   MEMCACHED_SERVER=127.0.0.1:11211 npm start
//
// and then twice: curl http://127.0.0.1:3000/products/1

import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
// So that connections are let go of at SIGTERM.
app.enableShutdownHooks();
await app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
console.log(`listening on ${await app.getUrl()}`);
