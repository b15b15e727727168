import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { expectProblem } from '../../support/expect-problem.js';
import { COOKIE, createMagicLinkApp, type MagicLinkApp, wrong } from '../../support/magic-link-app.js';
import { createPerson } from '../../support/person.js';
import { claimsOf } from '../../support/race.js';
import { TestClient } from '../../support/test-client.js';

const UNKNOWN = 'x'.repeat(43);

describe.each([
  ['in cookie mode', true],
  ['in body mode', false],
])('%s', (_mode, refreshTokenAsCookie) => {
  let app: MagicLinkApp;
  beforeAll(async () => {
    app = await createMagicLinkApp({ refreshTokenAsCookie });
  });
  afterAll(() => app.close());

  /** Asserts that an answer has tokens in the right place, and that they refresh. */
  async function expectSignedIn(answer: Awaited<ReturnType<MagicLinkApp['verify']>>, user: string): Promise<void> {
    const names = refreshTokenAsCookie ? ['access'] : ['access', 'refresh'];
    expect([answer.status, Object.keys(answer.body), answer.headers.get('cache-control')]).toEqual([
      200,
      names,
      'no-store',
    ]);
    expect(claimsOf(answer.body.access)).toMatchObject({ sub: user, amr: ['mail'] });
    expect(answer.cookie?.name).toBe(refreshTokenAsCookie ? 'refresh_token' : undefined);
    const client = app.client();
    client.refreshToken = answer.cookie?.value ?? answer.body.refresh;
    expect((await client.refresh()).status).toBe(200);
  }

  test('a code signs in once, with the request of the browser that asked for it, and uses up its link', async () => {
    const { id, email, live } = await createPerson(app);
    const { request, code, link } = await app.mailed(email);
    const cookie = await app.cookieOf(link);
    const answer = await app.verify({ request, code: `${code.slice(0, 3)} ${code.slice(3)}` });
    await expectSignedIn(answer, id);
    expectProblem(await app.verify({ request, code }), 401, 'code_not_valid');
    expect((await app.open(link)).status).toBe(400);
    expectProblem(await app.signIn(cookie), 401, 'token_not_valid');
    expect(await live()).toEqual([claimsOf(answer.body.access).session]);
  });

  test('a link sets a one-time cookie, which signs in once, and voids the code and all other opened pages', async () => {
    const { id, email, live } = await createPerson(app);
    const { request, code, link } = await app.mailed(email);
    const opened = await app.open(link);
    const [cookie = '', ...attributes] = opened.cookies.get(COOKIE)?.split('; ') ?? [];
    expect(attributes.filter((each) => !each.startsWith('Expires')).sort()).toEqual([
      'HttpOnly',
      'Max-Age=600',
      'Path=/auth',
      'SameSite=Lax',
    ]);
    const other = await app.cookieOf(link);
    const answer = await app.signIn(cookie);
    await expectSignedIn(answer, id);
    expect(answer.headers.getSetCookie().find((each) => each.startsWith(`${COOKIE}=;`))).toMatch(/Max-Age=0/);
    expectProblem(await app.signIn(other), 401, 'token_not_valid');
    expectProblem(await app.verify({ request, code }), 401, 'code_not_valid');
    expect(await live()).toHaveLength(1);
  });

  test('three wrong codes void the code and the link, and every page that was opened', async () => {
    const { email, live } = await createPerson(app);
    const { request, code, link } = await app.mailed(email);
    const cookie = await app.cookieOf(link);
    for (const by of [1, 2, 3])
      expectProblem(await app.verify({ request, code: wrong(code, by) }), 401, 'code_not_valid');
    expectProblem(await app.verify({ request, code }), 401, 'code_not_valid');
    expectProblem(await app.signIn(cookie), 401, 'token_not_valid');
    expect([(await app.open(link)).status, await live()]).toEqual([400, []]);
  });

  test('after two wrong codes, the right code and the link still work', async () => {
    const { id, email } = await createPerson(app);
    const first = await app.mailed(email);
    for (const by of [1, 2])
      expectProblem(await app.verify({ request: first.request, code: wrong(first.code, by) }), 401, 'code_not_valid');
    await expectSignedIn(await app.verify({ request: first.request, code: first.code }), id);
    const second = await app.mailed(email);
    for (const by of [1, 2]) await app.verify({ request: second.request, code: wrong(second.code, by) });
    await expectSignedIn(await app.signIn(await app.cookieOf(second.link)), id);
  });

  test('a code does not work with the request of another browser, or without a request', async () => {
    const { id, email } = await createPerson(app);
    const stranger = await app.mailed((await createPerson(app)).email);
    const { request, code } = await app.mailed(email);
    expectProblem(await app.verify({ request: stranger.request, code }), 401, 'code_not_valid');
    for (const each of [UNKNOWN, '', 'é'.repeat(43), request.slice(1)])
      expectProblem(await app.verify({ request: each, code }), 401, 'code_not_valid');
    expectProblem(await app.verify({ code }), 400, 'validation_failed');
    expectProblem(await app.verify({ request, code: Number(code) }), 400, 'validation_failed');
    await expectSignedIn(await app.verify({ request, code }), id);
  });

  test('a new request supersedes the older one: its code, its link and its pages', async () => {
    const { id, email } = await createPerson(app);
    const older = await app.mailed(email);
    const page = await app.cookieOf(older.link);
    const newer = await app.mailed(email);
    expectProblem(await app.verify({ request: older.request, code: older.code }), 401, 'code_not_valid');
    expectProblem(await app.verify({ request: older.request, code: newer.code }), 401, 'code_not_valid');
    expectProblem(await app.signIn(page), 401, 'token_not_valid');
    expect((await app.open(older.link)).status).toBe(400);
    await expectSignedIn(await app.verify({ request: newer.request, code: newer.code }), id);
  });

  test('a mail scanner that opens the link with GET and HEAD, even twice, does not use it up', async () => {
    const { id, email, live } = await createPerson(app);
    const { request, code, link } = await app.mailed(email);
    for (const method of ['GET', 'HEAD', 'GET', 'HEAD']) expect((await app.open(link, { method })).status).toBe(200);
    expect(await live()).toEqual([]);
    await expectSignedIn(await app.verify({ request, code }), id);
  });

  test('a page of another site cannot sign its visitor in', async () => {
    const { email, live } = await createPerson(app);
    const { request, code, link } = await app.mailed(email);
    const cookie = await app.cookieOf(link);
    const origin = 'https://evil.example';
    expectProblem(await app.signIn(cookie, { origin }), 403, 'csrf_failed');
    expect((await app.press(cookie, { origin })).status).toBe(403);
    expect((await app.press(cookie, { origin: 'null' })).status).toBe(403);
    if (refreshTokenAsCookie) expectProblem(await app.verify({ request, code }, { origin }), 403, 'csrf_failed');
    expect(await live()).toEqual([]);
    expect((await app.signIn(cookie)).status).toBe(200);
  });

  test('refuses an expired link and code', async () => {
    const { email } = await createPerson(app);
    const { request, code, link } = await app.mailed(email);
    app.clock.advance(599);
    const opened = await app.open(link);
    expect([opened.status, opened.cookies.get(COOKIE)]).toEqual([200, expect.stringContaining('Max-Age=1;')]);
    app.clock.advance(1);
    const cookie = opened.cookies.get(COOKIE)?.split(';')[0] ?? '';
    expectProblem(await app.verify({ request, code }), 401, 'code_not_valid');
    expectProblem(await app.signIn(cookie), 401, 'token_not_valid');
    expect((await app.open(link)).status).toBe(400);
  });
});

describe('the answer to a request', () => {
  let app: MagicLinkApp;
  afterEach(() => app.close());

  test('is the same for every address', async () => {
    app = await createMagicLinkApp({ emailVerification: 'optional' });
    const known = await createPerson(app);
    const inactive = await createPerson(app, { isActive: false });
    const answers = [];
    for (const email of [known.email, inactive.email, 'nobody@example.com']) answers.push(await app.ask(email));
    for (const { status, body, headers } of answers) {
      expect([status, body]).toEqual([202, { request: expect.stringMatching(/^[\w-]{43}$/) }]);
      expect([headers.get('cache-control'), headers.getSetCookie()]).toEqual(['no-store', []]);
    }
    await app.settled();
    const texts = app.sink.mails.map((mail) => [[mail.to].flat()[0]?.text, mail.subject]);
    expect(texts.sort()).toEqual(
      [
        [known.email, 'Sign in to accounts.test'],
        ['nobody@example.com', 'You have no account at accounts.test'],
      ].sort(),
    );
    // A guessed code is counted for every address, so that its answer takes the same time.
    for (const { body } of answers)
      expectProblem(await app.verify({ request: body.request, code: 'no code' }), 401, 'code_not_valid');
    const { rows } = await app.database.pool.query('select attempts, user_id is null as unknown from auth_magic_link');
    expect(rows.map(({ attempts }) => attempts)).toEqual([1, 1, 1]);
    expectProblem(await app.ask('no address'), 400, 'validation_failed');
  });

  test('is 429 over MAIL_RATE_LIMIT, for any address', async () => {
    app = await createMagicLinkApp({ mailRateLimit: '1/1h/account' });
    const { email } = await createPerson(app);
    for (const each of [email, 'nobody@example.com']) {
      expect((await app.ask(each)).status).toBe(202);
      expectProblem(await app.ask(each), 429, 'too_many_requests');
    }
  });

  test('is given to an older request that is processed late, but no mail is sent and the newer mail stays valid', async () => {
    app = await createMagicLinkApp();
    const { email } = await createPerson(app);
    const { request, code } = await app.mailed(email);
    app.clock.advance(-60);
    await app.ask(email);
    await app.settled();
    app.clock.advance(60);
    expect(app.sink.mails).toHaveLength(1);
    expect((await app.verify({ request, code })).status).toBe(200);
  });
});

test('without PUBLIC_URL, and without the module, the routes do not exist', async () => {
  const app = await createMagicLinkApp({ publicUrl: undefined, smtpUrl: undefined, emailFrom: undefined });
  const client = new TestClient(app.url, 'cookie', 'refresh_token');
  const answer = await client.send('POST', '/auth/magic-link', { email: 'ada@example.com' });
  await app.close();
  expect(answer.status).toBe(404);
});
