import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestApp, type TestApp } from '../support/test-app.js';

describe('statements prepared on a connection', () => {
  let app: TestApp;
  beforeEach(async () => {
    app = await createTestApp({ orm: { pool: { max: 1 } } });
  });
  afterEach(() => app.close());

  const prepared = async () => {
    const rows = await app.orm.em
      .fork()
      .execute<{ statement: string }[]>('select statement from pg_prepared_statements');
    return rows.map(({ statement }) => statement.trim());
  };

  test('are parsed once for any number of refreshes', async () => {
    const client = await app.signedUp();
    for (let use = 0; use < 3; use++) expect((await client.refresh()).status).toBe(200);
    const rotations = (await prepared()).filter((statement) => /^update \S*"auth_session" s/.test(statement));
    expect(rotations).toHaveLength(1);
  });

  test('are prepared again when a pooler or an operator has dropped them', async () => {
    const client = await app.signedUp();
    expect((await client.refresh()).status).toBe(200);
    await app.orm.em.fork().execute('deallocate all');
    for (let use = 0; use < 2; use++) expect((await client.refresh()).status).toBe(200);
    expect(await app.liveSessions()).toBe(1);
  });

  test('are no longer used if a pooler hands out connections that already have them', async () => {
    const client = await app.signedUp();
    expect((await client.refresh()).status).toBe(200);
    const [rotation] = await app.orm.em
      .fork()
      .execute<{ name: string }[]>(
        String.raw`select name from pg_prepared_statements where statement ~ 'update \S*"auth_session" s'`,
      );
    await app.database.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
    );
    const isCut = () =>
      app.orm.em
        .fork()
        .execute('select 1')
        .then(
          () => false,
          () => true,
        );
    while (await isCut()); // until the pool has noticed, and has a new connection
    await app.orm.em.fork().execute(`prepare "${rotation?.name}" as select 1`);
    for (let use = 0; use < 2; use++) expect((await client.refresh()).status).toBe(200);
    expect(await app.liveSessions()).toBe(1);
  });

  test('work on an ORM that the app connects again', async () => {
    const client = await app.signedUp();
    expect((await client.refresh()).status).toBe(200);
    await app.orm.close();
    await app.orm.connect();
    for (let use = 0; use < 2; use++) expect((await client.refresh()).status).toBe(200);
    expect((await prepared()).filter((statement) => /^update \S*"auth_session" s/.test(statement))).toHaveLength(1);
  });

  test('are not used if the app runs a hook on each connection', async () => {
    let reserved = 0;
    const touched = await createTestApp({ orm: { onReserveConnection: async () => void reserved++ } });
    try {
      const client = await touched.signedUp();
      reserved = 0;
      expect((await client.refresh()).status).toBe(200);
      expect(reserved).toBe(2); // one to read the session, one to rotate it
    } finally {
      await touched.close();
    }
  });

  test('are renewed after a change of the table that they read', async () => {
    const client = await app.signedUp();
    expect((await client.refresh()).status).toBe(200);
    await app.database.pool.query('alter table app_user alter column first_name type text');
    for (let use = 0; use < 2; use++) expect((await client.refresh()).status).toBe(200);
    expect(await app.liveSessions()).toBe(1);
  });
});
