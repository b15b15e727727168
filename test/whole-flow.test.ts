import type { EntityClass } from '@mikro-orm/postgresql';
import { Authorized, CurrentUser, Get, JsonController } from 'routing-controllers';
import { Service } from 'typedi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BaseUser, LoadUser, Principal, User } from '../src/index.js';
import { expectProblemDetails } from './support/problem-details.js';
import { createTestApp, type TestApp } from './support/test-app.js';
import { PASSWORD } from './support/test-client.js';
import { AppUser, BigintUser, IntegerUser } from './support/users.js';

const NEW_PASSWORD = 'another sentence, as long';

@Service()
@JsonController('/me')
class MeController {
  @Authorized()
  @Get('/principal')
  principal(@CurrentUser() principal: Principal) {
    return { id: principal.id, session: principal.session };
  }

  @Authorized()
  @LoadUser()
  @Get('/user')
  user(@CurrentUser() user: BaseUser) {
    return { type: typeof user.id, email: user.email };
  }
}

interface Key {
  readonly key: string;
  readonly user: EntityClass<BaseUser>;
  readonly table: string;
  readonly type: string;
  readonly form: RegExp;
}

const KEYS: readonly Key[] = [
  { key: 'uuid', user: AppUser, table: 'app_user', type: 'string', form: /^[0-9a-f-]{36}$/ },
  { key: 'shipped', user: User, table: 'auth_user', type: 'string', form: /^[0-9a-f-]{36}$/ },
  { key: 'integer', user: IntegerUser, table: 'integer_user', type: 'number', form: /^\d+$/ },
  { key: 'bigint', user: BigintUser, table: 'bigint_user', type: 'bigint', form: /^\d+$/ },
];

const STACKS = ([4, 5] as const).flatMap((express) =>
  ['cookie', 'body'].flatMap((mode) => KEYS.map((key) => ({ express, mode, ...key }))),
);

describe.each(STACKS)(
  'on Express $express, in $mode mode, with $key users',
  ({ express, mode, user, table, ...key }) => {
    let app: TestApp;
    beforeAll(async () => {
      const settings = { refreshTokenAsCookie: mode === 'cookie' };
      app = await createTestApp({ express, settings, user, controllers: [MeController] });
      if (key.key === 'bigint') {
        await app.database.pool.query(`alter sequence ${table}_id_seq restart with 9007199254740993`);
      }
    });
    afterAll(() => app.close());

    test('the whole flow behaves the same', async () => {
      const client = app.client();
      expect((await client.register('User@Example.com')).status).toBe(201);
      const { rows } = await app.database.pool.query(`select id::text, email from ${table}`);
      expect(rows).toEqual([{ id: expect.stringMatching(key.form), email: 'user@example.com' }]);
      const { id } = rows[0];

      // calls
      const [session] = await app.sessions();
      expect((await client.get('/me/principal')).body).toEqual({ id, session: session?.id });
      expect((await client.get('/me/user')).body).toEqual({ type: key.type, email: 'user@example.com' });
      expect((await client.get('/auth/user')).body).toMatchObject({ id, email: 'user@example.com' });
      expectProblemDetails(await app.client().get('/me/user'), 401, 'not_authenticated');

      // a refresh, a retry after a lost answer, a replay: the session ends
      const stale = client.copy();
      const refreshed = await client.refresh();
      expect(refreshed.status).toBe(200);
      const retry = stale.copy();
      expect((await retry.refresh()).status).toBe(200);
      expect(retry.refreshToken).toBe(client.refreshToken);
      const other = app.client();
      expect((await other.login('user@example.com')).status).toBe(200);
      app.clock.advance(11);
      expectProblemDetails(await stale.refresh(), 401, 'refresh_token_reused');
      expectProblemDetails(await client.refresh(), 401, 'token_not_valid');
      expect(app.events.filter(({ reuse }) => reuse === 'replay')).toMatchObject([{ session: session?.id, user: id }]);
      expect((await other.refresh()).status).toBe(200);

      // logout
      expect((await other.logout()).status).toBe(204);
      expect((await other.logout()).status).toBe(204);
      expectProblemDetails(await other.refresh(), 401, 'token_not_valid');
      expect(await app.liveSessions()).toBe(0);

      // a new password ends every older session
      await other.login('user@example.com');
      await client.login('user@example.com');
      expect((await client.changePassword(PASSWORD, NEW_PASSWORD)).status).toBe(200);
      expectProblemDetails(await other.refresh(), 401, 'token_not_valid');
      expectProblemDetails(await other.login('user@example.com'), 401, 'incorrect_credentials');
      expect((await client.refresh()).status).toBe(200);
      expect(await app.liveSessions()).toBe(1);

      // sign out everywhere
      expect((await client.logoutAll()).status).toBe(204);
      expect(await app.liveSessions()).toBe(0);
      await client.login('user@example.com', NEW_PASSWORD);
      await app.auth.deactivation.deactivate(
        (await app.orm.em.fork().findOneOrFail(user, { email: 'user@example.com' })).id,
      );
      expectProblemDetails(await client.refresh(), 401, 'token_not_valid');
      expectProblemDetails(await client.login('user@example.com', NEW_PASSWORD), 401, 'no_active_account');
      expectProblemDetails(await client.get('/me/user'), 401, 'token_not_valid');
      expect(await app.liveSessions()).toBe(0);
      expect(app.log.filter(({ level }) => level === 'error')).toEqual([]);
    });
  },
);
