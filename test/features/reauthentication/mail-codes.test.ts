import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMailApp, type MailApp } from '../../support/mail-app.js';
import { expectProblemDetails } from '../../support/problem-details.js';
import { claimsOf } from '../../support/race.js';
import { kernel, STEP_UP_ENTITIES } from '../../support/step-up.module.js';
import { PASSWORD, type TestClient } from '../../support/test-client.js';

let app: MailApp;
beforeAll(async () => {
  const settings = { loginRateLimit: '4/15m/account', mailRateLimit: '3/1h/account' };
  app = await createMailApp(settings, { orm: { entities: STEP_UP_ENTITIES } });
});
afterAll(() => app.close());

let count = 0;
const reauthenticate = (client: TestClient, mailCode: string) =>
  client.send('POST', '/auth/reauthenticate', { mailCode }, client.bearer);
const request = (client: TestClient) => client.send('POST', '/auth/reauthenticate/code', undefined, client.bearer);
const idOf = (client: TestClient): string => claimsOf(client.access).sub;

/** A client of a user without a password, whose proof is too old. */
async function passwordless(): Promise<{ client: TestClient; email: string; another: () => Promise<TestClient> }> {
  const email = `mail${++count}@example.com`;
  const client = await app.signedUp(email);
  await app.database.pool.query('update app_user set password_hash = null where email = $1', [email]);
  const another = async () => {
    const { access, refresh } = await app.auth.sessions.open({ id: idOf(client) });
    return Object.assign(app.client(), { access, refreshToken: refresh });
  };
  app.clock.advance(601);
  return { client, email, another };
}

/** The code in the newest of so many mails. */
async function codeIn(email: string, mails = 1): Promise<string> {
  const mail = (await app.mailsTo(email, mails)).at(-1);
  expect(mail?.subject).toBe('Confirm that it is you');
  const [code = ''] = mail?.text?.match(/\b[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}\b/) ?? [];
  expect(code).not.toBe('');
  expect(mail?.html).toContain(code);
  expect(mail?.text).toContain('within 10 minutes');
  return code;
}

describe('a code by mail', () => {
  test('makes the session fresh, once', async () => {
    const { client, email } = await passwordless();
    expectProblemDetails(await client.get('/auth/fresh'), 401, 'reauthentication_required');
    const asked = await request(client);
    expect([asked.status, asked.headers.get('cache-control')]).toEqual([202, 'no-store']);
    expect(asked.body).toEqual({ detail: 'Enter the code from the mail that was sent to your address.' });
    const code = await codeIn(email);
    const { status, body } = await reauthenticate(client, code);
    expect([status, Object.keys(body)]).toEqual([200, ['access']]);
    expect(claimsOf(body.access)).toMatchObject({ amr: ['pwd', 'mail'], auth_time: app.clock.now() / 1000 });
    expectProblemDetails(await reauthenticate(client, code), 401, 'incorrect_credentials');
    client.access = body.access;
    expect((await client.get('/auth/fresh')).body).toEqual({ ran: 'fresh' });
  });

  test('is accepted in any case, with and without the dash, and with letters that look like its digits', async () => {
    const forms = [
      (code: string) => code.toLowerCase(),
      (code: string) => ` ${code.replace('-', ' ')} `,
      (code: string) => code.replace('-', '').replaceAll('0', 'o').replaceAll('1', 'l'),
    ];
    for (const form of forms) {
      const { client, email } = await passwordless();
      await request(client);
      expect((await reauthenticate(client, form(await codeIn(email)))).status).toBe(200);
    }
  });

  test('works for one of two parallel requests', async () => {
    const { client, email } = await passwordless();
    await request(client);
    const code = await codeIn(email);
    const answers = await Promise.all([1, 2, 3].map(() => reauthenticate(client, code)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401]);
  });

  test('is void after ten minutes, and after a newer one', async () => {
    const { client, email } = await passwordless();
    await request(client);
    const first = await codeIn(email);
    await request(client);
    const second = await codeIn(email, 2);
    expectProblemDetails(await reauthenticate(client, first), 401, 'incorrect_credentials');
    app.clock.advance(600);
    expectProblemDetails(await reauthenticate(client, second), 401, 'incorrect_credentials');
  });

  test('works in the session that requested it, and in no other', async () => {
    const stranger = await passwordless();
    const { client, email, another } = await passwordless();
    await request(client);
    const code = await codeIn(email);
    expectProblemDetails(await reauthenticate(await another(), code), 401, 'incorrect_credentials');
    expectProblemDetails(await reauthenticate(stranger.client, code), 401, 'incorrect_credentials');
    expect((await reauthenticate(client, code)).status).toBe(200);
  });

  test('is void once the address or a credential has changed', async () => {
    const changes: ((id: string) => Promise<unknown>)[] = [
      (id) => app.database.pool.query(`update app_user set email = 'x' || email where id = $1`, [id]),
      (id) => kernel.database.transaction((em) => kernel.accounts.recordCredentialChange(id, em)),
      (id) => kernel.database.transaction((em) => kernel.oneTimeKeys.revokeAll(id, em)),
    ];
    for (const change of changes) {
      const { client, email } = await passwordless();
      await request(client);
      const code = await codeIn(email);
      await change(idOf(client));
      expectProblemDetails(await reauthenticate(client, code), 401, 'incorrect_credentials');
    }
  });

  test('cannot be guessed: wrong codes are counted for the session and reported', async () => {
    const { client, email } = await passwordless();
    await request(client);
    const code = await codeIn(email);
    const failures: unknown[] = [];
    const stop = app.auth.events.on('login.failed', ({ code: reason, user }) => failures.push([reason, user]));
    for (const guess of ['', 'ABCD-EFGH', `${code}0`, 'x'.repeat(50_000)]) {
      expectProblemDetails(await reauthenticate(client, guess), 401, 'incorrect_credentials');
    }
    expectProblemDetails(await reauthenticate(client, code), 429, 'too_many_requests');
    stop();
    const user = idOf(client);
    const wrong = Array.from({ length: 4 }, () => ['incorrect_credentials', user]);
    expect(failures).toEqual([...wrong, ['too_many_requests', user]]);
  });

  test('is stored as a hash, which cannot be computed from the code alone', async () => {
    const { client, email } = await passwordless();
    await request(client);
    const code = (await codeIn(email)).replace('-', '');
    const { rows } = await app.database.pool.query(
      `select hash, email from auth_one_time_key where purpose = 'reauthentication' and user_id = $1`,
      [idOf(client)],
    );
    expect(rows).toEqual([{ hash: expect.stringMatching(/^[\w-]{43}$/), email }]);
    expect(JSON.stringify(rows)).not.toContain(code);
  });
});

describe('POST /reauthenticate/code', () => {
  test('is refused for a user who has a password or a second factor, and sends nothing', async () => {
    const withPassword = await app.signedUp('password@example.com');
    const { client: withFactor, email } = await passwordless();
    await kernel.database.transaction((em) => kernel.accounts.setSecondFactor(idOf(withFactor), 'totp', true, em));
    for (const client of [withPassword, withFactor]) {
      expectProblemDetails(await request(client), 409, 'mail_code_not_available');
    }
    expectProblemDetails(await reauthenticate(withPassword, 'ABCD-EFGH'), 409, 'mail_code_not_available');
    await app.auth.outbox.deliver();
    expect(app.sink.mails.flatMap(({ to }) => [to].flat().map((each) => each?.text))).not.toContain(email);
  });

  test('is limited for each mailbox', async () => {
    const { client } = await passwordless();
    for (let mail = 0; mail < 3; mail++) expect((await request(client)).status).toBe(202);
    expectProblemDetails(await request(client), 429, 'too_many_requests');
  });

  test('needs a live session', async () => {
    const { client } = await passwordless();
    await client.copy().logout();
    expectProblemDetails(await request(client), 401, 'token_not_valid');
    expectProblemDetails(await request(app.client()), 401, 'not_authenticated');
  });
});

describe('a user without a password', () => {
  const change = (client: TestClient, more: object = {}) =>
    client.send('POST', '/auth/email/change', { email: `new${++count}@example.com`, ...more }, client.bearer);
  const leave = (client: TestClient, more: object = {}) => client.send('DELETE', '/auth/user', more, client.bearer);
  const setPassword = (client: TestClient, more: object = {}) =>
    client.send('POST', '/auth/password/change', { newPassword: 'another sentence, as long', ...more }, client.bearer);

  test.each([
    ['changes the address', change, 202],
    ['deletes the account', leave, 204],
    ['sets a first password', setPassword, 200],
  ])('%s in a fresh session, and in no other', async (_, send, status) => {
    const { client } = await passwordless();
    for (const more of [{}, send === setPassword ? { oldPassword: '' } : { password: '' }]) {
      expectProblemDetails(await send(client, more), 401, 'reauthentication_required');
    }
    const { rows } = await app.database.pool.query('select password_hash from app_user where id = $1', [idOf(client)]);
    expect(rows).toEqual([{ password_hash: null }]);
    const id = idOf(client);
    const { access } = await app.auth.sessions.open({ id }, { amr: ['ticket'] });
    const fresh = Object.assign(app.client(), { access });
    await kernel.database.transaction((em) => kernel.accounts.setSecondFactor(id, 'totp', true, em));
    expectProblemDetails(await send(fresh), 401, 'second_factor_required');
    await kernel.database.transaction((em) => kernel.accounts.setSecondFactor(id, 'totp', false, em));
    expect((await send(fresh)).status).toBe(status);
  });

  test('is not confused with a user who omits the password, who gets validation_failed', async () => {
    const client = await app.signedUp();
    for (const [send, field] of [
      [change, 'password'],
      [leave, 'password'],
      [setPassword, 'oldPassword'],
    ] as const) {
      const missing = await send(client);
      expectProblemDetails(missing, 400, 'validation_failed');
      expect(missing.body.errors).toEqual([{ field, messages: ['must be a string'] }]);
      expectProblemDetails(await send(client, { [field]: 'wrong' }), 401, 'incorrect_credentials');
    }
    app.clock.advance(601);
    expect((await change(client, { password: PASSWORD })).status).toBe(202); // the password is enough, as before
  });
});

test('a change of the address raises the credential epoch, so that challenges are void', async () => {
  const email = `before${++count}@example.com`;
  const client = await app.signedUp(email);
  const next = `after${++count}@example.com`;
  await client.send('POST', '/auth/email/change', { email: next, password: PASSWORD }, client.bearer);
  const epoch = async () => (await kernel.users.findById(idOf(client)))?.credentialEpoch;
  const before = await epoch();
  expect((await app.open(await app.linkTo(next))).status).toBe(200);
  expect(await epoch()).toBe((before ?? 0) + 1);
  await app.auth.deactivation.deactivate(idOf(client));
  expect(await epoch()).toBe((before ?? 0) + 2);
});
