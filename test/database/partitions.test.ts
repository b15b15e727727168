import { MikroORM, type Options } from '@mikro-orm/postgresql';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BoundClient } from '../support/bound-client.js';
import { expectProblem } from '../support/expect-problem.js';
import { type SentQuery, sentQueries } from '../support/query-count.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';

/** A parameter of a statement, as SQL text. */
function literalOf(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return pg.escapeLiteral(`{${value.map((each) => JSON.stringify(each)).join()}}`);
  return pg.escapeLiteral(value instanceof Date ? value.toISOString() : `${value}`);
}

describe('a session table in hash partitions', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ isPartitioned: true });
  });
  afterAll(() => app.close());

  /** The partitions that the plan of a statement touches, for the values that were sent with it. */
  async function partitionsOf({ text, values }: SentQuery, plan: 'generic' | 'custom'): Promise<string[]> {
    const client = await app.database.pool.connect();
    try {
      await client.query(`set plan_cache_mode = force_${plan}_plan`);
      await client.query(`prepare looked_at as ${text}`);
      const literals = values.map(literalOf);
      const given = literals.length > 0 ? `(${literals.join()})` : '';
      const { rows } = await client.query(`explain (format json) execute looked_at${given}`);
      const names = JSON.stringify(rows).match(/"Relation Name":"auth_session_\d+"/g) ?? [];
      return [...new Set(names)];
    } finally {
      client.release(true);
    }
  }

  test('opens, rotates, finds, ends and cleans up sessions like a single table, and each statement touches one partition', async () => {
    const sent = await sentQueries(app.orm, async () => {
      const client = await app.signedUp('ada@example.com');
      const thief = app.client();
      thief.refreshToken = client.refreshToken;
      expect((await client.refresh()).status).toBe(200);
      const live = client.refreshToken;
      expect((await thief.refresh()).status).toBe(200); // within the grace, which covers lost answers and thefts alike
      expect((await client.refresh()).status).toBe(200);
      thief.refreshToken = live;
      app.clock.advance(3600);
      expectProblem(await thief.refresh(), 401, 'refresh_token_reused');
      for (let login = 0; login < 3; login++) expect((await client.login('ada@example.com')).status).toBe(200);
      const others = ((await client.get('/auth/sessions')).body as { id: string; current: boolean }[]).filter(
        (one) => !one.current,
      );
      const end = () => client.send('DELETE', `/auth/sessions/${others[0]?.id}`, undefined, client.bearer);
      expect((await end()).status).toBe(204);
      const endOthers = () => client.send('POST', '/auth/sessions/revoke-others', undefined, client.bearer);
      expect((await endOthers()).status).toBe(204);
      const bound = await BoundClient.of(app);
      expect((await bound.login('ada@example.com')).status).toBe(200);
      const parent = bound.refreshToken;
      expect((await bound.refresh()).status).toBe(200);
      bound.refreshToken = parent;
      expect((await bound.refresh()).status).toBe(200);
      expect((await client.logout()).status).toBe(204);
      expect((await client.login('ada@example.com')).status).toBe(200);
      expect((await client.changePassword(PASSWORD, 'quite another sentence to say')).status).toBe(200);
    });
    const { rows } = await app.database.pool.query(
      'select tableoid::regclass::text as partition, enabled from auth_session',
    );
    expect(rows).toHaveLength(7);
    expect(new Set(rows.map(({ partition }) => partition)).size).toBe(1);
    expect(rows.filter(({ enabled }) => enabled)).toHaveLength(1);

    const statements = new Map(
      sent.filter(({ text }) => text.includes('"auth_session"')).map((one) => [one.text, one]),
    );
    const kinds = [...statements.keys()].map((text) => text.trim().split(/\s/)[0]);
    expect(kinds.sort()).toEqual(expect.arrayContaining(['select', 'update', 'with']));
    expect(statements.size).toBeGreaterThanOrEqual(6);
    for (const statement of statements.values()) {
      const isInsert = /insert into \S*"auth_session"/.test(statement.text);
      for (const plan of ['generic', 'custom'] as const) {
        expect(await partitionsOf(statement, plan), `${plan}: ${statement.text}`).toHaveLength(isInsert ? 0 : 1);
      }
    }
  });

  test('is left unchanged by a schema update only if the update skips the table, as the manual says', async () => {
    const updateWith = async (schemaGenerator: Options['schemaGenerator']) => {
      const entities = app.orm.config.get('entities');
      const orm = await MikroORM.init({ clientUrl: app.database.url, entities, schemaGenerator });
      const sql = await orm.schema.getUpdateSchemaSQL();
      await orm.close(true);
      return sql;
    };
    expect(await updateWith({})).toContain('"auth_session"');
    expect(await updateWith({ skipTables: ['auth_session'] })).not.toContain('"auth_session"');
  });

  test('distributes the users over all partitions', async () => {
    for (let user = 0; user < 60; user++) await app.auth.sessions.open(await newUser(user));
    const { rows } = await app.database.pool.query('select distinct tableoid from auth_session');
    expect(rows.length).toBeGreaterThan(10);
  });

  async function newUser(index: number) {
    const { rows } = await app.database.pool.query(
      `insert into app_user (id, email, first_name, last_name, role, is_active, email_verified)
       values (gen_random_uuid(), $1, '', '', 0, true, true) returning id`,
      [`spread${index}@example.com`],
    );
    return rows[0];
  }
});
