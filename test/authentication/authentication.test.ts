import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  createRenamingController,
  GuardedController,
  LoadedController,
  MeController,
  ran,
} from '../support/guarded.controllers.js';
import { expectProblemDetails } from '../support/problem-details.js';
import { countQueries } from '../support/query-count.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import type { TestClient } from '../support/test-client.js';

const HALF_AN_HOUR = 30 * 60;

describe.each([4, 5] as const)('authentication on Express %i', (express) => {
  let app: TestApp;
  let client: TestClient;
  beforeAll(async () => {
    const controllers = [MeController, LoadedController, GuardedController, createRenamingController(() => app.orm)];
    app = await createTestApp({ express, controllers });
  });
  beforeEach(async () => {
    await app.database.pool.query('delete from app_user');
    client = await app.signedUp('user@example.com');
    ran.splice(0);
  });
  afterAll(() => app.close());

  const idOfUser = async () => (await app.database.pool.query('select id from app_user')).rows[0].id;

  describe('@CurrentUser', () => {
    test('returns the principal: the content of the access token, including custom claims', async () => {
      await app.database.pool.query(`update app_user set permissions = '["read"]', role = 700, email_verified = false`);
      await client.refresh();
      const [session] = await app.sessions();
      const id = await idOfUser();
      const now = Math.floor(app.clock.now() / 1000);
      const { status, body } = await client.get('/me/principal');
      expect({ status, body }).toEqual({
        status: 200,
        body: {
          isPrincipal: true,
          id,
          session: session?.id,
          role: 700,
          emailVerified: false,
          claims: {
            sub: id,
            jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
            iat: now,
            exp: now + HALF_AN_HOUR,
            token_type: 'access',
            session: session?.id,
            session_iat: now,
            amr: ['pwd'],
            auth_time: now,
            role: 700,
            email_verified: false,
            permissions: ['read'],
          },
        },
      });
      expect(body.claims.jti).not.toBe(session?.jti);
    });

    test('returns the same object to two parameters of one action', async () => {
      expect((await client.get('/me/twice')).body).toEqual({ isSame: true });
      expect((await client.get('/me/user-twice')).body).toEqual({ isSame: true, email: 'user@example.com' });
    });

    test('without @Authorized returns the principal, or nothing to an anonymous caller', async () => {
      expect((await app.client().get('/me/maybe')).body).toEqual({ type: 'undefined', id: null });
      expect((await client.get('/me/maybe')).body).toEqual({ type: 'object', id: await idOfUser() });
    });

    test('with `required` refuses an anonymous caller', async () => {
      expectProblemDetails(await app.client().get('/me/required'), 401, 'not_authenticated');
      expect((await client.get('/me/required')).body).toEqual({ id: await idOfUser() });
    });

    test('refuses an invalid token even where anonymous callers are allowed', async () => {
      for (const path of ['/me/maybe', '/me/required']) {
        const answer = await app.client().send('GET', path, undefined, { authorization: 'Bearer garbage' });
        expectProblemDetails(answer, 401, 'token_not_valid');
      }
    });
  });

  describe('an access token', () => {
    test('is accepted until the second in which it expires', async () => {
      const { access } = client;
      app.clock.advance(HALF_AN_HOUR - 1);
      expect((await client.get('/me/principal')).status).toBe(200);
      app.clock.advance(1);
      for (const path of ['/me/principal', '/me/maybe', '/me/user', '/auth/user']) {
        expectProblemDetails(await client.get(path), 401, 'token_not_valid', [access]);
      }
      expect((await client.refresh()).status).toBe(200);
      expect((await client.get('/me/principal')).status).toBe(200);
    });

    test('of a deleted or deactivated user is still accepted on routes that do not load the user', async () => {
      await app.database.pool.query('update app_user set is_active = false');
      expect((await client.get('/me/principal')).status).toBe(200);
      await app.database.pool.query('delete from app_user');
      expect((await client.get('/me/principal')).status).toBe(200);
    });
  });

  describe('@LoadUser', () => {
    const LOADING = ['/me/user', '/me/user-twice', '/me/unused-user', '/loaded/one'];

    test('returns the complete entity with its current values in the database', async () => {
      await app.database.pool.query(`update app_user set permissions = '["fresh"]'`);
      const body = { isUser: true, email: 'user@example.com', permissions: ['fresh'] };
      expect((await client.get('/me/user')).body).toEqual(body);
    });

    test('works on a controller', async () => {
      expect((await client.get('/loaded/one')).body).toEqual({ isUser: true });
    });

    test.each([
      ['deleted', 'delete from app_user'],
      ['deactivated', 'update app_user set is_active = false'],
    ])('refuses a user who was %s after the token was issued', async (_, statement) => {
      await app.database.pool.query(statement);
      for (const path of LOADING) expectProblemDetails(await client.get(path), 401, 'token_not_valid');
      expect(ran).toEqual([]);
    });

    test('refuses an anonymous caller, and a caller without the role, before it loads anything', async () => {
      expectProblemDetails(await app.client().get('/me/user'), 401, 'not_authenticated');
      expectProblemDetails(await app.client().get('/loaded/one'), 401, 'not_authenticated');
      const queries = await countQueries(app.orm, async () => {
        expectProblemDetails(await client.get('/me/publisher'), 403, 'permission_denied');
      });
      expect(queries).toEqual([]);
    });

    test("returns an entity of the request's EntityManager: a change to it is stored by a flush", async () => {
      expect((await client.send('POST', '/rename', undefined, client.bearer)).body).toEqual({ isManaged: true });
      const { rows } = await app.database.pool.query('select first_name, email, password_hash from app_user');
      expect(rows).toEqual([
        { first_name: 'Renamed', email: 'user@example.com', password_hash: expect.stringContaining('$argon2id$') },
      ]);
    });

    test('returns the right user to each of two parallel requests', async () => {
      const other = await app.signedUp('other@example.com');
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, index) => (index % 2 ? client : other).get('/me/user')),
      );
      expect(answers.map(({ body }) => body.email)).toEqual(
        answers.map((_, index) => (index % 2 ? 'user@example.com' : 'other@example.com')),
      );
    });
  });

  describe('the database', () => {
    test.each(['/me/principal', '/me/twice', '/me/maybe', '/me/required', '/guarded/anybody', '/guarded/verified'])(
      'gets no query from the stateless %s',
      async (path) => {
        const queries = await countQueries(app.orm, async () => {
          expect((await client.get(path)).status).toBe(200);
        });
        expect(queries).toEqual([]);
      },
    );

    test.each(['/me/user', '/me/user-twice', '/me/unused-user', '/loaded/one'])(
      'gets exactly one query from %s, which loads the user',
      async (path) => {
        const queries = await countQueries(app.orm, async () => {
          expect((await client.get(path)).status).toBe(200);
        });
        expect(queries).toEqual([expect.stringMatching(/^select .* from "app_user"/)]);
        expect(queries[0]).not.toContain('password_hash');
      },
    );

    test('gets no query for an invalid token on a route that loads the user', async () => {
      const queries = await countQueries(app.orm, async () => {
        const answer = await client.send('GET', '/me/user', undefined, { authorization: 'Bearer garbage' });
        expect(answer.status).toBe(401);
      });
      expect(queries).toEqual([]);
    });
  });
});

describe('the token of another app', () => {
  let app: TestApp;
  let other: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ controllers: [MeController] });
    const settings = { secretKey: 'the secret of another app, long enough' };
    other = await createTestApp({ controllers: [MeController], database: app.database, settings });
  });
  afterAll(async () => {
    await other.close();
    await app.close();
  });

  test('is refused, although it names a user and a session that exist here', async () => {
    const [client, stranger] = [await app.signedUp('user@example.com'), other.client()];
    await stranger.login('user@example.com');
    for (const path of ['/me/principal', '/me/user', '/me/maybe', '/auth/user']) {
      const answer = await app.client().send('GET', path, undefined, stranger.bearer);
      expectProblemDetails(answer, 401, 'token_not_valid', [stranger.access]);
    }
    expect((await client.get('/me/user')).status).toBe(200);
    expect((await stranger.get('/me/user')).status).toBe(200);
  });
});
