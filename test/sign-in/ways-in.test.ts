import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { magicLinkModule } from '../../src/features/magic-link/index.js';
import { passkeysModule } from '../../src/features/passkeys/index.js';
import { createSocialModule } from '../../src/features/social/index.js';
import { startTestProvider } from '../../src/features/social/testing/index.js';
import { totpModule } from '../../src/features/totp/index.js';
import type { AuthModule } from '../../src/module.js';
import { libraryRoutes } from '../../src/openapi/library-route.js';
import { STANDARD_MODULES } from '../../src/standard-modules.js';
import { codesModule, codesOf, entitiesWith } from '../support/codes.module.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { askForMail, cookieOf, openInvitation, openReset } from '../support/mailed-ways-in.js';
import { sendSignUp, signUpOptions } from '../support/passkey-sign-ups.js';
import { createPasskeyOwner, login, newAuthenticator, requestOptions } from '../support/passkeys-app.js';
import { challengeBy, createPerson, type Person } from '../support/person.js';
import { claimsOf } from '../support/race.js';
import { SocialBrowser, trusted } from '../support/social-app.js';
import { PASSWORD, type TestClient } from '../support/test-client.js';
import { enrol } from '../support/totp-app.js';

const OTHER = 'another sentence of some length';

const provider = await startTestProvider();
afterAll(() => provider.close());

/** The optional features. Each app below has them all, so that each of their ways in is walked. */
const OPTIONAL_MODULES = {
  totp: totpModule,
  'magic-link': magicLinkModule,
  passkeys: passkeysModule,
  social: createSocialModule({ providers: [trusted(provider)] }),
} as const satisfies Record<string, AuthModule>;

/** What a way in has answered: a JSON body, or an HTML page. */
interface Outcome {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

interface WayIn {
  /** How it ends without the second factor. Default: with a challenge. */
  readonly end?: 'page' | 'redirect' | 'confirmation' | 'refresh' | 'reauthentication' | 'answer';
  /** It creates its user, who cannot have a second factor before. */
  readonly isForNewUsers?: boolean;
  /** Whether the app confirms addresses before the first sign-in. Default: false. */
  readonly isMandatory?: boolean;
  walk(app: MailApp, person: Person): Promise<Outcome>;
}

const setNew = (app: MailApp, path: string, cookie: string) =>
  app.client().send('POST', path, { newPassword: OTHER }, { cookie });

async function submit(app: MailApp, path: string, cookie: string): Promise<Outcome> {
  const body = new URLSearchParams({ newPassword: OTHER });
  const page = await app.open(app.url + path, { method: 'POST', body, headers: { cookie } });
  return { ...page, body: page.html };
}

const answerWrongly = async (app: MailApp, { ticket }: Person, path: string) =>
  app.client().send('POST', path, { challenge: await ticket(), code: '000000' });

/** Signs in with the provider, up to its answer. */
async function finishProvider(app: MailApp, { email }: Person) {
  provider.signInAs({ email });
  const landing = await new SocialBrowser(app).signIn();
  return { ...landing, body: landing.location };
}

/** A client with a session that was opened without the second factor. */
async function signedIn(app: MailApp, { id }: Person): Promise<TestClient> {
  const { access, refresh } = await app.auth.sessions.open({ id });
  return Object.assign(app.client(), { access, refreshToken: refresh });
}

/** How to walk each route that issues tokens, by its operation id. */
const WAYS_IN: Readonly<Record<string, WayIn>> = {
  login: { walk: (app, { email }) => app.client().login(email) },
  register: {
    isForNewUsers: true,
    walk: (app, { email }) => app.client().register(email),
  },
  openVerification: {
    isForNewUsers: true,
    isMandatory: true,
    end: 'confirmation',
    walk: async (app, { email }) => {
      const { headers } = await app.client().register(email);
      const cookie = headers.getSetCookie()[0]?.split(';')[0] ?? '';
      const page = await app.open(await app.linkTo(email), { headers: { cookie } });
      return { ...page, body: page.html };
    },
  },
  changePassword: { walk: async (app, person) => (await signedIn(app, person)).changePassword(PASSWORD, OTHER) },
  resetPassword: {
    walk: async (app, person) => setNew(app, '/auth/password/reset/set-new', await openReset(app, person)),
  },
  submitPasswordResetForm: {
    end: 'page',
    walk: async (app, person) => submit(app, '/auth/password/reset/form', await openReset(app, person)),
  },
  acceptInvitation: {
    walk: async (app, person) => setNew(app, '/auth/registration/set-password', await openInvitation(app, person)),
  },
  submitInvitationForm: {
    end: 'page',
    walk: async (app, person) => submit(app, '/auth/registration/password-form', await openInvitation(app, person)),
  },
  signInByCode: {
    walk: async (app, person) => {
      const { request, code } = await askForMail(app, person);
      return app.client().send('POST', '/auth/magic-link/verify', { request, code });
    },
  },
  signInByLink: {
    walk: async (app, person) => {
      const { link } = await askForMail(app, person);
      const cookie = cookieOf((await app.open(link)).cookies);
      const path = '/auth/magic-link/sign-in';
      const page = await submit(app, path, cookie); // the form of the built-in page
      expect([page.status, page.headers.getSetCookie()]).toEqual([200, []]);
      expect(page.body).toContain('second factor');
      return app.client().send('POST', path, {}, { cookie });
    },
  },
  finishProvider: { end: 'redirect', walk: (app, person) => finishProvider(app, person) },
  signInWithProviderToken: {
    walk: (app, { email }) => {
      const idToken = provider.idToken({ nonce: 'n' }, { email });
      return app.client().send('POST', '/auth/social/test/token', { idToken, nonce: 'n' });
    },
  },
  // A code exists only after the second factor. The challenge is none.
  exchangeProviderCode: {
    end: 'answer',
    walk: async (app, person) => {
      const { fragment } = await finishProvider(app, person);
      return app.client().send('POST', '/auth/social/exchange', { code: fragment['challenge'] });
    },
  },
  // A passkey is both factors. Here it belongs to another user, who has no second factor of another kind.
  signInWithPasskey: {
    end: 'answer',
    walk: async (app, person) => {
      const other = await createPasskeyOwner(app);
      const challenge = await person.ticket();
      const credential = other.authenticator.get(await requestOptions(app.client()));
      return login(app.client(), { challenge, credential });
    },
  },
  // A new passkey is both factors of a new user. A taken address gets nothing, also if it was free before.
  signUpWithPasskey: {
    end: 'answer',
    walk: async (app, { id, email, ticket }) => {
      const client = app.client();
      const rename = (to: string) => app.database.pool.query('update app_user set email = $2 where id = $1', [id, to]);
      await ticket();
      await rename(`before-${email}`);
      const credential = newAuthenticator().create(await signUpOptions(client, { email }));
      await rename(email);
      return sendSignUp(client, { email, credential });
    },
  },
  // Not a way in: it continues a session, and cannot add `mfa` to it.
  refresh: { end: 'refresh', walk: async (app, person) => (await signedIn(app, person)).refresh() },
  // Not a way in either: a password does not make the session of a user with a second factor fresh.
  reauthenticate: {
    end: 'reauthentication',
    walk: async (app, person) => {
      const client = await signedIn(app, person);
      return client.send('POST', '/auth/reauthenticate', { password: PASSWORD }, client.bearer);
    },
  },
  // These answer a challenge. Here the code is wrong, or the user has another factor.
  verifyCode: { end: 'answer', walk: (app, person) => answerWrongly(app, person, '/auth/codes/verify') },
  verifyMfa: { end: 'answer', walk: (app, person) => answerWrongly(app, person, '/auth/mfa/verify') },
  confirmTotp: { end: 'answer', walk: (app, person) => answerWrongly(app, person, '/auth/mfa/totp/confirm') },
};

/** Sets a second factor up, and ends the session in which it is done. */
const FACTORS: Readonly<Record<string, (app: MailApp, person: Person) => Promise<unknown>>> = {
  codes: (app, { id }) => codesOf(app.auth).give(id, ['right']),
  totp: async (app, person) => {
    await enrol(app, await signedIn(app, person));
    await app.auth.sessions.revokeAll(person.id);
    await app.mailsTo(person.email); // the notice, which has no link of a way in
    app.sink.mails.splice(0);
  },
};

describe.each([
  ['a user with the factor of a module of the app', 'codes', ['codes', 'codes_backup']],
  ['a user with an authenticator app', 'totp', ['totp', 'recovery_code']],
  ['a user without a second factor, where every user must have one', undefined, ['codes_setup', 'totp_setup']],
])('%s', (_who, factor, methods) => {
  const isRequired = factor === undefined;
  const apps = new Map<boolean, MailApp>();
  beforeAll(async () => {
    const entities = entitiesWith(codesModule({ isRequired }), ...Object.values(OPTIONAL_MODULES));
    for (const isMandatory of [false, true]) {
      const settings = {
        emailVerification: isMandatory ? 'mandatory' : 'optional',
        sessionOnEmailVerification: true,
        invitations: true,
        mfaMode: isRequired ? 'required' : 'optional',
      } as const;
      apps.set(isMandatory, await createMailApp(settings, { orm: { entities } }));
    }
  });
  afterAll(async () => {
    for (const app of apps.values()) await app.close();
  });
  const appOf = (isMandatory: boolean) => apps.get(isMandatory) as MailApp;

  /** The user of a walk; for a way in that creates its user, only the address. */
  async function subject(app: MailApp, isNew = false): Promise<Person> {
    const person = await createPerson(app);
    if (isNew) await app.database.pool.query('delete from app_user where id = $1', [person.id]);
    else if (factor) await FACTORS[factor]?.(app, person);
    return person;
  }

  const sessionsOf = async (app: MailApp, { email }: Person) => {
    const sql = 'select s.* from auth_session s join app_user u on u.id = s.user_id where u.email = $1 and s.enabled';
    return (await app.database.pool.query(sql, [email])).rows;
  };
  const challengesOf = async (app: MailApp, { email }: Person) => {
    const sql = 'select 1 from auth_challenge c join app_user u on u.id = c.user_id where u.email = $1';
    return (await app.database.pool.query(sql, [email])).rowCount;
  };

  const walks = Object.entries(WAYS_IN).filter(([, { isForNewUsers }]) => isRequired || !isForNewUsers);

  test.each(walks)('gets no tokens from %s', async (_id, { end, isForNewUsers, isMandatory = false, walk }) => {
    const app = appOf(isMandatory);
    const person = await subject(app, isForNewUsers);
    const { status, headers, body } = await walk(app, person);
    const sessions = await sessionsOf(app, person);
    if (end === 'refresh') {
      expect([status, sessions.map(({ amr }) => amr)]).toEqual([200, [[]]]);
      return;
    }
    if (end === 'reauthentication') {
      expect([status, sessions.map(({ amr }) => amr)]).toEqual(isRequired ? [200, [['pwd']]] : [401, [[]]]);
      return;
    }
    expect(JSON.stringify(body)).not.toMatch(/"(access|refresh)"|eyJ/);
    expect(headers.getSetCookie().filter((cookie) => /^(__Host-)?refresh_token=[^;]/.test(cookie))).toEqual([]);
    expect([sessions, await challengesOf(app, person)]).toEqual([[], 1]);
    if (end === 'page') expect([status, String(body).includes('second factor')]).toEqual([200, true]);
    else if (end === 'confirmation') expect(status).toBe(200);
    else if (end === 'redirect') {
      const expected = `error=second_factor_required&.*&methods=${methods.join('%2C')}&expires_in=300`;
      expect([status, body]).toEqual([303, expect.stringMatching(expected)]);
    } else if (end === 'answer') expect(status).toBeGreaterThanOrEqual(400);
    else expect([status, body]).toMatchObject([401, { code: 'second_factor_required', methods, expires_in: 300 }]);
  });

  test('gets no tokens from `auth.signIn` either, and those of `auth.sessions.open` are without `mfa`', async () => {
    const app = appOf(false);
    const person = await subject(app);
    const { id } = person;
    expect(await person.ticket()).toMatch(/^[\w-]{43}$/);
    expect(await challengeBy(() => app.auth.signIn({ id }, { method: ['pwd', 'otp', 'hwk'] }))).toMatch(/^[\w-]{43}$/);
    await expect(app.auth.signIn({ id }, { method: ['pwd', 'mfa'] })).rejects.toThrow(TypeError);
    expect(await sessionsOf(app, person)).toEqual([]);
    // For the app's own code, which has to decide itself: documented as the exception.
    expect(claimsOf((await app.auth.sessions.open({ id })).access).amr).toEqual([]);
  });

  test('is tested at each route that issues tokens', () => {
    const issuing = [...apps.values()].flatMap(({ auth }) =>
      libraryRoutes(auth.controllers)
        .filter(({ description }) => description.isIssuingTokens)
        .map(({ description }) => description.id),
    );
    expect([...new Set(issuing)].sort()).toEqual(Object.keys(WAYS_IN).sort());
  });
});

test('each feature of the library is in the apps of this file', async () => {
  const features = new URL('../../src/features/', import.meta.url);
  for (const name of await readdir(features)) {
    const files = (await readdir(new URL(`${name}/`, features))).filter((file) => file.endsWith('.module.ts'));
    for (const file of files) {
      const made = Object.values(await import(new URL(`${name}/${file}`, features).href));
      const isStandard = made.some((each) => STANDARD_MODULES.includes(each as AuthModule));
      expect([name, isStandard || name in OPTIONAL_MODULES]).toEqual([name, true]);
    }
  }
});
