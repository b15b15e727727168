import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { NewUserValues } from '../../../src/features/social/index.js';
import { startTestProvider, type TestProvider } from '../../../src/features/social/testing/index.js';
import { JwtAllauthError } from '../../../src/index.js';
import { expectProblem } from '../../support/expect-problem.js';
import type { MailApp } from '../../support/mail-app.js';
import { createPerson } from '../../support/person.js';
import { createSocialApp, SocialBrowser, trusted } from '../../support/social-app.js';
import type { TestClient } from '../../support/test-client.js';

const HOME = 'http://accounts.test/';
const FAILED = 'sign-in with a provider failed';

let provider: TestProvider;
let app: MailApp;
/** What the app's hook does. */
let mapProfile: () => NewUserValues | undefined;
let count = 0;

beforeAll(async () => {
  provider = await startTestProvider();
  const down = await startTestProvider();
  const providers = [trusted(provider), trusted(provider, 'doubted', { trustEmail: false }), trusted(down, 'down')];
  await down.close();
  app = await createSocialApp({ providers, mapProfile: () => mapProfile() });
});
afterAll(async () => {
  await app.close();
  await provider.close();
});
afterEach(() => {
  mapProfile = () => undefined;
  app.log.splice(0);
});

/** A user of the provider whom the app does not know yet. */
function newPerson(more: object = {}) {
  const user = { sub: `failure-${++count}`, email: `failure${count}@example.com`, ...more };
  provider.signInAs(user);
  return user;
}
const lines = () => app.log.filter(({ level }) => level !== 'info');
const signIn = async (id = 'test', query = {}) => (await new SocialBrowser(app).signIn(id, query)).location;
const native = (idToken: string, { nonce = 'n', id = 'test' } = {}) =>
  app.client().send('POST', `/auth/social/${id}/token`, { idToken, nonce });
const connect = (client: TestClient) => client.send('POST', '/auth/social/down/connect', {}, client.bearer);

describe('a fault in mapProfile', () => {
  test('is logged with its message and its stack, in a redirect as in a native sign-in', async () => {
    newPerson();
    mapProfile = () => {
      throw new RangeError('the hook is broken');
    };
    const fault = {
      level: 'error',
      code: 'internal_error',
      error: 'RangeError',
      reason: 'the hook is broken',
      stack: expect.stringContaining('social-failures.test.ts'),
    };
    expect(await signIn()).toBe(`${HOME}?error=internal_error#status=500`);
    expectProblem(await native(provider.idToken({ nonce: 'n' })), 500, 'internal_error');
    expect(lines()).toMatchObject([
      { ...fault, provider: 'test', message: FAILED },
      { ...fault, message: 'request failed' },
    ]);
  });

  test('is a property that the entity of users does not have, or that only the library may write', async () => {
    for (const [property, reason] of [
      ['favouriteColour', 'mapProfile: AppUser has no property "favouriteColour"'],
      ['constructor', 'mapProfile: AppUser has no property "constructor"'],
      ['role', 'mapProfile: only the library may write "role" of a user'],
    ] as const) {
      const { email } = newPerson();
      mapProfile = () => ({ [property]: 'x' });
      expect(await signIn()).toBe(`${HOME}?error=internal_error#status=500`);
      expect(lines()).toMatchObject([{ error: 'TypeError', reason }]);
      expect((await app.database.pool.query('select 1 from app_user where email = $1', [email])).rows).toEqual([]);
      app.log.splice(0);
    }
  });
});

describe('a refused sign-in is logged once, with its provider and its code', () => {
  const refused = (code: string, provider = 'test') => ({ level: 'warn', message: FAILED, provider, code });

  test('if the app or the library refuses the person, and only the code', async () => {
    const { email } = await createPerson(app);
    provider.signInAs({ email, claims: { aud: 'test-client' } });
    expect(await signIn('doubted')).toBe(`${HOME}?error=email_already_registered#status=409`);
    const token = provider.idToken({ nonce: 'n' });
    expectProblem(await native(token, { id: 'doubted' }), 409, 'email_already_registered');
    newPerson({ emailVerified: false });
    expect(await signIn()).toBe(`${HOME}?error=provider_email_not_verified#status=403`);
    mapProfile = () => {
      const cause = new Error('ada@example.com is on the list');
      throw new JwtAllauthError('on_the_list', { status: 403, detail: 'No.', cause });
    };
    newPerson();
    expect(await signIn()).toBe(`${HOME}?error=on_the_list#status=403`);
    expect(lines()).toEqual([
      refused('email_already_registered', 'doubted'),
      refused('email_already_registered', 'doubted'),
      { ...refused('provider_email_not_verified'), causes: ['provider_email_not_verified'] },
      refused('on_the_list'),
    ]);
  });

  test('with the cause, if the ID token of a native app is not valid', async () => {
    newPerson();
    const token = provider.idToken({ nonce: 'n' });
    expect((await native(token)).status).toBe(200);
    for (const [idToken, nonce, cause] of [
      ['no token', 'n', 'the ID token is not a JWT'],
      [provider.idToken({ nonce: 'n', aud: 'other' }), 'n', /`aud` that is no client id/],
      [provider.idToken({ nonce: 'n' }), 'other', /nonce/],
      [token, 'n', 'the ID token was used before'],
    ] as const) {
      expectProblem(await native(idToken, { nonce }), 401, 'provider_refused');
      const causes = expect.arrayContaining(['provider_refused', expect.stringMatching(cause)]);
      expect(lines()).toEqual([{ ...refused('provider_refused'), causes }]);
      expect(JSON.stringify(app.log)).not.toContain('eyJ');
      app.log.splice(0);
    }
  });

  test('with the host and port of a provider that is down, also when an account is connected', async () => {
    const client = await app.signedUp();
    app.log.splice(0);
    expectProblem(await connect(client), 503, 'provider_unavailable');
    const causes = expect.arrayContaining([expect.stringMatching(/^connect ECONNREFUSED 127\.0\.0\.1:\d+$/)]);
    expect(lines()).toEqual([
      { ...refused('provider_unavailable', 'down'), causes },
      expect.objectContaining({ level: 'error', message: 'request failed' }),
    ]);
  });

  test('with the refused URL to return to and the name of the setting, but without what may be secret', async () => {
    const start = (query: string) => app.client().send('GET', `/auth/social/test?${query}`);
    expectProblem(await start('returnTo=https://me:pw@other.example/in?key=1'), 400, 'return_url_not_allowed');
    expectProblem(await start('returnTo=/in%23/route'), 400, 'return_url_not_allowed');
    expectProblem(await start('returnTo=/a&returnTo=/b'), 400, 'return_url_not_allowed');
    expect(lines().map(({ causes }) => (causes as string[])[1])).toEqual([
      'socialReturnUrls does not allow https://…@other.example/in?…',
      'returnTo has a fragment: /in#…',
      'socialReturnUrls does not allow object',
    ]);
  });

  test('unless it is a question to the user, or no limit counts the request', async () => {
    expectProblem(await native('x', { id: 'nowhere' }), 404, 'provider_not_found');
    const client = await app.signedUp();
    app.clock.advance(3600);
    await client.refresh();
    app.log.splice(0);
    expect([(await connect(client)).body.code, lines()]).toEqual(['reauthentication_required', []]);
  });
});

test('requests above the limit are not logged: a returnTo that is refused counts', async () => {
  const limited = await createSocialApp({ providers: [trusted(provider)] }, { socialRateLimit: '2/15m/ip' });
  const start = () => limited.client().send('GET', '/auth/social/test?returnTo=https://other.example');
  const statuses = [(await start()).status, (await start()).status, (await start()).status];
  expect(statuses).toEqual([400, 400, 429]);
  expect(limited.log.filter(({ message }) => message === FAILED)).toHaveLength(2);
  await limited.close();
});
