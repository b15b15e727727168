import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { StaffController } from './support/documented.controllers.js';
import { answerChecker, documentOf } from './support/documented-app.js';
import { createMailApp, type MailApp } from './support/mail-app.js';
import { type Answer, PASSWORD } from './support/test-client.js';
import { newKey } from './support/test-keys.js';

const server = { controllers: [StaffController] };

describe.each([
  ['cookies', {}],
  ['bodies', { refreshTokenAsCookie: false }],
  ['confirmed addresses', { emailVerification: 'mandatory' }],
] as const)('what is answered with %s is what the document says', (_name, settings) => {
  let app: MailApp;
  let faults: (method: string, path: string, answer: Answer) => string[];
  let statuses: Set<number>;
  beforeAll(async () => {
    const limit = '5/1h/account';
    app = await createMailApp(
      { invitations: true, loginRateLimit: limit, ...settings },
      { controllers: server.controllers },
    );
    faults = answerChecker(documentOf(app, server));
    statuses = new Set();
  });
  afterAll(() => app.close());

  /** Sends a request below the prefix, and expects an answer of that status, as described. */
  async function expectDescribed(
    status: number,
    method: string,
    path: string,
    {
      body,
      headers = {},
      template = path,
    }: { body?: unknown; headers?: Record<string, string>; template?: string } = {},
  ): Promise<Answer> {
    const answer = await app.client().send(method, `/auth${path}`, body, headers);
    expect([answer.status, ...faults(method, `/auth${template}`, answer)], `${method} ${path}`).toEqual([status]);
    statuses.add(status);
    return answer;
  }

  const isMandatory = 'emailVerification' in settings;
  const isCookie = !('refreshTokenAsCookie' in settings);

  /** Signs somebody up, so that they can sign in. */
  async function signUp(email: string) {
    await expectDescribed(201, 'POST', '/registration', { body: { email, password: PASSWORD } });
    if (isMandatory) await app.open(await app.linkTo(email));
    return expectDescribed(200, 'POST', '/login', { body: { email, password: PASSWORD } });
  }

  const bearerOf = ({ body }: Answer) => ({ authorization: `Bearer ${body.access}` });
  const refreshOf = ({ body, cookie }: Answer) =>
    isCookie ? { headers: { cookie: `refresh_token=${cookie?.value}` } } : { body: { refresh: body.refresh } };

  test('at sign-up, sign-in, refresh and sign-out', async () => {
    const email = 'ada@example.com';
    if (isMandatory) {
      await expectDescribed(201, 'POST', '/registration', { body: { email: 'waits@example.com', password: PASSWORD } });
      await expectDescribed(401, 'POST', '/login', { body: { email: 'waits@example.com', password: PASSWORD } });
    }
    const signedIn = await signUp(email);
    if (!isMandatory) await expectDescribed(409, 'POST', '/registration', { body: { email, password: PASSWORD } });
    const invalid = { email, password: 'short', nickname: 'x' };
    expect((await expectDescribed(400, 'POST', '/registration', { body: invalid })).body.errors).toHaveLength(1);
    await expectDescribed(400, 'POST', '/login', { body: '{', headers: { 'content-type': 'application/json' } });
    await expectDescribed(415, 'POST', '/login', { body: 'a=b', headers: { 'content-type': 'text/plain' } });
    await expectDescribed(413, 'POST', '/login', { body: { email, password: 'x'.repeat(120_000) } });
    await expectDescribed(401, 'POST', '/login', { body: { email, password: 'wrong, wrong' } });
    if (isCookie) {
      const headers = { origin: 'https://elsewhere.example' };
      await expectDescribed(403, 'POST', '/login', { body: { email, password: PASSWORD }, headers });
    }
    const refreshed = await expectDescribed(200, 'POST', '/refresh', refreshOf(signedIn));
    await expectDescribed(400, 'POST', '/refresh', isCookie ? {} : { body: {} });
    await expectDescribed(204, 'POST', '/logout', refreshOf(refreshed));
    await expectDescribed(401, 'POST', '/refresh', refreshOf(refreshed));
    await expectDescribed(400, 'POST', '/logout', isCookie ? {} : { body: {} });
    await expectDescribed(200, 'GET', '/.well-known/jwks.json');
    for (let count = 0; count < 5; count++) {
      await app.client().send('POST', '/auth/login', { email: 'nobody@example.com', password: 'wrong, wrong' });
    }
    await expectDescribed(429, 'POST', '/login', { body: { email: 'nobody@example.com', password: 'wrong, wrong' } });
  });

  test('about sessions and the account', async () => {
    const email = 'bob@example.com';
    const headers = bearerOf(await signUp(email));
    await expectDescribed(200, 'GET', '/user', { headers });
    await expectDescribed(401, 'GET', '/user');
    await expectDescribed(200, 'PATCH', '/user', { headers, body: { firstName: 'Bob' } });
    await expectDescribed(400, 'PATCH', '/user', { headers, body: { firstName: 'x'.repeat(200) } });
    const { body } = await expectDescribed(200, 'GET', '/sessions', { headers });
    const template = '/sessions/{id}';
    await expectDescribed(404, 'DELETE', '/sessions/nonsense', { headers, template });
    await expectDescribed(204, 'POST', '/sessions/revoke-others', { headers });
    const passwords = { oldPassword: PASSWORD, newPassword: 'another sentence, as long' };
    await expectDescribed(401, 'POST', '/password/change', { headers, body: { ...passwords, oldPassword: 'wrong' } });
    const changed = await expectDescribed(200, 'POST', '/password/change', { headers, body: passwords });
    await expectDescribed(401, 'DELETE', `/sessions/${body[0].id}`, { headers, template });
    const renewed = bearerOf(changed);
    const { body: sessions } = await expectDescribed(200, 'GET', '/sessions', { headers: renewed });
    await expectDescribed(204, 'DELETE', `/sessions/${sessions[0].id}`, { headers: renewed, template });
    const login = { body: { email, password: passwords.newPassword } };
    const again = bearerOf(await expectDescribed(200, 'POST', '/login', login));
    await expectDescribed(204, 'POST', '/logout-all', { headers: again });
    const last = bearerOf(await expectDescribed(200, 'POST', '/login', login));
    await expectDescribed(204, 'DELETE', '/user', { headers: last, body: { password: passwords.newPassword } });
  });

  test('by mail', async () => {
    const email = 'eve@example.com';
    const headers = bearerOf(await signUp(email));
    const before = isMandatory ? 1 : 0;
    await expectDescribed(202, 'POST', '/password/reset', { body: { email } });
    await expectDescribed(202, 'POST', '/registration/verification/resend', { body: { email } });
    const link = await app.linkTo(email, before + 1);
    const template = '/password/reset/confirm/{key}';
    const path = new URL(link).pathname.replace('/auth', '');
    // fetch follows redirects: the form that it would come to is asked for by hand.
    const opened = await app.open(link);
    const cookie = opened.cookies.get('password_reset_access_token')?.split(';')[0] ?? '';
    expect(faults('GET', `/auth${template}`, { ...opened, body: '' } as unknown as Answer)).toEqual([]);
    await expectDescribed(400, 'GET', `${path}x`, { template });
    await expectDescribed(200, 'GET', '/password/reset/form', { headers: { cookie } });
    await expectDescribed(400, 'GET', '/password/reset/form');
    const form = { 'content-type': 'application/x-www-form-urlencoded', cookie };
    await expectDescribed(400, 'POST', '/password/reset/form', { headers: form, body: 'newPassword=short' });
    await expectDescribed(401, 'POST', '/password/reset/set-new', { body: { newPassword: PASSWORD } });
    await expectDescribed(200, 'POST', '/password/reset/set-new', {
      headers: { cookie },
      body: { newPassword: PASSWORD },
    });
    const { body } = await expectDescribed(200, 'POST', '/login', { body: { email, password: PASSWORD } });
    const renewed = { authorization: `Bearer ${body.access}` };
    await expectDescribed(401, 'POST', '/email/change', {
      headers,
      body: { email: 'new@example.com', password: PASSWORD },
    });
    await expectDescribed(202, 'POST', '/email/change', {
      headers: renewed,
      body: { email: 'new@example.com', password: PASSWORD },
    });
    await app.open(await app.linkTo('new@example.com'));
    await expectDescribed(400, 'GET', '/registration/verification/unknown', {
      template: '/registration/verification/{key}',
    });
    const invitation = { email: 'guest@example.com', role: 0 };
    await expectDescribed(403, 'POST', '/registration/user-register', { headers: renewed, body: invitation });
    await app.database.pool.query(`update app_user set role = 1000 where email = 'new@example.com'`);
    const staff = bearerOf(
      await expectDescribed(200, 'POST', '/login', { body: { email: 'new@example.com', password: PASSWORD } }),
    );
    await expectDescribed(201, 'POST', '/registration/user-register', { headers: staff, body: invitation });
    const taken = { ...invitation, email: 'new@example.com' };
    await expectDescribed(409, 'POST', '/registration/user-register', { headers: staff, body: taken });
    expect((await app.client().send('GET', '/admin/report', undefined, staff)).status).toBe(200);
    const refused = await app.client().send('GET', '/admin/report', undefined, renewed);
    expect([refused.status, ...faults('GET', '/admin/report', refused)]).toEqual([403]);
    expect([...statuses].sort()).toEqual(expect.arrayContaining([200, 201, 202, 204, 400, 401, 403]));
  });
});

test('the public keys of key pairs are as described', async () => {
  const app = await createMailApp((await newKey('ES256')).settings);
  const answer = await app.client().send('GET', '/auth/.well-known/jwks.json');
  expect(answer.body.keys).toHaveLength(1);
  expect(answerChecker(documentOf(app))('GET', '/auth/.well-known/jwks.json', answer)).toEqual([]);
  await app.close();
});

test('an answer that is not as described is noticed', async () => {
  const app = await createMailApp({});
  const faults = answerChecker(documentOf(app));
  const answer = await app.client().send('GET', '/auth/user');
  const tell = (changes: object) => faults('GET', '/auth/user', { ...answer, ...changes });
  expect(tell({})).toEqual([]);
  expect(tell({ status: 418 })).toEqual(['GET /auth/user is not described with 418']);
  expect(tell({ status: 200 })).toEqual(['application/problem+json is not described']);
  expect(tell({ body: { ...answer.body, code: 'not_found' } })).toEqual([
    expect.stringContaining('code must be equal'),
  ]);
  expect(tell({ body: { ...answer.body, detail: 1 } })).toEqual([expect.stringContaining('detail must be string')]);
  expect(tell({ headers: new Headers({ 'content-type': 'application/problem+json' }) })).toEqual([
    'WWW-Authenticate is missing',
  ]);
  await app.close();
});
