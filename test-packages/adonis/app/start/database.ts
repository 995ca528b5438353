/** The database behind the cache: as slow, as broken and as full as it is told to be. */
export const database = { price: 1, delay: 0, down: false, reads: 0 };

export async function read(id: string): Promise<{ id: string; price: number }> {
  database.reads += 1;
  const { price, delay, down } = database;
  await new Promise((resolve) => setTimeout(resolve, delay));
  if (down) throw new Error('the database is down');
  return { id, price };
}
