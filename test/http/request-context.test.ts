import { RequestContext } from '@mikro-orm/core';
import { Authorized, CurrentUser, Get, JsonController } from 'routing-controllers';
import { Service } from 'typedi';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { LoadUser } from '../../src/index.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import type { TestClient } from '../support/test-client.js';
import { AppUser } from '../support/users.js';

const seen: unknown[] = [];

@Service()
@JsonController('/context')
class ContextController {
  @Authorized()
  @Get('/stateless')
  stateless() {
    return {};
  }

  @Authorized()
  @LoadUser()
  @Get('/loaded')
  async loaded(@CurrentUser() user: AppUser) {
    const em = RequestContext.getEntityManager();
    user.firstName = 'Changed in a request';
    await em?.flush();
    seen.push(em, RequestContext.getEntityManager());
    return { isOther: RequestContext.getEntityManager('another') !== undefined };
  }
}

describe('the EntityManager of a request', () => {
  let app: TestApp;
  let client: TestClient;
  beforeAll(async () => {
    app = await createTestApp({ controllers: [ContextController] });
    client = await app.signedUp();
  });
  afterAll(() => app.close());

  test('is not created for a request that needs no database', async () => {
    const fork = vi.spyOn(app.orm.em, 'fork');
    expect((await client.get('/context/stateless')).status).toBe(200);
    expect(fork).not.toHaveBeenCalled();
    fork.mockRestore();
  });

  test('is the same for a whole request, is new for the next one, and does not exist under another ORM name', async () => {
    for (let request = 0; request < 2; request++) {
      expect(await client.get('/context/loaded')).toMatchObject({ status: 200, body: { isOther: false } });
    }
    expect(seen).toHaveLength(4);
    expect(new Set(seen).size).toBe(2);
    expect(seen).not.toContain(app.orm.em);
    const { rows } = await app.database.pool.query('select first_name from app_user');
    expect(rows).toEqual([{ first_name: 'Changed in a request' }]);
  });
});
