import { randomUUID } from 'node:crypto';
import { MikroORM } from '@mikro-orm/postgresql';
import pg, { type PoolClient } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Database } from '../../src/database/database.js';
import { Table } from '../../src/database/table.js';
import { createAuthEntities } from '../../src/index.js';
import { REVOCATION_ENTITY } from '../../src/sessions/revocation.entity.js';
import { RevocationChannel } from '../../src/sessions/revocation-channel.js';
import { RevocationReader } from '../../src/sessions/revocation-reader.js';
import { startTestPostgres } from '../../src/testing/index.js';
import { AppUser, Organization } from '../support/users.js';

const MINUTE = 60_000;
/** How long a revocation is needed, here. */
const RETENTION = 31 * MINUTE;

let server: Awaited<ReturnType<typeof startTestPostgres>>;
let orm: MikroORM;
let pool: pg.Pool;
let channel: RevocationChannel;
// A server of its own: a read also heeds the open transactions in the other databases of a server.
beforeAll(async () => {
  server = await startTestPostgres();
  const entities = [AppUser, Organization, ...createAuthEntities({ user: () => AppUser })];
  orm = await MikroORM.init({ entities, clientUrl: server.url });
  await orm.schema.create();
  pool = new pg.Pool({ connectionString: server.url });
  const handlers = { onRevoked: () => {}, onClosed: () => {} };
  channel = await RevocationChannel.open(new Database(orm), 'reader', handlers);
});
afterAll(async () => {
  channel.close();
  await pool.end();
  await orm.close(true);
  await server.stop();
});

/**
 * A reader of a database whose clock only a test moves: the times that PostgreSQL returns are replaced. So minutes pass
 * between two statements, and no tolerance for clocks can hide a revocation that is missed.
 */
class Scene {
  now = Date.now();
  isReplica = false;
  /** How much the clock of the database is ahead of that of the app. */
  #lead = 0;
  readonly #reader = new RevocationReader(Table.named(orm, REVOCATION_ENTITY), RETENTION, { now: () => this.now });
  /** The statements of the reader. */
  readonly sent: { readonly sql: string; readonly parameters: readonly unknown[] }[] = [];
  readonly #channel = {
    query: async (sql: string, parameters: readonly unknown[]) => {
      this.sent.push({ sql, parameters });
      return (await channel.query<object>(sql, parameters)).map((row) => ({
        ...row,
        readAt: this.now + this.#lead,
        ...(this.isReplica && { isReplica: true }),
      }));
    },
  } as RevocationChannel;

  /** The sessions that a read returns, and the time a minute later. */
  async read(): Promise<string[]> {
    const found: string[] = [];
    for await (const page of this.#reader.read(this.#channel)) found.push(...page.map(({ session }) => session));
    this.now += MINUTE;
    return found;
  }

  /** Records the end of a session at the current time, in the transaction of `client`, if it has one. */
  async revoke(client: Pick<PoolClient, 'query'> = pool): Promise<string> {
    const session = randomUUID();
    const at = Math.max(this.now, this.now + this.#lead); // as `revocationSql` does
    await client.query('insert into auth_revocation values ($1, $2)', [new Date(at), session]);
    return session;
  }

  /** Sets the clock of the database, and only that. */
  moveDatabase(milliseconds: number): void {
    this.#lead += milliseconds;
  }
}

let scene: Scene;
const open: PoolClient[] = [];
beforeEach(async () => {
  await pool.query('truncate auth_revocation');
  scene = new Scene();
});
afterEach(() => {
  for (const client of open.splice(0)) client.release(true);
});

async function begin(): Promise<PoolClient> {
  const client = await pool.connect();
  open.push(client);
  await client.query('begin');
  return client;
}

describe('a read', () => {
  test('returns what was committed before it, and then no more', async () => {
    const before = [await scene.revoke(), await scene.revoke()].sort();
    scene.now += MINUTE;
    expect((await scene.read()).sort()).toEqual(before);
    expect(await scene.read()).toEqual([]);
    const later = await scene.revoke();
    scene.now += MINUTE;
    expect(await scene.read()).toEqual([later]);
    expect(await scene.read()).toEqual([]);
  });

  // PostgreSQL reports a transaction as running only after a later one has ended. Until then its id seems to be unused.
  test.each<[title: string, commits: readonly ('before' | 'between' | 'after')[]]>([
    ['no other transaction commits meanwhile', []],
    ['another one commits before the first read', ['before']],
    ['another one commits between two reads', ['between']],
    ['another one commits just before it', ['after']],
    ['others commit all the time', ['before', 'between', 'after']],
  ])('returns the revocation of a transaction that commits minutes after others have read: %s', async (_, commits) => {
    await scene.read();
    const late = await begin();
    const session = await scene.revoke(late);
    const seen: string[] = [];
    for (const moment of ['before', 'between', 'after'] as const) {
      if (commits.includes(moment)) await scene.revoke();
      seen.push(...(await scene.read()), ...(await scene.read()));
    }
    expect(seen).not.toContain(session);
    await late.query('commit');
    expect(await scene.read()).toContain(session);
    await scene.read();
    expect(await scene.read()).toEqual([]); // the next reads are short again
  });

  test('returns the revocation of a transaction that began before the first read', async () => {
    const late = await begin();
    const session = await scene.revoke(late);
    scene.now += MINUTE;
    expect([await scene.read(), await scene.read()]).toEqual([[], []]);
    await late.query('commit');
    expect(await scene.read()).toEqual([session]);
  });

  test('returns the revocation in a subtransaction, and not the one that is rolled back', async () => {
    const late = await begin();
    await scene.read();
    await late.query('savepoint one');
    await scene.revoke(late);
    await late.query('rollback to one');
    await scene.read();
    await late.query('savepoint two');
    const session = await scene.revoke(late);
    await late.query('release two');
    await scene.read();
    await late.query('commit');
    expect(await scene.read()).toEqual([session]);
  });

  test('misses none while a transaction is open and the clock of the database is set back or far forward', async () => {
    for (const minutes of [-10, 2 * (RETENTION / MINUTE)]) {
      scene = new Scene();
      const late = await begin();
      const session = await scene.revoke(late);
      await scene.read();
      scene.moveDatabase(minutes * MINUTE);
      const meanwhile = await scene.revoke();
      expect(await scene.read()).toContain(meanwhile);
      await late.query('commit');
      expect(await scene.read()).toContain(session);
    }
  });

  test('fails if a replica answers, because it may not have the latest revocations', async () => {
    scene.isReplica = true;
    await expect(scene.read()).rejects.toThrow('a replica has answered');
  });

  test('does not start earlier than revocations are needed, however long a transaction is open', async () => {
    const old = await scene.revoke();
    const idle = await begin();
    await scene.revoke(idle);
    for (let minute = 0; minute < 20; minute++) expect(await scene.read()).toEqual([old]); // it has to look again
    for (let minute = 0; minute < 20; minute++) await scene.read();
    expect(await scene.read()).toEqual([]);
    const { parameters } = scene.sent.at(-1) ?? { parameters: [] };
    expect(scene.now - Number(parameters[0])).toBeLessThan(RETENTION + 4 * MINUTE);
    const session = await scene.revoke(idle);
    await idle.query('commit');
    expect(await scene.read()).toContain(session);
  });

  test('misses none in 100 random orders of writes, commits, rollbacks and reads', async () => {
    let seed = 1;
    const random = (below: number) => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % below;
    };
    for (let order = 0; order < 100; order++) {
      const writers = await Promise.all([begin(), begin(), begin()]);
      const written = new Map(writers.map((writer) => [writer, [] as string[]]));
      const [due, seen] = [new Set<string>(), new Set<string>()];
      const read = async () => {
        for (const session of await scene.read()) seen.add(session);
        expect(
          [...due].filter((session) => !seen.has(session)),
          `order ${order}`,
        ).toEqual([]);
      };
      for (let step = 0; step < 12; step++) {
        const writer = writers[random(writers.length)] as PoolClient;
        const sessions = written.get(writer) as string[];
        const action = random(5);
        if (action < 2) sessions.push(await scene.revoke(writer));
        else if (action < 4) await read();
        else {
          const isKept = random(4) > 0;
          await writer.query(isKept ? 'commit' : 'rollback');
          for (const session of sessions.splice(0)) if (isKept) due.add(session);
          await writer.query('begin');
        }
      }
      await read();
      for (const client of open.splice(0)) await client.query('rollback').then(() => client.release());
    }
  });

  test('finds by the index what is new among 20,000 older ones, and reads no other row', async () => {
    await pool.query(
      `insert into auth_revocation select $1::timestamptz + n * interval '1 millisecond', gen_random_uuid()
       from generate_series(1, 20000) n`,
      [new Date(scene.now - 20 * MINUTE)],
    );
    await pool.query('vacuum analyze auth_revocation');
    scene.now += MINUTE;
    await scene.read();
    const session = await scene.revoke();
    expect(await scene.read()).toEqual([session]);
    const { sql, parameters } = scene.sent.at(-1) ?? { sql: '', parameters: [] };
    const { rows } = await pool.query(`explain (analyze, timing off, costs off) ${sql}`, [...parameters]);
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).toMatch(/Index Only Scan using auth_revocation_pkey on auth_revocation \(actual rows=1(\.00)? /);
    expect(plan).toMatch(/Index Cond: \(ROW\(revoked_at, session\) > ROW\(/);
    expect(plan).not.toMatch(/Seq Scan|Rows Removed/);
  });
});
