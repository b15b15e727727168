import { afterEach, describe, expect, test } from 'vitest';
import { magicLinkModule } from '../../../src/features/magic-link/index.js';
import { codesModule, codesOf, entitiesWith } from '../../support/codes.module.js';
import { expectProblem } from '../../support/expect-problem.js';
import { createMagicLinkApp, type MagicLinkApp, mailedTo, wrong } from '../../support/magic-link-app.js';
import { createPerson } from '../../support/person.js';
import { claimsOf } from '../../support/race.js';

const BEHIND_PROXY = {
  configure: (express: { set(name: string, value: unknown): unknown }) => express.set('trust proxy', 1),
};
const from = (ip: string) => ({ 'x-forwarded-for': ip });
const STRANGER = from('203.0.113.1');
const OWNER = from('198.51.100.7');

let app: MagicLinkApp;
afterEach(() => app.close());

describe('a stranger who asks for mails to a foreign address', () => {
  test('does not use up the limit of the owner, with the default limits', async () => {
    app = await createMagicLinkApp({ mailRateLimit: '5/1h/account,50/1h/ip' }, BEHIND_PROXY);
    const { email } = await createPerson(app);
    for (let i = 0; i < 5; i++) expect((await app.ask(email, STRANGER)).status).toBe(202);
    expectProblem(await app.ask(email, STRANGER), 429, 'too_many_requests');
    const { body } = await app.ask(email, OWNER);
    const { code } = await mailedTo(app, email, 6);
    expect((await app.verify({ request: body.request, code })).status).toBe(200);
  });

  test('is limited over all networks to four times the limit of one network', async () => {
    app = await createMagicLinkApp({ mailRateLimit: '2/1h/account' }, BEHIND_PROXY);
    const { email } = await createPerson(app);
    const answers: number[] = [];
    for (let i = 1; i <= 5; i++)
      for (let j = 0; j < 2; j++) answers.push((await app.ask(email, from(`203.0.113.${i}`))).status);
    expect(answers).toEqual([...Array(8).fill(202), 429, 429]);
  });

  test('voids the code of the owner, who signs in with the link of the latest mail', async () => {
    app = await createMagicLinkApp();
    const { id, email } = await createPerson(app);
    const own = await app.mailed(email);
    const { body } = await app.ask(email, STRANGER);
    const latest = await mailedTo(app, email, 2);
    expectProblem(await app.verify({ request: own.request, code: latest.code }), 401, 'code_not_valid');
    expectProblem(await app.verify({ request: body.request, code: own.code }), 401, 'code_not_valid');
    const answer = await app.signIn(await app.cookieOf(latest.link));
    expect([answer.status, claimsOf(answer.body.access).sub]).toEqual([200, id]);
  });
});

describe('wrong codes for an address', () => {
  test('are checked at most twenty times a day over all requests, and a link still works afterwards', async () => {
    app = await createMagicLinkApp();
    const { email } = await createPerson(app);
    for (let looked = 0; looked < 20; looked++) {
      const { request, code } = await app.mailed(email);
      expectProblem(await app.verify({ request, code: wrong(code) }), 401, 'code_not_valid');
    }
    const { request, code, link } = await app.mailed(email);
    // The code is not checked, and not counted for the request, whose link must stay usable.
    for (let i = 0; i < 5; i++) expectProblem(await app.verify({ request, code }), 401, 'code_not_valid');
    expect((await app.signIn(await app.cookieOf(link))).status).toBe(200);

    const other = await createPerson(app);
    const { link: _, ...others } = await app.mailed(other.email);
    expect((await app.verify(others)).status).toBe(200);

    app.clock.advance('1d');
    const { link: __, ...later } = await app.mailed(email);
    expect((await app.verify(later)).status).toBe(200);
  });

  test('are counted for an address without an account in the same way', async () => {
    app = await createMagicLinkApp({ auditLog: true });
    const { body } = await app.ask('nobody@example.com');
    await app.settled();
    for (let i = 0; i < 4; i++)
      expectProblem(await app.verify({ request: body.request, code: `00000${i}` }), 401, 'code_not_valid');
    const sql = `select user_id, details from auth_audit_event where event = 'magic-link.failed'`;
    const { rows } = await app.database.pool.query(sql);
    expect(rows).toEqual(Array(3).fill({ user_id: null, details: { ip: '127.0.0.1' } }));
    const counters = await app.database.pool.query('select count from auth_counter where count > 0');
    expect(counters.rows).toEqual([{ count: 3 }]);
  });

  test('emit events with the user; a right code emits none and counts nothing', async () => {
    app = await createMagicLinkApp();
    const { id, email } = await createPerson(app);
    const failed: unknown[] = [];
    app.auth.events.on('magic-link.failed', (event) => failed.push(event));
    const { request, code } = await app.mailed(email);
    await app.verify({ request, code: wrong(code) });
    expect((await app.verify({ request, code })).status).toBe(200);
    await app.verify({ request, code });
    expect(failed).toEqual([{ user: id, ip: '127.0.0.1', at: new Date(app.clock.now()) }]);
    const { rows } = await app.database.pool.query('select count from auth_counter where count > 0');
    expect(rows).toEqual([{ count: 1 }]);
  });
});

describe('the table', () => {
  test('has no secret, and one row for an address', async () => {
    app = await createMagicLinkApp();
    const { email } = await createPerson(app);
    const older = await app.mailed(email);
    const newer = await app.mailed(email);
    await app.settled();
    const { rows } = await app.database.pool.query('select * from auth_magic_link');
    expect(rows).toHaveLength(1);
    for (const { request, link, code } of [older, newer])
      for (const secret of [request, link.split('/').at(-1) ?? '', code])
        expect(Object.values(rows[0])).not.toContain(secret);
  });

  test('is emptied by purge after the lifetime, and with the account', async () => {
    app = await createMagicLinkApp();
    const { id, email } = await createPerson(app);
    await app.mailed(email);
    await app.ask('nobody@example.com');
    await app.settled();
    await app.database.pool.query('delete from app_user where id = $1', [id]);
    const rows = async () => (await app.database.pool.query('select email from auth_magic_link')).rows;
    expect(await rows()).toEqual([{ email: 'nobody@example.com' }]);
    app.clock.advance(599);
    expect(await app.auth.purge.run({ pause: async () => {} })).toMatchObject({ magicLinks: 0 });
    app.clock.advance(1);
    expect(await app.auth.purge.run({ pause: async () => {} })).toMatchObject({ magicLinks: 1 });
    expect(await rows()).toEqual([]);
  });
});

test.each([
  [true, undefined],
  [false, 'last_sign_in_method'],
])('only a confirmed address counts as a way to sign in (confirmed: %s)', async (emailVerified, refusal) => {
  const orm = { entities: entitiesWith(magicLinkModule, codesModule()) };
  app = await createMagicLinkApp({}, { orm, auth: { routes: { passwordReset: false } } });
  const { id } = await createPerson(app, { emailVerified, passwordHash: null });
  const { database, signInMethods } = codesOf(app.auth).kernel;
  const left = database.transaction((em) => signInMethods.assertOneLeft(id, em));
  expect(await left.catch(({ code }) => code)).toBe(refusal);
});
