import type { MikroORM } from '@mikro-orm/postgresql';

interface Driver {
  readonly Client: { readonly prototype: { query(...values: unknown[]): unknown } };
}

/** A statement as the driver received it. */
export interface SentQuery {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** The statements that are sent while `work` runs, recorded at the driver, so below every layer that could hide one. */
export async function sentQueries(orm: MikroORM, work: () => Promise<unknown>): Promise<SentQuery[]> {
  const { prototype } = ((await orm.em.getConnection().getNativeClient()) as unknown as Driver).Client;
  const original = prototype.query;
  const queries: SentQuery[] = [];
  prototype.query = function (this: unknown, ...given: unknown[]) {
    const [statement, values] = given as [string | SentQuery, readonly unknown[]];
    const { text, values: own = values } = typeof statement === 'string' ? { text: statement } : statement;
    queries.push({ text, values: Array.isArray(own) ? own : [] });
    return original.apply(this, given);
  };
  try {
    await work();
  } finally {
    prototype.query = original;
  }
  return queries;
}

/** How the outbox looks for due mails: by a timer, and once more after each mail that it has sent. */
const OUTBOX_SEARCH = /^\s*with due as \(/;

/** The texts of the queries that run while `work` does, without those of the outbox, which searches at any moment. */
export async function countQueries(orm: MikroORM, work: () => Promise<unknown>): Promise<string[]> {
  return (await sentQueries(orm, work)).map(({ text }) => text).filter((text) => !OUTBOX_SEARCH.test(text));
}
