import { expect, test } from 'vitest';
import { Database } from '../../src/database/database.js';
import { Counters } from '../../src/limits/counters.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { waitForBlocked } from '../support/test-database.js';

const LIMIT = { count: 2, seconds: 60, scope: 'account' } as const;

const countersOf = ({ orm, clock }: TestApp) => new Counters({ database: new Database(orm), orm, clock });

test('the end of an attempt subtracts it once from each counter that it does not reset', async () => {
  const app = await createTestApp();
  const counters = countersOf(app);
  const keys = ['one', 'other', 'reset'];
  const limited = keys.map((key) => ({ key, limit: { ...LIMIT, count: 10 } }));
  for (let attempt = 0; attempt < 4; attempt++) await counters.reserve(limited);
  await counters.succeed(keys, ['reset']);
  await counters.release(['one', 'one']);
  const { rows } = await app.database.pool.query('select key, count from auth_counter order by key');
  expect(rows).toEqual([
    { key: 'one', count: 2 },
    { key: 'other', count: 3 },
    { key: 'reset', count: 0 },
  ]);
  await app.close();
});

test.each(['release', 'succeed'] as const)(
  'a counter that is purged before `%s` counts from the next attempt on',
  async (end) => {
    const app = await createTestApp();
    const counters = countersOf(app);
    const counter = { key: 'a key', limit: LIMIT };
    const { counted } = await counters.reserve([counter]);
    await app.database.pool.query('delete from auth_counter');
    await counters[end](counted, counted);

    const reserve = async () => (await counters.reserve([counter])).retryAfter;
    expect([await reserve(), await reserve(), await reserve()]).toEqual([undefined, undefined, LIMIT.seconds]);
    app.clock.advance(LIMIT.seconds);
    expect(await reserve()).toBeUndefined();
    await app.close();
  },
);

test('the end of an attempt locks its counters in the order of their keys: no deadlock', async () => {
  const app = await createTestApp();
  const { pool } = app.database;
  const counters = countersOf(app);
  await counters.reserve(['first', 'last'].map((key) => ({ key, limit: LIMIT })));
  const holder = await pool.connect();
  await holder.query('begin');
  await holder.query(`select from auth_counter where key = 'first' for update`);
  const release = counters.release(['last', 'first']);
  await waitForBlocked(pool, 1);
  const free = await pool.query(`select key from auth_counter where key = 'last' for update nowait`);
  expect(free.rows).toEqual([{ key: 'last' }]);
  await holder.query('rollback');
  holder.release();
  await release;
  const { rows } = await pool.query('select count from auth_counter');
  expect(rows).toEqual([{ count: 0 }, { count: 0 }]);
  await app.close();
});
