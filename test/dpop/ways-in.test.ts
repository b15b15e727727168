import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { magicLinkModule } from '../../src/features/magic-link/index.js';
import { passkeysModule } from '../../src/features/passkeys/index.js';
import { createSocialModule } from '../../src/features/social/index.js';
import { startTestProvider } from '../../src/features/social/testing/index.js';
import { totpModule } from '../../src/features/totp/index.js';
import { totpCode } from '../../src/features/totp/totp-testing.js';
import type { SettingsInput } from '../../src/index.js';
import { libraryRoutes } from '../../src/openapi/library-route.js';
import { BoundClient } from '../support/bound-client.js';
import { codesModule, codesOf, entitiesWith } from '../support/codes.module.js';
import { fingerprintOfAll } from '../support/database-fingerprint.js';
import { expectProblem } from '../support/expect-problem.js';
import { createMailApp, type MailApp, PUBLIC_URL } from '../support/mail-app.js';
import { askForMail, openInvitation, openLink, openReset } from '../support/mailed-ways-in.js';
import { signUpOptions } from '../support/passkey-sign-ups.js';
import { createPasskeyOwner, newAuthenticator, requestOptions, sessionFor } from '../support/passkeys-app.js';
import { createPerson, type Person } from '../support/person.js';
import { SocialBrowser, trusted } from '../support/social-app.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { type Answer, PASSWORD } from '../support/test-client.js';
import { enrol } from '../support/totp-app.js';
import { until } from '../support/until.js';

const OTHER = 'another sentence of some length';

const provider = await startTestProvider();
afterAll(() => provider.close());

const modules = [
  codesModule(),
  totpModule,
  magicLinkModule,
  passkeysModule,
  createSocialModule({ providers: [trusted(provider)] }),
] as const;
const entities = entitiesWith(...modules);

/** An app that binds every session, and another one on its database that does not, to prepare its users. */
interface Apps {
  readonly app: MailApp;
  readonly unbound: TestApp;
}

async function startApps(settings: SettingsInput = {}): Promise<Apps> {
  const own = {
    sessionOnEmailVerification: true,
    invitations: true,
    loginRateLimit: '1000/15m/account+ip,1000/15m/ip',
    registrationRateLimit: '1000/1h/ip',
    mailRateLimit: '1000/1h/account,1000/1h/ip',
    ...settings,
  } as const;
  const app = await createMailApp({ emailVerification: 'optional', ...own, dpop: 'required' }, { orm: { entities } });
  const mail = { publicUrl: PUBLIC_URL, smtpUrl: app.sink.url, emailFrom: 'Example <no-reply@example.com>' };
  const unbound = await createTestApp({ database: app.database, orm: { entities }, settings: mail });
  return { app, unbound };
}

/** A request that would sign in, as soon as it has a proof. */
interface Prepared {
  readonly path: string;
  readonly body: object;
  readonly headers?: Record<string, string>;
}

/** What each JSON way in needs before its last request. */
const JSON_WAYS: Readonly<Record<string, (apps: Apps, person: Person) => Promise<Prepared> | Prepared>> = {
  login: (_apps, { email }) => ({ path: '/auth/login', body: { email, password: PASSWORD } }),
  register: (_apps, { email }) => ({ path: '/auth/registration', body: { email: `new-${email}`, password: PASSWORD } }),
  changePassword: async ({ unbound }, { id }) => ({
    path: '/auth/password/change',
    body: { oldPassword: PASSWORD, newPassword: OTHER },
    headers: (await sessionFor(unbound, id)).bearer,
  }),
  resetPassword: async ({ app }, person) => ({
    path: '/auth/password/reset/set-new',
    body: { newPassword: OTHER },
    headers: { cookie: await openReset(app, person) },
  }),
  acceptInvitation: async ({ app }, person) => ({
    path: '/auth/registration/set-password',
    body: { newPassword: OTHER },
    headers: { cookie: await openInvitation(app, person) },
  }),
  signInByCode: async ({ app }, person) => {
    const { request, code } = await askForMail(app, person);
    return { path: '/auth/magic-link/verify', body: { request, code } };
  },
  signInByLink: async ({ app }, person) => {
    await askForMail(app, person);
    return { path: '/auth/magic-link/sign-in', body: {}, headers: { cookie: await openLink(app, person.email) } };
  },
  signInWithProviderToken: (_apps, { email }) => ({
    path: '/auth/social/test/token',
    body: { idToken: provider.idToken({ nonce: 'n' }, { email }), nonce: 'n' },
  }),
  exchangeProviderCode: async ({ app }, { email }) => {
    provider.signInAs({ email });
    const { fragment } = await new SocialBrowser(app).signIn('test', { transport: 'body' });
    return { path: '/auth/social/exchange', body: { code: fragment['code'] } };
  },
  signInWithPasskey: async ({ app, unbound }) => {
    const { authenticator } = await createPasskeyOwner(unbound);
    const credential = authenticator.get(await requestOptions(app.client()));
    return { path: '/auth/passkeys/login', body: { credential } };
  },
  signUpWithPasskey: async ({ app }, person) => {
    const email = `new-${person.email}`;
    const credential = newAuthenticator().create(await signUpOptions(app.client(), { email }));
    return { path: '/auth/passkeys/sign-up', body: { email, credential } };
  },
  verifyCode: async ({ app }, { id, ticket }) => {
    await codesOf(app.auth).give(id, ['right']);
    return { path: '/auth/codes/verify', body: { challenge: await ticket(), code: 'right' } };
  },
  verifyMfa: async ({ unbound }, { id, ticket }) => {
    const { recoveryCodes } = await enrol(unbound, await sessionFor(unbound, id));
    return { path: '/auth/mfa/verify', body: { challenge: await ticket(), recoveryCode: recoveryCodes[0] } };
  },
  confirmTotp: async ({ app }, { ticket }) => {
    const challenge = await ticket();
    const { body } = await app.client().send('POST', '/auth/mfa/totp/setup', { challenge });
    return { path: '/auth/mfa/totp/confirm', body: { challenge, code: totpCode(body.secret, app.clock.now()) } };
  },
};

/** Submits a form of a page, as a browser does. @returns the refresh token in the cookie that the answer sets */
async function submitted(app: MailApp, path: string, cookie: string): Promise<string> {
  const body = new URLSearchParams({ newPassword: OTHER });
  const page = await app.open(app.url + path, { method: 'POST', body, headers: { cookie, origin: app.url } });
  return tokenIn(page.headers);
}

function tokenIn(headers: Headers): string {
  const cookies = headers.getSetCookie().map((cookie) => /^refresh_token=([^;]+)/.exec(cookie)?.[1]);
  return cookies.find((token) => token !== undefined) ?? '';
}

/** Walks each way in that a browser navigates, and returns the refresh token. */
const PAGES: Readonly<Record<string, (app: MailApp, person: Person) => Promise<string>>> = {
  submitPasswordResetForm: async (app, person) =>
    submitted(app, '/auth/password/reset/form', await openReset(app, person)),
  submitInvitationForm: async (app, person) =>
    submitted(app, '/auth/registration/password-form', await openInvitation(app, person)),
  signInByLink: async (app, person) => {
    await askForMail(app, person);
    return submitted(app, '/auth/magic-link/sign-in', await openLink(app, person.email));
  },
  finishProvider: async (app, { email }) => {
    provider.signInAs({ email });
    return tokenIn((await new SocialBrowser(app).signIn()).headers);
  },
  openVerification: async (app, person) => {
    const email = `new-${person.email}`;
    const { headers, status } = await app.client().register(email);
    expect(status).toBe(201); // the mail is sent, no session is opened, and no proof is asked for
    const cookie = headers.getSetCookie()[0]?.split(';')[0] ?? '';
    return tokenIn((await app.open(await app.linkTo(email), { headers: { cookie } })).headers);
  },
};

/** Apps whose settings differ from those of the others. */
const SETTINGS: Readonly<Record<string, SettingsInput>> = {
  openVerification: { emailVerification: 'mandatory' },
  confirmTotp: { mfaMode: 'required' },
  exchangeProviderCode: { refreshTokenTransport: 'both' },
};

const started = new Map<string, Apps>();
const appsFor = (id: string) => started.get(id) ?? (started.get('') as Apps);
beforeAll(async () => {
  started.set('', await startApps());
  for (const [id, settings] of Object.entries(SETTINGS)) started.set(id, await startApps(settings));
});
afterAll(async () => {
  for (const { app, unbound } of started.values()) {
    await unbound.close();
    await app.close();
  }
});

const cnf = (token: string) => decodeJwt(token)['cnf'];

/** The row of the session of a token. */
const rowOf = async (app: TestApp, token: string) =>
  (await app.sessions()).find(({ id }) => id === decodeJwt(token)['session']) as Record<string, unknown> | undefined;

/** Waits until all mails are sent. */
async function settled({ app }: Apps): Promise<void> {
  await until(async () => (await app.database.pool.query('select 1 from auth_outbox_mail')).rows.length === 0);
}

describe.each(Object.entries(JSON_WAYS))('%s, where every sign-in needs a proof,', (id, prepare) => {
  let apps: Apps;
  let request: Prepared;
  let client: BoundClient;
  let mails: number;
  let before: Record<string, string>;
  beforeAll(async () => {
    apps = appsFor(id);
    client = await BoundClient.of(apps.app);
  });

  /** Prepares a request of another person. */
  async function prepareNext(): Promise<void> {
    const { app, unbound } = apps;
    unbound.clock.set(new Date(app.clock.now()));
    request = await prepare(apps, await createPerson(app));
    app.clock.set(new Date(unbound.clock.now()));
    await settled(apps);
    mails = app.sink.mails.length;
    before = await fingerprintOfAll(app.database);
  }

  const send = (dpop?: string): Promise<Answer> => {
    const { path, body, headers = {} } = request;
    return apps.app.client().send('POST', path, body, dpop === undefined ? headers : { ...headers, dpop });
  };

  /** @param changed the tables of which rows may have changed */
  async function expectNothingDone(answer: Answer, changed: readonly string[] = []): Promise<void> {
    expect(answer.headers.getSetCookie()).toEqual([]);
    const after = await fingerprintOfAll(apps.app.database);
    for (const table of changed) after[table] = before[table] as string;
    expect(after).toEqual(before);
    expect(apps.app.sink.mails.length).toBe(mails);
  }

  test('does nothing without a proof, or with a wrong, old or used one, and signs in with a right one', async () => {
    await prepareNext();
    for (const dpop of [undefined, '']) {
      const missing = await send(dpop);
      expectProblem(missing, 400, 'dpop_proof_missing');
      await expectNothingDone(missing);
    }
    for (const bad of ['no proof', await client.proof('POST', '/auth/refresh')]) {
      const refused = await send(bad);
      expectProblem(refused, 401, 'dpop_proof_invalid');
      await expectNothingDone(refused);
    }
    const early = await send(await client.proof('POST', request.path, { claims: { iat: 0 } }));
    expectProblem(early, 401, 'use_dpop_nonce');
    await expectNothingDone(early);

    const nonce = early.headers.get('dpop-nonce');
    const proof = () => client.proof('POST', request.path, { claims: { iat: 0, nonce } });
    const used = await proof();
    await expectBound(await send(used));

    await prepareNext();
    const replayed = await send(used);
    expectProblem(replayed, 401, 'dpop_proof_invalid');
    // Only after authentication it is clear that a proof was used: the try counts, and an ID token is used up.
    const isByToken = id === 'signInWithProviderToken';
    await expectNothingDone(replayed, ['auth_counter', ...(isByToken ? ['auth_social_used_token'] : [])]);
    if (isByToken) await prepareNext();
    await expectBound(await send(await proof()));
  });

  async function expectBound({ status, body, cookie }: Answer): Promise<void> {
    expect(status).toBeLessThan(300);
    const jkt = client.key.thumbprint;
    const refresh = cookie?.value ?? body.refresh;
    expect([cnf(body.access), cnf(refresh)]).toEqual([{ jkt }, { jkt }]);
    expect(await rowOf(apps.app, refresh)).toMatchObject({ enabled: true, key_thumbprint: jkt, proofs: null });
  }
});

describe.each(Object.entries(PAGES))('the page of %s, where every sign-in needs a proof,', (id, walk) => {
  test('signs in without one, and its first refresh needs a proof, which binds the session', async () => {
    const { app } = appsFor(id);
    const client = await BoundClient.of(app);
    client.refreshToken = await walk(app, await createPerson(app));
    const opened = { enabled: true, key_thumbprint: null };
    expect(await rowOf(app, client.refreshToken)).toMatchObject(opened);
    expectProblem(await (await client.stolenBy()).refresh(), 401, 'dpop_proof_invalid');
    expect(await rowOf(app, client.refreshToken)).toMatchObject(opened);
    expect((await client.refresh()).status).toBe(200);
    const jkt = client.key.thumbprint;
    expect([cnf(client.access), cnf(client.refreshToken)]).toEqual([{ jkt }, { jkt }]);
    expect(await rowOf(app, client.refreshToken)).toMatchObject({ key_thumbprint: jkt, proofs: [expect.any(String)] });
  });
});

test('each route that issues tokens is walked', () => {
  const issuing = [...started.values()].flatMap(({ app }) =>
    libraryRoutes(app.auth.controllers)
      .filter(({ description }) => description.isIssuingTokens)
      .map(({ description }) => description.id),
  );
  const continuing = ['refresh', 'reauthenticate']; // see `bound-sessions.test.ts` and `refused-proofs.test.ts`
  expect([...new Set(issuing)].sort()).toEqual(
    [...new Set([...Object.keys(JSON_WAYS), ...Object.keys(PAGES), ...continuing])].sort(),
  );
});
