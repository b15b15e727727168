import { MikroORM } from '@mikro-orm/postgresql';
import { Authorized, CurrentUser, Get, JsonController, Post } from 'routing-controllers';
import { Service } from 'typedi';
import { LoadUser, type Principal } from '../../src/index.js';
import type { TestApp } from './test-app.js';
import { type Answer, PASSWORD, type TestClient } from './test-client.js';
import { AppUser } from './users.js';

/** Routes of an app: without the database, with the library's use of it, and with the app's own. */
export function createOutageController(orm: () => MikroORM) {
  @Service()
  @JsonController('/app')
  class OutageController {
    @Authorized()
    @Get('/stateless')
    stateless(@CurrentUser() user: Principal) {
      return { id: user.id };
    }

    @Authorized()
    @LoadUser()
    @Get('/loaded')
    loaded(@CurrentUser() user: AppUser) {
      return { id: user.id };
    }

    @Get('/query')
    async query() {
      return { users: (await orm().em.find(AppUser, { role: 0 }, { limit: 1 })).length };
    }

    @Post('/transaction')
    async transaction() {
      return { users: await orm().em.transactional((em) => em.count(AppUser)) };
    }
  }
  return OutageController;
}

/** A client with the address that it signed up with. */
export interface Visitor {
  readonly client: TestClient;
  readonly email: string;
}

export async function createVisitor(app: TestApp): Promise<Visitor> {
  const email = `${crypto.randomUUID()}@example.com`;
  return { client: await app.signedUp(email), email };
}

/** Every request that needs the database, in an order in which all of them succeed, with its success status. */
export function requestsTo(
  app: TestApp,
): Record<string, [send: (visitor: Visitor) => Promise<Answer>, success: number]> {
  return {
    registration: [() => app.client().register(`${crypto.randomUUID()}@example.com`), 201],
    login: [({ email }) => app.client().login(email), 200],
    refresh: [({ client }) => client.refresh(), 200],
    'GET user': [({ client }) => client.get('/auth/user'), 200],
    'PATCH user': [({ client }) => client.send('PATCH', '/auth/user', { firstName: 'Ada' }, client.bearer), 200],
    '@LoadUser': [({ client }) => client.get('/app/loaded'), 200],
    'query of the app': [({ client }) => client.get('/app/query'), 200],
    'transaction of the app': [({ client }) => client.send('POST', '/app/transaction'), 200],
    'password change': [({ client }) => client.changePassword(PASSWORD, 'a sentence of another length'), 200],
    'logout-all': [({ client }) => client.logoutAll(), 204],
    logout: [({ client }) => client.logout(), 204],
  };
}
