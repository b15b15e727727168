import { randomUUID } from 'node:crypto';
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import type { EntityManager } from '@mikro-orm/postgresql';
import { verify } from '@node-rs/argon2';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { BaseUser, type NewUser, RefreshToken, UserCreationService } from '../../../src/index.js';
import { expectProblem } from '../../support/expect-problem.js';
import { createTestApp, type TestApp } from '../../support/test-app.js';
import { PASSWORD } from '../../support/test-client.js';

const usersOf = async (app: TestApp, table = 'app_user') =>
  (await app.database.pool.query(`select * from ${table}`)).rows;

describe('registration', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp();
  });
  beforeEach(() => app.database.pool.query('delete from app_user'));
  afterAll(() => app.close());

  test('creates an active user with a normalised address and an argon2id hash, and opens one session', async () => {
    const client = app.client();
    const names = { firstName: 'Zoë', lastName: 'O’Neill' };
    const answer = await client.register('  Zoe.Neill@Example.COM ', PASSWORD, names);

    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({ access: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/) });
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.getSetCookie()).toHaveLength(1);
    expect(answer.cookie).toEqual({
      name: 'refresh_token',
      value: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      attributes: ['Max-Age=1209600', 'Path=/', expect.stringMatching(/^Expires=/), 'HttpOnly', 'SameSite=Lax'],
    });

    const users = await usersOf(app);
    expect(users).toEqual([
      {
        id: app.auth.tokens.verifyAccess(client.access).sub,
        email: 'zoe.neill@example.com',
        password_hash: expect.stringMatching(/^\$argon2id\$/),
        first_name: 'Zoë',
        last_name: 'O’Neill',
        role: 0,
        is_active: true,
        email_verified: true,
        permissions: [],
        organization_id: null,
      },
    ]);
    expect(await verify(users[0].password_hash, PASSWORD)).toBe(true);
    expect(await app.sessions()).toMatchObject([{ user_id: users[0].id, enabled: true, previous_jti: null }]);
  });

  test('the claims of the first tokens are those of the new user', async () => {
    const client = await app.signedUp('claims@example.com');
    const [user] = await usersOf(app);
    const [session] = await app.sessions();
    const own = { sub: user.id, role: 0, email_verified: true, session: session?.id, permissions: [] };
    expect(app.auth.tokens.verifyAccess(client.access)).toMatchObject(own);
    expect(app.auth.tokens.verifyRefresh(client.refreshToken)).toMatchObject({ ...own, jti: session?.jti });
  });

  test.each([
    ['a body without names', {}, '', ''],
    ['a first name only', { firstName: 'Ada' }, 'Ada', ''],
    ['a last name only', { lastName: 'Lovelace' }, '', 'Lovelace'],
  ])('accepts %s', async (_what, names, firstName, lastName) => {
    expect((await app.client().register('names@example.com', PASSWORD, names)).status).toBe(201);
    expect(await usersOf(app)).toMatchObject([{ first_name: firstName, last_name: lastName }]);
  });

  test.each([
    ['the same', 'josé@example.com'],
    ['in capitals', 'JOSÉ@EXAMPLE.COM'],
    ['with spaces around it', ' \tjosé@example.com  '],
    ['with its accent as a character of its own', 'jose\u0301@example.com'],
    ['decomposed and in capitals', 'JOSE\u0301@Example.com'],
  ])('a taken address is refused when written %s', async (_how, email) => {
    await app.signedUp('jos\u00e9@example.com');
    const answer = await app.client().register(email, 'a second sentence to sign in');
    expectProblem(answer, 409, 'email_already_registered');
    expect(JSON.stringify(answer.body)).not.toContain('example');
    expect(await usersOf(app)).toHaveLength(1);
    expect(await app.sessions()).toHaveLength(1);
    expect((await app.client().login('jos\u00e9@example.com')).status).toBe(200);
  });

  test('of twenty parallel sign-ups with one address exactly one succeeds', async () => {
    const spellings = ['race@example.com', 'RACE@example.com', ' race@example.com', 'Race@Example.com'];
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => app.client().register(spellings[index % 4] ?? '')),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    for (const answer of answers.filter(({ status }) => status !== 201)) {
      expectProblem(answer, 409, 'email_already_registered');
    }
    expect(await usersOf(app)).toMatchObject([{ email: 'race@example.com' }]);
    expect(await app.sessions()).toHaveLength(1);
  });

  test('an address whose normal form is too long for its column is a validation error', async () => {
    const domain = `${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(36)}.com`;
    const answer = await app.client().register(`${'İ'.repeat(30)}@${domain}`); // one character that becomes two in lower case
    expectProblem(answer, 400, 'validation_failed');
    expect(answer.body.errors).toMatchObject([{ field: 'email' }]);
    expect(await usersOf(app)).toEqual([]);
  });
});

describe('registration with a token class that fails', () => {
  class FailingToken extends RefreshToken {
    static override async forUser(): Promise<never> {
      throw new Error('no token for you');
    }
  }
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ settings: { refreshToken: FailingToken } });
  });
  afterAll(() => app.close());

  test('leaves neither a user nor a session, and the address stays free', async () => {
    expectProblem(await app.client().register('nobody@example.com'), 500, 'internal_error');
    expect(await usersOf(app)).toEqual([]);
    expect(await app.sessions()).toEqual([]);
    expect(app.log).toMatchObject([{ level: 'error', code: 'internal_error', reason: 'no token for you' }]);
    expectProblem(await app.client().register('nobody@example.com'), 500, 'internal_error');
  });
});

describe('registration of users with a column of the app', () => {
  @Entity({ tableName: 'named_user' })
  class NamedUser extends BaseUser {
    @PrimaryKey({ type: 'uuid' })
    override id: string = randomUUID();

    @Property({ type: 'string', unique: true })
    username!: string;
  }

  class NamedUsers extends UserCreationService {
    protected override createUser(em: EntityManager, newUser: NewUser): BaseUser {
      const user = super.createUser(em, newUser) as NamedUser;
      user.username = `${newUser.fields.firstName}.${newUser.fields.lastName}`.toLowerCase();
      return user;
    }
  }

  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ user: NamedUser, auth: { services: [NamedUsers] } });
  });
  afterAll(() => app.close());

  test('uses the app’s subclass of UserCreationService', async () => {
    const names = { firstName: 'Ada', lastName: 'Lovelace' };
    expect((await app.client().register('ada@example.com', PASSWORD, names)).status).toBe(201);
    const [user] = await usersOf(app, 'named_user');
    expect(user).toMatchObject({ email: 'ada@example.com', username: 'ada.lovelace', role: 0, is_active: true });
    expect(await app.sessions()).toMatchObject([{ user_id: user.id, enabled: true }]);
  });

  test('does not report a taken address if another unique column is taken', async () => {
    const names = { firstName: 'ADA', lastName: 'LOVELACE' };
    const logged = app.log.length;
    const answer = await app.client().register('another@example.com', PASSWORD, names);
    expectProblem(answer, 500, 'internal_error');
    expect(await usersOf(app, 'named_user')).toHaveLength(1);
    expect(await app.sessions()).toHaveLength(1);
    expect(app.log.slice(logged)).toMatchObject([{ level: 'error', code: 'internal_error' }]);
    expect(JSON.stringify(app.log)).not.toMatch(/argon2id|another@example\.com/);
    const free = await app.client().register('another@example.com', PASSWORD, { firstName: 'Grace', lastName: 'H' });
    expect(free.status).toBe(201);
  });

  test('reports the taken address if that is the reason', async () => {
    const answer = await app.client().register('ADA@example.com', PASSWORD, { firstName: 'Alan', lastName: 'T' });
    expectProblem(answer, 409, 'email_already_registered');
  });
});

describe('an address that was taken at the moment of the INSERT, and whose user is deleted at once', () => {
  const pool = () => app.database.pool;

  /** Another request inserts a user with the address first. It deletes the user when the INSERT has failed. */
  class RacedUsers extends UserCreationService {
    /** For each of the next INSERTs, whether the other user is deleted. */
    static races: boolean[] = [];

    override async create(newUser: NewUser, em: EntityManager): Promise<BaseUser> {
      const isDeleted = RacedUsers.races.shift();
      if (isDeleted === undefined) return super.create(newUser, em);
      await pool().query(
        `insert into app_user (id, email, first_name, last_name, role, is_active, email_verified)
         values (gen_random_uuid(), $1, '', '', 0, true, true)`,
        [newUser.email],
      );
      try {
        return await super.create(newUser, em);
      } catch (error) {
        if (isDeleted) await pool().query('delete from app_user where email = $1', [newUser.email]);
        throw error;
      }
    }
  }

  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ auth: { services: [RacedUsers] } });
  });
  afterAll(() => app.close());

  test('is free: the person is signed up', async () => {
    RacedUsers.races = [true];
    expect((await app.client().register('freed@example.com')).status).toBe(201);
  });

  test('is taken if the second INSERT meets another user', async () => {
    RacedUsers.races = [true, false];
    expectProblem(await app.client().register('taken@example.com'), 409, 'email_already_registered');
  });
});
