import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import type { MikroORM } from '@mikro-orm/postgresql';
import { Body, JsonController, Post } from 'routing-controllers';
import { Service } from 'typedi';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { expectProblemDetails } from '../support/problem-details.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { AppUser } from '../support/users.js';

const HASH = '$argon2id$v=19$m=19456,t=2,p=1$c2VjcmV0c2VjcmV0$c2VjcmV0IGhhc2g';
const TOKEN = 'a-token-that-is-no-uuid';
const INSERT = `insert into app_user (id, email, password_hash, first_name, last_name) values (?, ?, ?, '', '')`;

let orm: MikroORM;

/** Causes database errors that contain rows, parameters and input, as in an app. */
@Service()
@JsonController('/import')
class ImportController {
  @Post('/twice')
  async twice(@Body() { email }: { email: string }) {
    for (let count = 0; count < 2; count++) await orm.em.getConnection().execute(INSERT, [randomUUID(), email, HASH]);
  }

  @Post('/flushed')
  async flushed(@Body() { email }: { email: string }) {
    const user = { email, passwordHash: HASH, firstName: '', lastName: '' };
    for (let count = 0; count < 2; count++) await orm.em.fork().insert(AppUser, { id: randomUUID(), ...user } as never);
  }

  @Post('/wrapped')
  async wrapped(@Body() body: { email: string }) {
    await this.twice(body).catch((cause) => {
      throw Object.assign(new Error('The import failed.', { cause }), { row: { hash: HASH } });
    });
  }

  @Post('/collected')
  async collected(@Body() body: { email: string }) {
    await Promise.any([this.twice(body)]);
  }

  @Post('/cast')
  async cast(@Body() { refresh }: { refresh: string }) {
    await orm.em.getConnection().execute('select ?::uuid', [refresh]);
  }
}

describe('an error of the database', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ controllers: [ImportController] });
    orm = app.orm;
  });
  beforeEach(() => {
    app.log.length = 0;
  });
  afterAll(() => app.close());

  test.each([
    ['of the driver', '/import/twice', 'error'],
    ['of MikroORM', '/import/flushed', 'UniqueConstraintViolationException'],
    ['as the cause of an error of the app', '/import/wrapped', 'Error'],
    ['as one of several', '/import/collected', 'AggregateError'],
  ])('is logged without rows and parameters: %s', async (_, path, name) => {
    const email = `${randomUUID()}@example.com`;
    const answer = await app.client().send('POST', path, { email });
    expectProblemDetails(answer, 500, 'internal_error', [HASH, email, 'insert into']);
    expect(app.log).toHaveLength(1);
    const err = app.log[0]?.['err'] as Error;
    expect(err).toBeInstanceOf(Error);
    expect(err.name).toBe(name);
    expect(err.stack).toMatch(new RegExp(`^${name}: .*(\\n {4}at .*)*$`));
    expect(Object.keys(err).filter((key) => key !== 'name')).toEqual([]);
    expect(err.cause).toBeUndefined();
    for (const secret of [HASH, email, 'insert into']) expect(inspect(app.log, { depth: 9 })).not.toContain(secret);
  });

  test('is logged without the token in its message', async () => {
    const answer = await app.client().send('POST', '/import/cast', { refresh: TOKEN });
    expectProblemDetails(answer, 500, 'internal_error', [TOKEN]);
    expect(app.log).toHaveLength(1);
    expect(app.log[0]).toMatchObject({ reason: 'invalid input syntax for type uuid: "[redacted]"' });
    expect(inspect(app.log, { depth: 9 })).not.toContain(TOKEN);
  });
});
