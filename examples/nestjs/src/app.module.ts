import { CacheInterceptor, CacheModule } from '@nestjs/cache-manager';
import { Module } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { memcached, memory, redis } from 'cachalot';
import { createKeyv } from 'cachalot/keyv';
import { ProductsController } from './products.controller.js';

function store() {
  const { REDIS_URL, MEMCACHED_SERVER } = process.env;
  const prefix = 'nestjs-example';
  if (REDIS_URL) {
    return redis({ url: REDIS_URL, prefix });
  }
  return MEMCACHED_SERVER ? memcached({ servers: [MEMCACHED_SERVER], prefix }) : memory({ prefix });
}

@Module({
  imports: [
    CacheModule.registerAsync({
      isGlobal: true,
      useFactory: () => {
        const keyv = createKeyv({ store: store(), namespace: 'http' });
        keyv.on('error', (error: Error) => console.error(error.message));
        return { stores: [keyv], ttl: 30_000 };
      },
    }),
  ],
  controllers: [ProductsController],
  // Every GET is cached by its URL.
  providers: [{ provide: APP_INTERCEPTOR, useClass: CacheInterceptor }],
})
export class AppModule {}
