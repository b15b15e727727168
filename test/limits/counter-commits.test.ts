import { expect, test } from 'vitest';
import { Table } from '../../src/database/table.js';
import { COUNTER_ENTITY } from '../../src/limits/counter.entity.js';
import { counterStatements } from '../../src/limits/counter-statements.js';
import { createTestApp } from '../support/test-app.js';

test('the counts of a sign-in commit without waiting for the disk, and what follows on the connection waits', async () => {
  const app = await createTestApp();
  const connection = await app.database.pool.connect();
  const setting = async () => (await connection.query('show synchronous_commit')).rows[0].synchronous_commit;
  const { reserve, release } = counterStatements(Table.named(app.orm, COUNTER_ENTITY));
  const later = new Date(Date.now() + 60_000);
  try {
    await connection.query(`set synchronous_commit = 'on'`); // the server of the tests never waits
    const all: [statement: string, values: unknown[]][] = [
      [reserve, [['a key'], [later], [5], [false], null, new Date()]],
      [release, [['a key'], []]],
      [release, [['a key'], ['a key']]],
    ];
    for (const [statement, values] of all) {
      await connection.query('begin');
      await connection.query(statement, values);
      expect(await setting()).toBe('off');
      await connection.query('commit');
      expect(await setting()).toBe('on');
    }
  } finally {
    connection.release(true);
    await app.close();
  }
});
