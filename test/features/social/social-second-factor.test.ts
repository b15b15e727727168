import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestProvider, type TestProvider } from '../../../src/features/social/testing/index.js';
import type { MailApp } from '../../support/mail-app.js';
import { createPerson, type Person } from '../../support/person.js';
import { claimsOf } from '../../support/race.js';
import { createSocialApp, linksOf, SocialBrowser, trusted } from '../../support/social-app.js';
import type { TestClient } from '../../support/test-client.js';
import { type Enrolment, enrol, verify } from '../../support/totp-app.js';

const HOME = 'http://accounts.test/';

let provider: TestProvider;
beforeAll(async () => {
  provider = await startTestProvider();
});
afterAll(() => provider.close());

describe.each(['cookie', 'body'] as const)('a user with a second factor, with the refresh token in a %s', (mode) => {
  let app: MailApp;
  const events: unknown[] = [];
  beforeAll(async () => {
    const providers = [trusted(provider), trusted(provider, 'strong', { trustMfa: true })];
    app = await createSocialApp({ providers }, { refreshTokenTransport: mode });
    provider.clock = app.clock;
    app.auth.events.on('provider.connected', (event) => events.push(event));
  });
  afterAll(() => app.close());

  /** A user with a confirmed address and an authenticator app, who is at the provider now. */
  async function owner(amr?: string[]): Promise<Person & { factor: Enrolment; sub: string }> {
    const person = await createPerson(app);
    const session = await app.auth.sessions.open({ id: person.id });
    const client: TestClient = Object.assign(app.client(), { access: session.access, refreshToken: session.refresh });
    const factor = await enrol(app, client);
    await app.auth.sessions.revokeAll(person.id);
    const sub = `sub-${person.email}`;
    provider.signInAs({ sub, email: person.email, ...(amr && { amr }) });
    events.splice(0);
    return { ...person, factor, sub };
  }
  const linked = async ({ email }: Person) => (await linksOf(app)).filter(({ user }) => user === email).length;

  /** Signs in at the provider, and expects the challenge. */
  async function challenged(): Promise<string> {
    const browser = new SocialBrowser(app);
    const landing = await browser.signIn('test', { returnTo: '/in' });
    const { challenge = '', ...others } = landing.fragment;
    expect([landing.status, landing.location?.split('#')[0], landing.query]).toEqual([303, `${HOME}in`, {}]);
    expect(others).toEqual({
      error: 'second_factor_required',
      status: '401',
      methods: 'totp,recovery_code',
      expires_in: '300',
    });
    expect(challenge).toMatch(/^[\w-]{43}$/);
    expect(browser.jar.all.map(({ name }) => name)).toEqual(['social_browser']);
    return challenge;
  }

  /** Connects the account of the visitor, with the second factor. */
  async function connect(id: string, { factor }: { readonly factor: Enrolment }): Promise<void> {
    const { fragment } = await new SocialBrowser(app).signIn(id);
    const answer = await verify(app.client(), { challenge: fragment['challenge'] ?? '', code: factor.next() });
    expect(answer.status).toBe(200);
  }

  test('gets a challenge, and the account is connected only when it is answered', async () => {
    const person = await owner();
    const challenge = await challenged();
    expect([await linked(person), await person.live(), events]).toEqual([0, [], []]);
    const client = app.client();
    const wrong = await verify(client, { challenge, code: '000000' });
    expect([wrong.body.code, await linked(person)]).toEqual(['code_not_valid', 0]);
    expect((await verify(client, { challenge, code: person.factor.next() })).status).toBe(200);
    expect(claimsOf(client.access)).toMatchObject({ sub: person.id, amr: ['fed', 'otp', 'mfa'] });
    expect([await linked(person), (await person.live()).length]).toEqual([1, 1]);
    expect(events).toMatchObject([{ user: person.id, provider: 'test' }]);
  });

  test('who abandons the sign-in leaves no connection, and an expired challenge leaves none either', async () => {
    const person = await owner();
    const challenge = await challenged();
    app.clock.advance(301);
    const late = await verify(app.client(), { challenge, code: person.factor.next() });
    expect([late.body.code, await linked(person), events]).toEqual(['challenge_not_valid', 0, []]);
    // A sign-in with the provider still needs the factor, and opens no session.
    await challenged();
    expect([await linked(person), await person.live()]).toEqual([0, []]);
  });

  test('is asked for the factor at each sign-in, also after the account is connected', async () => {
    const person = await owner();
    await verify(app.client(), { challenge: await challenged(), code: person.factor.next() });
    await app.auth.sessions.revokeAll(person.id);
    const challenge = await challenged();
    expect(await person.live()).toEqual([]);
    expect((await verify(app.client(), { challenge, code: person.factor.next() })).status).toBe(200);
    expect(await linked(person)).toBe(1);
  });

  test('is not asked for the factor if the provider has checked one and the app trusts it for that', async () => {
    const person = await owner(['pwd', 'mfa']);
    await challenged(); // `test` is not trusted for it
    await connect('strong', person);
    const browser = new SocialBrowser(app);
    const client = await browser.client(await browser.signIn('strong'));
    expect(claimsOf(client.access)).toMatchObject({ sub: person.id, amr: ['fed', 'mfa'] });
    const without = await owner(['pwd']);
    expect((await new SocialBrowser(app).signIn('strong')).fragment).toMatchObject({ error: 'second_factor_required' });
    expect(await without.live()).toEqual([]);
  });

  test('is asked before an account is connected, whatever the provider says: the mailbox may be in other hands', async () => {
    const person = await owner(['pwd', 'mfa']);
    const { fragment } = await new SocialBrowser(app).signIn('strong');
    expect([fragment['error'], await linked(person), await person.live()]).toEqual(['second_factor_required', 0, []]);
    const body = { idToken: provider.idToken({ nonce: 'n', amr: ['pwd', 'mfa'] }), nonce: 'n' };
    const native = await app.client().send('POST', '/auth/social/strong/token', body);
    expect([native.body.code, await linked(person), await person.live()]).toEqual(['second_factor_required', 0, []]);
  });

  test('gets a challenge for an ID token of a native app, too', async () => {
    const person = await owner();
    const body = { idToken: provider.idToken({ nonce: 'n' }), nonce: 'n' };
    const answer = await app.client().send('POST', '/auth/social/test/token', body);
    expect([answer.status, answer.body.code, await linked(person)]).toEqual([401, 'second_factor_required', 0]);
    const { challenge } = answer.body;
    expect((await verify(app.client(), { challenge, code: person.factor.next() })).status).toBe(200);
    expect(await linked(person)).toBe(1);
  });

  test('has the account connected once, if two challenges for it are answered at the same time', async () => {
    const person = await owner();
    const [one, two] = [await challenged(), await challenged()];
    const code = person.factor.next();
    const answers = await Promise.all([one, two].map((challenge) => verify(app.client(), { challenge, code })));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1); // a code is good once
    const left = answers.findIndex(({ status }) => status !== 200);
    const again = await verify(app.client(), { challenge: [one, two][left] ?? '', code: person.factor.next() });
    expect([again.status, await linked(person)]).toEqual([401, 1]); // connecting has voided the other
  });
});
