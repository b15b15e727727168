import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestProvider, type TestProvider } from '../../../src/features/social/testing/index.js';
import { expectProblem } from '../../support/expect-problem.js';
import type { MailApp } from '../../support/mail-app.js';
import { secrets } from '../../support/secrets.js';
import { createSocialApp, SocialBrowser, trusted } from '../../support/social-app.js';

let provider: TestProvider;
let app: MailApp;
let count = 0;
beforeAll(async () => {
  provider = await startTestProvider();
  app = await createSocialApp({ providers: [trusted(provider)] }, { refreshTokenTransport: 'both' });
});
afterAll(async () => {
  await app.close();
  await provider.close();
});

function newVerifier(): string {
  const verifier = randomBytes(32).toString('base64url');
  secrets.add(verifier);
  return verifier;
}
const s256 = (verifier: string) => createHash('sha256').update(verifier).digest('base64url');

/** Signs a user in, with or without a challenge. @returns the code for the tokens */
async function codeOf(verifier?: string): Promise<string> {
  provider.signInAs({ sub: `bound-${++count}`, email: `bound${count}@example.com` });
  const query = { transport: 'body', ...(verifier && { exchange_challenge: s256(verifier) }) };
  return (await new SocialBrowser(app).signIn('test', query)).fragment['code'] ?? '';
}
const exchange = (body: object) =>
  app.client().send('POST', '/auth/social/exchange', body, { 'auth-transport': 'body' });

describe('a code for tokens that a client has bound to itself with a challenge', () => {
  test('needs the verifier; a wrong attempt uses nothing up', async () => {
    const verifier = newVerifier();
    const code = await codeOf(verifier);
    const { pool } = app.database;
    const sessions = async () => (await pool.query('select 1 from auth_session')).rowCount;
    const before = await sessions();
    for (const wrong of [undefined, '', newVerifier(), s256(verifier), `${verifier} `]) {
      expectProblem(await exchange({ code, verifier: wrong }), 401, 'token_not_valid');
    }
    expectProblem(await exchange({ code, verifier: 7 }), 400, 'validation_failed');
    expect(await sessions()).toBe(before);
    const answers = await Promise.all([1, 2, 3].map(() => exchange({ code, verifier })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401]);
  });

  test('is refused with the verifier of another sign-in, so that no user is signed in to a foreign account', async () => {
    const own = newVerifier();
    await codeOf(own);
    for (const foreign of [await codeOf(), await codeOf(newVerifier())]) {
      expectProblem(await exchange({ code: foreign, verifier: own }), 401, 'token_not_valid');
    }
  });

  test('is not offered for a challenge of another form, or for two', async () => {
    const challenge = s256(newVerifier());
    for (const query of [
      '=',
      `=${challenge}=`,
      `=${challenge.slice(1)}`,
      `=${challenge}&exchange_challenge=x`,
      '=%00',
    ]) {
      const start = `/auth/social/test?transport=body&exchange_challenge${query}`;
      expectProblem(await app.client().send('GET', start), 400, 'bad_request');
    }
  });

  test('is stored with the challenge only', async () => {
    const verifier = newVerifier();
    const code = await codeOf(verifier);
    const sql = 'select * from auth_social_exchange where challenge = $1';
    const { rows } = await app.database.pool.query(sql, [s256(verifier)]);
    expect(rows).toHaveLength(1);
    expect(JSON.stringify([rows, app.log])).not.toMatch(new RegExp(`${verifier}|${code}`));
  });
});

test('the redirect to a provider has its own fragment: browsers would add that of the request, which may be a code', async () => {
  provider.signInAs({ sub: 'chained', email: 'chained@example.com' });
  const browser = new SocialBrowser(app);
  const landing = await browser.signIn('test', { transport: 'body', returnTo: '/auth/social/test?transport=body' });
  expect(Object.keys(landing.fragment)).toEqual(['code']);
  // The browser follows, and keeps the fragment if the next address has none (RFC 9110 §10.2.2).
  const next = await browser.open(landing.location?.split('#')[0] ?? '');
  expect([next.status, next.location?.startsWith(provider.issuer), next.location?.split('#')[1]]).toEqual([
    303,
    true,
    '',
  ]);
});
