import { defineConfig } from '@adonisjs/core/app';

export default defineConfig({
  providers: [
    () => import('@adonisjs/core/providers/app_provider'),
    () => import('@adonisjs/core/providers/edge_provider'),
    () => import('@adonisjs/cache/cache_provider'),
  ],
  commands: [() => import('@adonisjs/core/commands'), () => import('@adonisjs/cache/commands')],
  preloads: [() => import('./start/routes.js')],
});
