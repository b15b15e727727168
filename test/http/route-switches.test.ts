import { afterEach, expect, test } from 'vitest';
import type { RouteSwitches } from '../../src/index.js';
import { documentOf, expectWhole, operationsOf } from '../support/documented-app.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { createTestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';

/** The endpoints of each name. */
const ENDPOINTS: Readonly<Record<string, readonly string[]>> = {
  registration: ['POST /auth/registration'],
  login: ['POST /auth/login'],
  logout: ['POST /auth/logout', 'POST /auth/logout-all'],
  sessions: ['GET /auth/sessions', 'DELETE /auth/sessions/{id}', 'POST /auth/sessions/revoke-others'],
  profile: ['GET /auth/user', 'PATCH /auth/user'],
  passwordChange: ['POST /auth/password/change'],
  accountDeletion: ['DELETE /auth/user'],
  emailChange: ['POST /auth/email/change'],
  passwordReset: ['POST /auth/password/reset'],
  jwks: ['GET /auth/.well-known/jwks.json'],
};

let app: MailApp;
afterEach(() => app?.close());

const documented = () => operationsOf(documentOf(app)).map(({ method, path }) => `${method.toUpperCase()} ${path}`);

test.each(Object.keys(ENDPOINTS))('the switch %s removes only its endpoints', async (name) => {
  app = await createMailApp({ emailVerification: 'optional' }, {});
  const all = documented();
  const { database } = app;
  const first = app;
  const client = name === 'registration' || name === 'login' ? app.client() : await app.signedUp();
  app = await createMailApp({ emailVerification: 'optional' }, { database, auth: { routes: { [name]: false } } });
  const gone = ENDPOINTS[name] ?? [];
  expect(documented().sort()).toEqual(all.filter((each) => !gone.includes(each)).sort());
  await expectWhole(documentOf(app));
  const other = Object.assign(app.client(), { access: client.access, refreshToken: client.refreshToken });
  for (const endpoint of gone) {
    const [method = '', path = ''] = endpoint.split(' ');
    const body = method === 'GET' ? undefined : { email: 'ada@example.com', password: PASSWORD };
    const answer = await other.send(
      method,
      path.replace('{id}', crypto.randomUUID()),
      body,
      client.access ? other.bearer : {},
    );
    expect([answer.status, answer.body.code]).toEqual([404, 'not_found']);
  }
  expect((await database.pool.query('select email from app_user')).rows).toHaveLength(client.access ? 1 : 0);
  await app.close();
  app = first; // its database is dropped with it
});

test('a switch that is true removes nothing, and several switches can be combined', async () => {
  const routes = { registration: false, accountDeletion: false, login: true };
  app = await createMailApp({}, { auth: { routes } });
  expect(documented()).toEqual(expect.arrayContaining(['POST /auth/login', 'GET /auth/user']));
  for (const gone of ['POST /auth/registration', 'DELETE /auth/user']) expect(documented()).not.toContain(gone);
});

test('a password link that was already mailed works after resets are switched off', async () => {
  app = await createMailApp({});
  await app.signedUp('ada@example.com');
  await app.client().send('POST', '/auth/password/reset', { email: 'ada@example.com' });
  const link = await app.linkTo('ada@example.com');
  const { database } = app;
  const other = await createMailApp({}, { database, auth: { routes: { passwordReset: false } } });
  expect((await other.open(link.replace(app.url, other.url))).status).toBe(303);
  await other.close();
});

test.each<[routes: object, message: string]>([
  [{ registraton: false }, 'routes: there is no "registraton"; the nearest name is registration'],
  [{ refresh: false }, 'routes: there is no "refresh"'],
  [{ __proto__: null, constructor: false }, 'routes: there is no "constructor"'],
  [{ login: 0 }, 'routes: login must be true or false'],
  [{ login: undefined }, 'routes: login must be true or false'],
])('the switches %j are refused at start', async (routes, message) => {
  await expect(createTestApp({ auth: { routes: routes as RouteSwitches } })).rejects.toThrow(message);
});
