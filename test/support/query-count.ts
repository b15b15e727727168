import type { MikroORM } from '@mikro-orm/postgresql';

interface Driver {
  readonly Client: { readonly prototype: { query(...values: unknown[]): unknown } };
}

/** Counts, at the driver and so beneath every layer that could hide one, the queries that run while `work` does. */
export async function countQueries(orm: MikroORM, work: () => Promise<unknown>): Promise<string[]> {
  const { prototype } = ((await orm.em.getConnection().getNativeClient()) as unknown as Driver).Client;
  const original = prototype.query;
  const queries: string[] = [];
  prototype.query = function (this: unknown, ...values: unknown[]) {
    const [statement] = values as [string | { text: string }];
    queries.push(typeof statement === 'string' ? statement : statement.text);
    return original.apply(this, values);
  };
  try {
    await work();
  } finally {
    prototype.query = original;
  }
  return queries;
}
