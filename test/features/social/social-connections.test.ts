import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestProvider, type TestProvider } from '../../../src/features/social/testing/index.js';
import { expectProblem } from '../../support/expect-problem.js';
import type { MailApp } from '../../support/mail-app.js';
import { createPerson, type Person } from '../../support/person.js';
import { createSocialApp, linksOf, SocialBrowser, trusted } from '../../support/social-app.js';
import { PASSWORD, type TestClient } from '../../support/test-client.js';
import { enrol } from '../../support/totp-app.js';

const HOME = 'http://accounts.test/';

let provider: TestProvider;
let other: TestProvider;
let app: MailApp;
const events: [string, unknown][] = [];
let count = 0;

beforeAll(async () => {
  [provider, other] = await Promise.all([startTestProvider(), startTestProvider()]);
  app = await createSocialApp({ providers: [trusted(provider), trusted(other, 'other', { trustEmail: false })] });
  for (const name of ['provider.connected', 'provider.disconnected'] as const)
    app.auth.events.on(name, ({ at: _, ...event }) => events.push([name, event]));
  provider.clock = other.clock = app.clock;
});
afterAll(async () => {
  await app.close();
  await provider.close();
  await other.close();
});
beforeEach(() => {
  events.splice(0);
  const sub = `connecting-${++count}`;
  provider.signInAs({ sub, email: `${sub}@provider.example` });
  other.signInAs({ sub, email: `${sub}@other.example`, emailVerified: false });
});

/** A user with a password, signed in now. */
async function owner(more: Parameters<typeof createPerson>[1] = {}): Promise<Person & { client: TestClient }> {
  const person = await createPerson(app, more);
  const client = app.client();
  await client.login(person.email);
  return { ...person, client };
}

const linked = async ({ email }: { email: string }) =>
  (await linksOf(app)).filter(({ user }) => user === email).map((link) => link.provider);

/** Asks to connect an account, in a browser. */
async function connect(browser: SocialBrowser, client: TestClient, id = 'test', body: object = {}) {
  const headers = { ...client.bearer, 'content-type': 'application/json' };
  const answer = await browser.open(`/auth/social/${id}/connect`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers,
  });
  return { ...answer, body: JSON.parse(answer.html) };
}

/** Goes to the provider and back. */
async function finish(browser: SocialBrowser, url: string) {
  return browser.open((await browser.visit(new URL(url))).href);
}

describe('connecting an account of a provider', () => {
  test('adds it to the signed-in user, whatever its address, and the user can sign in with it', async () => {
    const person = await owner();
    for (const id of ['test', 'other']) {
      const browser = new SocialBrowser(app);
      const begun = await connect(browser, person.client, id, { returnTo: '/settings' });
      expect([begun.status, Object.keys(begun.body), begun.headers.get('cache-control')]).toEqual([
        200,
        ['url'],
        'no-store',
      ]);
      const landing = await finish(browser, begun.body.url);
      expect([landing.status, landing.location]).toEqual([303, `${HOME}settings`]);
      app.clock.advance(1); // the lists are in the order of time
      expect(browser.jar.all.map(({ name }) => name)).toEqual(['social_browser']); // no new session
    }
    expect(await linked(person)).toEqual(['test', 'other']);
    expect(events).toEqual([
      ['provider.connected', { user: person.id, provider: 'test' }],
      ['provider.connected', { user: person.id, provider: 'other' }],
    ]);
    const { body } = await person.client.get('/auth/social/accounts');
    const times = { connectedAt: expect.any(String), lastUsedAt: expect.any(String), id: expect.any(String) };
    expect(body).toEqual([
      { provider: 'test', email: `connecting-${count}@provider.example`, ...times },
      { provider: 'other', email: `connecting-${count}@other.example`, ...times },
    ]);
    expect((await person.client.refresh()).status).toBe(200);
    const browser = new SocialBrowser(app);
    await browser.signIn('other');
    expect((await (await browser.client()).get('/auth/user')).body).toMatchObject({ id: person.id });
    expect((await app.mailsTo(person.email, 2)).length).toBeGreaterThanOrEqual(2);
  });

  test('needs a recent proof, a session, and an allowed returnTo', async () => {
    const person = await owner();
    const browser = new SocialBrowser(app);
    const { client } = person;
    const anonymous = await connect(browser, app.client());
    expect([anonymous.status, anonymous.body.code]).toEqual([401, 'not_authenticated']);
    const evil = await connect(browser, client, 'test', { returnTo: 'https://evil.example' });
    expect([evil.status, evil.body.code]).toEqual([400, 'return_url_not_allowed']);
    const nowhere = await connect(browser, client, 'nowhere');
    expect([nowhere.status, nowhere.body.code]).toEqual([404, 'provider_not_found']);
    app.clock.advance('11m');
    await client.refresh();
    const stale = await connect(browser, client);
    expect([stale.status, stale.body.code]).toEqual([401, 'reauthentication_required']);
    const again = await client.send('POST', '/auth/reauthenticate', { password: PASSWORD }, client.bearer);
    client.access = again.body.access;
    expect((await connect(browser, client)).status).toBe(200);
    expect(await linked(person)).toEqual([]);
  });

  test('needs the second factor of a user who has one', async () => {
    const person = await owner();
    await enrol(app, person.client);
    const { access } = await app.auth.sessions.open({ id: person.id });
    const answer = await connect(new SocialBrowser(app), Object.assign(app.client(), { access }));
    expect([answer.status, answer.body.code]).toEqual([401, 'second_factor_required']);
  });

  test("is refused at once if the user has that provider, and at the end if the account is another user's", async () => {
    const [first, second] = [await owner(), await owner()];
    const browser = new SocialBrowser(app);
    await finish(browser, (await connect(browser, first.client)).body.url);
    const twice = await connect(browser, first.client);
    expect([twice.status, twice.body.code]).toEqual([409, 'provider_already_connected']);
    const begun = await connect(browser, second.client, 'test', { returnTo: '/in' });
    const landing = await finish(browser, begun.body.url);
    expect(landing.location).toBe(`${HOME}in?error=provider_already_connected#status=409`);
    expect([await linked(first), await linked(second)]).toEqual([['test'], []]);
  });

  test('belongs to the user who began it, in the browser where it began', async () => {
    const [attacker, victim] = [await owner(), await owner()];
    const attackers = new SocialBrowser(app);
    const { url } = (await connect(attackers, attacker.client)).body;
    // The victim, who is signed in, follows the attacker's link.
    const victims = new SocialBrowser(app);
    await connect(victims, victim.client, 'other');
    const callback = await victims.visit(new URL(url));
    expect((await victims.open(callback.href)).status).toBe(400);
    expect([await linked(attacker), await linked(victim)]).toEqual([[], []]);
    // And the other way round: the answer of a sign-in does not connect.
    const signIn = await victims.visit(await victims.start('other'));
    expect((await victims.open(signIn.href)).query['error']).toBe('provider_email_not_verified');
    expect(await linked(victim)).toEqual([]);
  });

  test('ends with the session, and with a change of the credentials', async () => {
    for (const change of [
      (person: Person) => app.auth.sessions.revokeAll(person.id),
      async ({ email, client }: Person & { client: TestClient }) => {
        await client.changePassword(PASSWORD, 'another sentence of some length');
        return email;
      },
      ({ id }: Person) => app.database.pool.query('update app_user set is_active = false where id = $1', [id]),
      // Another credential was added: the session continues, and a connection that began before is refused.
      async ({ client }: Person & { client: TestClient }) => enrol(app, client, { revokeOthers: false }),
    ]) {
      const person = await owner();
      const browser = new SocialBrowser(app);
      const { url } = (await connect(browser, person.client)).body;
      await change(person);
      expect((await finish(browser, url)).query['error']).toMatch(/^(token_not_valid|no_active_account)$/);
      expect(await linked(person)).toEqual([]);
    }
  });

  test('happens once, if it is answered twice at the same time', async () => {
    const person = await owner();
    const browsers = [new SocialBrowser(app), new SocialBrowser(app)];
    const callbacks: string[] = [];
    for (const [at, browser] of browsers.entries()) {
      provider.signInAs({ sub: `twice-${count}-${at}` });
      callbacks.push((await browser.visit(new URL((await connect(browser, person.client)).body.url))).href);
    }
    const landings = await Promise.all(browsers.map((browser, at) => browser.open(callbacks[at] ?? '')));
    expect(landings.map(({ query }) => query['error'] ?? 'connected').sort()).toEqual([
      'connected',
      expect.stringMatching(/^(provider_already_connected|token_not_valid)$/),
    ]);
    expect(await linked(person)).toEqual(['test']);
  });
});

describe('disconnecting an account of a provider', () => {
  const remove = (client: TestClient, id: string) =>
    client.send('DELETE', `/auth/social/accounts/${id}`, undefined, client.bearer);
  const idOf = async (client: TestClient) => (await client.get('/auth/social/accounts')).body[0]?.id as string;

  test('removes it, and it does not sign in that user afterwards', async () => {
    const person = await owner();
    const browser = new SocialBrowser(app);
    await finish(browser, (await connect(browser, person.client)).body.url);
    const id = await idOf(person.client);
    expect((await remove(person.client, id)).status).toBe(204);
    expect([await linked(person), events.at(-1)]).toEqual([
      [],
      ['provider.disconnected', { user: person.id, provider: 'test', by: 'user' }],
    ]);
    expectProblem(await remove(person.client, id), 404, 'provider_account_not_found');
    expectProblem(await remove(person.client, 'no-id'), 404, 'provider_account_not_found');
    await new SocialBrowser(app).signIn();
    expect(await linked(person)).toEqual([]); // a new user, with the provider's address
    expect(await linked({ email: `connecting-${count}@provider.example` })).toEqual(['test']);
  });

  test('of another user is not possible, nor in a session without a recent proof', async () => {
    const [person, stranger] = [await owner(), await owner()];
    const browser = new SocialBrowser(app);
    await finish(browser, (await connect(browser, person.client)).body.url);
    const id = await idOf(person.client);
    expectProblem(await remove(stranger.client, id), 404, 'provider_account_not_found');
    app.clock.advance('11m');
    await person.client.refresh();
    expectProblem(await remove(person.client, id), 401, 'reauthentication_required');
    expectProblem(await remove(app.client(), id), 401, 'not_authenticated');
    expect(await linked(person)).toEqual(['test']);
  });

  test('is refused if the user could not sign in any more', async () => {
    // Without the routes of a password by mail, an address is no way in.
    const bare = await createSocialApp(
      { providers: [trusted(provider), trusted(other, 'other')] },
      {},
      { auth: { routes: { passwordReset: false } } },
    );
    const browser = new SocialBrowser(bare);
    await browser.signIn();
    const client = await browser.client();
    const id = (await client.get('/auth/social/accounts')).body[0].id;
    expectProblem(
      await client.send('DELETE', `/auth/social/accounts/${id}`, undefined, client.bearer),
      409,
      'last_sign_in_method',
    );
    const begun = await browser.open('/auth/social/other/connect', {
      method: 'POST',
      body: '{}',
      headers: { ...client.bearer, 'content-type': 'application/json' },
    });
    await finish(browser, JSON.parse(begun.html).url);
    const remove = () => client.send('DELETE', `/auth/social/accounts/${id}`, undefined, client.bearer);
    // Both at the same time: one is left.
    const accounts = (await client.get('/auth/social/accounts')).body as { id: string }[];
    expect(accounts).toHaveLength(2);
    const answers = await Promise.all(
      accounts.map((each) => client.send('DELETE', `/auth/social/accounts/${each.id}`, undefined, client.bearer)),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 409]);
    expect((await remove()).status).not.toBe(204);
    await bare.close();
  });

  test('is possible with a confirmed address, which a mail can reach', async () => {
    const browser = new SocialBrowser(app);
    await browser.signIn();
    const client = await browser.client();
    expect((await remove(client, await idOf(client))).status).toBe(204);
  });
});
