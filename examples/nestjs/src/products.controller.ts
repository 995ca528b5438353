import { CACHE_MANAGER, type Cache } from '@nestjs/cache-manager';
import { Controller, Delete, Get, HttpCode, Inject, Param } from '@nestjs/common';

@Controller('products')
export class ProductsController {
  private queries = 0;
  private readonly cache: Cache;

  constructor(@Inject(CACHE_MANAGER) cache: Cache) {
    this.cache = cache;
  }

  @Get(':id')
  product(@Param('id') id: string) {
    this.queries += 1;
    return { id, title: `Product ${id}`, query: this.queries };
  }

  /** A cache used by hand. */
  @Get(':id/price')
  async price(@Param('id') id: string) {
    const price = await this.cache.wrap(`price:${id}`, async () => 100 + Number(id));
    return { id, price };
  }

  /** What was cached of one product is removed with its URL; a clear would remove all of the namespace `http`. */
  @Delete(':id/cache')
  @HttpCode(204)
  async forget(@Param('id') id: string) {
    await this.cache.del(`/products/${id}`);
  }
}
