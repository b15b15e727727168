import { randomUUID } from 'node:crypto';
import { FlushMode, LoadStrategy, PopulateHint, RequestContext } from '@mikro-orm/core';
import { Entity, ManyToOne, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import type { Options } from '@mikro-orm/postgresql';
import { Authorized, CurrentUser, Get, JsonController, Post } from 'routing-controllers';
import { Service } from 'typedi';
import { describe, expect, test } from 'vitest';
import { BaseUser, createAuthEntities, LoadUser } from '../../src/index.js';
import { expectProblem } from '../support/expect-problem.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD, type TestClient } from '../support/test-client.js';

const NEXT = 'quite another sentence to say';

@Entity({ tableName: 'city' })
class City {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;
}

@Entity({ tableName: 'employer' })
class Employer {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;

  @ManyToOne({ entity: () => City })
  city!: City;
}

@Entity({ tableName: 'citizen' })
class Citizen extends BaseUser {
  @PrimaryKey({ type: 'uuid' })
  override id: string = randomUUID();

  @ManyToOne({ entity: () => Employer, nullable: true })
  employer?: Employer | null;
}

@Entity({ tableName: 'citizen' })
class EagerCitizen extends BaseUser {
  @PrimaryKey({ type: 'uuid' })
  override id: string = randomUUID();

  @ManyToOne({ entity: () => Employer, nullable: true, eager: true })
  employer?: Employer | null;
}

@Service()
@JsonController('/me')
class MeController {
  @Authorized()
  @LoadUser()
  @Get('/')
  show(@CurrentUser() user: EagerCitizen) {
    return { email: user.email, employer: user.employer?.name ?? null };
  }

  @Authorized()
  @LoadUser()
  @Post('/')
  async rename(@CurrentUser() user: Citizen) {
    user.firstName = 'Changed in a request';
    await RequestContext.getEntityManager()?.flush();
    return {};
  }
}

const needsArguments = { cond: (args: { name: string }) => ({ firstName: args.name }), default: true };

/** Options that an app may have for its own queries, each with the data for which it matters. */
const OPTIONS: [string, Options, (typeof Citizen | typeof EagerCitizen)?][] = [
  ['a filter that needs arguments', { filters: { tenant: { ...needsArguments, entity: [Citizen] } } }],
  [
    'a filter that hides everybody',
    { filters: { gone: { cond: { firstName: 'nobody' }, default: true, entity: ['Citizen'] } } },
  ],
  ['a cache of every result', { resultCache: { global: 600_000 } }],
  ['no identity map', { disableIdentityMap: true }],
  ['no identity map, and an eager relation', { disableIdentityMap: true }, EagerCitizen],
  ['a query for each relation', { loadStrategy: LoadStrategy.SELECT_IN }],
  ['joins', { loadStrategy: LoadStrategy.JOINED, populateWhere: PopulateHint.INFER }],
  ['an eager relation', { loadStrategy: LoadStrategy.SELECT_IN }, EagerCitizen],
  ['a flush before every query', { flushMode: FlushMode.ALWAYS }],
  ['a schema of its own', { schema: 'staff' }],
];

describe.each(OPTIONS)('an app whose ORM has %s', (_what, orm, user = Citizen) => {
  async function open(): Promise<{ app: TestApp; ada: TestClient; sql: (text: string) => Promise<unknown> }> {
    const entities = [user, Employer, City, ...createAuthEntities({ user: () => user })];
    const userAttributes = { employer: 'employer.name', city: 'employer.city.name' };
    const app = await createTestApp({
      user,
      orm: { entities, ...orm },
      controllers: [MeController],
      settings: { userAttributes },
    });
    const schema = orm.schema ? `${orm.schema}.` : '';
    const sql = async (text: string) =>
      (await app.database.pool.query(text.replace(/\b(citizen|employer|city) /g, `${schema}$1 `))).rows;
    const ada = app.client();
    expect((await ada.register('ada@example.com')).status).toBe(201);
    await sql(`insert into city (id, name) values (1, 'London')`);
    await sql(`insert into employer (id, name, city_id) values (1, 'Engines', 1)`);
    await sql('update citizen set employer_id = 1');
    return { app, ada, sql };
  }

  test('recognises its users in every request, from sign-up to deletion', async () => {
    const { app, ada, sql } = await open();
    const claims = () => app.auth.tokens.verifyAccess(ada.access);
    expect((await ada.login('ada@example.com')).status).toBe(200);
    expect(claims()).toMatchObject({ employer: 'Engines', city: 'London' });
    await sql(`update employer set name = 'Looms'`);
    await sql(`update city set name = 'Paris'`);
    expect((await ada.refresh()).status).toBe(200);
    expect(claims()).toMatchObject({ employer: 'Looms', city: 'Paris' });

    expect(await ada.get('/auth/user')).toMatchObject({
      status: 200,
      body: { email: 'ada@example.com', firstName: '' },
    });
    const renamed = await ada.send('PATCH', '/auth/user', { firstName: 'Ada' }, ada.bearer);
    expect(renamed).toMatchObject({ status: 200, body: { firstName: 'Ada' } });
    expect(await ada.get('/auth/user')).toMatchObject({ status: 200, body: { firstName: 'Ada' } });

    expectProblem(await ada.changePassword('a wrong password', NEXT), 401, 'incorrect_credentials');
    expect((await ada.changePassword(PASSWORD, NEXT)).status).toBe(200);
    expectProblem(await ada.changePassword(PASSWORD, NEXT), 401, 'incorrect_credentials');
    expect((await ada.changePassword(NEXT, PASSWORD)).status).toBe(200);
    expectProblem(await app.client().login('ada@example.com', NEXT), 401, 'incorrect_credentials');

    expect((await ada.send('DELETE', '/auth/user', { password: PASSWORD }, ada.bearer)).status).toBe(204);
    expect(await sql('select id from citizen ')).toEqual([]);
    expectProblem(await ada.get('/auth/user'), 401, 'token_not_valid');
    await app.close();
  });

  test('loads them for @LoadUser so that they can be changed, and never loads a deleted user', async () => {
    const { app, ada, sql } = await open();
    const bob = await app.signedUp('bob@example.com');
    await sql(`update citizen set employer_id = 1 where email = 'bob@example.com'`);
    for (const { client, email } of [
      { client: ada, email: 'ada@example.com' },
      { client: bob, email: 'bob@example.com' },
    ]) {
      const employer = user === EagerCitizen ? 'Engines' : null;
      if (user === EagerCitizen)
        expect(await client.get('/me')).toMatchObject({ status: 200, body: { email, employer } });
      else expect(await client.get('/me')).toMatchObject({ status: 200, body: { email } });
    }
    expect((await ada.send('POST', '/me', {}, ada.bearer)).status).toBe(200);
    expect(await sql('select first_name from citizen order by email')).toEqual([
      { first_name: 'Changed in a request' },
      { first_name: '' },
    ]);
    const { sub } = app.auth.tokens.verifyAccess(ada.access);
    expect(await app.auth.deactivation.deactivate(sub)).toBe(true);
    expect(await app.auth.deactivation.deactivate(sub)).toBe(false);
    await sql(`delete from citizen where email = 'bob@example.com'`);
    for (const client of [ada, bob]) {
      expect(await client.get('/me')).toMatchObject({ status: 401, body: { code: 'token_not_valid' } });
    }
    await app.close();
  });
});
