import { type EntityManager, FlushMode, RequestContext } from '@mikro-orm/core';
import { Authorized, CurrentUser, Get, JsonController, UseBefore } from 'routing-controllers';
import { Service } from 'typedi';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LoadUser } from '../../src/index.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import type { TestClient } from '../support/test-client.js';
import { AppUser } from '../support/users.js';

const requestManager = () => RequestContext.getEntityManager() as EntityManager;

/** Code of the app that runs before the library: adds a user and changes two loaded users. Nothing is flushed. */
function change(_request: unknown, _response: unknown, next: (error?: unknown) => void): void {
  const em = requestManager();
  em.find(AppUser, {}).then((users) => {
    for (const user of users) user.firstName = `not flushed: ${user.email}`;
    em.persist(em.create(AppUser, { email: 'new@example.com' } as never));
    next();
  }, next);
}

@Service()
@JsonController('/pending')
@Authorized()
@LoadUser()
@UseBefore(change)
class PendingController {
  @Get('/left')
  left(@CurrentUser() user: AppUser) {
    return { firstName: user.firstName };
  }

  @Get('/written')
  async written(@CurrentUser() user: AppUser) {
    await requestManager().flush();
    return { firstName: user.firstName };
  }
}

describe.each([FlushMode.AUTO, FlushMode.ALWAYS])(
  'an app whose ORM flushes %s and that has unflushed changes',
  (flushMode) => {
    let app: TestApp;
    let ada: TestClient;
    beforeEach(async () => {
      app = await createTestApp({ orm: { flushMode }, controllers: [PendingController] });
      await app.signedUp('other@example.com');
      ada = await app.signedUp('ada@example.com');
    });
    afterEach(() => app.close());

    const users = async () =>
      (await app.database.pool.query('select email, first_name from app_user order by email')).rows;

    test('gets from @LoadUser the user that it has changed, and @LoadUser writes none of the changes', async () => {
      const body = { firstName: 'not flushed: ada@example.com' };
      expect(await ada.get('/pending/left')).toMatchObject({ status: 200, body });
      expect(await users()).toEqual([
        { email: 'ada@example.com', first_name: '' },
        { email: 'other@example.com', first_name: '' },
      ]);
    });

    test('writes all its changes with its own flush after @LoadUser', async () => {
      expect((await ada.get('/pending/written')).status).toBe(200);
      expect(await users()).toEqual([
        { email: 'ada@example.com', first_name: 'not flushed: ada@example.com' },
        { email: 'new@example.com', first_name: '' },
        { email: 'other@example.com', first_name: 'not flushed: other@example.com' },
      ]);
    });
  },
);
