import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { invitationFlow, type MailedPasswordFlow, passwordResetFlow } from '../../src/http/mailed-password-flow.js';
import { StaffController } from '../support/documented.controllers.js';
import { answerChecker, documentOf, operationsOf } from '../support/documented-app.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { type Answer, PASSWORD } from '../support/test-client.js';
import { newKey } from '../support/test-keys.js';

const server = { controllers: [StaffController] };

const JSON_BODY = { 'content-type': 'application/json' };
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const LONG = 'x'.repeat(120_000);

/** Faults that any request with input or a token can have. */
const WRONG: { readonly headers: Record<string, string>; readonly body?: string }[] = [
  { headers: {} },
  { headers: { origin: 'https://elsewhere.example' } },
  { headers: { cookie: 'refresh_token=nonsense' } },
  { headers: JSON_BODY, body: '{"refresh":"nonsense"}' },
  { headers: JSON_BODY, body: '{"newPassword":"a sentence of some length"}' },
  { headers: JSON_BODY, body: '{' },
  { headers: JSON_BODY, body: JSON.stringify({ email: LONG }) },
  { headers: FORM, body: `newPassword=${LONG}` },
  { headers: { 'content-type': 'text/plain' }, body: 'a=b' },
];

/** These need a database that is away, a server error, or a rate limit: they have tests of their own. */
const RARE = ['429', '500', '503'];

describe.each([
  ['cookies', {}],
  ['bodies', { refreshTokenAsCookie: false }],
  ['confirmed addresses', { emailVerification: 'mandatory' }],
] as const)('answers with %s match the document', (_name, settings) => {
  let app: MailApp;
  let check: ReturnType<typeof answerChecker>;
  let seen: Set<string>;
  beforeAll(async () => {
    const limit = '5/1h/account';
    app = await createMailApp(
      { invitations: true, loginRateLimit: limit, ...settings },
      { controllers: server.controllers },
    );
    check = answerChecker(documentOf(app, server));
    seen = new Set();
  });
  afterAll(() => app.close());

  /** Returns the undocumented parts of an answer, and remembers the documented ones. */
  const faults: typeof check = (method, path, answer) => {
    seen.add(`${method} ${path} ${answer.status}`);
    return check(method, path, answer);
  };

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
    return answer;
  }

  /** Opens a mailed link as a browser does; returns the cookie that the answer sets, if any. */
  async function expectOpened(status: number, link: string, template: string): Promise<string> {
    const page = await app.open(link);
    const body = status === 303 ? '' : page.html; // Express writes a sentence into redirects
    expect([page.status, ...faults('GET', `/auth${template}`, { ...page, body })], template).toEqual([status]);
    return [...page.cookies.values()][0]?.split(';')[0] ?? '';
  }

  /** Sets the password with the app's own form for one link, and with the library's form for another. */
  async function expectPasswordsSet({ link, setNew, form }: MailedPasswordFlow, newLink: () => Promise<string>) {
    const headers = { cookie: await expectOpened(303, await newLink(), `${link}/{key}`) };
    await expectDescribed(200, 'GET', form, { headers });
    await expectDescribed(400, 'POST', form, { headers: { ...FORM, ...headers }, body: 'newPassword=short' });
    await expectDescribed(200, 'POST', setNew, { headers, body: { newPassword: PASSWORD } });
    const cookie = await expectOpened(303, await newLink(), `${link}/{key}`);
    const body = String(new URLSearchParams({ newPassword: PASSWORD }));
    await expectDescribed(200, 'POST', form, { headers: { ...FORM, cookie }, body });
  }

  const isMandatory = 'emailVerification' in settings;
  const isCookie = !('refreshTokenAsCookie' in settings);

  /** Signs a user up, so that the user can sign in. */
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
    const proof = { headers: { DPoP: 'not a proof' }, body: { email: 'proof@example.com', password: PASSWORD } };
    if (!isMandatory) await expectDescribed(401, 'POST', '/registration', proof);
    const invalid = { email, password: 'short', nickname: 'x' };
    expect((await expectDescribed(400, 'POST', '/registration', { body: invalid })).body.errors).toHaveLength(2);
    await expectDescribed(401, 'POST', '/login', { body: { email, password: 'wrong, wrong' } });
    const refreshed = await expectDescribed(200, 'POST', '/refresh', refreshOf(signedIn));
    if (isCookie) {
      const nothing = await expectDescribed(204, 'POST', '/refresh?quiet=true', { template: '/refresh' });
      expect([nothing.body, nothing.cookie]).toEqual(['', undefined]);
      await expectDescribed(400, 'POST', '/refresh?quiet=false', { template: '/refresh' });
    }
    await expectDescribed(204, 'POST', '/logout', refreshOf(refreshed));
    await expectDescribed(401, 'POST', '/refresh', refreshOf(refreshed));
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
    await expectDescribed(200, 'PATCH', '/user', { headers, body: { firstName: 'Bob' } });
    await expectDescribed(400, 'PATCH', '/user', { headers, body: { firstName: 'x'.repeat(200) } });
    const { body } = await expectDescribed(200, 'GET', '/sessions', { headers });
    const template = '/sessions/{id}';
    await expectDescribed(404, 'DELETE', '/sessions/nonsense', { headers, template });
    await expectDescribed(204, 'POST', '/sessions/revoke-others', { headers });
    await expectDescribed(200, 'POST', '/reauthenticate', { headers, body: { password: PASSWORD } });
    await expectDescribed(401, 'POST', '/reauthenticate', { headers, body: { password: 'wrong' } });
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
    const leave = { headers: last, body: { password: passwords.newPassword } };
    const { pool } = app.database;
    await pool.query('create table invoice as select id from app_user where email = $1', [email]);
    await pool.query('alter table invoice add foreign key (id) references app_user');
    await expectDescribed(409, 'DELETE', '/user', leave);
    await pool.query('drop table invoice');
    await expectDescribed(204, 'DELETE', '/user', leave);
  });

  test('by mail', async () => {
    let count = 0;
    await expectPasswordsSet(passwordResetFlow(app.auth.settings), async () => {
      const email = `eve${++count}@example.com`;
      await signUp(email);
      await expectDescribed(202, 'POST', '/password/reset', { body: { email } });
      return app.linkTo(email, isMandatory ? 2 : 1);
    });
    await expectDescribed(202, 'POST', '/registration/verification/resend', { body: { email: 'nobody@example.com' } });
    const headers = bearerOf(await signUp('old@example.com'));
    await expectDescribed(409, 'POST', '/reauthenticate/code', { headers });
    await expectDescribed(409, 'POST', '/reauthenticate', { headers, body: { mailCode: 'ABCD-EFGH' } });
    const withoutPassword = bearerOf(await signUp('passwordless@example.com'));
    const { pool } = app.database;
    await pool.query(`update app_user set password_hash = null where email = 'passwordless@example.com'`);
    await expectDescribed(202, 'POST', '/reauthenticate/code', { headers: withoutPassword });
    const change = { email: 'new@example.com', password: PASSWORD };
    await expectDescribed(401, 'POST', '/email/change', { headers, body: { ...change, password: 'wrong, wrong' } });
    await expectDescribed(202, 'POST', '/email/change', { headers, body: change });
    await expectOpened(200, await app.linkTo('new@example.com'), '/registration/verification/{key}');
    const undo = await app.linkTo('old@example.com', isMandatory ? 3 : 2);
    const cookie = await expectOpened(303, undo, '/email/undo/{key}');
    const invitation = { email: 'guest@example.com', role: 0 };
    await expectDescribed(403, 'POST', '/registration/user-register', { headers, body: invitation });
    await app.database.pool.query(`update app_user set role = 1000 where email = 'new@example.com'`);
    const staff = bearerOf(await expectDescribed(200, 'POST', '/login', { body: change }));
    await expectPasswordsSet(invitationFlow(app.auth.settings), async () => {
      const email = `guest${++count}@example.com`;
      const body = { ...invitation, email };
      await expectDescribed(201, 'POST', '/registration/user-register', { headers: staff, body });
      return app.linkTo(email);
    });
    const taken = { ...invitation, email: 'new@example.com' };
    await expectDescribed(409, 'POST', '/registration/user-register', { headers: staff, body: taken });
    expect((await app.client().send('GET', '/admin/report', undefined, staff)).status).toBe(200);
    const refused = await app.client().send('GET', '/admin/report', undefined, headers);
    expect([refused.status, ...faults('GET', '/admin/report', refused)]).toEqual([403]);
    await expectDescribed(200, 'GET', '/email/undo-form', { headers: { cookie } });
    await expectDescribed(200, 'POST', '/email/undo-form', { headers: { cookie } });
  });

  test('to invalid requests', async () => {
    const bearer = bearerOf(await signUp('mallory@example.com'));
    for (const { method, path, operation } of operationsOf(documentOf(app))) {
      for (const { headers, body } of WRONG) {
        if (method === 'get' && body) continue;
        // The token is sent with bodies that are refused: nothing succeeds, so it stays valid.
        const sent = { ...headers, ...(operation.requestBody && body && bearer) };
        const answer = await app.client().send(method.toUpperCase(), path.replace(/\{\w+\}/, 'unknown'), body, sent);
        expect(faults(method.toUpperCase(), path, answer), `${method} ${path} ${body}`).toEqual([]);
      }
    }
  });

  // Uses the answers of the tests above.
  test('and the document describes no other answers', () => {
    const described = operationsOf(documentOf(app)).flatMap(({ method, path, operation }) =>
      Object.keys(operation.responses).map((status) => ({ status, name: `${method.toUpperCase()} ${path} ${status}` })),
    );
    const unseen = described.filter(({ status, name }) => !RARE.includes(status) && !seen.has(name));
    expect(unseen.map(({ name }) => name)).toEqual([]);
  });
});

test('the public keys of key pairs match the document', async () => {
  const app = await createMailApp((await newKey('ES256')).settings);
  const answer = await app.client().send('GET', '/auth/.well-known/jwks.json');
  expect(answer.body.keys).toHaveLength(1);
  expect(answerChecker(documentOf(app))('GET', '/auth/.well-known/jwks.json', answer)).toEqual([]);
  await app.close();
});

test('an answer that does not match the document is detected', async () => {
  const app = await createMailApp({});
  const faults = answerChecker(documentOf(app));
  const answer = await app.client().send('GET', '/auth/user');
  const faultsWith = (changes: object) => faults('GET', '/auth/user', { ...answer, ...changes });
  expect(faultsWith({})).toEqual([]);
  expect(faultsWith({ status: 418 })).toEqual(['GET /auth/user is not described with 418']);
  expect(faultsWith({ status: 200 })).toEqual(['application/problem+json is not described']);
  expect(faultsWith({ body: { ...answer.body, code: 'not_found' } })).toEqual([
    expect.stringContaining('code must be equal'),
  ]);
  expect(faultsWith({ body: { ...answer.body, detail: 1 } })).toEqual([
    expect.stringContaining('detail must be string'),
  ]);
  expect(faultsWith({ headers: new Headers({ 'content-type': 'application/problem+json' }) })).toEqual([
    'WWW-Authenticate is missing',
  ]);
  await app.close();
});
